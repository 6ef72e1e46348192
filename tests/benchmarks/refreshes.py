"""A refresh that asks the store: sentinel unchanged, and a reload after it moved."""

from __future__ import annotations

import gc
import time
from statistics import median
from typing import Any

from .measure import Effort, Measurement, Metric, Samples, sides_of
from .server import Store
from .sides import EVERY, REFRESHERS, Config, both

FLOOR = 0.001
"""Milliseconds; some clocks tick slower than a refresh takes."""

Times = tuple[float, float]
"""Milliseconds of processor and of wall time."""


def measure_refreshes(effort: Effort, store: Store) -> list[Measurement]:
    """Refresh on both sides against the same store; both see the same changes."""
    samples = Samples()
    count = f"{len(store.keys):,} settings"
    with both(store.connection, EVERY) as configs:
        for number in range(effort.rounds + 1):
            unchanged = _checks(configs, number, effort.checks)
            reload = _reloads(configs, number, store)
            if number == 0:
                continue  # the warm-up
            for what, (official, ours) in (
                ("refresh(), sentinel unchanged", unchanged),
                (f"reload, sentinel and one of {count} changed", reload),
            ):
                samples.add(Metric(f"{what}, CPU", "ms"), official[0], ours[0])
                samples.add(Metric(f"{what}, wall (loopback)", "ms"), official[1], ours[1])
    return samples.measurements()


def _checks(configs: tuple[Config, Config], number: int, checks: int) -> tuple[Times, Times]:
    """Return what a check that finds nothing takes on both sides."""
    taken: list[list[Times]] = [[], []]
    for _ in range(checks):
        for side in sides_of(number):
            taken[side].append(_timed(side, configs[side]))
    official, ours = (
        (median(cpu for cpu, _ in one), median(wall for _, wall in one)) for one in taken
    )
    return official, ours


def _reloads(configs: tuple[Config, Config], number: int, store: Store) -> tuple[Times, Times]:
    """Change a value and the sentinel, and return what the reload takes on both sides."""
    key, value = store.keys[len(store.keys) // 2], f"changed in round {number}"
    store.write(key, value)
    store.write("sentinel", f"round {number}")
    taken = {side: _timed(side, configs[side]) for side in sides_of(number)}
    for config in configs:
        if config[key] != value:
            raise RuntimeError(f"a reload did not bring {value!r}; nothing to compare")
    return taken[0], taken[1]


def _timed(side: int, config: Any) -> Times:
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    REFRESHERS[side](config)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return max(cpu * 1e3, FLOOR), max(wall * 1e3, FLOOR)
