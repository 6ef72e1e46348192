"""Dynamic configuration in a quarter of a minute, without an account: python samples/demo.py.

It runs the console sample next to a store on this machine, changes values the way an operator
would, and checks that the sample shows what was promised.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType

from appconfig_provider.testing import Emulator

SAMPLE = Path(__file__).with_name("console_app.py")
PATIENCE = 18.0
"""Seconds for the whole play; the sample's refresh interval takes ten of them."""

OLD = "Hello World!"
NEW = "Hello World Refreshed!"


class BrokenPromise(Exception):
    """The sample did not do what it is there to show."""


class Sample:
    """The console sample in a process of its own; every line it prints is shown and kept."""

    def __init__(self, connection_string: str) -> None:
        self._end = time.monotonic() + PATIENCE
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._process = subprocess.Popen(
            [sys.executable, str(SAMPLE)],
            env={
                **os.environ,
                "APPCONFIGURATION_CONNECTION_STRING": connection_string,
                "PYTHONUNBUFFERED": "1",
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def next_line(self, expected: str) -> str:
        """Return the next line, as long as there is time for it."""
        try:
            line = self._lines.get(timeout=max(self._end - time.monotonic(), 0.0))
        except Empty:
            raise BrokenPromise(
                f"time is up, and the sample has not printed {expected!r}"
            ) from None
        if line is None:
            raise BrokenPromise(f"the sample ended before it printed {expected!r}")
        return line

    def lines_until(self, wanted: str) -> list[str]:
        """Return the lines up to the wanted one."""
        lines = [self.next_line(wanted)]
        while lines[-1] != wanted:
            lines.append(self.next_line(wanted))
        return lines

    def _read(self) -> None:
        if self._process.stdout is not None:
            for line in self._process.stdout:
                print(f"    {line}", end="", flush=True)
                self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def __enter__(self) -> Sample:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._reader.join()
        self._process.__exit__(kind, error, traceback)


def demo() -> None:
    """Play the tutorial once.

    Raises:
        BrokenPromise: something did not happen as told.
    """
    with Emulator() as store:
        say(f"A store starts at {store.endpoint}. It holds message = {OLD} and sentinel = 1.")
        store.set_many({"message": OLD, "sentinel": "1"})
        say("The console sample starts; indented lines are what it prints.")
        with Sample(store.connection_string) as sample:
            sample.lines_until(OLD)
            play(store, sample)
    say("The store and the sample have ended. samples/console_app.py is all there is to it.")


def play(store: Emulator, sample: Sample) -> None:
    """Change the message, then the sentinel; check what the sample makes of it."""
    say(f"I set message = {NEW}. The sample keeps the old value: its sentinel has not moved.")
    store.set("message", NEW)
    line = sample.next_line(OLD)
    if line != OLD:
        raise BrokenPromise(f"before the sentinel moved, the sample printed {line!r}, not {OLD!r}")
    say("I set sentinel = 2. The next time the sample looks, it loads everything at once.")
    store.set("sentinel", "2")
    seen = sample.lines_until(NEW)
    if "Changed: message, sentinel" not in seen:
        raise BrokenPromise(f"the callback did not name what changed; the sample printed {seen}")
    say("The callback named the changed keys, and the loop prints the new value.")


def say(text: str) -> None:
    """Tell the audience what happens."""
    print(f"> {text}", flush=True)


def main() -> int:
    """Play the demo; 0 when everything happened as promised."""
    try:
        demo()
    except BrokenPromise as error:
        print(f"The demo failed: {error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
