"""The refresh path at every interleaving: laws 1 to 14 in random schedules of virtual time.

What exactly is promised where stands at the top of `rules`.
"""

from __future__ import annotations

import pytest

from tests.simulation.schedules import PARTS, part, play

OFTEN = {
    "callback raised": 60,
    "cancelled in callbacks": 1,
    "cancelled in flight": 20,
    "closed in flight": 40,
    "exact": 1000,
    "failover": 28,
    "fault: 401": 11,
    "fault: 403": 35,
    "fault: 429": 45,
    "fault: 429 for long": 30,
    "fault: 500": 45,
    "fault: 503": 33,
    "fault: garbage": 28,
    "fault: lost": 7,
    "fault: silent": 35,
    "fault: unreachable": 32,
    "forked in flight": 55,
    "inconsistent": 8,
    "look-up": 70,
    "mixed in its window": 12,
    "nobody answered": 75,
    "nobody publishing": 500,
    "nothing to do": 2500,
    "notified": 500,
    "passes: 0": 300,
    "passes: 1": 600,
    "passes: 2": 40,
    "passes: 3": 20,
    "published: flag": 90,
    "published: forced": 16,
    "published: page": 170,
    "published: push": 100,
    "published: sentinel": 280,
    "refused": 29,
    "relisted": 2,
    "settled": 340,
    "settled closed": 45,
    "subscription": 130,
    "the rest published": 2,
    "token": 80,
}
"""How often each thing has to happen in a thousand schedules, at least: a third of what is usual,
and less of what is rare. A simulator in which nothing happens would find nothing."""


@pytest.mark.parametrize("number", range(PARTS))
def test_every_interleaving_keeps_the_laws(number: int) -> None:
    """Whatever happens around refreshes, no rule is broken; and enough does happen."""
    seeds = part(number)
    counts = play(seeds)
    if len(seeds) >= 1000:
        rare = {
            what: counts[what] for what in OFTEN if counts[what] * 1000 < OFTEN[what] * len(seeds)
        }
        assert not rare, f"hardly ever happened: {rare}"
