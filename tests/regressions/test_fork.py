"""B9: a forked child refreshes on its own, whatever the parent was doing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("fork_script.py")
ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_a_child_forked_during_a_refresh_refreshes_on_its_own(flavour: str) -> None:
    """The child keeps the generation, arms its timer anew, and gets the update by itself."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", str(SCRIPT), flavour],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    told = json.loads(run.stdout)
    assert told["child"] == {
        "kept": "v1",
        "early": False,
        "published": True,
        "now": "v2",
        "again": False,
    }
    assert told["parent"] == [True, "v2"]
