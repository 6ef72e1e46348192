"""The refresh path at every interleaving: laws 1 to 14 in random schedules of virtual time.

What exactly is promised where stands at the top of `rules`.
"""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from tests.simulation.schedules import BASE, PARTS, part, play

OFTEN = {
    "callback raised": 500,
    "cancelled in callbacks": 50,
    "cancelled in flight": 140,
    "closed in flight": 500,
    "copy confirmed": 3300,
    "copy written": 8000,
    "disk full": 120,
    "disk hangs": 120,
    "exact": 9000,
    "failover": 200,
    "fault: 401": 90,
    "fault: 403": 220,
    "fault: 429": 320,
    "fault: 429 for long": 250,
    "fault: 500": 300,
    "fault: 503": 220,
    "fault: garbage": 240,
    "fault: lost": 55,
    "fault: silent": 250,
    "fault: slow": 5,
    "fault: unreachable": 230,
    "file: broken": 350,
    "file: read": 2000,
    "file: refused": 30,
    "forked": 120,
    "forked in flight": 600,
    "healed": 670,
    "healed in silence": 130,
    "inconsistent": 50,
    "look-up": 750,
    "mixed in its window": 90,
    "nobody answered": 500,
    "nobody publishing": 4500,
    "not started": 300,
    "nothing to do": 20000,
    "notified": 4000,
    "passes: 0": 2800,
    "passes: 1": 5000,
    "passes: 2": 270,
    "passes: 3": 100,
    "published: cache": 660,
    "published: flag": 800,
    "published: forced": 120,
    "published: override": 750,
    "published: page": 1400,
    "published: push": 800,
    "published: sentinel": 2300,
    "read": 3200,
    "read after close()": 120,
    "read meanwhile": 2100,
    "read, checked": 1900,
    "refused": 180,
    "relisted": 20,
    "restarted": 2300,
    "sentinels vouched": 90,
    "settled": 3500,
    "settled closed": 450,
    "start: cache": 660,
    "start: empty": 50,
    "subscription": 800,
    "the rest published": 15,
    "token": 900,
    "told at start": 140,
}
"""How often each thing has to happen in ten thousand schedules, at least: some 40 % of what did
when this was written. A simulator in which nothing happens would find nothing."""

LIGHT = 2
"""Parts that `make test` plays; `make test-full` plays the others."""

played = cache(lambda number: play(part(number)))
"""What happened in the schedules of a part."""


@pytest.mark.parametrize("number", range(LIGHT))
def test_every_interleaving_keeps_the_laws(number: int) -> None:
    """Whatever happens around refreshes, no rule is broken."""
    played(number)


@pytest.mark.heavy
@pytest.mark.parametrize("number", range(LIGHT, PARTS))
def test_more_interleavings_keep_the_laws(number: int) -> None:
    """The same in nine times as many schedules."""
    played(number)


@pytest.mark.heavy
def test_enough_happens_in_the_schedules() -> None:
    """In ten thousand schedules each kind of thing happens often enough."""
    counted = range(LIGHT, LIGHT + PARTS // 2)
    if BASE or sum(len(part(number)) for number in counted) < 10_000:
        pytest.skip("the floors are made for the usual 20,000 schedules")
    counts = sum((played(number) for number in counted), Counter())
    rare = {what: counts[what] for what, floor in OFTEN.items() if counts[what] < floor}
    assert not rare, f"hardly ever happened: {rare}"
