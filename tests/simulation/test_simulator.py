"""The simulator itself: a seed is one run, and its store answers as the emulator does."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from appconfig_provider._azure.listing import load
from appconfig_provider.testing import Emulator
from tests.emulator.raw import Raw
from tests.simulation import schedules
from tests.simulation.history import History
from tests.simulation.world import RuleBroken, World

ROOT = Path(__file__).parents[2]
TARGET = "/kv?api-version=2024-09-01&key=k%2A&label=%00"


def fingerprint(seeds: range) -> str:
    """Return what tells one run of schedules from any other."""
    lines = [line for seed in seeds for line in schedules.trace(seed)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def test_a_seed_is_one_run_in_any_process() -> None:
    """The trace of a seed is the same each time, also where sets come in another order."""
    program = (
        "import logging; logging.getLogger('appconfig_provider').disabled = True\n"
        "from tests.simulation.test_simulator import fingerprint; print(fingerprint(range(40)))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)},
    )
    assert shown.stdout.strip() == fingerprint(range(40))
    assert fingerprint(range(8)) != fingerprint(range(8, 16))


def test_a_failing_schedule_tells_its_seed_and_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken rule names the seed, how to play it again, and what led to it."""
    monkeypatch.setattr(load, "MAX_LOADS", 4)
    with pytest.raises(AssertionError) as caught:
        schedules.play(range(400))
    message = str(caught.value)
    first, again, *_ = message.splitlines()
    assert "4 passes" in first
    seed = int(first.removeprefix("seed ").partition(":")[0])
    assert again == f"again: SIMULATION_SEED={seed} pytest tests/simulation"
    assert "refresh(force=" in message
    assert "RULE" in message


def test_seeds_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIMULATION_SEED is the one schedule, SIMULATION_BASE the first of all."""
    monkeypatch.setattr(schedules, "SEED", None)
    monkeypatch.setattr(schedules, "SCHEDULES", 200)
    monkeypatch.setattr(schedules, "BASE", 5000)
    assert [schedules.part(number).start for number in (0, 1, 19)] == [5000, 5010, 5190]
    assert sum(len(schedules.part(number)) for number in range(schedules.PARTS)) == 200
    monkeypatch.setattr(schedules, "SEED", "77")
    played = [seed for number in range(schedules.PARTS) for seed in schedules.part(number)]
    assert played == [77]


def test_a_world_that_never_rests_is_ended() -> None:
    """A schedule in which something happens for ever is broken, and does not hang."""
    world = World(1)

    def again() -> None:
        world.later(1.0, again)

    again()
    with pytest.raises(RuleBroken, match="never comes to rest"):
        world.run()


@pytest.mark.parametrize("seed", range(6))
def test_the_store_answers_as_the_emulator_does(seed: int) -> None:
    """After any writes both cut a listing into the same pages, and tell 304, 404 and 200 alike."""
    random, history = Random(seed), History(3)
    with Emulator(page_size=3) as emulator, Raw(emulator.endpoint) as raw:
        first: tuple[Shown, Shown] | None = None
        for _ in range(6):
            for _ in range(random.randrange(4)):
                key, value = f"k{random.randrange(14):02}", str(random.random())
                if random.random() < 0.3:
                    history.write(0.0, key, None)
                    emulator.delete(key)
                else:
                    history.write(0.0, key, value)
                    emulator.set(key, value)
            if first is not None:
                theirs, ours = (one.etag for one in first)
                again = history.answer(history.newest, TARGET, ours)
                assert again.status == raw.get(TARGET, if_none_match=theirs).status
            first = same_listings(raw, history)


class Shown(NamedTuple):
    """What a page of a listing shows."""

    settings: list[tuple[str, str]]
    following: str | None
    etag: str


def shown(body: bytes, headers: Mapping[str, str]) -> Shown:
    """Read a page."""
    page = json.loads(body)
    settings = [(item["key"], item["value"]) for item in page["items"]]
    return Shown(settings, page.get("@nextLink"), headers["etag"])


def same_listings(raw: Raw, history: History) -> tuple[Shown, Shown]:
    """Compare listings page by page; return their first pages."""
    first: tuple[Shown, Shown] | None = None
    targets: tuple[str | None, str | None] = TARGET, TARGET
    while targets[0] is not None and targets[1] is not None:
        answer, reply = history.answer(history.newest, targets[1], None), raw.get(targets[0])
        theirs, ours = shown(reply.body, reply.headers), shown(answer.body, answer.headers)
        assert theirs.settings == ours.settings
        first = first or (theirs, ours)
        targets = theirs.following, ours.following
    assert targets == (None, None)
    assert first is not None
    return first


def test_histories_are_read_as_they_were() -> None:
    """An old revision shows what was there when it was the newest."""
    history = History(2)
    first = history.write(1.0, "k1", "one")
    second = history.write(2.0, "k1", None)
    assert json.loads(history.answer(first, "/kv/k1?x=y", None).body)["value"] == "one"
    assert history.answer(second, "/kv/k1?x=y", None).status == 404
    assert (history.at(1.5), history.at(2.0)) == (first, second)
