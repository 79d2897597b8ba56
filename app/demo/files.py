"""Folders of files that the demo makes, below the one that is served at /static."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from app.errors import SetupError

# An item is at …/collections/{collection}/items/{id}, the files beside the collections: also below a path prefix.
STATIC = "../../../static/"
# Where the files are said to be that the demo does not make: no bucket can have such a name. Hrefs of the web that lead
# nowhere are tried by clients, such as the maps of STAC Browser.
NOWHERE = "s3://EXAMPLE_BUCKET"
# Said of such an item, where somebody would click on one.
ABSENT = "Made up for the demo: the thumbnail is real, and no file is at the other hrefs."
_MARKER = ".version"


def write(folder: Path, version: str, make: Callable[[Path], None]) -> None:
    """Have `make` fill the folder, unless it is there in this version already.

    The files appear all at once, by a rename: a process that is killed leaves no folder with a part of them. Raises
    SetupError where a library is missing, or where the folder holds what is not the demo's.
    """
    found = _version(folder)
    if found == version:
        return
    if folder.exists() and found is None and any(folder.iterdir()):
        raise SetupError(f"{folder} holds files that are not the demo's: choose another folder or empty it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        made, replaced = Path(scratch, "made"), Path(scratch, "replaced")
        made.mkdir()
        try:
            make(made)
        except ModuleNotFoundError as error:
            raise SetupError(f"the demo's images need {error.name}: pip install 'upesi[raster]'") from None
        (made / _MARKER).write_text(version)
        if folder.exists():
            folder.rename(replaced)
        made.rename(folder)


def _version(folder: Path) -> str | None:
    try:
        return (folder / _MARKER).read_text()
    except FileNotFoundError:
        return None
