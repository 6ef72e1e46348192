"""What must hold of the file of overrides that may lie over the store.

It is checked once a second, and by a refresh that is forced, whatever the store does. What it held
then is served, unless it cannot be read or is refused: then what was served before stays.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from appconfig_provider._azure.state import State
from appconfig_provider._live.source import Outcome
from tests.simulation.publishers import BAD, LAYER
from tests.simulation.run import Run

if TYPE_CHECKING:
    from tests.simulation.life import Life


def layer_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the overrides of a generation."""
    return {key: value for key, value in values.items() if key.startswith("o")}


def is_of_layer(state: State, error: Exception | None) -> bool:
    """Tell whether an error is about the file, or about what it holds."""
    return error is not None and error in (state.overlay.broken, state.overlay.refused)


def held_by(text: str | None) -> dict[str, str] | None:
    """Return what a file says; None when it is not there or broken."""
    try:
        held: dict[str, str] | None = json.loads(text or "")
    except ValueError:
        return None
    return held


def judge_layer(life: Life, run: Run, before: State, outcome: Outcome[State]) -> None:
    """Judge what is served of the file after a refresh."""
    after, counts = outcome.state, life.world.counts
    snapshots = before.snapshot, after.snapshot
    served, shown = map(layer_of, snapshots)
    if outcome.changes is not None and outcome.changes.reason == "override":
        rest = [{key: one[key] for key in one if not key.startswith("o")} for one in snapshots]
        life.rule(rest[0] == rest[1], "a file changes nothing but overrides")
    checked = run.file_checked is not None
    life.rule(checked == run.file_due, "the file is checked when it is time, and only then")
    if not run.remote:
        life.rule(run.asked == 0, "a file alone asks the store nothing")
    if not checked:
        life.rule(shown == served, "overrides that were not read stay as they are")
        return
    held = held_by(run.file_held)
    if held is None:
        counts["file: broken"] += 1
        # What it said before may have been refused until now.
        before_that = (served, life.model.file_said)
        life.rule(shown in before_that, "a file that cannot be read leaves what it said before")
        life.rule(after.overlay.broken is not None, "a file that cannot be read is known")
        return
    life.model.file_said = held
    life.rule(after.overlay.broken is None, "a file that can be read is not called broken")
    if after.overlay.refused is None:
        life.rule(shown == held, f"the file held {held}, and not {shown}")
    else:
        counts["file: refused"] += 1
        life.rule(life.stage.scenario.validated, "only validate refuses overrides")
        life.rule(shown == served, "overrides that are refused leave those before")
    counts["file: read"] += 1
    bad = life.stage.scenario.validated and any(one.startswith(BAD) for one in shown.values())
    life.rule(not bad, "an override that is refused is not published")


def judge_at_last(life: Life) -> None:
    """Judge that what the file held at last is served."""
    held = held_by(life.stage.files.text(LAYER))
    shown = layer_of(life.provider.snapshot)
    life.rule(shown == held, f"no edit of the file is lost: {held}, and not {shown}")
