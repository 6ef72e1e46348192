"""Loading and refreshing over a distance: wall and processor time, scene by scene.

A round loads on both sides, checks what has not changed, changes one value and the sentinel, and
lets all of them find it. The value that changes stands on the last page: a client that looks at
pages one after the other meets it last, one that looks at them side by side does not care. The
server counts requests, so a refresh that did nothing is no measurement.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from statistics import median

from .answers import PAGE_SIZE
from .measure import Effort, Measurement, Metric, Samples, sides_of
from .scenes import Mode, Scene
from .server import Store, running_store
from .sides import (
    ALL_PAGES,
    FIVE_KEYS,
    SENTINEL,
    SEVEN_SELECTORS,
    Config,
    Driver,
    Setup,
    both,
    driving,
    fingerprint,
    require_equal,
)

FLOOR = 0.001
"""Milliseconds; some clocks tick slower than a refresh takes."""

Times = tuple[float, float]
"""Milliseconds of wall and of processor time."""

Pair = tuple[Config, Config]


@dataclass(frozen=True, slots=True)
class Step:
    """Something both sides do, and how much better we want to be at it where the table looks."""

    name: str
    wall: float | None = None
    cpu: float | None = None
    wall_aio: float | None = None
    weighs_cpu: bool = True

    def metrics(self, scene: Scene, mode: Mode) -> tuple[Metric, ...]:
        """Return what is reported of it: wall time, and perhaps processor time."""
        wall, cpu = (
            (None, None)
            if not scene.headline
            else (self.wall, self.cpu)
            if mode is Mode.SYNC
            else (self.wall_aio, None)
        )
        of_wall = Metric(f"{self.name}, wall", "ms", wall, scene, mode)
        of_cpu = Metric(f"{self.name}, CPU", "ms", cpu, scene, mode)
        return (of_wall, of_cpu) if self.weighs_cpu else (of_wall,)


CHECK = Step("refresh(), sentinel unchanged", cpu=2.4)
FIVE = Step("refresh(), 5 watched keys unchanged", wall=4, weighs_cpu=False)
RELOAD = Step("reload after sentinel and one value changed", wall=20, cpu=15)
PAGES = Step("refresh(), all pages watched, unchanged", wall=20, wall_aio=14)
CHANGED = Step("refresh(), all pages watched, a value on the last changed", wall=42)
LOAD = Step("cold load, one selector", wall=1.3)
SEVEN = Step("cold load, seven selectors", wall=8, weighs_cpu=False)
STEPS = (CHECK, PAGES, RELOAD, CHANGED, FIVE, LOAD, SEVEN)


def measure_refreshes(effort: Effort, _store: Store) -> list[Measurement]:
    """Go through all scenes; each number of settings has a server of its own."""
    samples = Samples()
    for settings, scenes in groupby(effort.scenes, lambda scene: scene.settings):
        with running_store(settings) as store:
            if settings <= effort.settings:
                with both(store.connection, SEVEN_SELECTORS):
                    pass  # now the server knows the targets
            for scene in scenes:
                for mode in scene.modes:
                    with driving(mode) as driver:
                        _Stage(scene, driver, store, samples).play(effort)
    order = [step.name for step in STEPS]
    return sorted(
        samples.measurements(),
        key=lambda one: order.index(one.metric.name.rpartition(", ")[0]),
    )


class _Stage:
    """One scene with sync or aio: what both sides are told to do, and what it took."""

    def __init__(self, scene: Scene, driver: Driver, store: Store, samples: Samples) -> None:
        self._scene = scene
        self._driver = driver
        self._store = store
        self._samples = samples

    def play(self, effort: Effort) -> None:
        """Warm up without delay, then go through the rounds."""
        seven = self._scene.settings <= effort.settings
        usual = effort.rounds if self._driver.mode is Mode.SYNC else effort.fewer
        rounds = min(usual, self._scene.rounds or usual)
        with ExitStack() as held:
            self._store.delay(0)
            paged = held.enter_context(both(self._store.connection, ALL_PAGES, self._driver))
            five = held.enter_context(both(self._store.connection, FIVE_KEYS, self._driver))
            self._store.delay(self._scene.delay)
            for number in range(rounds):
                self._refresh(FIVE, five, number, effort.checks, len(FIVE_KEYS.watched))
                with self._loaded(LOAD, SENTINEL, number) as configs:
                    self._refresh(CHECK, configs, number, effort.checks, 1)
                    self._changes(configs, paged, number)
                if seven:
                    with self._loaded(SEVEN, SEVEN_SELECTORS, number):
                        pass

    def _changes(self, configs: Pair, paged: Pair, number: int) -> None:
        """Look at all pages, change a value, and let both ways of watching find it."""
        key, pages = self._store.keys[-1], len(self._store.keys) // PAGE_SIZE
        value = f"{self._scene}, {self._driver.mode.value}, round {number}"
        self._refresh(PAGES, paged, number, 1, pages)
        self._store.change({key: value, "sentinel": value})
        self._refresh(RELOAD, configs, number, 1, pages)
        self._refresh(CHANGED, paged, number, 1, pages)
        for config in (*configs, *paged):
            if config[key] != value:
                raise RuntimeError(f"a reload did not bring {value!r}; nothing to compare")

    @contextmanager
    def _loaded(self, step: Step, setup: Setup, number: int) -> Iterator[Pair]:
        """Load on both sides, timed; close with the block."""
        with ExitStack() as closing:
            configs: dict[int, Config] = {}
            taken: dict[int, Times] = {}

            def load(side: int) -> None:
                configs[side] = self._driver.load(side, self._store.connection, setup)
                closing.callback(self._driver.close, configs[side])

            for side in sides_of(number):
                taken[side] = _timed(load, side)
            require_equal(fingerprint(configs[0]), fingerprint(configs[1]))
            self._report(step, taken[0], taken[1])
            yield configs[0], configs[1]

    def _refresh(self, step: Step, configs: Pair, number: int, checks: int, requests: int) -> None:
        """Refresh on both sides in turn; at least so many requests have to be seen each time."""
        taken: tuple[list[Times], list[Times]] = ([], [])
        for _ in range(checks):
            for side in sides_of(number):
                before = self._store.reported()["served"]
                times = _timed(lambda at: self._driver.refresh(at, configs[at]), side)
                if self._store.reported()["served"] - before < requests:
                    raise RuntimeError(f"{step.name}: a refresh did not ask; nothing to compare")
                taken[side].append(times)
        official, ours = (
            (median(wall for wall, _ in one), median(cpu for _, cpu in one)) for one in taken
        )
        self._report(step, official, ours)

    def _report(self, step: Step, official: Times, ours: Times) -> None:
        metrics = step.metrics(self._scene, self._driver.mode)
        for metric, theirs, own in zip(metrics, official, ours, strict=False):
            self._samples.add(metric, theirs, own)


def _timed(work: Callable[[int], object], side: int) -> Times:
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    work(side)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return max(wall * 1e3, FLOOR), max(cpu * 1e3, FLOOR)
