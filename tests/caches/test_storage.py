"""Who calls a cache: a thread that is waited for so long, and never two at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appconfig_provider._io import aio, storage
from appconfig_provider._io.clock import clock_in_force
from appconfig_provider._io.network import Network
from appconfig_provider._io.storage import CacheBlocked
from appconfig_provider._io.sync import SyncDriver
from appconfig_provider._plan import Plan, ReadStored, WriteStored, perform
from appconfig_provider.caches.file import FileCache
from appconfig_provider.protocols import Stored

NOW = 1_800_000_000.0


class Hanging:
    """A cache whose calls end when they are let go."""

    name = "hanging"

    def __init__(self) -> None:
        self.released = threading.Event()
        self.threads: list[threading.Thread] = []

    def read(self, now: float) -> Stored | None:
        """Hang."""
        self.threads.append(threading.current_thread())
        assert self.released.wait(20)
        return None

    def write(
        self, text: Callable[[], bytes], loaded: float, confirmed: float, digest: str = ""
    ) -> str:
        """Hang."""
        self.read(confirmed)
        return "written"


@contextmanager
def running(mode: str) -> Iterator[Callable[[Plan[object]], object]]:
    """Give what runs plans with a driver."""
    network, clock = Network(1.0, 1.0, 60.0, None, verify=True), clock_in_force()
    if mode == "sync":
        yield SyncDriver(lambda: network, clock, None).run
        return
    loop = asyncio.new_event_loop()

    async def run(driver: aio.AsyncDriver, plan: Plan[object]) -> object:
        return await driver.run(plan)

    driver = aio.AsyncDriver(network, clock, None)
    yield lambda plan: loop.run_until_complete(run(driver, plan))
    loop.close()


modes = pytest.mark.parametrize("mode", ["sync", "aio"])


@modes
def test_a_cache_is_read_and_written(mode: str, tmp_path: Path) -> None:
    """Both drivers perform both effects; what the cache raises is raised."""
    cache = FileCache(tmp_path / "copy")
    with running(mode) as run:
        assert run(perform(ReadStored(cache, NOW))) is None
        digest = run(perform(WriteStored(cache, lambda: b"text", NOW, NOW)))
        stored = run(perform(ReadStored(cache, NOW)))
        assert isinstance(stored, Stored)
        assert (stored.text, stored.digest) == (b"text", digest)
        gone = FileCache(tmp_path / "none" / "copy")
        with pytest.raises(FileNotFoundError):
            run(perform(WriteStored(gone, lambda: b"text", NOW, NOW)))


@modes
def test_a_cache_that_hangs_is_not_waited_for(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that takes too long is an error; until it has ended every other one is, at once."""
    for module in (storage, aio):
        monkeypatch.setattr(module, "MAX_WAIT", 0.05)
    cache = Hanging()
    with running(mode) as run:
        with pytest.raises(CacheBlocked, match=r"taken more than 0\.05 s"):
            run(perform(WriteStored(cache, lambda: b"text", NOW, NOW)))
        for effect in (ReadStored(cache, NOW), WriteStored(cache, lambda: b"", NOW, NOW)):
            with pytest.raises(CacheBlocked, match="and hangs"):
                run(perform(effect))
        (thread,) = cache.threads
        assert thread.daemon
        cache.released.set()
        thread.join(20)
        assert run(perform(WriteStored(cache, lambda: b"text", NOW, NOW))) == "written"
    assert len(cache.threads) == 2


def test_a_cache_that_hangs_does_not_stop_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a cache hangs, the other tasks of the event loop run."""
    monkeypatch.setattr(aio, "MAX_WAIT", 0.2)
    cache, turns = Hanging(), 0

    async def beside() -> None:
        nonlocal turns
        for _ in range(20):
            turns += 1
            await asyncio.sleep(0)

    async def both() -> None:
        driver = aio.AsyncDriver(Network(1.0, 1.0, 60.0, None, verify=True), clock_in_force(), None)
        task = asyncio.create_task(beside())
        with pytest.raises(CacheBlocked):
            await driver.run(perform(WriteStored(cache, lambda: b"text", NOW, NOW)))
        assert task.done()

    asyncio.run(both())
    cache.released.set()
    assert turns == 20


@modes
def test_without_a_thread_the_caller_does_it(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system starts no thread, the cache is called on the caller's."""

    def refuses(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with running(mode) as run, monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuses)
        cache = FileCache(tmp_path / "copy")
        run(perform(WriteStored(cache, lambda: b"text", NOW, NOW)))
        assert run(perform(ReadStored(cache, NOW))) is not None
