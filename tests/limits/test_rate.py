"""Token buckets: in this process, and in a Redis that is started here."""

import asyncio
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.limits import rate
from app.limits.rate import OwnBuckets, Policy
from app.limits.shared import SharedBuckets
from benchmarks.services import free_port

pytestmark = pytest.mark.anyio
SERVER = shutil.which("redis-server") or shutil.which("valkey-server")


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if SERVER is None:
        pytest.skip("there is neither a redis-server nor a valkey-server")
    port = free_port()
    folder = tmp_path_factory.mktemp("redis")
    command = [SERVER, "--port", str(port), "--save", "", "--bind", "127.0.0.1", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield f"redis://127.0.0.1:{port}"
    process.terminate()
    process.wait(10)


@pytest.mark.parametrize(
    ("text", "policy"),
    [("100/minute", Policy(100, 60)), ("1/second", Policy(1, 1)), ("36000/hour", Policy(36000, 3600))],
)
def test_policy(text: str, policy: Policy) -> None:
    assert Policy.of(text) == policy


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(rate, "monotonic", made)
    return made


async def test_all_of_the_quota_may_come_at_once_and_no_more(clock: Clock) -> None:
    buckets = OwnBuckets(Policy(10, 60))
    verdicts = [await buckets.take("a") for _ in range(13)]
    assert [verdict.allowed for verdict in verdicts] == [True] * 10 + [False] * 3
    assert [verdict.remaining for verdict in verdicts] == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0]
    assert {verdict.retry_after for verdict in verdicts[10:]} == {6}
    assert (await buckets.take("b")).allowed
    clock.now += 6
    assert [(await buckets.take("a")).allowed for _ in range(2)] == [True, False]
    clock.now += 60
    assert (await buckets.take("a")).remaining == 9


async def test_waiting_as_long_as_is_said_is_enough(clock: Clock) -> None:
    buckets = OwnBuckets(Policy(3, 10))
    for _ in range(200):
        verdict = await buckets.take("a")
        if not verdict.allowed:
            clock.now += verdict.retry_after
            assert (await buckets.take("a")).allowed
        clock.now += 0.37


async def test_no_more_is_allowed_than_the_quota_in_any_time(clock: Clock) -> None:
    buckets, allowed = OwnBuckets(Policy(10, 10)), 0
    for _ in range(1000):
        allowed += (await buckets.take("a")).allowed
        clock.now += 0.1
    assert 100 <= allowed <= 110


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate, "_CLIENTS_AT_MOST", 3)
    buckets = OwnBuckets(Policy(1, 60))
    for client in "abcd":
        await buckets.take(client)
    assert [(await buckets.take(client)).allowed for client in "da"] == [False, True]


async def test_processes_share_what_is_in_redis(redis_url: str) -> None:
    one, other = SharedBuckets(Policy(10, 60), redis_url), SharedBuckets(Policy(10, 60), redis_url)
    verdicts = [await (one if number % 2 else other).take("shared") for number in range(12)]
    assert [verdict.allowed for verdict in verdicts] == [True] * 10 + [False] * 2
    assert verdicts[3].remaining == 6
    assert verdicts[11].retry_after in (5, 6)
    assert (await one.take("somebody else")).allowed
    await one.close()
    await other.close()


async def test_in_redis_a_quota_comes_back(redis_url: str) -> None:
    buckets = SharedBuckets(Policy(2, 1), redis_url)
    assert [(await buckets.take("back")).allowed for _ in range(3)] == [True, True, False]
    for _ in range(100):
        if (await buckets.take("back")).allowed:
            break
        await asyncio.sleep(0.02)
    else:
        raise AssertionError("it does not come back")
    await buckets.close()


async def test_without_redis_each_process_has_its_own(caplog: pytest.LogCaptureFixture) -> None:
    buckets = SharedBuckets(Policy(2, 60), "redis://:secret@127.0.0.1:1")
    assert [(await buckets.take("a")).allowed for _ in range(3)] == [True, True, False]
    assert len(caplog.records) == 1
    assert "secret" not in caplog.text
    await buckets.close()


def test_what_is_off_is_not_imported() -> None:
    code = "import sys, app.main; print({'redis', 'prometheus_client', 'opentelemetry.sdk'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True, capture_output=True)
    assert done.stdout == b"set()\n"
