"""Many schedules: how many, from which seeds, and what is said of one that fails."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable

from tests.simulation.stage import Stage

SEED = os.environ.get("SIMULATION_SEED")
"""The one schedule to play, if one is named."""
SCHEDULES = int(os.environ.get("SIMULATION_SCHEDULES", "20000"))
BASE = int(os.environ.get("SIMULATION_BASE", "0"))
"""The first seed. The tests play the same ones in every run; `make new-seeds` takes others."""
PARTS = 20
"""Tests over which the schedules are spread, so that a failure tells about where it is."""
LINES = 120
"""Lines of the trace that a failure shows; `python -m tests.simulation SEED` shows all."""


def part(number: int) -> range:
    """Return the seeds of a part."""
    if SEED is not None:
        return range(int(SEED), int(SEED) + 1) if number == 0 else range(0)
    each = SCHEDULES // PARTS
    return range(BASE + number * each, BASE + (number + 1) * each)


def play(seeds: Iterable[int]) -> Counter[str]:
    """Play schedules and return how often what happened; raises AssertionError with the trace."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        stage = Stage(seed)
        try:
            stage.play()
        except Exception as error:  # whatever goes wrong is reported with its seed
            raise AssertionError(_message(seed, error)) from error
        counts += stage.world.counts
    return counts


def trace(seed: int) -> list[str]:
    """Return all that happens in a schedule, to its end or to where it goes wrong."""
    stage = Stage(seed, traced=True)
    try:
        stage.play()
    except Exception as error:  # the last line of the trace
        return [*(stage.world.trace or ()), f"broken: {error!r}"]
    return [*(stage.world.trace or ()), "every rule was held"]


def _message(seed: int, error: Exception) -> str:
    lines = trace(seed)
    shown = [lines[0], "...", *lines[-LINES:]] if len(lines) > LINES else lines
    return "\n".join(
        [
            f"seed {seed}: {error}",
            f"again: SIMULATION_SEED={seed} pytest tests/simulation",
            f"whole: python -m tests.simulation {seed}",
            *shown,
        ]
    )
