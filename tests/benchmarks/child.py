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

from .sides import EVERY, LOADERS, fingerprint


def main(side: int, connection: str, *, trace: bool) -> Mapping[str, float | str]:
    """Warm up, load everything and return what that took."""
    load = LOADERS[side]
    load(connection, "sentinel").close()
    gc.collect()
    if trace:
        tracemalloc.start()
    peak, wall, cpu = peak_kib(), time.perf_counter(), time.process_time()
    config = load(connection, EVERY)
    cpu, wall, peak = time.process_time() - cpu, time.perf_counter() - wall, peak_kib() - peak
    result: dict[str, float | str] = {"cpu": cpu * 1e3, "wall": wall * 1e3, "peak": peak / 1024}
    if trace:
        gc.collect()
        held, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        result = {"held": held / len(config), "most": most / len(config)}
    result["loaded"] = fingerprint(config)
    config.close()
    return result


def peak_kib() -> int:
    """Return the most memory this process has had, in KiB.

    Linux hands ru_maxrss down from the parent, which may be the bigger one, so the kernel's own
    line about this program is read where there is one.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak // 1024 if sys.platform == "darwin" else peak


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), sys.argv[2], trace="--trace" in sys.argv[3:])))
