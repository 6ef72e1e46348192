"""The local store by itself: how much it serves, how soon, and whether anybody has to wait."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

from tests.support.local_store import (
    neighbour_times,
    page_rate,
    percentile,
    running_local_store,
    write_rate,
    write_seed,
)

from .measure import Effort, Figure


def measure_emulator(effort: Effort) -> list[Figure]:
    """Measure a store without settings and one with many, in some rounds.

    The fastest start counts, because noise only ever adds, and the median of all else.
    """
    with tempfile.TemporaryDirectory() as folder:
        seed = write_seed(Path(folder) / "seed.json", effort.big)
        starts, seeded, pages, writes, waits = [], [], [], [], []
        for _ in range(effort.fewer):
            with running_local_store() as store:
                starts.append(store.started_in)
            with running_local_store("--seed", str(seed)) as store:
                seeded.append(store.started_in)
                pages.append(page_rate(store, 20 * effort.repeats))
                writes.append(write_rate(store, 20 * effort.repeats))
                times, _ = neighbour_times(store.endpoint, 20 * effort.repeats)
                waits.append(percentile(times, 0.99) * 1000)
    many = f"{effort.big:,} settings"
    return [
        Figure("pages of 100 settings for a second of its CPU", "", median(pages), at_least=1000),
        Figure("writes for a second of its CPU", "", median(writes), at_least=900),
        Figure("start to first answer", "s", min(starts), at_most=0.4),
        Figure(f"start to first answer, {many} seeded", "s", min(seeded), at_most=2.5),
        Figure(f"a read beside slow requests, {many}, p99", "ms", median(waits), at_most=25),
    ]
