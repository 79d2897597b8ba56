"""How large a filter may be. Each bound keeps what stands behind it from failing in its own way."""

# What the text parser reads in a fraction of a second; a polygon of 10,000 vertices fits.
MAX_TEXT = 512 * 1024
# Python, PostgreSQL and the text parser all recurse.
MAX_DEPTH = 100
# PostgreSQL takes 32,767 parameters in a statement; an operation needs four at most.
MAX_OPERATIONS = 1_000
MAX_VALUES = 10_000


def check_tree(tree: object) -> None:
    """Of CQL2-JSON, as parsed. The coordinates of geometries are not counted. Raises ValueError."""
    operations = values = 0
    level = [tree]
    for _ in range(MAX_DEPTH):
        below: list[object] = []
        for value in level:
            if isinstance(value, dict):
                operations += 1
                _put_members(value, below)
            elif isinstance(value, list):
                below.extend(value)
            else:
                values += 1
        if operations > MAX_OPERATIONS:
            raise ValueError(f"has more than {MAX_OPERATIONS} operations and properties: `in` takes many values")
        if values > MAX_VALUES:
            raise ValueError(f"has more than {MAX_VALUES} values")
        if not below:
            return
        level = below
    raise ValueError(f"is nested deeper than {MAX_DEPTH} levels")


def _put_members(value: dict[object, object], below: list[object]) -> None:
    """An array of arguments is on the level of its object: `args` is not a level of its own."""
    for name, member in value.items():
        if name == "args" and isinstance(member, list):
            below.extend(member)
        elif name not in ("op", "coordinates", "bbox"):
            below.append(member)
