"""The shape of the code: which room imports which, and how large a thing may grow."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "app").rglob("*.py"))
DRAWERS = {"utils", "util", "common", "helpers", "base", "core", "services", "misc"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(ast.parse(path.read_bytes())) if isinstance(node, Function))


def test_imports_go_one_way() -> None:
    linter = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    run = subprocess.run([*linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "0 broken" in run.stdout


def test_the_compiler_of_sql_is_pure() -> None:
    for path in (ROOT / "app" / "sql").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            assert not isinstance(node, ast.Await | ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith), named(path)


def test_the_command_is_imported_where_it_runs() -> None:
    """Each process for pixels imports the file anew that the service was started with."""
    module, _, name = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["upesi"].partition(":")
    asked = f"import sys, {module} as found; print(callable(found.{name}), *sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    there, *imported = run.stdout.split()
    assert there == "True"
    assert {name for name in imported if name.startswith("app")} == {"app", module}


@pytest.mark.parametrize("path", FILES, ids=named)
def test_files_are_named_after_a_thing(path: Path) -> None:
    assert not DRAWERS & {part.removesuffix(".py") for part in path.relative_to(ROOT).parts}


@pytest.mark.parametrize("path", FILES, ids=named)
def test_files_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", FILES, ids=named)
def test_functions_are_small(path: Path) -> None:
    for function in functions(path):
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        arguments = function.args
        parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        own = [parameter for parameter in parameters if parameter.arg not in ("self", "cls")]
        assert lines <= 60, f"{function.name} has {lines} lines"
        # A command of the command line has a parameter for each of its options.
        assert len(own) <= 6 or path.name in ("cli.py", "client.py", "pixels.py"), (
            f"{function.name} has {len(own)} parameters"
        )


def test_each_room_with_a_folder_has_a_second_file() -> None:
    for folder in {path.parent for path in FILES} - {ROOT / "app"}:
        files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        rooms = list(folder.glob("*/__init__.py"))
        assert len(files + rooms) > 1, named(folder)
