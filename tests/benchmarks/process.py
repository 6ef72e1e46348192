"""Fresh Python processes, as an installed program would start: byte code already compiled."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from .measure import net, sides_of

ROOT = Path(__file__).resolve().parents[2]
"""Where the project is, and where its programs run."""

PACKAGE = "tests.benchmarks"
"""This package as it is called from there; pytest knows it by another name."""


FLOOR = 0.1
"""Milliseconds; the start of a process varies by more."""

_AS_INSTALLED = "import sys; sys.modules['trio'] = None\n"
"""Hides from both sides what only the tests here install: httpcore imports trio where it can, and
that takes a fifth of the time of a first load."""


class Python:
    """Runs this interpreter from the project's root; a context manager.

    Byte code goes to a folder of its own, so that neither a development machine that keeps none
    (PYTHONDONTWRITEBYTECODE) nor one that has some puts a side at a disadvantage.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if name not in {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH"}
        }
        self._environment["PYTHONPYCACHEPREFIX"] = self._folder.name

    def run(self, *arguments: str) -> str:
        """Run to the end and return what was printed.

        Raises:
            CalledProcessError: the process failed.
        """
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self._environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return done.stdout

    def milliseconds(self, program: str) -> float:
        """Return how long a program (as after `python -c`) takes from start to exit."""
        begin = time.perf_counter()
        self.run("-c", _AS_INSTALLED + program)
        return (time.perf_counter() - begin) * 1e3

    def race(self, programs: Sequence[str], starts: int, number: int) -> tuple[float, float]:
        """Return the fastest start of each of two programs, net of starting nothing."""
        empty: list[float] = []
        times: list[list[float]] = [[], []]
        for _ in range(starts):
            empty.append(self.milliseconds("pass"))
            for side in sides_of(number):
                times[side].append(self.milliseconds(programs[side]))
        return net(times[0], empty, FLOOR), net(times[1], empty, FLOOR)

    def __enter__(self) -> Python:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()
