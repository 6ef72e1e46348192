"""Shows that the tests marked `mended` fail on the package as it was before the mends.

`python -m tests.mended [REVISION]` runs them, as they are now, on the package of an earlier commit,
and fails when one of them passes there, or cannot even be collected: such a test proves nothing.
Arguments after the revision go to pytest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).parents[1]
BEFORE = "69984a9"
"""The last commit with none of the mends."""


def build_tree(revision: str, tree: Path) -> None:
    """Make a tree of today's tests and an earlier package.

    Test files without any marked test are left out: they may use what that package has not.
    """
    leave_out = shutil.ignore_patterns(".*", "appconfig_provider", "bench", "__pycache__")
    shutil.copytree(ROOT, tree, ignore=leave_out)
    for path in (tree / "tests").rglob("test_*.py"):
        if "mark.mended(" not in path.read_text():
            path.unlink()
    archive = subprocess.run(
        ["git", "archive", revision, "appconfig_provider"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    subprocess.run(["tar", "x"], cwd=tree, check=True, input=archive.stdout)


def judge(report: Path) -> tuple[list[str], int]:
    """Return the tests that prove nothing, and how many failed as they should."""
    cases = ET.parse(report).getroot().iter("testcase")
    useless: list[str] = []
    failed = 0
    for case in cases:
        name = f"{case.get('classname')}::{case.get('name')}"
        error = case.find("error")
        if error is not None and "collection failure" in (error.get("message") or ""):
            useless.append(f"{name} cannot be collected")
        elif case.find("failure") is not None or error is not None:
            failed += 1
        else:
            useless.append(
                f"{name} " + ("skipped" if case.find("skipped") is not None else "passes")
            )
    return useless, failed


def main(revision: str = BEFORE, *more: str) -> int:
    """Run the marked tests on an earlier package; return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        tree, report = Path(folder) / "tree", Path(folder) / "report.xml"
        build_tree(revision, tree)
        options = ["-q", "-p", "no:cacheprovider", "--tb=line", "--continue-on-collection-errors"]
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-m",
                "mended",
                f"--junit-xml={report}",
                *options,
                *more,
            ],
            cwd=tree,
            check=False,
            env={**os.environ, "PYTHONPATH": str(tree)},
        )
        useless, failed = judge(report)
    print(f"{failed} marked tests fail on {revision}, as they should")
    for name in useless:
        print(f"proves nothing there: {name}")
    return 1 if useless or not failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
