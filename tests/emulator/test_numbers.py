"""What the emulator has to bear: requests per second, a large seed, and memory that stays flat.

Run as a program it measures the long way: ``python -m tests.emulator.test_numbers [requests]``.
Rates are of the server's own CPU time, so that a busy machine does not fail the test.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from appconfig_provider.emulator import Draft, Server, Store, create_app
from appconfig_provider.emulator.snapshot_model import SnapshotDraft, SnapshotFilter

from .raw import Raw
from .test_listings import pages

pytestmark = pytest.mark.heavy

SETTINGS = 10_000
PROC = Path("/proc")
on_linux = pytest.mark.skipif(not PROC.joinpath("self/statm").exists(), reason="needs /proc")


@dataclass(frozen=True)
class Served:
    """A server process and its address."""

    pid: int
    endpoint: str

    @property
    def cpu(self) -> float:
        """The seconds of CPU it has used."""
        fields = PROC.joinpath(str(self.pid), "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def memory(self) -> int:
        """The bytes of memory it has."""
        pages = int(PROC.joinpath(str(self.pid), "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def serving() -> Iterator[Served]:
    """A process that serves ten thousand settings with a past, and a snapshot of some of them."""
    process = subprocess.Popen(
        (sys.executable, "-c", "from tests.emulator.test_numbers import serve; serve()"),
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            yield Served(process.pid, process.stdout.readline().strip())
        finally:
            process.kill()


def drafts() -> list[Draft]:
    """Ten thousand settings."""
    return [Draft(f"key/{number:05}", value=f"value {number}") for number in range(SETTINGS)]


def serve() -> None:
    """Serve until killed."""
    past = [float(int(time.time()) - 60)]  # whole: each state is that of one second
    with closing(Store(now=lambda: past[0])) as store:
        for number in range(3):
            store.load(Draft(draft.key, value=f"past {number}") for draft in drafts())
            past[0] += 20
        store.load(drafts())
        store.snapshots.create(SnapshotDraft("s", (SnapshotFilter("key/000*"),)))
        with Server(create_app(store)) as server:
            print(server.endpoint, flush=True)
            while not server.wait(1):
                pass


def rate(served: Served, requests: int) -> float:
    """Pages of a hundred per second of the server's CPU."""
    with Raw(served.endpoint) as raw:
        raw.get("/kv")
        begin = served.cpu
        for _ in range(requests):
            assert raw.get("/kv?key=key%2F*&label=%00").status == 200
        return requests / (served.cpu - begin)


def past_rate(served: Served, rounds: int) -> float:
    """Pages of a hundred, of all settings as they first were, per second of the server's CPU."""
    with Raw(served.endpoint) as raw:
        *_, first = raw.get("/revisions?key=key%2F00000").json["items"]
        moment = {"accept_datetime": first["last_modified"]}
        begin, served_pages = served.cpu, 0
        for _ in range(rounds):
            page = raw.get("/kv", **moment)
            values = [item["value"] for item in page.json["items"]]
            while "@nextLink" in page.json:
                page = raw.get(page.json["@nextLink"], **moment)
                values += [item["value"] for item in page.json["items"]]
                served_pages += 1
            assert values == ["past 0"] * SETTINGS
        return served_pages / (served.cpu - begin)


def read(raw: Raw, rounds: int) -> None:
    """Ten requests a round that change nothing, over every kind of route."""
    for number in range(rounds):
        key = f"/kv/key%2F{number % SETTINGS:05}"
        etag = raw.get(key).headers["etag"]
        assert raw.get(key, if_none_match=etag).status == 304
        assert raw.put(key, {"value": "x"}, if_match='"no"').status == 412
        assert raw.put(key, {"value": f"value {number % SETTINGS}"}).status == 200
        assert raw.get("/kv?key=gone*").status == 200
        assert raw.get("/labels").status == 200
        assert raw.get("/kv/gone").status == 404
        assert raw.get("/snapshots/s").status == 200
        assert raw.get("/revisions?key=key%2F00001").status == 200
        assert raw.get("/kv?snapshot=none").status == 200


def write(raw: Raw, rounds: int) -> None:
    """Ten requests a round that change a setting, which its history keeps for thirty days."""
    for number in range(10 * rounds):
        reply = raw.put(f"/kv/written{number % 50}", {"value": str(number % 7)})
        assert reply.status == 200


def growth(served: Served, requests: int, work: Callable[[Raw, int], None]) -> int:
    """The bytes a server has grown by over so many requests, once its caches are full."""
    with Raw(served.endpoint) as raw:
        pages(raw, "/kv")
        work(raw, 50)
        before = served.memory
        work(raw, requests // 10)
        return served.memory - before


def test_seeding() -> None:
    """Ten thousand settings are stored in two seconds, with their history."""
    given = drafts()
    gc.collect()
    begin = time.process_time()
    with closing(Store()) as store:
        assert store.load(given) == SETTINGS
    assert time.process_time() - begin < 2


@on_linux
def test_pages_a_second() -> None:
    """Three hundred pages of a hundred settings cost at most a second of one core."""
    with serving() as served:
        assert rate(served, 200) >= 300


@on_linux
def test_pages_of_the_past_a_second() -> None:
    """Pages of settings as they were three writes ago cost little more than those of today."""
    with serving() as served:
        assert past_rate(served, 3) >= rate(served, 300) / 2.5


@on_linux
def test_flat_memory() -> None:
    """Thousands of requests that change nothing leave nothing behind."""
    with serving() as served:
        assert growth(served, 2_000, read) < 1_000_000


def main(requests: int) -> None:
    """Measure the long way and print the figures."""
    begin = time.perf_counter()
    with closing(Store()) as store:
        store.load(drafts())
    print(f"{SETTINGS} settings seeded in {time.perf_counter() - begin:.2f} s")
    with serving() as served:
        print(f"pages of 100: {rate(served, 2_000):.0f} a second of server CPU")
        print(f"pages of the past: {past_rate(served, 20):.0f} a second of server CPU")
        print(f"{requests} reads: {growth(served, requests, read):+,} bytes")
        writes = requests // 10
        print(f"{writes} writes, kept as history: {growth(served, writes, write):+,} bytes")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
