"""A server that lets nobody in, as the one who reads from it knows it."""

from urllib.parse import urlsplit

import asyncpg
import pytest

from app.database.connections import Server
from app.database.fragment import sql
from app.database.replicas import Replicas, Watched

pytestmark = pytest.mark.anyio


class _Counted(Server):
    """One whose database is not there."""

    dialled = 0

    async def dial(self) -> asyncpg.Connection:
        self.dialled += 1
        return await super().dial()


@pytest.fixture
def shut(database_url: str) -> _Counted:
    return _Counted(urlsplit(database_url)._replace(path="/nowhere").geturl(), 1, 5)


async def test_who_is_shut_out_asks_less_and_less_often(
    shut: _Counted, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("app.database.replicas.monotonic", lambda: now)
    watched = Watched("the replica", shut)

    async def seconds(number: int) -> int:
        nonlocal now
        before = shut.dialled
        for _ in range(number):
            now += 1
            await watched.look(True)
        return shut.dialled - before

    assert 3 <= await seconds(16) <= 6
    assert 3 <= await seconds(48) <= 7
    shut.url = database_url
    assert await seconds(17) == 1
    assert watched.position
    watched.leave()


async def test_a_replica_that_shuts_us_out_rests(shut: _Counted, database_url: str) -> None:
    replica = Watched("the replica", shut, position=1)
    await shut.open(0)
    replicas = Replicas(Watched("the primary", Server(database_url, 1, 5)), [replica], 10)
    assert await replicas.fetch(sql("SELECT 1"), 0) is None
    assert replica.rests()
    await shut.close()
