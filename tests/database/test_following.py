"""What is known of the database is read again, whatever went wrong the last time."""

import asyncio
import logging

import pytest

from app.database.following import followed
from app.errors import Unavailable

pytestmark = pytest.mark.anyio


async def test_whatever_a_turn_fails_with_the_next_one_comes(caplog: pytest.LogCaptureFixture) -> None:
    failures = iter([None, Unavailable("away"), ValueError("odd"), ValueError("odd again"), None, KeyError("new")])
    done = asyncio.Event()

    async def refresh() -> None:
        try:
            failure = next(failures)
        except StopIteration:
            done.set()
            return
        if failure is not None:
            raise failure

    with caplog.at_level(logging.INFO, "upesi"):
        async with followed(refresh, 0.001):
            await asyncio.wait_for(done.wait(), 10)
    said = "what is known of the database cannot be read again: "
    assert caplog.messages == [f"{said}ValueError('odd')", f"{said}KeyError('new')"]
