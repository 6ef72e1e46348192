"""Rows of single calls: the sides take turns, and the fastest of all rounds counts."""

from __future__ import annotations

from collections.abc import Mapping
from timeit import Timer
from typing import NamedTuple, TypeAlias

from .measure import Effort, Figure

CALLS = 2_000
"""Calls in one run of a tight loop."""
OURS = "ours"

Best: TypeAlias = "dict[str, dict[str, float]]"
"""Microseconds of one call, by row and by side."""


class Row(NamedTuple):
    """One figure: how it is called on each side, and what ours may cost in microseconds."""

    name: str
    ours: Timer
    at_most: float
    peers: Mapping[str, Timer] = {}
    calls: int = CALLS
    peer_calls: int = 0
    """Calls in one run of a peer; 0: as many as of ours."""
    loop: bool = True
    """True for a loop whose own cost is taken off."""


def timed(rows: list[Row], effort: Effort, rounds: int) -> Best:
    """Return what each side takes, net of an empty loop."""
    best: Best = {row.name: {} for row in rows}
    nothing = min(Timer("pass").repeat(effort.repeats, CALLS)) / CALLS
    for _ in range(rounds):
        for row in rows:
            found = best[row.name]
            for side, timer in {OURS: row.ours, **row.peers}.items():
                calls = row.calls if side == OURS else row.peer_calls or row.calls
                taken = timer.timeit(calls) / calls - (nothing if row.loop else 0)
                found[side] = min(taken * 1e6, found.get(side, taken * 1e6))
    return best


def many_rounds(effort: Effort) -> int:
    """Return how many rounds there are of what is cheap."""
    return effort.rounds * max(effort.repeats // 2, 1)


def measured(rows: list[Row], effort: Effort, rounds: int = 0) -> list[Figure]:
    """Return the figures of rows; without a number of rounds there are many."""
    best = timed(rows, effort, rounds or many_rounds(effort))
    return [figure(row.name, "us", best[row.name], row.at_most) for row in rows]


def figure(name: str, unit: str, best: Mapping[str, float], at_most: float) -> Figure:
    """Return a figure with what the peers take beside it, and how many times ours that is."""
    ours = best[OURS]
    shown = [
        f"{side} {value:,.{0 if value >= 100 else 2}f} ({_times(value / ours)}x)"
        for side, value in best.items()
        if side != OURS
    ]
    return Figure(name, unit, ours, at_most=at_most, beside=", ".join(shown))


def _times(ratio: float) -> str:
    return f"{ratio:,.{0 if ratio >= 10 else 1}f}"
