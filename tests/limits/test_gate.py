"""Who gets in, who waits, and who is sent away."""

import asyncio

import pytest

from app.errors import Busy
from app.limits.gate import Gate

pytestmark = pytest.mark.anyio


async def stay(gate: Gate, seconds: float) -> None:
    if not gate.try_enter():
        await gate.enter()
    try:
        await asyncio.sleep(seconds)
    finally:
        gate.leave()


async def test_no_more_are_inside_than_there_is_room_for() -> None:
    gate, most = Gate(3, 100, 10), 0

    async def look() -> None:
        nonlocal most
        if not gate.try_enter():
            await gate.enter()
        most = max(most, gate.inside)
        await asyncio.sleep(0)
        gate.leave()

    await asyncio.gather(*(look() for _ in range(50)))
    assert (most, gate.inside, gate.waiting) == (3, 0, 0)


async def test_who_waits_gets_in_by_turns() -> None:
    gate, order = Gate(1, 100, 10), []
    assert gate.try_enter()

    async def come(number: int) -> None:
        await gate.enter()
        order.append(number)
        gate.leave()

    coming = [asyncio.create_task(come(number)) for number in range(5)]
    await asyncio.sleep(0)
    assert gate.waiting == 5
    gate.leave()
    await asyncio.gather(*coming)
    assert order == [0, 1, 2, 3, 4]


async def test_the_line_has_an_end() -> None:
    gate = Gate(1, 2, 10)
    inside = [asyncio.create_task(stay(gate, 0.05)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Busy) as refusal:
        await gate.enter()
    assert refusal.value.retry_after >= 1
    await asyncio.gather(*inside)


async def test_nobody_waits_longer_than_the_patience() -> None:
    gate = Gate(1, 10, 0.05)
    assert gate.try_enter()
    with pytest.raises(Busy):
        await gate.enter()
    assert (gate.inside, gate.waiting) == (1, 0)


async def test_who_would_wait_too_long_is_refused_at_once() -> None:
    """Each departure takes 0.05 s, and the patience is 0.2 s: the tenth in line would get in after half a second."""
    gate = Gate(1, 1000, 0.2)
    outcomes = await asyncio.gather(*(stay(gate, 0.05) for _ in range(10)), return_exceptions=True)
    assert any(isinstance(outcome, Busy) for outcome in outcomes)
    assert gate.try_enter()
    line = [asyncio.create_task(gate.enter()) for _ in range(10)]
    refused = await asyncio.wait(line, timeout=0)
    await asyncio.sleep(0)
    assert [task for task in line if task.done() and isinstance(task.exception(), Busy)], refused
    for task in line:
        task.cancel()
    await asyncio.gather(*line, return_exceptions=True)


async def test_after_a_rush_everybody_gets_in_again() -> None:
    gate = Gate(2, 4, 0.2)
    await asyncio.gather(*(stay(gate, 0.3) for _ in range(50)), return_exceptions=True)
    for _ in range(50):
        await stay(gate, 0)
    assert await asyncio.gather(*(stay(gate, 0) for _ in range(5)), return_exceptions=True) == [None] * 5
    assert (gate.inside, gate.waiting) == (0, 0)


@pytest.mark.parametrize("leaves_first", [True, False])
async def test_a_turn_that_nobody_takes_goes_to_the_next(leaves_first: bool) -> None:
    gate = Gate(1, 10, 10)
    assert gate.try_enter()
    gone, next_ = asyncio.create_task(gate.enter()), asyncio.create_task(gate.enter())
    await asyncio.sleep(0)
    if leaves_first:
        gate.leave()
        gone.cancel()
    else:
        gone.cancel()
        gate.leave()
    await asyncio.wait_for(next_, 5)
    assert (gate.inside, gate.waiting) == (1, 0)
    gate.leave()
    assert gate.inside == 0


async def test_an_idle_gate_does_not_make_wait() -> None:
    gate = Gate(1, 0, 0.001)
    for _ in range(3):
        assert gate.try_enter()
        gate.leave()
    assert (gate.inside, gate.waiting) == (0, 0)
