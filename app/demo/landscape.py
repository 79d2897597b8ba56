"""A landscape from smooth noise, as a satellite would see it: terrain, water, fields, snow and clouds.

Pure arrays, and the same ones on each run: which file they end up in is the business of `rasters`. Apart from it
because of numpy, which only an extra installs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Reflectances of red, green, blue and near infrared.
_WATER = (0.022, 0.045, 0.060, 0.012)
_FOREST = (0.028, 0.046, 0.030, 0.270)
_MEADOW = (0.062, 0.098, 0.048, 0.380)
_DRY = (0.165, 0.135, 0.085, 0.260)
_SOIL = (0.150, 0.112, 0.078, 0.210)
_ROCK = (0.190, 0.178, 0.165, 0.240)
_SNOW = (0.640, 0.660, 0.690, 0.560)
_CLOUD = (0.620, 0.630, 0.650, 0.600)


@dataclass(frozen=True, slots=True)
class Season:
    """What differs between the dates. `snow_line` is a height from 0 to 1, `margin` the strip outside of the swath."""

    seed: int
    green: float
    snow_line: float
    clouds: float
    margin: float
    margin_east: bool = False


SEASONS = {
    "spring": Season(seed=101, green=0.85, snow_line=0.62, clouds=0.12, margin=0.10),
    "summer": Season(seed=202, green=0.60, snow_line=0.86, clouds=0.05, margin=0.06, margin_east=True),
    "autumn": Season(seed=303, green=0.30, snow_line=0.72, clouds=0.26, margin=0.14),
}


@dataclass(frozen=True, slots=True)
class View:
    """The landscape at one date: `bands` (red, green, blue, nir), `classes` at half the resolution, and `visual`."""

    bands: NDArray[np.uint16]
    classes: NDArray[np.uint8]
    visual: NDArray[np.uint8]


def view(size: int, season: Season) -> View:
    height = _terrain(size)
    wet = _water(size, height)
    reflectance = _ground(size, height, wet, season)
    snow = _step(height + 0.06 * (_fractal(size, 41, 12) - 0.5), season.snow_line, 0.04) * ~wet
    reflectance = _mix(reflectance, _SNOW, snow) * _shade(height)
    cloud, shadow = _clouds(size, season)
    puffs = 0.75 + 0.5 * _fractal(size, season.seed + 7, 18)
    reflectance = _mix(reflectance * (1 - 0.55 * shadow), _CLOUD, cloud * puffs)
    outside = _outside_swath(size, season)
    # Steps of 0.001 are finer than the eye or an index needs, and halve the files.
    numbers = np.clip(np.round(reflectance * 1000), 1, 6553).astype(np.uint16) * np.uint16(10)
    numbers[:, outside] = 0
    classes = _classes(numbers, (cloud, shadow, snow), wet)
    return View(numbers, classes[::2, ::2], _visual(numbers))


def _noise(size: int, seed: int, cells: int) -> Floats:
    """Random values on a lattice of `cells`, smoothly interpolated: 0 to 1."""
    lattice = np.random.default_rng([seed, cells]).random((cells + 1, cells + 1))
    place = np.linspace(0, cells, size, endpoint=False)
    cell = place.astype(int)
    part = place - cell
    part = part**3 * (part * (6 * part - 15) + 10)
    rows = lattice[cell] * (1 - part)[:, None] + lattice[cell + 1] * part[:, None]
    return np.asarray(rows[:, cell] * (1 - part) + rows[:, cell + 1] * part, dtype=np.float64)


def _fractal(size: int, seed: int, cells: int, octaves: int = 5) -> Floats:
    heights = np.zeros((size, size))
    for octave in range(octaves):
        heights += _noise(size, seed + octave, cells * 2**octave) * 0.5**octave
    return heights / (2 - 0.5 ** (octaves - 1))


def _terrain(size: int) -> Floats:
    """Heights from 0 to 1: a plain in the south-west that rises to ridges in the north-east."""
    north, east = np.linspace(1, 0, size)[:, None], np.linspace(0, 1, size)
    ridges = 1 - np.abs(2 * _fractal(size, 11, 3, octaves=6) - 1)
    slope = np.clip((north + east) / 2, 0, 1) ** 1.5
    height = 0.25 * _fractal(size, 23, 3) + 0.75 * slope * ridges**2
    return np.asarray((height - height.min()) / (height.max() - height.min()), dtype=np.float64)


def _water(size: int, height: Floats) -> Mask:
    """Lakes in the hollows, and a river: the contour line of smooth noise winds like one."""
    bend = _fractal(size, 57, 2, octaves=3)
    river = (np.abs(bend - 0.5) < 0.008) & (height < 0.4)
    return np.asarray(river | (height < 0.09), dtype=np.bool_)


def _ground(size: int, height: Floats, wet: Mask, season: Season) -> Floats:
    """Fields below, then forest, meadow and rock, with borders that wander."""
    rough = _fractal(size, 71, 24, octaves=4)
    level = height + 0.14 * (rough - 0.5)
    ground = _fields(size, season)
    ground = _mix(ground, _FOREST, _step(level + 0.25 * (_fractal(size, 83, 6) - 0.5), 0.24, 0.02))
    pasture = tuple(season.green * green + (1 - season.green) * dry for green, dry in zip(_MEADOW, _DRY, strict=True))
    ground = _mix(ground, pasture, _step(level, 0.47, 0.03))
    ground = _mix(ground, _ROCK, _step(level, 0.62, 0.05))
    ground = ground * (0.82 + 0.36 * rough)
    return _mix(ground, _WATER, wet.astype(np.float64))


def _fields(size: int, season: Season) -> Floats:
    """Parcels of a slanted grid; each has its own crop, which is green or bare with the season."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float64)
    x, y = x + 14 * _noise(size, 91, 9), y + 14 * _noise(size, 92, 9)
    row = np.floor((0.94 * y - 0.34 * x) / 21).astype(int)
    column = np.floor((0.94 * x + 0.34 * y) / 34 + 0.37 * row).astype(int)
    chance = np.random.default_rng([97, season.seed]).random(4096)
    crop = chance[(row * 61 + column * 17) % 4096]
    green = np.clip(season.green + 1.1 * (crop - 0.5), 0, 1)
    ground = _mix(_filled(size, _SOIL), _MEADOW, green)
    return _mix(ground, _DRY, 0.7 * (crop > 0.8) * (1 - season.green))


def _shade(height: Floats) -> Floats:
    """Slopes that face the morning sun in the south-east are brighter."""
    down, right = np.gradient(height * 90)
    light = (0.75 - 0.45 * right - 0.45 * down) / np.sqrt(1 + right**2 + down**2)
    return np.asarray(np.clip(0.35 + light * 0.87, 0.3, 1.45), dtype=np.float64)


def _clouds(size: int, season: Season) -> tuple[Floats, Floats]:
    """The opacity of the clouds, and of their shadow on the ground to the north-west."""
    billow = _fractal(size, season.seed, 7, octaves=6)
    edge = float(np.quantile(billow, 1 - season.clouds))
    cloud = _step(billow, edge + 0.03, 0.12)
    shadow = np.pad(cloud, ((0, 18), (0, 14)), mode="edge")[18:, 14:]
    return cloud, shadow * (1 - cloud)


def _outside_swath(size: int, season: Season) -> Mask:
    """The strip a descending orbit leaves out: its edge leans from the upper right to the lower left."""
    down, right = np.mgrid[0:size, 0:size] / size
    if season.margin_east:
        return np.asarray(right > 1 - season.margin + 0.08 * (0.5 - down), dtype=np.bool_)
    return np.asarray(right < season.margin + 0.08 * (0.5 - down), dtype=np.bool_)


def _classes(numbers: NDArray[np.uint16], covers: tuple[Floats, Floats, Floats], wet: Mask) -> NDArray[np.uint8]:
    """The codes of Sentinel-2's scene classification, by what covers what."""
    cloud, shadow, snow = covers
    red, nir = numbers[0].astype(np.float64), numbers[3].astype(np.float64)
    classes = np.where(nir > 2.2 * red, 4, 5).astype(np.uint8)
    for code, mask in ((6, wet), (11, snow > 0.5), (3, shadow > 0.4), (8, cloud > 0.3), (9, cloud > 0.75)):
        classes[mask] = code
    classes[numbers[0] == 0] = 0
    return classes


def _visual(numbers: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Red, green and blue with the dark ground lifted and the texture of the clouds kept; 0 is for no data."""
    tone = 1.3 * numbers[:3] / (numbers[:3] + 2000.0)
    return np.where(numbers[:3] == 0, 0, np.clip(np.round(255 * tone), 1, 255)).astype(np.uint8)


def _step(values: Floats, edge: float, width: float) -> Floats:
    """0 below the edge, 1 above it, smooth in between."""
    part = np.clip((values - edge) / width + 0.5, 0, 1)
    return np.asarray(part * part * (3 - 2 * part), dtype=np.float64)


def _filled(size: int, color: tuple[float, ...]) -> Floats:
    return np.tile(np.array(color)[:, None, None], (1, size, size))


def _mix(ground: Floats, color: tuple[float, ...], share: Floats) -> Floats:
    return np.asarray(ground * (1 - share) + np.array(color)[:, None, None] * share, dtype=np.float64)
