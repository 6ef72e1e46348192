"""What a store with a data file has acknowledged is kept: many writers, a kill, a full disk."""

from __future__ import annotations

import http.client
import sqlite3
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from appconfig_provider.emulator import Store
from tests.support.local_store import LocalStore, running_local_store

from .raw import Raw

WRITERS = 50


def key_of(writer: int) -> str:
    """The setting that one writer writes."""
    return f"writer-{writer:02}"


def write(endpoint: str, writer: int, more: Callable[[int], bool]) -> int:
    """Count a setting up to where there is no more to do; return the last number acknowledged.

    Who cannot reach the store, or is refused, has come to his end.
    """
    with Raw(endpoint) as raw:
        present = raw.get(f"/kv/{key_of(writer)}")
        number = int(present.json["value"]) if present.status == 200 else 0
        while more(number):
            try:
                reply = raw.put(f"/kv/{key_of(writer)}", {"value": str(number + 1)})
            except (OSError, http.client.HTTPException):
                break
            if reply.status != 200:
                break
            number += 1
    return number


def write_together(endpoint: str, more: Callable[[int], bool]) -> Mapping[str, int]:
    """Let all writers write at once; return what each had acknowledged last."""
    with ThreadPoolExecutor(WRITERS) as threads:
        numbers = threads.map(lambda writer: write(endpoint, writer, more), range(WRITERS))
        return {key_of(writer): number for writer, number in enumerate(numbers)}


def assert_kept(data: Path, acknowledged: Mapping[str, int]) -> None:
    """Every setting has the value acknowledged last, or one more, and its whole history.

    One more is a write whose answer nobody got.
    """
    with closing(Store(data)) as store:
        found = {key: store.get(key) for key in acknowledged}
    last = {key: 0 if stored is None else int(stored.value or 0) for key, stored in found.items()}
    with closing(sqlite3.connect(data)) as file:
        for key, number in acknowledged.items():
            assert last[key] in (number, number + 1), key
            raw_history = file.execute(
                "SELECT value FROM revisions WHERE key = ? ORDER BY modified", (key,)
            )
            assert [int(value) for (value,) in raw_history] == list(range(1, last[key] + 1))


def test_many_writers(tmp_path: Path) -> None:
    """Of what fifty writers have acknowledged at once nothing is lost, now or after a restart."""
    data = tmp_path / "store.db"
    with running_local_store("--data", str(data)) as store:
        acknowledged = write_together(store.endpoint, lambda number: number < 10)
        assert set(acknowledged.values()) == {10}
        with Raw(store.endpoint) as raw:
            for key in acknowledged:
                assert raw.get(f"/kv/{key}").json["value"] == "10"
            assert (
                raw.get("/revisions", range="items=0-0").headers["content-range"].endswith("/500")
            )
    assert_kept(data, acknowledged)


def test_a_kill_in_the_middle(tmp_path: Path) -> None:
    """A process that is killed while fifty write has kept every write that it acknowledged."""
    data = tmp_path / "store.db"
    with running_local_store("--data", str(data)) as store:
        enough = threading.Semaphore(0)

        def more(number: int) -> bool:
            if number:
                enough.release()
            return True

        killer = threading.Thread(target=lambda: kill_after(store, enough, 300))
        killer.start()
        acknowledged = write_together(store.endpoint, more)
        killer.join()
    assert sum(acknowledged.values()) >= 300
    assert_kept(data, acknowledged)


def kill_after(store: LocalStore, enough: threading.Semaphore, writes: int) -> None:
    """Kill a store once so many writes were acknowledged."""
    for _ in range(writes):
        enough.acquire(timeout=60)
    store.process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="sets a limit of another process")
def test_a_full_disk(tmp_path: Path) -> None:
    """Where no more can be written a write is refused, reads go on, and nothing is lost.

    The limit is that of the process for the size of a file, which root has to keep as well. When
    there is room again, the store writes on without a restart.
    """
    import resource

    data = tmp_path / "store.db"
    with running_local_store("--data", str(data)) as store:
        write_together(store.endpoint, lambda number: number < 1)
        hard = resource.prlimit(store.process.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(store.process.pid, resource.RLIMIT_FSIZE, (2_000_000, hard))
        acknowledged = write_together(store.endpoint, lambda number: number < 1_000)
        assert WRITERS < sum(acknowledged.values()) < WRITERS * 1_000
        with Raw(store.endpoint) as raw:
            refused = raw.put("/kv/other", {"value": "x" * 5_000})
            assert refused.status == 500
            for key, number in acknowledged.items():
                assert raw.get(f"/kv/{key}").json["value"] == str(number)
            resource.prlimit(store.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
            assert raw.put("/kv/other", {"value": "y"}).status == 200
            assert raw.get("/kv/other").json["value"] == "y"
    assert_kept(data, acknowledged)
    with closing(Store(data)) as kept:
        other = kept.get("other")
        assert other is not None
        assert other.value == "y"
