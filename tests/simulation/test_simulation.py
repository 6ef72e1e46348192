"""The refresh path at every interleaving: laws 1 to 14 in random schedules of virtual time.

What exactly is promised where stands at the top of `rules`.
"""

from __future__ import annotations

import pytest

from tests.simulation.schedules import PARTS, part, play

OFTEN = {
    "cancelled in callbacks": 1,
    "cancelled in flight": 30,
    "closed in flight": 60,
    "exact": 1500,
    "failover": 50,
    "fault: 401": 15,
    "fault: 429": 60,
    "fault: 429 for long": 40,
    "fault: 503": 50,
    "fault: garbage": 50,
    "fault: lost": 10,
    "fault: silent": 40,
    "fault: unreachable": 50,
    "forked in flight": 60,
    "look-up": 100,
    "nobody answered": 120,
    "nothing to do": 4000,
    "notified": 700,
    "passes: 0": 700,
    "passes: 2": 30,
    "published: flag": 150,
    "published: forced": 20,
    "published: page": 250,
    "published: push": 80,
    "published: sentinel": 400,
    "refused": 25,
    "settled": 800,
    "subscription": 150,
    "the rest published": 1,
}
"""How often each thing has to happen in a thousand schedules, at least: about a third of what is
usual."""


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
