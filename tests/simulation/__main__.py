"""Plays schedules of random seeds.

`python -m tests.simulation SEED` shows all that happens in one. `python -m tests.simulation` plays
20,000 that nobody has played before, and names the first of them; `SIMULATION_SCHEDULES` says how
many, and `SIMULATION_BASE` from where on.
"""

from __future__ import annotations

import logging
import sys
from random import SystemRandom

from tests.simulation.schedules import BASE, SCHEDULES, play, trace


def main(*seeds: str) -> None:
    """Show the schedule of a seed, or play new ones; raises AssertionError for one that fails."""
    logging.getLogger("appconfig_provider").disabled = True
    if seeds:
        print(*trace(int(seeds[0])), sep="\n")
        return
    base = BASE or SystemRandom().randrange(10**6, 10**9)
    print(f"{SCHEDULES} schedules, SIMULATION_BASE={base}", flush=True)
    play(range(base, base + SCHEDULES))
    print("every rule was held")


if __name__ == "__main__":
    main(*sys.argv[1:])
