"""Work in small steps leaves the loop to others, however much of it there is."""

from __future__ import annotations

import asyncio

import pytest

from appconfig_provider.emulator import steps
from appconfig_provider.emulator.steps import Steps, Turns


@pytest.fixture(autouse=True)
def one_step_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a turn end with its first step."""
    monkeypatch.setattr(steps, "_TURN", 0.0)


async def steps_by_round(turns: Turns, jobs: int, length: int) -> list[int]:
    """How many steps several jobs did in each round of the loop."""
    rounds = [0]

    def job() -> Steps[int]:
        for _ in range(length):
            rounds[-1] += 1
            yield
        return length

    async def count() -> None:
        while True:
            await asyncio.sleep(0)
            rounds.append(0)

    counting = asyncio.create_task(count())
    assert await asyncio.gather(*(turns.do(job()) for _ in range(jobs))) == [length] * jobs
    counting.cancel()
    return rounds


def test_many_jobs_take_turns() -> None:
    """Of twenty jobs one does a step at a time, once all have begun, and others run in between."""
    rounds = asyncio.run(steps_by_round(Turns(), jobs=20, length=10))
    assert sum(rounds) == 200
    later = rounds[3:]
    assert max(later) == 1
    assert max(sum(later[place : place + 4]) for place in range(len(later))) <= 1


def test_a_job_that_fails_or_is_cancelled() -> None:
    """A job that ends early leaves the turn to the next one."""

    def failing() -> Steps[None]:
        yield
        yield
        raise LookupError

    def endless() -> Steps[None]:
        while True:
            yield

    async def run() -> None:
        turns = Turns()
        with pytest.raises(LookupError):
            await turns.do(failing())
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(turns.do(endless()), 0.05)
        await steps_by_round(turns, jobs=2, length=3)

    asyncio.run(run())


def test_jobs_of_several_loops() -> None:
    """Servers on threads of their own may share the turns of one application."""
    turns = Turns()

    async def run() -> None:
        await asyncio.gather(
            *(asyncio.to_thread(asyncio.run, steps_by_round(turns, 3, 50)) for _ in range(3))
        )

    asyncio.run(run())
