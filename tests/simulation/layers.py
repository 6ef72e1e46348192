"""What must hold of the file of overrides that may lie over the store.

It is checked once a second, and by a refresh that is forced, whatever the store does. What it held
then is served, unless it cannot be read or is refused: then what was served before stays. The empty
generation of a start without store and copy shows none of it; the first one after it does.
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
    after = outcome.state
    if outcome.changes is not None and outcome.changes.reason == "override":
        _judge_rest(life, before, after)
    checked = run.file_checked is not None
    life.rule(checked == run.file_due, "the file is checked when it is time, and only then")
    if not run.remote:
        life.rule(run.asked == 0, "a file alone asks the store nothing")
    shown, said = layer_of(after.snapshot), life.model.file_said
    # What follows an empty generation has what the file said last, though it was not served yet.
    first = not before.snapshot.version
    served = said if first and said is not None else layer_of(before.snapshot)
    if checked:
        _judge_reading(life, run, after)
    if not after.snapshot.version:
        life.world.counts["file: not yet"] += checked
        life.rule(not shown, "an empty generation has no overrides")
    elif not checked:
        life.rule(shown == served, "overrides that were not read stay as they are")
    elif after.overlay.broken is not None:
        # What it said before may have been refused until now.
        life.rule(shown in (served, said), "a file that cannot be read leaves what it said before")
    elif after.overlay.refused is None:
        held = life.model.file_said
        life.rule(shown == held, f"the file held {held}, and not {shown}")
    else:
        life.world.counts["file: refused"] += 1
        life.rule(life.stage.scenario.validated, "only validate refuses overrides")
        life.rule(shown == served, "overrides that are refused leave those before")
    bad = life.stage.scenario.validated and any(one.startswith(BAD) for one in shown.values())
    life.rule(not bad, "an override that is refused is not published")


def _judge_rest(life: Life, before: State, after: State) -> None:
    """Judge that a file has changed overrides alone."""
    one, other = (
        {key: value for key, value in state.snapshot.items() if not key.startswith("o")}
        for state in (before, after)
    )
    life.rule(one == other, "a file changes nothing but overrides")
    copies = before.copy_of, after.copy_of
    life.world.counts["file: over a copy"] += copies[1] is not None
    life.rule(copies[1] in (copies[0], None), "a copy stays one, whatever the file says")


def _judge_reading(life: Life, run: Run, after: State) -> None:
    """Judge what is known of the file after it was read, and note what it said."""
    held = held_by(run.file_held)
    broken = after.overlay.broken is not None
    life.world.counts["file: broken" if held is None else "file: read"] += 1
    life.rule(broken == (held is None), "a file that cannot be read is known, and no other")
    if held is not None:
        life.model.file_said = held


def judge_at_last(life: Life) -> None:
    """Judge that what the file held at last is served."""
    held = held_by(life.stage.files.text(LAYER))
    shown = layer_of(life.provider.snapshot)
    life.rule(shown == held, f"no edit of the file is lost: {held}, and not {shown}")
