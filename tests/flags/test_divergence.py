"""Inputs on which the public libraries disagree: what this one answers, each stated."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from appconfig_provider.flags import TargetingContext
from tests.support.managers import Manage, holding
from tests.support.vectors import vectors


class Answer(NamedTuple):
    """State, variant and reason; whether `strict` raises instead."""

    state: str
    variant: str | None
    reason: str
    raises: bool = False


ANSWERS = {
    "two user allocations match": Answer("on", "A", "User"),
    "two group allocations match": Answer("on", "A", "Group"),
    "no user, percentile": Answer("on", "A", "Percentile"),
    "fractional percentile bounds": Answer("on", "B", "Percentile"),
    "percentile to 0": Answer("on", "B", "Percentile"),
    "empty seed": Answer("on", "A", "Percentile"),
    "allocation names a missing variant": Answer("on", None, "User"),
    "percentile names a missing variant": Answer("on", None, "Percentile"),
    "100% rollout, no user, no groups": Answer("on", None, "None"),
    "99.999% rollout, no user, no groups": Answer("on", None, "None"),
    "unknown filter, Any, alone": Answer("off", None, "None", raises=True),
    "unknown filter, Any, then a passing one": Answer("off", None, "None", raises=True),
    "passing one, Any, then unknown filter": Answer("on", None, "None"),
    "unknown filter, All": Answer("off", None, "None", raises=True),
    "conditions null": Answer("on", None, "None"),
    "client_filters null": Answer("on", None, "None"),
    "variants null": Answer("on", None, "None"),
    "allocation null": Answer("on", None, "DefaultWhenEnabled"),
    "telemetry null": Answer("on", None, "None"),
    "enabled as text TRUE": Answer("on", None, "None"),
    "enabled null": Answer("off", None, "None"),
    "requirement_type lower case": Answer("on", None, "None"),
    "variants without allocation, enabled": Answer("on", None, "DefaultWhenEnabled"),
    "variants without allocation, disabled": Answer("off", None, "DefaultWhenDisabled"),
    "no variants, disabled: reason": Answer("off", None, "None"),
    "no variants, enabled: reason": Answer("on", None, "None"),
    "filters fail, default_when_disabled override Enabled": Answer(
        "on", "A", "DefaultWhenDisabled"
    ),
    "enabled false, default_when_disabled override Enabled": Answer(
        "off", "A", "DefaultWhenDisabled"
    ),
    "percentile variant override Disabled": Answer("off", "A", "Percentile"),
    "ISO 8601 start": Answer("on", None, "None"),
    "start without zone": Answer("on", None, "None"),
    "unreadable start": Answer("off", None, "None", raises=True),
    "window without start and end": Answer("off", None, "None"),
    "recurrence without pattern": Answer("off", None, "None", raises=True),
    "weekly, start on Sunday, always on": Answer("on", None, "None"),
    "weekly, start on Monday, always on": Answer("on", None, "None"),
    "weekly, duplicate day": Answer("on", None, "None"),
    "audience groups null": Answer("on", None, "None"),
    "audience exclusion null": Answer("on", None, "None"),
    "audience without default percentage": Answer("off", None, "None"),
    "user empty text in users list": Answer("on", None, "None"),
    "unknown flag": Answer("off", None, "None"),
}


def cases() -> dict[str, Any]:
    """Return the inputs by name."""
    return {case["case"]: case for case in vectors("Divergence.derived.json")}


def evaluated(manager: Any, case: Any) -> Answer:
    """Evaluate the flag of a case."""
    inputs = case["inputs"]
    context = TargetingContext(inputs.get("User") or "", inputs.get("Groups") or ())
    name = "x" if case["case"] == "unknown flag" else case["flag"]["id"]
    assert manager.is_enabled(name, context) is manager.evaluate(name, context).enabled
    found = manager.evaluate(name, context)
    variant = found.variant.name if found.variant is not None else None
    return Answer(
        "on" if found.enabled else "off", variant, found.reason.value, found.error is not None
    )


def test_every_input_has_an_answer() -> None:
    """There are 42 inputs, and each answer is stated here."""
    assert list(cases()) == list(ANSWERS)
    assert len(ANSWERS) == 42


@pytest.mark.parametrize("name", ANSWERS)
def test_the_answer_is_the_stated_one(manage: Manage, name: str) -> None:
    """State, variant and reason are these; where the content is unusable there is an error."""
    assert evaluated(manage(holding(cases()[name]["flag"])), cases()[name]) == ANSWERS[name]


@pytest.mark.parametrize("name", ANSWERS)
def test_strict_raises_only_where_it_is_stated(manage: Manage, name: str) -> None:
    """With `strict` unusable content is a ValueError; what is tolerated is tolerated there too."""
    manager = manage(holding(cases()[name]["flag"]), strict=True)
    if ANSWERS[name].raises:
        with pytest.raises(ValueError):
            evaluated(manager, cases()[name])
    else:
        assert evaluated(manager, cases()[name]) == ANSWERS[name]


@pytest.mark.parametrize(
    ("name", "enabled"),
    [
        ("unknown filter, Any, alone", False),
        ("unknown filter, Any, then a passing one", True),
        ("unknown filter, All", False),
    ],
)
def test_unknown_filters_can_be_ignored(manage: Manage, name: str, enabled: bool) -> None:
    """`ignore_unknown_filters` passes over them where any must match; where all must, it is off."""
    manager = manage(holding(cases()[name]["flag"]), strict=True, ignore_unknown_filters=True)
    assert manager.is_enabled("x", "u") is enabled
