"""One load in a fresh process: `python -m tests.benchmarks.child SIDE CONNECTION [--trace]`.

Prints what it took as JSON. The warm-up, a load of a single setting, pays for lazy imports and
first connections on both sides, so that what is measured is the load. Nothing of the other side
may be imported here: what an import leaves free in memory would hide what a load takes.
"""

from __future__ import annotations

import gc
import json
import sys
import time
import tracemalloc
from collections.abc import Mapping
from pathlib import Path

from .scenes import Mode
from .sides import FIVE_KEYS, LOADERS, SENTINEL, fingerprint


def main(side: int, connection: str, *, trace: bool) -> Mapping[str, float | str]:
    """Warm up, load everything and return what that took."""
    load = LOADERS[Mode.SYNC][side]
    load(connection, FIVE_KEYS).close()
    gc.collect()
    if trace:
        tracemalloc.start()
    before, peak = memory_kib("VmRSS"), memory_kib("VmHWM")
    wall, cpu = time.perf_counter(), time.process_time()
    config = load(connection, SENTINEL)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = memory_kib("VmHWM") - peak
    gc.collect()
    result: dict[str, float | str] = {
        "cpu": cpu * 1e3,
        "wall": wall * 1e3,
        "peak": peak / 1024,
        "resident": (memory_kib("VmRSS") - before) * 1024 / len(config),
    }
    if trace:
        held, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        result = {"held": held / len(config), "most": most / len(config)}
    result["loaded"] = fingerprint(config)
    config.close()
    return result


def memory_kib(field: str) -> int:
    """Return this process's resident memory (VmRSS), or the most it has had (VmHWM), in KiB.

    Linux hands ru_maxrss down from the parent, which may be the bigger one, so the kernel's own
    line about this program is read where there is one. Elsewhere both are the most there was.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(field + ":"))
    except (OSError, StopIteration):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak // 1024 if sys.platform == "darwin" else peak


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), sys.argv[2], trace="--trace" in sys.argv[3:])))
