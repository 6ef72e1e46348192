"""Reading a value, and a refresh that has nothing to do: nanoseconds, net of the loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .measure import Effort, Measurement, Metric, Samples, net
from .server import EVERY, Store
from .sides import both

KEYS = 100
"""Few enough to stay in the processor's cache, where an application's hot keys are."""

FLOOR = 0.1
"""Nanoseconds; less cannot be told from an empty loop."""

Loop = Callable[[Any, Sequence[str]], float]

_SOURCE = """
def loop(c, keys):
    begin = clock()
    for k in keys:
        {statement}
    return clock() - begin
"""


@dataclass(frozen=True, slots=True)
class Read:
    """A way to read, as it is written on both sides; `c` is the provider, `k` a key."""

    metric: Metric
    statement: str
    ours: str = ""
    """Where it is written differently."""
    missing: bool = False
    """The keys are not there."""
    from_snapshot: bool = False
    """`c` is a snapshot on our side."""


READS = (
    Read(Metric("config[k]", "ns", 4), "c[k]"),
    Read(Metric("snapshot[k], held in a local", "ns", 10), "c[k]", from_snapshot=True),
    Read(Metric("config.snapshot[k]", "ns"), "c[k]", ours="c.snapshot[k]"),
    Read(Metric("config.get(k)", "ns"), "c.get(k)"),
    Read(Metric("config.get(k) of a missing key", "ns", 4), "c.get(k)", missing=True),
    Read(Metric("k in config", "ns"), "k in c"),
    Read(Metric("refresh() with nothing due", "ns", 30), "c.refresh()"),
)


def measure_reads(effort: Effort, store: Store) -> list[Measurement]:
    """Time each way to read on both sides, both loaded in this process."""
    samples = Samples()
    step = max(len(store.keys) // KEYS, 1)
    # Texts of our own: an application's literals are not the very objects that were loaded.
    present = [key.encode().decode() for key in store.keys[::step]] * effort.laps
    absent = [f"{key}/no" for key in store.keys[::step]] * effort.laps
    with both(store.connection, EVERY) as (official, ours):
        races = [_Race(read, official, ours) for read in READS]
        for _ in range(effort.rounds):
            for race in races:
                keys = absent if race.read.missing else present
                samples.add(race.read.metric, *race.run(keys, effort.repeats))
    return samples.measurements()


class _Race:
    """One read, as loops: an empty one, the official provider's, ours."""

    def __init__(self, read: Read, official: Any, ours: Any) -> None:
        self.read = read
        subject = ours.snapshot if read.from_snapshot else ours
        self._lanes: tuple[tuple[Loop, Any], ...] = (
            (_loop("pass"), None),
            (_loop(read.statement), official),
            (_loop(read.ours or read.statement), subject),
        )

    def run(self, keys: Sequence[str], repeats: int) -> tuple[float, float]:
        """Return nanoseconds per read on both sides, the lanes taking turns."""
        times: list[list[float]] = [[] for _ in self._lanes]
        for _ in range(repeats):
            for (loop, subject), taken in zip(self._lanes, times, strict=True):
                taken.append(loop(subject, keys) / len(keys))
        empty, official, ours = times
        return net(official, empty, FLOOR), net(ours, empty, FLOOR)


def _loop(statement: str) -> Loop:
    """Compile a loop; each gets code of its own, for CPython adapts code to what it meets."""
    names: dict[str, Any] = {"clock": time.perf_counter_ns}
    exec(_SOURCE.format(statement=statement), names)
    loop: Loop = names["loop"]
    return loop
