"""The benchmark itself: that it measures both sides, not how fast they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .__main__ import main
from .measure import Measurement, Metric
from .reads import READS
from .report import table


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a quick run of the reading part."""
    file = tmp_path_factory.mktemp("bench") / "results.json"
    assert main(["--quick", "--only", "reads", "--json", str(file)]) == 0
    return file


def test_quick_run_reports_every_read(quick_run: Path) -> None:
    """Every way to read has a line in the table and an entry in the JSON file."""
    names = [read.metric.name for read in READS]
    report: dict[str, Any] = json.loads(quick_run.read_text(encoding="utf-8"))
    assert [entry["metric"] for entry in report["metrics"]] == names
    lines = quick_run.with_suffix(".md").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "| metric | official | ours | ratio | target | met? |"
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines[2 : 2 + len(names)]] == names


def test_both_sides_are_measured_in_every_round(quick_run: Path) -> None:
    """Each metric has a positive sample of both sides per round, and they are not copies."""
    report: dict[str, Any] = json.loads(quick_run.read_text(encoding="utf-8"))
    for entry in report["metrics"]:
        official, ours = entry["rounds"]["official"], entry["rounds"]["ours"]
        assert len(official) == len(ours) == report["effort"]["rounds"]
        assert min(official + ours) > 0
        assert official != ours


def test_ratio_is_the_median_of_the_rounds_ratios() -> None:
    """A round that met noise on one side does not decide."""
    one = Measurement(Metric("reading", "ns", 4), (100.0, 900.0, 120.0), (20.0, 30.0, 20.0))
    assert one.ratio == pytest.approx(6.0)
    assert one.met
    assert "6.00x" in table([one])


def test_missed_target_is_shown() -> None:
    """A ratio below the target says NO; a metric without target says nothing."""
    missed = Measurement(Metric("reading", "ns", 4), (100.0,), (50.0,))
    assert missed.met is False
    assert table([missed]).endswith("NO")
    assert Measurement(Metric("reading", "ns"), (100.0,), (50.0,)).met is None


def test_measurement_needs_both_sides() -> None:
    """A side without a sample, or with one that is no time, is refused."""
    with pytest.raises(ValueError, match="both sides"):
        Measurement(Metric("reading", "ns"), (1.0, 2.0), (1.0,))
    with pytest.raises(ValueError, match="not positive"):
        Measurement(Metric("reading", "ns"), (1.0,), (0.0,))
