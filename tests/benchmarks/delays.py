"""What one reload costs the requests beside it: the delay it injects, in request-milliseconds.

Four threads serve 2,000 requests a second, each of twenty reads, while the main thread reloads. The
load is open: requests arrive by a timetable whatever becomes of the earlier ones, and latency runs
from the moment in the timetable, so a stall delays all requests that fall into it. Latencies of
more than a millisecond are summed. This machine's own noise is measured without a reload, and its
share for the length of the reload is taken off.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from .measure import Effort, Measurement, Metric, Samples, sides_of
from .server import Store
from .sides import REFRESHERS, SENTINEL, Config, both

THREADS = 4
REQUESTS = 2_000
"""Per second, on all threads together."""
READS = 20
PATIENCE = 0.001
"""Seconds; a latency up to this is no delay."""
DELAY = 0.02
"""Seconds to the store, and how long requests go on after a reload, for those in its wake."""
RELOADS = 2
"""On either side in a round; the mean counts."""

FLOOR = 1.0
"""Request-milliseconds; less than one request delayed by one is nothing."""


def measure_delays(effort: Effort, store: Store) -> list[Measurement]:
    """Reload on both sides beside the same traffic."""
    samples = Samples()
    metric = Metric(
        f"request delay that one reload of {len(store.keys):,} injects at {DELAY * 1e3:g} ms",
        "req*ms",
        40,
    )
    store.delay(0)
    with both(store.connection, SENTINEL) as configs:
        store.delay(DELAY)
        for number in range(effort.fewer):
            injected = _round(configs, store, number, effort.idle)
            samples.add(metric, *injected)
    store.delay(0)
    return samples.measurements()


def _round(
    configs: tuple[Config, Config], store: Store, number: int, idle: float
) -> tuple[float, float]:
    sums = [0.0, 0.0]
    for attempt in range(RELOADS):
        value = f"round {number}, reload {attempt}"
        store.change({store.keys[-1]: value, "sentinel": value})
        noise = _delay(configs[1], store.keys, partial(time.sleep, idle))
        for side in sides_of(number):
            config = configs[side]
            beside = _delay(config, store.keys, partial(REFRESHERS[side], config))
            if config[store.keys[-1]] != value:
                raise RuntimeError(f"a reload did not bring {value!r}; nothing to compare")
            share = noise.milliseconds / noise.seconds * beside.seconds
            sums[side] += beside.milliseconds - share
    return max(sums[0] / RELOADS, FLOOR), max(sums[1] / RELOADS, FLOOR)


@dataclass(frozen=True, slots=True)
class Delayed:
    """What requests were delayed by, and for how long there were requests."""

    milliseconds: float
    seconds: float


def _delay(config: Config, keys: Sequence[str], work: Callable[[], object]) -> Delayed:
    """Do some work beside traffic, and return the delays of more than a millisecond."""
    gc.collect()
    with Traffic(config, keys) as traffic:
        begin = time.perf_counter()
        work()
        time.sleep(DELAY)
        seconds = time.perf_counter() - begin
    late = [latency for latency in traffic.latencies() if latency > PATIENCE]
    return Delayed(sum(late) * 1e3, seconds)


@dataclass
class Traffic:
    """Requests that arrive by a timetable, on threads; runs for the length of its block.

    When the block ends, no more arrive, but those that should have arrived are served.
    """

    config: Config
    keys: Sequence[str]
    _ends: float | None = None
    _taken: list[list[float]] = field(default_factory=lambda: [[] for _ in range(THREADS)])
    _threads: list[threading.Thread] = field(default_factory=list)

    def latencies(self) -> list[float]:
        """Return the latency of every request, in seconds from its place in the timetable."""
        return [latency for one in self._taken for latency in one]

    def _serve(self, thread: int, begins: float) -> None:
        step, taken = THREADS / REQUESTS, self._taken[thread]
        some = self.keys[thread :: max(len(self.keys) // READS, 1)][:READS]
        config, clock = self.config, time.perf_counter
        arrives = begins + thread / REQUESTS
        while self._ends is None or arrives < self._ends:
            wait = arrives - clock()
            if wait > 0:
                time.sleep(wait)
            for key in some:
                config[key]
            taken.append(clock() - arrives)
            arrives += step

    def __enter__(self) -> Traffic:
        begins = time.perf_counter() + 0.01
        self._threads = [
            threading.Thread(target=self._serve, args=(number, begins)) for number in range(THREADS)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends = time.perf_counter()
        for thread in self._threads:
            thread.join()
