"""Fresh Python processes, as an installed program would start: byte code already compiled."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""Where the project is, and where its programs run."""

PACKAGE = "tests.benchmarks"
"""This package as it is called from there; pytest knows it by another name."""


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
        self.run("-c", program)
        return (time.perf_counter() - begin) * 1e3

    def __enter__(self) -> Python:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()
