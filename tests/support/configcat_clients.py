"""Both clients behind one adapter, so that one test drives both against a real server."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, TypeAlias

from appconfig_provider.configcat import ConfigCatClient, ConfigCatOptions, aio
from appconfig_provider.testing import ConfigCatEmulator, FakeClock
from tests.support.adapter import loop_on_thread

KEY = ConfigCatEmulator.sdk_key
PATIENCE = 20.0
"""Real seconds, against a test that hangs."""


class Client:
    """A client of either kind, called without `await`; calls may also run beside each other."""

    def __init__(
        self, client: Any, wait: Callable[[Any], Any] | None, pool: ThreadPoolExecutor
    ) -> None:
        self.client = client
        self.awaits = wait is not None
        self._wait = wait
        self._pool = pool

    def call(self, method: str, *arguments: object) -> Any:
        """Call a method, and await what it returns if it must be awaited."""
        answer = getattr(self.client, method)(*arguments)
        return self._wait(answer) if self._wait is not None and _is_awaited(answer) else answer

    def waited(self, job: Any) -> Any:
        """Return what a coroutine comes to on the client's loop, or on a loop of its own."""
        return asyncio.run(job) if self._wait is None else self._wait(job)

    def begin(self, method: str, *arguments: object) -> Future[Any]:
        """Begin a call that others may run beside."""
        return self._pool.submit(self.call, method, *arguments)

    def value(self, key: str, default: object = None) -> Any:
        """Read a setting."""
        return self.call("get_value", key, default)

    def refresh(self) -> Any:
        """Refresh by force."""
        return self.call("force_refresh")


Make: TypeAlias = "Callable[..., Client]"


def _is_awaited(answer: object) -> bool:
    return inspect.isawaitable(answer)


@contextmanager
def threaded() -> Iterator[Make]:
    """Yield what makes clients for threads; they are closed when the block ends."""
    with ThreadPoolExecutor(32) as pool, ExitStack() as stack:

        def make(cdn: ConfigCatEmulator | None, **options: Any) -> Client:
            client = ConfigCatClient.of(KEY, _options(cdn, options))
            stack.callback(client.close)
            return Client(client, None, pool)

        yield make


@contextmanager
def awaited() -> Iterator[Make]:
    """Yield what makes clients for asyncio, on a loop that runs on a thread."""
    with ThreadPoolExecutor(32) as pool, loop_on_thread() as wait, ExitStack() as stack:

        def make(cdn: ConfigCatEmulator | None, **options: Any) -> Client:
            async def made() -> aio.ConfigCatClient:
                return aio.create_client(KEY, _options(cdn, options))

            client = wait(made())
            stack.callback(lambda: wait(client.close()))
            return Client(client, wait, pool)

        yield make


def _options(cdn: ConfigCatEmulator | None, given: dict[str, Any]) -> ConfigCatOptions:
    return ConfigCatOptions(base_url=None if cdn is None else cdn.base_url, **given)


def answer(call: Future[Any]) -> Any:
    """Return what a call came to."""
    return call.result(PATIENCE)


def moving(clock: FakeClock, seconds: float) -> None:
    """Let time pass."""
    clock.advance(seconds)
