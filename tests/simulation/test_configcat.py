"""ConfigCat's clients at every interleaving: the laws of `configcat/laws` in random schedules."""

from __future__ import annotations

import os
from collections import Counter
from functools import cache

import pytest

from appconfig_provider.configcat.fetching import download
from tests.simulation import schedules
from tests.simulation.schedules import BASE, PARTS, SCHEDULES, part, play

ALL = SCHEDULES if "SIMULATION_SCHEDULES" in os.environ else 5600
"""How many there are."""
LIGHT = 1
"""Parts that `make test` plays; `make test-full` plays the others."""

OFTEN = {
    "broken off": 240,
    "cache garbage": 110,
    "cache hangs": 110,
    "cache raises": 110,
    "cache torn": 110,
    "cancelled": 5500,
    "changed": 18000,
    "closed": 3900,
    "closed in a hook": 92,
    "closed in flight": 170,
    "disk full": 91,
    "disk hangs": 100,
    "fault: 304": 67,
    "fault: 401": 63,
    "fault: 403": 200,
    "fault: 404": 250,
    "fault: 429": 170,
    "fault: 429 for long": 160,
    "fault: 500": 150,
    "fault: 503": 160,
    "fault: garbage": 150,
    "fault: lost": 77,
    "fault: no settings": 150,
    "fault: silent": 130,
    "fault: slow": 41,
    "fault: torn": 68,
    "fault: unreachable": 160,
    "forced": 11000,
    "forced in a hook": 3200,
    "forced, joined": 160,
    "forked": 160,
    "forked in flight": 190,
    "governed": 3200,
    "hook raised": 1700,
    "published from cache": 880,
    "published from config": 14000,
    "published from override": 3100,
    "published: a config": 32000,
    "published: gone": 580,
    "published: no settings": 630,
    "published: no text": 560,
    "published: only preferences": 600,
    "published: torn": 560,
    "read: auto": 48000,
    "read: auto, in a hook": 800,
    "read: auto, joined": 200,
    "read: lazy": 45000,
    "read: lazy, in a hook": 630,
    "read: lazy, joined": 1000,
    "read: manual": 21000,
    "read: manual, in a hook": 180,
    "read: manual, joined": 40,
    "refresh": 64000,
    "refresh: 0 requests": 20000,
    "refresh: 1 requests": 42000,
    "refresh: 2 requests": 1300,
    "refresh: 3 requests": 110,
    "refresh: failed": 3000,
    "refresh: not asked": 20000,
    "refresh: succeeded": 40000,
    "settled": 3600,
    "settled closed": 380,
    "switched": 3200,
}
"""How often each thing has to happen in the heavy parts, at least: some 40 % of what did when this
was written."""

played = cache(lambda number: play(part(number, ALL), "configcat"))
"""What happened in the schedules of a part."""


@pytest.mark.parametrize("number", range(LIGHT))
def test_every_interleaving_keeps_the_laws(number: int) -> None:
    """Whatever happens around clients, no rule is broken."""
    played(number)


@pytest.mark.heavy
@pytest.mark.parametrize("number", range(LIGHT, PARTS))
def test_more_interleavings_keep_the_laws(number: int) -> None:
    """The same in nineteen times as many schedules."""
    played(number)


@pytest.mark.heavy
def test_enough_happens_in_the_schedules() -> None:
    """In more than five thousand schedules each kind of thing happens often enough."""
    if BASE or sum(len(part(number, ALL)) for number in range(LIGHT, PARTS)) < 5000:
        pytest.skip("the floors are made for the usual 5,600 schedules")
    counts = sum((played(number) for number in range(LIGHT, PARTS)), Counter())
    rare = {what: counts[what] for what, floor in OFTEN.items() if counts[what] < floor}
    assert not rare, f"hardly ever happened: {rare}"


def test_a_seed_is_one_run() -> None:
    """The trace of a seed is the same each time, and that of another seed is another one."""
    first = [schedules.trace(seed, "configcat") for seed in range(8)]
    assert first == [schedules.trace(seed, "configcat") for seed in range(8)]
    assert len({tuple(trace) for trace in first}) == 8
    assert all(trace[-1] == "every rule was held" for trace in first)


def test_a_failing_schedule_tells_its_seed_and_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken rule names the seed, how to play it again, and what led to it."""
    monkeypatch.setattr(download, "MAX_REQUESTS", 4)
    with pytest.raises(AssertionError) as caught:
        play(range(400), "configcat")
    message = str(caught.value)
    first, again, whole, *_ = message.splitlines()
    assert "too many requests in one refresh" in first
    seed = int(first.removeprefix("seed ").partition(":")[0])
    assert again == f"again: SIMULATION_SEED={seed} pytest tests/simulation/test_configcat.py"
    assert whole == f"whole: python -m tests.simulation configcat {seed}"
    assert "RULE" in message
