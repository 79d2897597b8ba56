"""Each command's help has examples, and the command understands them. In a pipe it is plain text."""

import os
import pty
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from app.cli import app
from tests.processes import ROOT as REPOSITORY


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


def helped(*words: str, terminal: bool) -> str:
    """What `upesi … --help` prints into a terminal, or into a pipe."""
    command = [str(Path(sys.executable).with_name("upesi")), *words, "--help"]
    environment = os.environ | {"COLUMNS": "100", "TERM": "xterm"}
    if not terminal:
        done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, check=True)
        assert done.stderr == b""
        return done.stdout.decode()
    ours, its = pty.openpty()
    with subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=its, stderr=its) as process:
        os.close(its)
        said = b""
        with suppress(OSError):  # which is how a terminal ends
            while part := os.read(ours, 65536):
                said += part
    os.close(ours)
    assert process.returncode == 0
    return said.decode()


@pytest.mark.parametrize("words", [(), ("search",), ("index",), ("index", "add"), ("token", "create"), ("mosaic",)])
def test_help_is_plain_in_a_pipe(words: tuple[str, ...]) -> None:
    said = helped(*words, terminal=False)
    assert said.startswith(" ".join(("Usage: upesi", *words)))
    assert re.search("[\u2500-\u257f\x1b]", said) is None
    assert "--help" in said


def test_help_has_boxes_in_a_terminal() -> None:
    assert re.search("╭.+ Options ", helped("search", terminal=True))
