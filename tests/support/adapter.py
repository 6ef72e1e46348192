"""The sync and the aio provider behind one adapter, so that one script drives both."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Generic, Protocol, TypeVar

import appconfig_provider
import appconfig_provider.aio
from appconfig_provider import ConfigurationSnapshot, Status
from appconfig_provider._azure.notified import NotifiedConfiguration
from appconfig_provider._live import polling

PATIENCE = 20.0
"""Real seconds that what runs on a loop of another thread may take at most."""

Workers = set[threading.Thread] | set[asyncio.Task[Any]]

P = TypeVar("P")
T = TypeVar("T")


class Called(Generic[P]):
    """A provider of either kind, called without `await`."""

    def __init__(
        self,
        provider: P,
        wait: Callable[[Any], Any] = lambda answer: answer,
        workers: Callable[[], Workers] = set,
    ) -> None:
        self.provider = provider
        self._calls: Any = provider
        self._wait = wait
        self._workers = workers

    @property
    def snapshot(self) -> ConfigurationSnapshot:
        """The generation in force."""
        snapshot: ConfigurationSnapshot = self._calls.snapshot
        return snapshot

    @property
    def status(self) -> Status:
        """How the provider is."""
        status: Status = self._calls.status
        return status

    def refresh(self, *, force: bool = False) -> bool:
        """Refresh once, as a request handler would."""
        return bool(self._wait(self._calls.refresh(force=force)))

    def read(self, function: Callable[[P], T]) -> T:
        """Call a function that reads, where the provider lives: in aio, on its loop."""

        async def run() -> T:
            return function(self.provider)

        awaited = inspect.iscoroutinefunction(self._calls.refresh)
        return self._wait(run()) if awaited else function(self.provider)

    def close(self) -> None:
        """Close it."""
        self._wait(self._calls.close())

    @property
    def pollers(self) -> Workers:
        """The threads or tasks that refresh it in the background and have not ended."""
        return self._workers()


Provider = Called[NotifiedConfiguration[Any, Any]]
"""What both providers can do."""


class Loader(Protocol):
    """Loads with any keywords of `load()`."""

    def __call__(self, **keywords: object) -> contextlib.AbstractContextManager[Provider]: ...


class Opener(Protocol):
    """The same, for a provider that is closed when the test ends."""

    def __call__(self, **keywords: object) -> Provider: ...


@contextlib.contextmanager
def load_sync(**keywords: object) -> Iterator[Provider]:
    """Load with the sync provider."""
    others = polling_threads()
    with appconfig_provider.load(**keywords) as config:  # type: ignore[arg-type]  # as they come
        yield Called(config, workers=lambda: polling_threads() - others)


def polling_threads() -> set[threading.Thread]:
    """Return the threads that refresh a provider in the background."""
    return {one for one in threading.enumerate() if one.name == polling.NAME}


async def polling_tasks() -> set[asyncio.Task[Any]]:
    """Return the tasks of the running loop that do so."""
    return {one for one in asyncio.all_tasks() if one.get_name() == polling.NAME}


@contextlib.contextmanager
def load_aio(**keywords: object) -> Iterator[Provider]:
    """Load with the aio provider, on a loop of its own that runs while it is called."""
    loop = asyncio.new_event_loop()
    try:
        with _loaded(keywords, loop.run_until_complete) as config:
            yield config
    finally:
        # As `asyncio.run` does: a failed exchange may have left a generator to the collector.
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@contextlib.contextmanager
def load_aio_on_thread(**keywords: object) -> Iterator[Provider]:
    """Load with the aio provider, on a loop that runs on a thread all the time, as pollers need."""
    with loop_on_thread() as wait, _loaded(keywords, wait) as config:
        yield config


@contextlib.contextmanager
def _loaded(keywords: dict[str, object], wait: Callable[[Any], Any]) -> Iterator[Provider]:
    config = wait(
        appconfig_provider.aio.load(**keywords)  # type: ignore[arg-type]  # as they come
    )
    try:
        yield Called(config, wait, lambda: wait(polling_tasks()))
    finally:
        wait(config.close())


@contextlib.contextmanager
def loop_on_thread() -> Iterator[Callable[[Any], Any]]:
    """Run an event loop on a thread; yield what runs a coroutine there and waits for its end.

    A coroutine runs in the context of its caller, whose clock it lives by.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def wait(job: Coroutine[Any, Any, T]) -> T:
        async def run() -> T:
            task = contextvars.Context.run(context, asyncio.ensure_future, job)
            return await task

        context = contextvars.copy_context()
        return asyncio.run_coroutine_threadsafe(run(), loop).result(PATIENCE)

    try:
        yield wait
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


LOADERS = {"sync": load_sync, "aio": load_aio}
POLLED = {"sync": load_sync, "aio": load_aio_on_thread}
"""The same for tests in which something happens between calls."""
