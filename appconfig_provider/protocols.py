"""Interfaces of objects that may be replaced: the clock, and what keeps a copy between runs."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from queue import SimpleQueue
from typing import TYPE_CHECKING, NamedTuple, Protocol

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


class Stored(NamedTuple):
    """A text that a cache kept, and what it knows of it; times are seconds since 1970."""

    text: bytes
    digest: str
    """Equal digests mean equal texts."""
    loaded: float
    """When the text was loaded from its source."""
    confirmed: float | None
    """When the source last confirmed it; None when that is not known."""

    def __repr__(self) -> str:
        """Show how long the text is, never what it says."""
        return f"<Stored of {len(self.text)} bytes, digest {self.digest}>"


class Cache(Protocol):
    """Keeps one text between runs: a file does, and so may a database that many processes share.

    Its methods may block, and may raise anything: the message of an `EngineError` is logged, of any
    other exception only the type and the place. They are never called at the same time by the same
    provider.
    """

    @property
    def name(self) -> str:
        """What log lines call it; holds no secret."""
        ...

    def read(self, now: float) -> Stored | None:
        """Return what is kept; None when nothing is. `now` is seconds since 1970."""
        ...

    def write(
        self, text: Callable[[], bytes], loaded: float, confirmed: float, digest: str = ""
    ) -> str:
        """Keep a text, or only a newer time of its confirmation; return the digest of the text.

        `digest` is what this method has returned for the same text before, or what `read` has. If
        that text is still what is kept, only the time is written, and `text` is not called.
        """
        ...
