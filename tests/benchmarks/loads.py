"""Loading everything in a fresh process: processor time on loopback, and memory.

What the processor takes is measured without any delay, where nothing else is waited for. Memory is
what the process has grown by once the garbage is gone, as the operating system counts it: what an
allocator could not give back counts, for nobody else can use it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .measure import Effort, Measurement, Metric, Samples, sides_of
from .process import PACKAGE, Python
from .server import Store, running_store
from .sides import require_equal

FLOOR = 1 / 1024
"""Nothing that is measured here is smaller: a KiB, a microsecond."""


def measure_loads(effort: Effort, store: Store) -> list[Measurement]:
    """Load all settings on both sides, round by round."""
    samples = Samples()
    store.delay(0)
    plain = _metrics(len(store.keys), cpu_target=15)
    traced = {
        "held": Metric("memory held per setting (tracemalloc)", "B"),
        "most": Metric("memory per setting at the peak (tracemalloc)", "B"),
    }
    with Python() as python, running_store(effort.big) as big:
        for number in range(effort.rounds):
            _round(python, store, number, plain, samples)
        for number in range(effort.fewer):
            _round(python, store, number, traced, samples, "--trace")
        for number in range(effort.fewer):
            _round(python, big, number, _big_metrics(effort.big), samples)
    return samples.measurements()


def _metrics(settings: int, cpu_target: float | None) -> dict[str, Metric]:
    what = f"cold load of {settings:,} settings (loopback)"
    return {
        "cpu": Metric(f"{what}, CPU", "ms", cpu_target),
        "wall": Metric(f"{what}, wall", "ms"),
        "peak": Metric(f"{what}, growth of peak memory", "MiB"),
    }


def _big_metrics(settings: int) -> dict[str, Metric]:
    name = f"memory held per setting after a load of {settings:,} (resident)"
    return {**_metrics(settings, None), "resident": Metric(name, "B", 3)}


def _round(
    python: Python,
    store: Store,
    number: int,
    metrics: Mapping[str, Metric],
    samples: Samples,
    *options: str,
) -> None:
    """Let both sides load once, and take what their processes report."""
    reports: dict[int, Any] = {}
    for side in sides_of(number):
        arguments = ("-m", f"{PACKAGE}.child", str(side), store.connection, *options)
        reports[side] = json.loads(python.run(*arguments))
    require_equal(reports[0]["loaded"], reports[1]["loaded"])
    for name, metric in metrics.items():
        samples.add(metric, max(reports[0][name], FLOOR), max(reports[1][name], FLOOR))
