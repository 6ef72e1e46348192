"""The results: a table to read, Markdown for docs/speed.md, JSON for everything else."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from appconfig_provider import __version__

from .measure import Effort, Figure, Measurement
from .scenes import Mode, Scene

HEADINGS = ("metric", "official", "ours", "ratio", "target", "met?", "aio")
FIGURE_HEADINGS = ("ours alone", "measured", "goal", "met?", "beside")
BEGIN, END = "<!-- bench -->", "<!-- /bench -->"

_PEERS = ("azure-appconfiguration-provider", "azure-appconfiguration", "azure-core", "httpcore")
_VERDICT = {True: "yes", False: "NO", None: ""}


def rows(measurements: Sequence[Measurement]) -> list[tuple[str, ...]]:
    """Return the table's rows as text: sync, and in the last column aio."""
    awaited = {
        (one.metric.name, one.metric.scene): one
        for one in measurements
        if one.metric.mode is Mode.AIO
    }
    return [
        _row(one, awaited.get((one.metric.name, one.metric.scene)))
        for one in measurements
        if one.metric.in_table
    ]


def _row(one: Measurement, aio: Measurement | None) -> tuple[str, ...]:
    verdicts = {one.met, None if aio is None else aio.met}
    met = next((verdict for verdict in (False, True) if verdict in verdicts), None)
    targets = [] if one.metric.target is None else [f">= {one.metric.target:g}x"]
    if aio is not None and aio.metric.target is not None:
        targets.append(f"aio >= {aio.metric.target:g}x")
    return (
        one.metric.name,
        f"{_short(median(one.official))} {one.metric.unit}",
        f"{_short(median(one.ours))} {one.metric.unit}",
        f"{_short(one.ratio)}x",
        ", ".join(targets),
        _VERDICT[met],
        "" if aio is None else _pair(aio),
    )


def _pair(one: Measurement) -> str:
    official, ours = _short(median(one.official)), _short(median(one.ours))
    return f"{official} / {ours}, {_short(one.ratio)}x"


def growth(measurements: Sequence[Measurement]) -> list[tuple[str, ...]]:
    """Return the costs of sync in every scene, and how ours grow with the settings."""
    found = {
        (one.metric.name, one.metric.scene): one
        for one in measurements
        if one.metric.scene is not None and one.metric.mode is Mode.SYNC
    }
    scenes = sorted(
        {_scene(one) for one in found.values()}, key=lambda scene: (scene.settings, scene.delay)
    )
    names = list(dict.fromkeys(name for name, _ in found))
    lines = [("official / ours, ratio", *map(str, scenes), "growth of ours")]
    for name in names:
        measured = [found.get((name, scene)) for scene in scenes]
        cells = ["" if one is None else _pair(one) for one in measured]
        lines.append((f"{name}, ms", *cells, _growth([one for one in measured if one])))
    return lines


def _growth(measured: Sequence[Measurement]) -> str:
    """Say what the biggest store costs us in terms of the smallest; linear or better is yes."""
    delay = next((_scene(one).delay for one in measured if _scene(one).headline), None)
    alike = sorted(
        (_scene(one).settings, median(one.ours)) for one in measured if _scene(one).delay == delay
    )
    if len(alike) < 2:
        return ""
    (few, cheap), (many, dear) = alike[0], alike[-1]
    linear = "yes" if dear / cheap <= many / few else "NO"
    return f"{_short(dear / cheap)}x for {many / few:g}x: {linear}"


def _scene(one: Measurement) -> Scene:
    assert one.metric.scene is not None
    return one.metric.scene


def table(measurements: Sequence[Measurement], failures: Mapping[str, str] | None = None) -> str:
    """Return the table for a terminal, and what could not be measured."""
    shown = _aligned([HEADINGS, *rows(measurements)])
    far = growth(measurements)
    if len(far) > 1:
        shown += "\n\n" + _aligned(far)
    for part, reason in (failures or {}).items():
        shown += f"\n\n{part} FAILED: {reason}"
    return shown


def figures_table(figures: Sequence[Figure]) -> str:
    """Return what is measured of ours alone, for a terminal."""
    return _aligned([FIGURE_HEADINGS, *_figure_rows(figures)])


def figures_markdown(figures: Sequence[Figure]) -> str:
    """Return the same as it goes into a page."""
    about = machine()
    told = (
        f"Measured {about['date'][:10]} with Python {about['python']} on {about['cpus']} CPUs "
        f"({about['platform']})."
    )
    return f"{_piped([FIGURE_HEADINGS, *_figure_rows(figures)])}\n\n{told}\n"


def _figure_rows(figures: Sequence[Figure]) -> list[tuple[str, ...]]:
    return [
        (
            one.name,
            f"{_short(one.value)} {one.unit}".rstrip(),
            one.goal,
            _VERDICT[one.met],
            one.beside,
        )
        for one in figures
    ]


def _aligned(lines: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def markdown(measurements: Sequence[Measurement], effort: Effort) -> str:
    """Return the tables and how they were made, as they go into docs/speed.md."""
    about = machine()
    scene = next((scene for scene in effort.scenes if scene.headline), None)
    method = (
        f"Measured {about['date'][:10]} with Python {about['python']} on {about['cpus']} CPUs "
        f"({about['platform']}), azure-appconfiguration-provider "
        f"{about['versions']['azure-appconfiguration-provider']}; loads and refreshes with "
        f"{scene} of artificial round trip unless said. Both sides take turns against one server, "
        f"medians of {effort.rounds} rounds, a ratio is the median of the rounds'; aio: official / "
        f"ours, ratio."
    )
    shown = f"{_piped([HEADINGS, *rows(measurements)])}\n\n{method}\n"
    far = growth(measurements)
    return f"{shown}\n{_piped(far)}\n" if len(far) > 1 else shown


def _piped(lines: Sequence[tuple[str, ...]]) -> str:
    head, *rest = lines
    ruled = [head, ("---", *("---:",) * (len(head) - 1)), *rest]
    return "\n".join("| " + " | ".join(line) + " |" for line in ruled)


def insert(file: Path, text: str) -> None:
    """Put a text between a document's marks, in place of what stands there.

    Raises:
        ValueError: the marks are missing.
    """
    document = file.read_text(encoding="utf-8")
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{file} has no {BEGIN} ... {END}")
    file.write_text(f"{before}{BEGIN}\n{text}{END}{after}", encoding="utf-8")


def as_json(
    measurements: Iterable[Measurement],
    effort: Effort,
    failures: Mapping[str, str],
    figures: Sequence[Figure] = (),
) -> str:
    """Return everything that was measured, sample by sample."""
    metrics = [
        {
            "metric": one.metric.name,
            "unit": one.metric.unit,
            "mode": one.metric.mode.value,
            "scene": _described(one.metric.scene),
            "official": median(one.official),
            "ours": median(one.ours),
            "ratio": one.ratio,
            "target": one.metric.target,
            "met": one.met,
            "best": {"official": min(one.official), "ours": min(one.ours)},
            "rounds": {"official": one.official, "ours": one.ours},
        }
        for one in measurements
    ]
    taken = {name: getattr(effort, name) for name in Effort.__slots__ if name != "scenes"}
    report = {
        "machine": machine(),
        "effort": taken,
        "failures": dict(failures),
        "metrics": metrics,
        "figures": [{**asdict(one), "met": one.met} for one in figures],
    }
    return json.dumps(report, indent=2)


def _described(scene: Scene | None) -> dict[str, float] | None:
    return None if scene is None else {"settings": scene.settings, "delay": scene.delay}


def write(
    measurements: Sequence[Measurement],
    effort: Effort,
    failures: Mapping[str, str],
    file: Path,
    figures: Sequence[Figure] = (),
) -> None:
    """Write the JSON file, and the tables as Markdown beside it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(as_json(measurements, effort, failures, figures) + "\n", encoding="utf-8")
    text = markdown(measurements, effort)
    if figures:
        text += f"\n{_piped([FIGURE_HEADINGS, *_figure_rows(figures)])}\n"
    file.with_suffix(".md").write_text(text, encoding="utf-8")


def machine() -> dict[str, Any]:
    """Return where and with what the benchmark ran."""
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "load": os.getloadavg() if hasattr(os, "getloadavg") else None,
        "versions": {"appconfig-provider": __version__, **{name: version(name) for name in _PEERS}},
    }


def _short(number: float) -> str:
    """Return a number with three significant digits, thousands whole."""
    return f"{number:,.0f}" if number >= 100 else f"{number:#.3g}"
