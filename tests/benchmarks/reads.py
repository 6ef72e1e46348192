"""Reading a value, and a refresh that has nothing to do: nanoseconds, net of the loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from .measure import Effort, Measurement, Metric, Samples, net
from .server import Store
from .sides import SENTINEL, both, load_lazily

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


class Keys(Enum):
    """Which keys are read. A look-up is faster with the very object that the mapping holds."""

    EQUAL = "equal texts, as the literals of a program are"
    STORED = "the objects that iterating the mapping gave"
    MISSING = "keys that are not there"


@dataclass(frozen=True, slots=True)
class Read:
    """A way to read, as it is written on both sides: `c` is the provider, `k` a key."""

    metric: Metric
    statement: str
    ours: str = ""
    """Where it is written differently."""
    keys: Keys = Keys.EQUAL
    subject: Callable[[Any], Any] = lambda config: config
    """What `c` is on our side."""
    lazy: bool = False
    """Whether our provider is one whose reads check."""


def _snapshot(config: Any) -> Any:
    return config.snapshot


def _plain(config: Any) -> Any:
    return dict(config.snapshot)


READS = (
    Read(Metric("config[k]", "ns", 4), "c[k]"),
    Read(Metric("config[k], k as stored", "ns", 4), "c[k]", keys=Keys.STORED),
    # CPython gives subclasses of dict a slow way to an item, which limits these two.
    Read(Metric("snapshot[k]", "ns", 7), "c[k]", subject=_snapshot),
    Read(Metric("snapshot[k], k as stored", "ns", 7), "c[k]", keys=Keys.STORED, subject=_snapshot),
    Read(Metric("config.snapshot[k]", "ns"), "c[k]", ours="c.snapshot[k]"),
    Read(Metric("dict(config.snapshot)[k], the limit", "ns"), "c[k]", subject=_plain),
    Read(Metric("config.get(k)", "ns"), "c.get(k)"),
    Read(Metric("config.get(k) of a missing key", "ns", 4), "c.get(k)", keys=Keys.MISSING),
    Read(Metric("k in config", "ns"), "k in c"),
    # The check may make 110 ns of 45, so of the 4x above it may leave 1.6x.
    Read(Metric("config[k] with Polling.lazy", "ns", 1.6), "c[k]", lazy=True),
    Read(Metric("refresh() with nothing due", "ns", 40), "c.refresh()"),
)


def measure_reads(effort: Effort, store: Store) -> list[Measurement]:
    """Time each way to read on both sides, both loaded in this process."""
    samples = Samples()
    with (
        both(store.connection, SENTINEL) as (official, ours),
        load_lazily(store.connection, SENTINEL) as lazy,
    ):
        races = [_Race(read, official, lazy if read.lazy else ours, effort.laps) for read in READS]
        for _ in range(effort.rounds):
            for race in races:
                samples.add(race.read.metric, *race.run(effort.repeats))
    return samples.measurements()


def _keys(kind: Keys, mapping: Iterable[str], laps: int) -> list[str]:
    """Return some of a mapping's keys, so many times over."""
    stored = list(mapping)
    some = stored[:: max(len(stored) // KEYS, 1)]
    if kind is Keys.EQUAL:
        some = [key.encode().decode() for key in some]
    elif kind is Keys.MISSING:
        some = [f"{key}/no" for key in some]
    return some * laps


class _Race:
    """One read, as loops: an empty one, the official provider's, ours."""

    def __init__(self, read: Read, official: Any, ours: Any, laps: int) -> None:
        self.read = read
        theirs, own = _keys(read.keys, official, laps), _keys(read.keys, ours, laps)
        self._subjects: tuple[tuple[Loop, Any, list[str]], ...] = (
            (timed_loop("pass"), None, own),
            (timed_loop(read.statement), official, theirs),
            (timed_loop(read.ours or read.statement), read.subject(ours), own),
        )

    def run(self, repeats: int) -> tuple[float, float]:
        """Return nanoseconds per read on both sides, which take turns."""
        times: list[list[float]] = [[] for _ in self._subjects]
        for _ in range(repeats):
            for (loop, subject, keys), taken in zip(self._subjects, times, strict=True):
                taken.append(loop(subject, keys) / len(keys))
        empty, official, ours = times
        return net(official, empty, FLOOR), net(ours, empty, FLOOR)


def timed_loop(statement: str) -> Loop:
    """Compile a loop; each gets code of its own, for CPython adapts code to what it meets."""
    names: dict[str, Any] = {"clock": time.perf_counter_ns}
    exec(_SOURCE.format(statement=statement), names)
    loop: Loop = names["loop"]
    return loop
