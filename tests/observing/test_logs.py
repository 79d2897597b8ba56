"""What is logged is one line, whatever is in it."""

import json
import logging
import re

import pytest

from app.observing.logs import Json, Text


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31mred", "\udcff", "ü"])
def test_nothing_that_is_logged_breaks_a_line(text: str) -> None:
    record = logging.LogRecord("upesi", logging.INFO, "", 0, "%s", (text,), None)
    assert json.loads(Json().format(record))["message"]
    line = Text().format(record)
    assert not re.search(r"[\x00-\x1f]", line)
    assert line.startswith("INFO:     ")
