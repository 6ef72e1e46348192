"""The benchmark itself: that it measures both sides, not how fast they are."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.configcat603 import OUTDATED, configcat603

from . import __main__ as program
from . import delays, refreshes, sides
from .__main__ import PARTS, main
from .configcat import measure_configcat
from .delays import Traffic
from .hotspots import measure
from .measure import Effort, Figure, Measurement, Metric, Samples
from .plots import MISSING, draw
from .reads import READS
from .refreshes import STEPS
from .report import BEGIN, END, figures_table, growth, insert, markdown, table
from .scenes import Mode, Scene
from .server import Store, running_store

pytestmark = pytest.mark.heavy

TINY = replace(
    Effort.quick(),
    rounds=1,
    checks=1,
    settings=200,
    big=250,
    idle=0.05,
    scenes=(Scene(120), Scene(200, 0.02, headline=True)),
)
HEADLINE = Scene(10, 0.02, headline=True)


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a quick run of the reading part."""
    file = tmp_path_factory.mktemp("bench") / "results.json"
    assert main(["--quick", "--only", "reads", "--json", str(file)]) == 0
    return file


def run(part: str) -> list[Measurement]:
    """Return what a part measures with tiny sizes."""
    with running_store(TINY.settings) as store:
        return PARTS[part](TINY, store)


def test_quick_run_reports_every_read(quick_run: Path) -> None:
    """Every way to read has a line in the table and an entry in the JSON file."""
    names = [read.metric.name for read in READS]
    report: dict[str, Any] = json.loads(quick_run.read_text(encoding="utf-8"))
    assert [entry["metric"] for entry in report["metrics"]] == names
    lines = quick_run.with_suffix(".md").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "| metric | official | ours | ratio | target | met? | aio |"
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines[2 : 2 + len(names)]] == names


def test_both_sides_are_measured_in_every_round(quick_run: Path) -> None:
    """Each metric has a positive sample of both sides per round, and they are not copies."""
    report: dict[str, Any] = json.loads(quick_run.read_text(encoding="utf-8"))
    for entry in report["metrics"]:
        official, ours = entry["rounds"]["official"], entry["rounds"]["ours"]
        assert len(official) == len(ours) == report["effort"]["rounds"]
        assert min(official + ours) > 0
        assert official != ours


def test_the_profile_of_a_reload_tells_whose_code_took_how_long() -> None:
    """Sync and aio spend time in this library and in what carries requests, and nowhere twice."""
    with running_store(120) as store:
        for mode in Mode:
            profile = measure(mode, store, 0.0)
            assert profile.groups["ours"] > 0
            assert profile.groups["transport"] > 0
            assert sum(profile.functions.values()) == pytest.approx(profile.groups["ours"])
            assert any(line.endswith("to_httpcore") for line in map(str, profile.functions))


def test_refreshes_are_measured_in_every_scene_and_mode() -> None:
    """Each step has its wall time in the table, for each scene, for sync and for aio."""
    measured = run("refreshes")
    for step in STEPS:
        found = {
            (one.metric.scene, one.metric.mode)
            for one in measured
            if one.metric.name == f"{step.name}, wall"
        }
        assert found == {(scene, mode) for scene in TINY.scenes for mode in Mode}
        assert f"\n{step.name}, wall " in table(measured)
    for one in measured:
        if one.metric.scene == TINY.scenes[1] and one.metric.name.endswith("wall"):
            assert min(one.official + one.ours) >= 20  # the milliseconds that the server waits


def test_injected_delay_is_measured() -> None:
    """A tiny run of the traffic beside a reload gives one figure for both sides."""
    (one,) = run("delays")
    assert min(one.official + one.ours) >= delays.FLOOR
    assert one.metric.target == 40


def test_loads_weigh_memory() -> None:
    """Fresh processes report processor time and what their memory has grown by."""
    names = {one.metric.name for one in run("loads")}
    assert "memory held per setting after a load of 250 (resident)" in names
    assert "memory held per setting (tracemalloc)" in names
    assert "cold load of 200 settings (loopback), CPU" in names


def test_crowds_read_on_both_sides() -> None:
    """Reading on many threads has a figure for each way to read."""
    assert [one.metric.target for one in run("crowds")] == [4.5, 12]


def test_a_stall_delays_every_request_that_falls_into_it() -> None:
    """Latency runs from the timetable: one stall of a reader makes its followers late, too."""

    class Stalling(dict[str, str]):
        stalled = False

        def __getitem__(self, key: str) -> str:
            if not self.stalled:
                Stalling.stalled = True
                time.sleep(0.05)
            return "value"

    keys = [f"key-{number}" for number in range(delays.READS)]
    with Traffic(Stalling(), keys) as traffic:
        time.sleep(0.1)
    late = [latency for latency in traffic.latencies() if latency > 0.01]
    assert len(late) >= 0.8 * 0.04 * delays.REQUESTS / delays.THREADS
    assert max(late) >= 0.05


class Idle(dict[str, Any]):
    """A side that refreshes without asking anybody."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._config = config

    def refresh(self, *, force: bool) -> object:
        """Do nothing."""

    def close(self) -> None:
        """Close the real one."""
        self._config.close()


class HalfBlind(Idle):
    """A side that asks the store and keeps the old values."""

    def refresh(self, *, force: bool) -> object:
        """Refresh the real one, of which nothing is shown."""
        return self._config.refresh(force=force)


@pytest.mark.parametrize(
    ("broken", "reason"), [(Idle, "did not ask"), (HalfBlind, "did not bring")]
)
def test_a_side_that_does_not_do_the_work_is_no_measurement(
    broken: Callable[[Any], object], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refresh that asks nobody, or brings nothing, ends the part instead of looking fast."""

    def load(connection: str, setup: sides.Setup) -> object:
        return broken(sides.load_ours(connection, setup))

    monkeypatch.setitem(sides.LOADERS, Mode.SYNC, (sides.load_official, load))
    effort = replace(TINY, scenes=(Scene(120, headline=True, modes=(Mode.SYNC,)),))
    with running_store(1) as store, pytest.raises(RuntimeError, match=reason):
        refreshes.measure_refreshes(effort, store)


def test_a_failing_run_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A part that fails is named with its reason, makes the exit code 1, and stops no other."""

    def fail(_effort: Effort, _store: Store) -> list[Measurement]:
        raise RuntimeError("the disk is full")

    def succeed(_effort: Effort, _store: Store) -> list[Measurement]:
        return [Measurement(Metric("reading", "ns"), (2.0,), (1.0,))]

    monkeypatch.setattr(program, "PARTS", {"broken": fail, "whole": succeed})
    monkeypatch.setattr(program, "FIGURES", {})
    file, readme = tmp_path / "results.json", tmp_path / "README.md"
    readme.write_text(f"{BEGIN}\nas it was\n{END}", encoding="utf-8")
    assert main(["--quick", "--json", str(file), "--insert", str(readme)]) == 1
    shown = capsys.readouterr().out
    assert "broken FAILED: RuntimeError: the disk is full" in shown
    assert "reading" in shown
    report = json.loads(file.read_text(encoding="utf-8"))
    assert report["failures"] == {"broken": "RuntimeError: the disk is full"}
    assert "as it was" in readme.read_text(encoding="utf-8")


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


@pytest.mark.parametrize(("sync", "aio", "verdict"), [(9.0, 1.0, "NO"), (1.0, 9.0, "NO")])
def test_a_target_that_sync_or_aio_misses_is_missed(sync: float, aio: float, verdict: str) -> None:
    """Aio stands in the row of sync, and the row is met when both are."""
    pair = [
        Measurement(Metric("waiting", "ms", 4, HEADLINE, mode), (ratio,), (1.0,))
        for mode, ratio in ((Mode.SYNC, sync), (Mode.AIO, aio))
    ]
    shown = table(pair).splitlines()[1].split()
    assert verdict in shown
    assert table([replace(one, official=(5.0,)) for one in pair]).splitlines()[1].count("yes") == 1
    assert f"{aio:.2f}x" in shown


def test_the_local_store_is_measured_against_its_goals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every number that the local store has to reach has a row with its goal, and a verdict."""
    file = tmp_path / "results.json"
    assert main(["--quick", "--only", "emulator", "--json", str(file)]) == 0
    figures = json.loads(file.read_text(encoding="utf-8"))["figures"]
    assert [(one["at_least"], one["at_most"]) for one in figures] == [
        (1000, None),
        (900, None),
        (None, 0.4),
        (None, 2.5),
        (None, 25),
    ]
    shown = capsys.readouterr().out
    assert all(one["name"] in shown for one in figures)
    missed = [Figure("a", "ms", 26.0, at_most=25), Figure("b", "", 99.0, at_least=100)]
    assert figures_table(missed).count("NO") == 2


def test_values_are_measured_against_their_goals(tmp_path: Path) -> None:
    """What is bound, a tree of keys and a missing key have a row each, with a goal."""
    file = tmp_path / "results.json"
    assert main(["--quick", "--only", "values", "--json", str(file)]) == 0
    figures = json.loads(file.read_text(encoding="utf-8"))["figures"]
    assert [(one["unit"], one["at_most"]) for one in figures] == [
        ("x", 1.8),
        ("x", 2),
        ("x", 2),
        ("ms", 2),
        ("ms", 20),
    ]


@pytest.mark.parametrize(("dear", "verdict"), [(100.0, "yes"), (101.0, "NO")])
def test_growth_beyond_linear_is_shown(dear: float, verdict: str) -> None:
    """Ten times the settings may cost ten times as much, at the headline's distance."""
    costs = {Scene(1, 0.02): 10.0, HEADLINE: dear, Scene(20, 0.05): 1.0}
    lines = growth(
        [
            Measurement(Metric("loading", "ms", scene=scene), (cost,), (cost,))
            for scene, cost in costs.items()
        ]
    )
    assert lines[1][-1].endswith(f"for 10x: {verdict}")


def test_the_table_goes_between_the_marks(tmp_path: Path) -> None:
    """Inserting replaces what stands between the marks and nothing else; no marks, no writing."""
    file = tmp_path / "README.md"
    file.write_text(f"before\n{BEGIN}\nold\n{END}\nafter", encoding="utf-8")
    insert(file, "new\n")
    assert file.read_text(encoding="utf-8") == f"before\n{BEGIN}\nnew\n{END}\nafter"
    file.write_text("no marks", encoding="utf-8")
    with pytest.raises(ValueError, match="has no"):
        insert(file, "new\n")
    assert file.read_text(encoding="utf-8") == "no marks"


def test_the_growth_stands_between_the_marks_too() -> None:
    """What is put into a document has the costs in every scene, as the file of results has."""
    measured = [
        Measurement(Metric("loading", "ms", scene=scene), (2.0,), (1.0,))
        for scene in (Scene(1, 0.02), HEADLINE)
    ]
    assert "| loading, ms | 2.00 / 1.00, 2.00x |" in markdown(measured, Effort.quick())


def test_every_metric_has_a_plot_of_its_own(tmp_path: Path) -> None:
    """There is one SVG per metric name, with both sides of every scene in it."""
    pytest.importorskip("matplotlib")
    samples = Samples()
    samples.add(Metric("config[k]", "ns"), 2.0, 1.0)
    for scene in (HEADLINE, Scene(1, 0.02)):
        for mode in Mode:
            samples.add(Metric("cold load, wall", "ms", scene=scene, mode=mode), 2.0, 1.0)
    files = draw(samples.measurements(), tmp_path)
    assert [file.name for file in files] == ["config-k.svg", "cold-load-wall.svg"]
    assert all("</svg>" in file.read_text(encoding="utf-8") for file in files)


def test_without_matplotlib_the_run_says_that_there_are_no_plots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The plots are an extra: a run without matplotlib ends well and tells what is missing."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setattr(program, "PARTS", {"nothing": lambda _effort, _store: []})
    monkeypatch.setattr(program, "FIGURES", {})
    assert main(["--quick", "--json", str(tmp_path / "results.json")]) == 0
    assert MISSING in capsys.readouterr().out


def test_measurement_needs_both_sides() -> None:
    """A side without a sample, or with one that is no time, is refused."""
    with pytest.raises(ValueError, match="both sides"):
        Measurement(Metric("reading", "ns"), (1.0, 2.0), (1.0,))
    with pytest.raises(ValueError, match="not positive"):
        Measurement(Metric("reading", "ns"), (1.0,), (0.0,))


@OUTDATED
def test_both_official_clients_of_configcat_stand_beside_ours() -> None:
    """Each figure tells what an official client takes, those of evaluations what both take."""
    configcat603()
    figures = measure_configcat(TINY)
    assert min(figure.value for figure in figures) > 0
    assert all("10.0.1 " in figure.beside for figure in figures[:-1])
    assert all("6.0.3 " in figure.beside for figure in (*figures[:-2], figures[-1]))
