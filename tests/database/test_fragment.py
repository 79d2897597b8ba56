import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.database.fragment import Fragment, Parameter, join, literal, sql

ONE, TWO = Parameter("a", "text"), Parameter(2, "int")


@pytest.mark.parametrize(
    ("fragment", "text", "values"),
    [
        (sql(), "", []),
        (sql("SELECT 1"), "SELECT 1", []),
        (sql("id = ", ONE), "id = $1::text", ["a"]),
        (sql("a = ", ONE, " AND b = ", TWO), "a = $1::text AND b = $2::int", ["a", 2]),
        (sql("a = ", TWO, " AND b = ", ONE), "a = $1::int AND b = $2::text", [2, "a"]),
        (sql(ONE, TWO, ONE), "$1::text$2::int$1::text", ["a", 2]),
        (sql(ONE, Parameter("a", "text")), "$1::text$2::text", ["a", "a"]),
        (sql("(", sql("x = ", ONE, sql(" OR y = ", TWO)), ")"), "(x = $1::text OR y = $2::int)", ["a", 2]),
        (sql("'$1' ", ONE), "'$1' $1::text", ["a"]),
        (join(", ", []), "", []),
        (join(", ", [sql(ONE)]), "$1::text", ["a"]),
        (join(" AND ", [sql("a"), sql(ONE), sql()]), "a AND $1::text AND ", ["a"]),
    ],
)
def test_render(fragment: Fragment, text: str, values: list[object]) -> None:
    assert fragment.render() == (text, values)


@given(st.lists(st.text(max_size=5) | st.builds(Parameter, st.text(), st.sampled_from(["text", "int[]"]))))
def test_nesting_changes_nothing(parts: list[str | Parameter]) -> None:
    flat, nested = sql(*parts), sql()
    for part in parts:
        nested = sql(nested, sql(part))
    assert nested.render() == flat.render() == join("", [sql(part) for part in parts]).render()


def test_render_twice() -> None:
    fragment = sql(ONE, TWO)
    assert fragment.render() == fragment.render()


def test_literal() -> None:
    assert literal("it's $1 'a").render() == ("'it''s $1 ''a'", [])


@pytest.mark.parametrize("text", ["a\\", "\\'; DROP", "a\0"])
def test_no_literal(text: str) -> None:
    with pytest.raises(ValueError, match="not for names"):
        literal(text)
