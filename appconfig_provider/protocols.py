"""What may be plugged in from outside, as types."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Where the provider takes its time from; `appconfig_provider.testing.FakeClock` is another."""

    def monotonic(self) -> float:
        """Return seconds that never go back; only differences mean something."""
        ...

    def time(self) -> float:
        """Return seconds since 1970 (UTC)."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait on this thread."""
        ...

    async def asleep(self, seconds: float) -> None:
        """Wait in this task."""
        ...
