"""Random filters. Their numbers are such that decimals and doubles agree on what is calculated with them."""

from typing import Any

from hypothesis import strategies as st


def op(name: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(*arguments).map(lambda values: {"op": name, "args": list(values)})


def properties(*names: str) -> st.SearchStrategy[Any]:
    return st.sampled_from([{"property": name} for name in (*names, "missing")])


mixed = properties("n", "m", "t", "u", "b", "d", "a", "k.l", "properties.k")
small = st.sampled_from([0, 1, -3, 2.5, 0.5, 4])
numbers = st.recursive(
    small | properties("n", "m", "k.l"),
    lambda inner: st.one_of(
        *(op(name, inner, inner) for name in ("+", "-", "*", "%", "div")),
        op("/", inner, st.sampled_from([0, 2, -4])),
        op("^", inner, st.sampled_from([0, 1, 2])),
        *(op(name, inner) for name in ("abs", "ceil", "floor")),
    ),
    max_leaves=4,
)
words = st.sampled_from(["alpha", "ÁLPHA", "straße", "1", "", "100%_\\"])
texts = st.recursive(
    words | properties("t", "u", "n"),
    lambda inner: st.one_of(op("lower", inner), op("upper", inner)),
    max_leaves=2,
)
instants = st.one_of(
    st.sampled_from(
        [{"date": "2020-01-01"}, {"timestamp": "2020-01-01T12:00:00Z"}, {"timestamp": "2020-03-01T00:00:00Z"}]
    ),
    properties("d", "e", "n", "datetime"),
)
bounds = properties("d", "e", "n", "datetime")
intervals = st.tuples(
    st.sampled_from(["..", "2019-01-01T00:00:00Z", "2020-01-01"]) | bounds,
    st.sampled_from(["..", "2020-01-01", "2020-02-29T00:00:00+02:00", "2025-01-01T00:00:00Z"]) | bounds,
).map(lambda ends: {"interval": list(ends)})
times = instants | intervals
relations = [
    *("t_after", "t_before", "t_contains", "t_disjoint", "t_during", "t_equals", "t_finishedBy", "t_finishes"),
    *("t_intersects", "t_meets", "t_metBy", "t_overlappedBy", "t_overlaps", "t_startedBy", "t_starts"),
]
patterns = st.lists(st.sampled_from(["%", "_", "a", "l", "p", "\\", "ß", "1"]), max_size=5).map("".join)
scalars = st.sampled_from(["x", "y", 1, 2.5, True])
elements = st.one_of(
    scalars,
    st.lists(st.sampled_from([1, 2, "x"]), max_size=2),
    properties("n", "m", "t", "b", "k.l"),
    op("lower", words),
    op("+", small, small),
    op("=", properties("n"), small),
)
arrays = st.lists(scalars, max_size=3) | st.lists(elements, max_size=3) | properties("a", "c", "n")
comparisons = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])


def compared(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.tuples(comparisons, values, values).map(lambda parts: {"op": parts[0], "args": list(parts[1:])}),
        op("between", values, values, values),
        op("in", values, st.lists(values, max_size=3)),
        op("isNull", values),
    )


conditions = st.recursive(
    st.one_of(
        compared(numbers),
        compared(texts),
        compared(instants),
        compared(mixed),
        op("like", texts, patterns | texts),
        op("contains", texts, words),
        *(op(name, arrays, arrays) for name in ("a_equals", "a_contains", "a_containedBy", "a_overlaps")),
        *(op(name, times, times) for name in relations),
        properties("b", "n"),
        st.booleans(),
    ),
    lambda inner: st.one_of(op("and", inner, inner), op("or", inner, inner), op("not", inner), op("isNull", inner)),
    max_leaves=6,
)
