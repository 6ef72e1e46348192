"""The tests of `featuremanagement`, with `appconfig_provider.flags` imported in its place."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from .archives import folder_of
from .running import ROOT, outcomes

NAMES = {
    r"\bfeaturemanagement\.azuremonitor\._send_telemetry\b": "featuremanagement.azuremonitor",
    r"\b_initialize_event_logger\b": "_installed",
    r"\bfeaturemanagement\b": "appconfig_provider.flags",
}
"""Modules by their names here, and a private function that the tests replace."""

STRICT = """
from functools import partialmethod
from appconfig_provider.flags.managing import Managing
Managing.__init__ = partialmethod(Managing.__init__, strict=True)
"""
"""A plugin of pytest by which every manager raises what it would otherwise only log."""


def run(*, strict: bool, left_out: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str], str]:
    """Run the tests; return the names of those that passed, of the others, and pytest's words.

    The rewritten files live as long as that takes.

    Raises:
        Unavailable: the tests are not on this machine.
    """
    originals = sorted(folder_of("featuremanagement").glob("test_*.py"))
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for path in originals:
            text = path.read_text(encoding="utf-8")
            for theirs, ours in NAMES.items():
                text = re.sub(theirs, ours, text)
            (folder / path.name).write_text(text, encoding="utf-8")
        (folder / "strict.py").write_text(STRICT, encoding="utf-8")
        return _run(folder, strict=strict, left_out=left_out)


def _run(
    folder: Path, *, strict: bool, left_out: tuple[str, ...]
) -> tuple[frozenset[str], frozenset[str], str]:
    report = folder / "report.xml"
    # A mark of a plugin that is not needed: the tests are of unittest, which awaits by itself.
    options = ["-q", "--tb=short", "-c", os.devnull, f"--rootdir={folder}", "-W", "ignore"]
    plugins = ["-p", "no:cacheprovider", *(["-p", "strict"] if strict else [])]
    files = [f"--ignore={name}" for name in left_out if name.endswith(".py")]
    tests = [f"--deselect={name}" for name in left_out if not name.endswith(".py")]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            *options,
            *plugins,
            f"--junit-xml={report}",
            *files,
            *tests,
            ".",
        ],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return *outcomes(report), done.stdout
