"""The results: a table to read, Markdown for the README, JSON for everything else."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from appconfig_provider import __version__

from .measure import Effort, Measurement

HEADINGS = ("metric", "official", "ours", "ratio", "target", "met?")

_PEERS = ("azure-appconfiguration-provider", "azure-appconfiguration", "azure-core", "httpx")


def rows(measurements: Iterable[Measurement]) -> list[tuple[str, ...]]:
    """Return the table's rows as text."""
    verdict = {True: "yes", False: "NO", None: ""}
    return [
        (
            one.metric.name,
            f"{_short(median(one.official))} {one.metric.unit}",
            f"{_short(median(one.ours))} {one.metric.unit}",
            f"{_short(one.ratio)}x",
            "" if one.metric.target is None else f">= {one.metric.target:g}x",
            verdict[one.met],
        )
        for one in measurements
    ]


def table(measurements: Iterable[Measurement]) -> str:
    """Return the table for a terminal."""
    lines = [HEADINGS, *rows(measurements)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def markdown(measurements: Sequence[Measurement], effort: Effort) -> str:
    """Return the table and how it was made, to paste into the README."""
    lines = [HEADINGS, ("---", *("---:",) * (len(HEADINGS) - 1)), *rows(measurements)]
    about = machine()
    told = (
        f"Measured {about['date'][:10]} with Python {about['python']} on {about['cpus']} CPUs "
        f"({about['platform']}), azure-appconfiguration-provider "
        f"{about['versions']['azure-appconfiguration-provider']}; both sides take turns against "
        f"one emulator, medians of {effort.rounds} rounds, a ratio is the median of the rounds'."
    )
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + f"\n\n{told}\n"


def as_json(measurements: Iterable[Measurement], effort: Effort) -> str:
    """Return everything that was measured, sample by sample."""
    metrics = [
        {
            "metric": one.metric.name,
            "unit": one.metric.unit,
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
    effort_taken = {name: getattr(effort, name) for name in Effort.__slots__}
    return json.dumps({"machine": machine(), "effort": effort_taken, "metrics": metrics}, indent=2)


def write(measurements: Sequence[Measurement], effort: Effort, file: Path) -> None:
    """Write the JSON file, and the Markdown beside it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(as_json(measurements, effort) + "\n", encoding="utf-8")
    file.with_suffix(".md").write_text(markdown(measurements, effort), encoding="utf-8")


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
