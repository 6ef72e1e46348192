"""Plays schedules of random seeds.

`python -m tests.simulation SEED` shows all that happens in one of App Configuration, and
`python -m tests.simulation configcat SEED` in one of ConfigCat. Without a seed, 20,000 are played
that nobody has played before, and the first of them is named; `SIMULATION_SCHEDULES` says how many,
and `SIMULATION_BASE` from where on.
"""

from __future__ import annotations

import logging
import sys
from random import SystemRandom

from tests.simulation.schedules import BASE, SCHEDULES, SOURCES, play, trace


def main(*arguments: str) -> None:
    """Show the schedule of a seed, or play new ones; raises AssertionError for one that fails."""
    for name in ("appconfig_provider", "configcat"):
        logging.getLogger(name).disabled = True
    source, *seeds = arguments if arguments and arguments[0] in SOURCES else ("azure", *arguments)
    if seeds:
        print(*trace(int(seeds[0]), source), sep="\n")
        return
    base = BASE or SystemRandom().randrange(10**6, 10**9)
    print(f"{SCHEDULES} schedules of {source}, SIMULATION_BASE={base}", flush=True)
    play(range(base, base + SCHEDULES), source)
    print("every rule was held")


if __name__ == "__main__":
    main(*sys.argv[1:])
