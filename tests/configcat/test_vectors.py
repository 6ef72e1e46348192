"""The published test vectors: matrices of both formats, conversions, overrides, evaluation logs."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

RUNNER = Path(__file__).parents[2].parent / "shared" / "vectors" / "configcat" / "run_vectors.py"


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the runner closes no files
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_all_vectors_pass(capsys: pytest.CaptureFixture[str]) -> None:
    """All 48,246 checks are made, 90 of them of evaluation logs, and none fails."""
    if not RUNNER.exists():
        pytest.skip(f"the vectors are not here: {RUNNER}")
    spec = importlib.util.spec_from_file_location("run_vectors", RUNNER)
    assert spec is not None
    assert spec.loader is not None
    runner = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runner)
    runner.main("tests.support.configcat_adapter")
    printed = capsys.readouterr().out
    assert "TOTAL 48246 checks, 0 failed" in printed, printed
    assert re.search(r"evaluation log: text +45 checks +0 failed", printed)
    assert re.search(r"sdk key format +17 checks +0 failed", printed)
