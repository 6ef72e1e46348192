"""A picture of each metric: lines over distance and size where it has scenes, else two bars."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from .measure import Measurement
from .scenes import Mode, Scene

SIDES = (("official", "tab:orange"), ("ours", "tab:blue"))
MISSING = "no plots: matplotlib is missing (the dependency group 'bench' has it)"


def draw(measurements: Sequence[Measurement], folder: Path) -> list[Path]:
    """Write one SVG per metric into a folder and return the files.

    Raises:
        ImportError: matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    files = []
    for name in dict.fromkeys(one.metric.name for one in measurements):
        found = [one for one in measurements if one.metric.name == name]
        figure: Any = Figure(figsize=(9, 3.6), layout="constrained")
        figure.suptitle(name)
        if found[0].metric.scene is None:
            _bars(figure.subplots(), found[0])
        else:
            _lines(figure, found)
        files.append(folder / f"{_slug(name)}.svg")
        figure.savefig(files[-1])
    return files


def _bars(axes: Any, one: Measurement) -> None:
    for place, ((name, colour), rounds) in enumerate(
        zip(SIDES, (one.official, one.ours), strict=True)
    ):
        axes.barh(place, median(rounds), color=colour, alpha=0.6)
        axes.plot(rounds, [place] * len(rounds), ".", color="black")
        axes.text(0, place, f" {name}: {median(rounds):,.3g} {one.metric.unit}", va="center")
    axes.set_yticks([])
    axes.invert_yaxis()
    axes.set_xlabel(f"{one.metric.unit}; dots are rounds, {one.ratio:.3g}x")


def _lines(figure: Any, found: Sequence[Measurement]) -> None:
    """Draw the same metric over the round trip and over the number of settings."""
    headline = next((scene for scene in map(_scene, found) if scene.headline), _scene(found[0]))
    near, far = figure.subplots(1, 2)
    over_delay = [one for one in found if _scene(one).settings == headline.settings]
    over_size = [one for one in found if _scene(one).delay == headline.delay]
    _curves(near, over_delay, lambda scene: scene.delay * 1e3)
    near.set_xlabel(f"round trip, ms ({headline.settings:,} settings)")
    _curves(far, over_size, lambda scene: scene.settings)
    _linear(far, over_size)
    far.set_xlabel(f"settings ({headline.delay * 1e3:g} ms round trip)")
    far.set_xscale("log")
    for axes in (near, far):
        axes.set_yscale("log")
        axes.set_ylabel(found[0].metric.unit)
        axes.grid(visible=True, which="both", alpha=0.2)
    far.legend(fontsize="small")


def _curves(axes: Any, found: Iterable[Measurement], place: Callable[[Scene], float]) -> None:
    for mode, style in ((Mode.SYNC, "-o"), (Mode.AIO, "--s")):
        points = sorted(
            (place(_scene(one)), median(one.official), median(one.ours))
            for one in found
            if one.metric.mode is mode
        )
        for column, (name, colour) in enumerate(SIDES, 1):
            label = name if mode is Mode.SYNC else f"{name}, aio"
            where = [point[0] for point in points]
            axes.plot(where, [point[column] for point in points], style, color=colour, label=label)


def _linear(axes: Any, found: Iterable[Measurement]) -> None:
    """Draw what linear growth from our smallest store would be."""
    ours = sorted(
        (_scene(one).settings, median(one.ours)) for one in found if one.metric.mode is Mode.SYNC
    )
    if ours:
        few, cheap = ours[0]
        many = ours[-1][0]
        axes.plot([few, many], [cheap, cheap * many / few], ":", color="grey", label="linear")


def _scene(one: Measurement) -> Scene:
    assert one.metric.scene is not None
    return one.metric.scene


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
