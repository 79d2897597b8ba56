"""Each command's help has examples, and the command understands them."""

import re
import shlex
from collections.abc import Iterator

import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from app.cli import app


def commands(group: TyperGroup, *names: str) -> Iterator[tuple[str, TyperCommand]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, *names, name)
        else:
            assert isinstance(command, TyperCommand)
            yield " ".join((*names, name)), command


ROOT = typer.main.get_command(app)
assert isinstance(ROOT, TyperGroup)
COMMANDS = dict(commands(ROOT))


@pytest.mark.parametrize("name", COMMANDS)
def test_examples(name: str) -> None:
    command = COMMANDS[name]
    examples = re.findall("`upesi ([^`]+)`", command.epilog or "")
    assert examples
    for example in examples:
        words = shlex.split(example.partition(" > ")[0])
        own = len(name.split())
        assert " ".join(words[:own]) == name
        with command.make_context(name, words[own:]) as read:
            assert read.params.keys() == {parameter.name for parameter in command.params} - {"help"}


@pytest.mark.parametrize("name", COMMANDS)
def test_everything_is_explained(name: str) -> None:
    command = COMMANDS[name]
    assert (command.help or "").partition("\n")[0].endswith(".")
    assert [each.name for each in command.params if not getattr(each, "help", None)] == []
