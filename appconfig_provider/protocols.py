"""Interfaces of objects that tests may replace: the clock."""

from __future__ import annotations

from contextvars import ContextVar
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio


class Clock(Protocol):
    """The clock of a provider; `appconfig_provider.testing.FakeClock` is one for tests."""

    def monotonic(self) -> float:
        """Return seconds that never go back; only differences have a meaning."""
        ...

    def boottime(self) -> float:
        """Return seconds that never go back and count the time while the machine is suspended."""
        ...

    def time(self) -> float:
        """Return seconds since 1970 (UTC)."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Wait on this thread."""
        ...

    async def asleep(self, seconds: float, /) -> None:
        """Wait in this task."""
        ...

    def wait_until(self, until: float, woken: SimpleQueue[None]) -> None:
        """Wait on this thread until a monotonic time, or until something is put into `woken`."""
        ...

    async def await_until(self, until: float, woken: asyncio.Event) -> None:
        """Wait in this task until a time of `monotonic()`, or until `woken` is set."""
        ...


current_clock: ContextVar[Clock] = ContextVar("current_clock")
"""The clock for providers that are loaded in this context; each keeps it for its life."""
