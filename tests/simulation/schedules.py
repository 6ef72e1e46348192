"""Many schedules: how many, from which seeds, and what is said of one that fails."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from tests.simulation import stage
from tests.simulation.configcat.stage import Stage as ConfigCatStage
from tests.simulation.world import World

SEED = os.environ.get("SIMULATION_SEED")
"""The one schedule to play, if one is named."""
SCHEDULES = int(os.environ.get("SIMULATION_SCHEDULES", "20000"))
"""How many there are of App Configuration."""
BASE = int(os.environ.get("SIMULATION_BASE", "0"))
"""The first seed. The tests play the same ones in every run; `make new-seeds` takes others."""
PARTS = 20
"""Tests over which the schedules are spread, so that a failure tells about where it is."""
LINES = 120
"""Lines of the trace that a failure shows; `python -m tests.simulation SEED` shows all."""


class Stage(Protocol):
    """A schedule, ready to be played."""

    @property
    def world(self) -> World:
        """Where it is played, and what happened there."""
        ...

    def play(self) -> None:
        """Play it; raises RuleBroken where a rule is."""
        ...


class Source(Protocol):
    """Makes the schedule of a seed."""

    def __call__(self, seed: int, *, traced: bool = False) -> Stage:
        """Return it; `traced` has it told what happens."""
        ...


SOURCES: dict[str, Source] = {"azure": stage.Stage, "configcat": ConfigCatStage}
"""What is played, by the name that `python -m tests.simulation` takes."""


def part(number: int, schedules: int | None = None) -> range:
    """Return the seeds of a part, of as many schedules as there are to be."""
    if SEED is not None:
        return range(int(SEED), int(SEED) + 1) if number == 0 else range(0)
    each = (SCHEDULES if schedules is None else schedules) // PARTS
    return range(BASE + number * each, BASE + (number + 1) * each)


def play(seeds: Iterable[int], source: str = "azure") -> Counter[str]:
    """Play schedules and return how often what happened; raises AssertionError with the trace."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        played = SOURCES[source](seed)
        try:
            played.play()
        except Exception as error:  # whatever goes wrong is reported with its seed
            raise AssertionError(_message(source, seed, error)) from error
        counts += played.world.counts
    return counts


def trace(seed: int, source: str = "azure") -> list[str]:
    """Return all that happens in a schedule, to its end or to where it goes wrong."""
    played = SOURCES[source](seed, traced=True)
    try:
        played.play()
    except Exception as error:  # the last line of the trace
        return [*(played.world.trace or ()), f"broken: {error!r}"]
    return [*(played.world.trace or ()), "every rule was held"]


def _message(source: str, seed: int, error: Exception) -> str:
    lines = trace(seed, source)
    shown = [lines[0], "...", *lines[-LINES:]] if len(lines) > LINES else lines
    test = "tests/simulation" + ("" if source == "azure" else f"/test_{source}.py")
    return "\n".join(
        [
            f"seed {seed}: {error}",
            f"again: SIMULATION_SEED={seed} pytest {test}",
            f"whole: python -m tests.simulation {source} {seed}",
            *shown,
        ]
    )
