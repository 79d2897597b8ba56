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
        operations += sum(isinstance(value, dict) for value in level)
        values += sum(not isinstance(value, dict | list) for value in level)
        if operations > MAX_OPERATIONS:
            raise ValueError(f"has more than {MAX_OPERATIONS} operations and properties: `in` takes many values")
        if values > MAX_VALUES:
            raise ValueError(f"has more than {MAX_VALUES} values")
        level = [inner for value in level for inner in _inside(value)]
        if not level:
            return
    raise ValueError(f"is nested deeper than {MAX_DEPTH} levels")


def _inside(value: object) -> list[object]:
    """What is one level below. An array is on the level of its object: `args` is not a level of its own."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return []
    inside: list[object] = []
    for name, member in value.items():
        if name == "args" and isinstance(member, list):
            inside.extend(member)
        elif name not in ("op", "coordinates", "bbox"):
            inside.append(member)
    return inside
