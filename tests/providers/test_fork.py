"""A forked child refreshes on its own, whatever the parent was doing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("fork_script.py")
ROOT = Path(__file__).parents[2]


pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


HOW = ["os.fork", "C"]


def reported_by(flavour: str, how: str) -> dict[str, object]:
    """Run the script, which must say nothing but what it found."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", str(SCRIPT), flavour, how],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    reported: dict[str, object] = json.loads(run.stdout)
    return reported


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_a_child_forked_during_a_refresh_refreshes_on_its_own(flavour: str, how: str) -> None:
    """The child keeps the generation, arms its timer anew, and gets the update by itself."""
    reported = reported_by(flavour, how)
    assert reported["child"] == {
        "kept": "v1",
        "early": False,
        "published": True,
        "now": "v2",
        "again": False,
    }
    assert reported["parent"] == [True, "v2"]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("flavour", ["lazy", "lazy async"])
def test_a_child_follows_the_store_by_reading(flavour: str, how: str) -> None:
    """Forked while a reader of the parent refreshes, the child keeps the generation at first."""
    reported = reported_by(flavour, how)
    assert reported["child"] == {"kept": "v1", "now": "v2"}
    assert reported["parent"] == ["v1", "v2"]


@pytest.mark.parametrize("how", HOW)
def test_a_child_is_looked_after_by_a_poller_of_its_own(how: str) -> None:
    """Forked while the parent's poller is under way, the child follows the store by itself."""
    reported = reported_by("polled", how)
    assert reported["child"] == {"kept": "v1", "now": "v2"}
    assert reported["parent"] == ["v1", "v2"]
