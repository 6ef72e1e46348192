"""Programs in processes of their own, watched line by line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType

ROOT = Path(__file__).parents[2]
HURRIED = str(Path(__file__).with_name("hurried.py"))
PATIENCE = 20.0

CONSOLE_VARIABLE = "APPCONFIGURATION_CONNECTION_STRING"
FLASK_VARIABLE = "AZURE_APPCONFIG_CONNECTION_STRING"


class Running:
    """A Python program, for the length of a `with` block; output and errors are one stream.

    `store` holds the environment variables that name one; without them the program has none.
    """

    def __init__(
        self, *arguments: str, store: Mapping[str, str] | None = None, cwd: Path = ROOT
    ) -> None:
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self.output = ""
        self._began = self._ended = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=cwd,
            env=_environment(store or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def next_line(self) -> str:
        """Return the next line; fails when none comes."""
        try:
            line = self._lines.get(timeout=PATIENCE)
        except Empty:
            line = None
        assert line is not None, f"no further line; until here:\n{self.output}"
        return line

    def wait_for(self, text: str) -> str:
        """Return the next line that contains a text, and pass over those before it."""
        line = self.next_line()
        while text not in line:
            line = self.next_line()
        return line

    def interrupt(self) -> int:
        """Press Ctrl-C; return the exit code."""
        self._process.send_signal(signal.SIGINT)
        return self.exit_code()

    def exit_code(self) -> int:
        """Wait for the end and return the exit code."""
        code = self._process.wait(PATIENCE)
        self._reader.join()
        return code

    @property
    def seconds(self) -> float:
        """How long the program ran, once it has ended."""
        return self._ended - self._began

    def _read(self) -> None:
        if self._process.stdout is not None:
            for line in self._process.stdout:
                self.output += line
                self._lines.put(line.rstrip("\n"))
        self._ended = time.monotonic()
        self._lines.put(None)

    def __enter__(self) -> Running:
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


def _environment(added: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a newcomer: the package can be imported, no store is named."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in {CONSOLE_VARIABLE, FLASK_VARIABLE, "PYTHONPATH"}
    }
    python = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}
    return {**kept, **python, "PYTHONWARNINGS": "error", **added}
