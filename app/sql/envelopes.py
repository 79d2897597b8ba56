"""The box around the items of a collection: of two parts across the antimeridian, the one that ends at 180 first."""

from app.database.fragment import Fragment, sql

IS_PARTED = "ST_NumGeometries(c.envelope) > 1"
WEST = "ST_XMin(ST_GeometryN(c.envelope, 1))"
EAST = "ST_XMax(ST_GeometryN(c.envelope, ST_NumGeometries(c.envelope)))"


def from_end_to_end(shape: str) -> str:
    """Whether a geometry reaches both ends of longitude."""
    return f"(ST_XMin({shape}) = -180 AND ST_XMax({shape}) = 180)"


def narrowest(shape: str) -> Fragment:
    """The narrowest box around geometries. Of those that reach both ends of longitude it goes across the antimeridian,
    and leaves out the widest gap between them, if there is one.

    OFFSET keeps the planner from writing the shape out several times.
    """
    gaps = sql(
        "SELECT max(ST_XMax(p.geom)) OVER (ORDER BY ST_XMin(p.geom)) AS low,",
        " lead(ST_XMin(p.geom)) OVER (ORDER BY ST_XMin(p.geom)) AS high FROM ST_Dump(b.shape) AS p",
    )
    across = sql(
        sql("SELECT ST_Collect(", _part("g.high", "180"), ", ", _part("-180", "g.low"), ") FROM (", gaps, ") AS g"),
        " WHERE -180 < g.low AND g.low < g.high AND g.high < 180 ORDER BY g.high - g.low DESC LIMIT 1",
    )
    return sql(
        f"(SELECT coalesce(CASE WHEN {from_end_to_end('b.shape')} THEN (",
        across,
        f") END, ST_Envelope(b.shape)) FROM (SELECT {shape} AS shape OFFSET 0) AS b)",
    )


def _part(west: str, east: str) -> str:
    """As high as all. ST_Envelope makes a line of a box without height."""
    return f"ST_Envelope(ST_MakeEnvelope({west}, ST_YMin(b.shape), {east}, ST_YMax(b.shape), 4326))"
