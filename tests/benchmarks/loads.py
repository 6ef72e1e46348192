"""Loading everything: processor time, wall time and memory, each load in a fresh process."""

from __future__ import annotations

import json
from typing import Any

from .measure import Effort, Measurement, Metric, Samples, sides_of
from .process import Python
from .server import Store
from .sides import require_equal

FLOOR = 1 / 1024
"""Nothing that is measured here is smaller: a KiB, a microsecond."""


def measure_loads(effort: Effort, store: Store) -> list[Measurement]:
    """Load all settings on both sides, round by round."""
    samples = Samples()
    what = f"load of {len(store.keys):,} settings"
    plain = {
        "cpu": Metric(f"{what}, CPU", "ms", 12),
        "wall": Metric(f"{what}, wall (loopback)", "ms"),
        "peak": Metric(f"{what}, growth of peak memory", "MiB", 3),
    }
    traced = {
        "held": Metric("memory held per setting (tracemalloc)", "B"),
        "most": Metric("memory per setting at the peak (tracemalloc)", "B"),
    }
    with Python() as python:
        for number in range(effort.rounds):
            _round(python, store, number, plain, samples)
            _round(python, store, number, traced, samples, "--trace")
    return samples.measurements()


def _round(
    python: Python,
    store: Store,
    number: int,
    metrics: dict[str, Metric],
    samples: Samples,
    *options: str,
) -> None:
    """Let both sides load once, and take what their processes report."""
    reports: dict[int, Any] = {}
    for side in sides_of(number):
        arguments = ("-m", f"{__package__}.child", str(side), store.connection, *options)
        reports[side] = json.loads(python.run(*arguments))
    require_equal(reports[0]["loaded"], reports[1]["loaded"])
    for name, metric in metrics.items():
        samples.add(metric, max(reports[0][name], FLOOR), max(reports[1][name], FLOOR))
