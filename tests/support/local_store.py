"""The local store as people start it: a process of its own, and what it costs to be served by it.

Rates are of the server's own CPU time where the system tells it, so that a busy machine changes
them little. Times are those of a client in another process than the server.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.emulator.raw import Raw

ROOT = Path(__file__).parents[2]
PROC = Path("/proc")
#: Seconds from one request of a neighbour to the next.
INTERVAL = 0.005


@dataclass(frozen=True, slots=True)
class LocalStore:
    """A running store, and how long it took from the start to the first answer."""

    process: subprocess.Popen[str]
    endpoint: str
    started_in: float

    @property
    def cpu(self) -> float:
        """The seconds of CPU it has used, where the system tells; else the time of day."""
        stat = PROC / str(self.process.pid) / "stat"
        if not stat.exists():
            return time.perf_counter()
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running_local_store(*options: str) -> Iterator[LocalStore]:
    """Start the store on a free port with some options more; end it with the block."""
    command = (sys.executable, "-m", "appconfig_provider.emulator", "--port", "0", *options)
    begin = time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith("Endpoint="):
                raise RuntimeError(f"the store did not start; it said {line!r}")
            endpoint = line.partition(";")[0].removeprefix("Endpoint=")
            with Raw(endpoint) as raw:
                assert raw.get("/kv").status == 200
            yield LocalStore(process, endpoint, time.perf_counter() - begin)
        finally:
            process.kill()


def write_seed(path: Path, settings: int) -> Path:
    """Write a seed file of so many settings with labels and tags."""
    items = [
        {
            "key": f"app/service-{number % 7}/key-{number:05}",
            "label": ("prod", None)[number % 2],
            "value": f"value {number} of the benchmark",
            "tags": {"env": "prod", "n": str(number % 10)},
        }
        for number in range(settings)
    ]
    path.write_text(json.dumps({"items": items}), encoding="utf-8")
    return path


#: Requests that look at a whole store and find nothing, or too much; each with its method.
SLOW: Sequence[tuple[str, str]] = (
    ("GET", "/kv?tags=env%3Dnone"),
    ("PUT", "/snapshots/all-{}"),
    ("GET", "/revisions?tags=env%3Dnone"),
    ("GET", "/kv?label=none,neither"),
    ("GET", "/labels"),
    ("GET", "/kv?tags=env%3Dnone&after=YQpi"),
)
_EVERYTHING = {"filters": [{"key": "*", "label": "prod"}]}


def ask_slowly(endpoint: str, stop: Callable[[], bool]) -> int:
    """Send slow requests back to back until it is time to stop; return how many were answered."""
    answered = 0
    with Raw(endpoint) as raw:
        while not stop():
            method, target = SLOW[answered % len(SLOW)]
            if method == "PUT":
                reply = raw.put(target.format(uuid.uuid4()), _EVERYTHING)
            else:
                reply = raw.get(target)
            assert reply.status in (200, 201)
            answered += 1
    return answered


def neighbour_times(endpoint: str, requests: int) -> tuple[list[float], int]:
    """The seconds that reads of one setting took beside slow requests, and how many of those."""
    done = threading.Event()
    slow: list[int] = []
    beside = threading.Thread(target=lambda: slow.append(ask_slowly(endpoint, done.is_set)))
    beside.start()
    try:
        times = _read_regularly(endpoint, requests)
    finally:
        done.set()
        beside.join()
    return times, slow[0]


def _read_regularly(endpoint: str, requests: int) -> list[float]:
    """The seconds of each read; the next one is sent when its time has come, or at once."""
    times = []
    with Raw(endpoint) as raw:
        raw.get("/kv")
        for _ in range(requests):
            begin = time.perf_counter()
            reply = raw.get("/kv/app%2Fservice-0%2Fkey-00000?label=prod")
            assert reply.status == 200
            times.append(time.perf_counter() - begin)
            time.sleep(max(INTERVAL - times[-1], 0))
    return times


def percentile(times: Sequence[float], share: float) -> float:
    """The time that so large a share of the others does not exceed."""
    return sorted(times)[min(int(len(times) * share), len(times) - 1)]


def page_rate(store: LocalStore, requests: int) -> float:
    """Pages of a hundred settings for each second of the server's CPU."""
    with Raw(store.endpoint) as raw:
        raw.get("/kv")
        begin = store.cpu
        for _ in range(requests):
            assert raw.get("/kv?key=app%2F*&label=%00").status == 200
        return requests / (store.cpu - begin)


def write_rate(store: LocalStore, requests: int) -> float:
    """Writes of a setting for each second of the server's CPU."""
    with Raw(store.endpoint) as raw:
        raw.put("/kv/written", {"value": "0"})
        begin = store.cpu
        for number in range(requests):
            assert raw.put(f"/kv/written-{number % 50}", {"value": str(number)}).status == 200
        return requests / (store.cpu - begin)
