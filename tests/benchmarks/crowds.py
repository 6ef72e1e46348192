"""Reading on eight threads at once: nanoseconds of wall time per read, net of the loop.

A read that takes a lock may lose the interpreter while it holds it, and then all others queue for
the lock. Whether that happens in a run is a matter of luck, and it is no noise: so runs are long,
and their median counts, not the fastest. Every thread reads the same hundred keys, by texts of its
own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from .measure import Effort, Measurement, Metric, Samples, sides_of
from .reads import KEYS
from .server import Store
from .sides import SENTINEL, both

THREADS = 8
LAPS_MORE = 40
"""Times the laps of a loop on one thread: half a second, a hundred turns of the interpreter."""

FLOOR = 0.1
"""Nanoseconds; less cannot be told from an empty loop."""

_SOURCE = """
def loop(c, keys):
    for k in keys:
        {statement}
"""

READS = (
    (Metric(f"config[k] on {THREADS} threads", "ns", 4.5), "c[k]"),
    (Metric(f"config.get(k) on {THREADS} threads", "ns", 12), "c.get(k)"),
)


def measure_crowds(effort: Effort, store: Store) -> list[Measurement]:
    """Read on both sides, in turn, and not at all."""
    samples = Samples()
    with both(store.connection, SENTINEL) as configs:
        some = store.keys[:: max(len(store.keys) // KEYS, 1)]
        parts = [
            [key.encode().decode() for key in some] * (effort.laps * LAPS_MORE)
            for _ in range(THREADS)
        ]
        repeats = max(effort.repeats // 15, 1)
        for number in range(effort.rounds):
            for metric, statement in READS:
                times: tuple[list[float], list[float]] = ([], [])
                empty = []
                for _ in range(repeats):
                    empty.append(_crowd(_loop("pass"), None, parts))
                    for side in sides_of(number):
                        times[side].append(_crowd(_loop(statement), configs[side], parts))
                official, ours = (max(median(one) - median(empty), FLOOR) for one in times)
                samples.add(metric, official, ours)
    return samples.measurements()


def _crowd(
    loop: Callable[[Any, Sequence[str]], None], config: Any, parts: list[list[str]]
) -> float:
    """Return nanoseconds per read from the moment all threads may go to when the last is done."""
    gate = threading.Barrier(len(parts) + 1)

    def read(keys: list[str]) -> None:
        gate.wait()
        loop(config, keys)

    threads = [threading.Thread(target=read, args=(keys,)) for keys in parts]
    for thread in threads:
        thread.start()
    gate.wait()
    begin = time.perf_counter_ns()
    for thread in threads:
        thread.join()
    return (time.perf_counter_ns() - begin) / sum(map(len, parts))


def _loop(statement: str) -> Callable[[Any, Sequence[str]], None]:
    """Compile a loop; each gets code of its own, for CPython adapts code to what it meets."""
    names: dict[str, Any] = {}
    exec(_SOURCE.format(statement=statement), names)
    loop: Callable[[Any, Sequence[str]], None] = names["loop"]
    return loop
