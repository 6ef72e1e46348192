"""Run a program where time passes ten times as fast: `hurried.py app.py` or `hurried.py -m flask`.

The tutorial waits 5 and 10 seconds. Its code is to run as it stands, so it is the clock that a
test changes: the provider's own, and `time.sleep`.
"""

from __future__ import annotations

import asyncio
import runpy
import sys
import time
from pathlib import Path
from queue import SimpleQueue

from appconfig_provider._io.clock import SystemClock, current_clock

FACTOR = 10

_sleep = time.sleep


def hurried_sleep(seconds: float) -> None:
    """Sleep a tenth of the time."""
    _sleep(seconds / FACTOR)


class HurriedClock:
    """Ten seconds pass in one; the time of day stays right, because requests are signed with it."""

    def monotonic(self) -> float:
        """Return ten times the seconds."""
        return time.monotonic() * FACTOR

    def boottime(self) -> float:
        """Return ten times the seconds."""
        return time.monotonic() * FACTOR

    def time(self) -> float:
        """Return the time of day."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Sleep a tenth of the time."""
        hurried_sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        """Sleep a tenth of the time."""
        await asyncio.sleep(seconds / FACTOR)

    def wait_until(self, moment: float, woken: SimpleQueue[None]) -> None:
        """Wait until a moment; this clock runs fast already."""
        SystemClock().wait_until(moment / FACTOR, woken)

    async def await_until(self, moment: float, woken: asyncio.Event) -> None:
        """Wait until a moment; this clock runs fast already."""
        await SystemClock().await_until(moment / FACTOR, woken)


def main() -> None:
    """Run the program that the arguments name, as `python` would."""
    del sys.argv[0]
    time.sleep = hurried_sleep  # type: ignore[assignment]  # floats are all that is slept here
    current_clock.set(HurriedClock())
    if sys.argv[0] == "-m":
        del sys.argv[0]
        sys.path[0] = ""
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = str(Path(sys.argv[0]).parent)
        runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
