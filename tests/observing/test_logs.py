"""What is logged is one line, whatever is in it."""

import json
import logging
import re
import subprocess
import sys

import pytest

from app.observing.logs import Json, Text


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31mred", "\udcff", "ü"])
def test_nothing_that_is_logged_breaks_a_line(text: str) -> None:
    record = logging.LogRecord("upesi", logging.INFO, "", 0, "%s", (text,), None)
    assert json.loads(Json().format(record))["message"]
    line = Text().format(record)
    assert not re.search(r"[\x00-\x1f]", line)
    assert line.startswith("INFO:     ")


# In a process of its own: what is set there would stay.
WARN = """
import logging.config, sys
from app.observing import logs
logging.config.dictConfig(logs.configuration("json"))
try:
    raise ValueError("odd")
except ValueError:
    logging.getLogger(sys.argv[1]).warning("it failed", exc_info=True)
"""


@pytest.mark.parametrize("logger", ["asyncio", "asyncpg.pool", "upesi", "uvicorn.error"])
def test_a_warning_is_one_line_whoever_gives_it(logger: str) -> None:
    done = subprocess.run([sys.executable, "-c", WARN, logger], capture_output=True, check=True)
    line = json.loads(done.stderr)
    assert (line["logger"], line["level"], line["message"]) == (logger, "warning", "it failed")
    assert "ValueError: odd" in line["error"]
