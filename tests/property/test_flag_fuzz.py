"""Whatever JSON stands where a flag should: no exception, and other flags are not concerned."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appconfig_provider.flags import FeatureManager, TargetingContext
from tests.property.strategies import JSON_VALUES
from tests.support.managers import flag, holding, targeting

ODD: st.SearchStrategy[Any] = JSON_VALUES | st.sampled_from(
    [None, True, "true", -1, 0.5, 1e308, float("nan"), float("inf"), 10**400, "", [], {}, [None]]
)
_WORDS = """
id enabled conditions client_filters requirement_type name parameters Audience Users Groups Name
RolloutPercentage DefaultRolloutPercentage Exclusion Start End Recurrence Pattern Range Type
Interval DaysOfWeek FirstDayOfWeek EndDate NumberOfOccurrences variants status_override
configuration_value allocation user group percentile users groups variant from to seed
default_when_enabled default_when_disabled telemetry metadata
"""
WORDS = st.sampled_from(_WORDS.split())
KNOWN = st.sampled_from(
    [
        "Microsoft.Targeting",
        "Microsoft.TimeWindow",
        "Any",
        "all",
        "Weekly",
        "Daily",
        "Numbered",
        "EndDate",
        "Friday",
        "A",
        "Mon, 05 Jun 2023 00:00:00 GMT",
        "Mon, 05 Jun 2023 01:00:00 GMT",
        "2023-06-05",
        "0000-00-00",
        "Mon, 05 Jun 0001 00:00:00 +1400",
    ]
)
SHAPES = st.recursive(
    ODD | KNOWN,
    lambda inner: st.dictionaries(WORDS, inner, max_size=5) | st.lists(inner, max_size=3),
    max_leaves=12,
)
AUDIENCE = {"name": "Microsoft.Targeting", "parameters": {"Audience": {"Users": ["u"]}}}
WINDOW = {
    "name": "Microsoft.TimeWindow",
    "parameters": {
        "Start": "Mon, 05 Jun 2023 00:00:00 GMT",
        "End": "Mon, 05 Jun 2023 01:00:00 GMT",
        "Recurrence": {
            "Pattern": {"Type": "Weekly", "Interval": 1, "DaysOfWeek": ["Monday"]},
            "Range": {"Type": "Numbered", "NumberOfOccurrences": 3},
        },
    },
}
WHOLE: dict[str, Any] = {
    "id": "x",
    "enabled": True,
    "conditions": {"requirement_type": "All", "client_filters": [AUDIENCE, WINDOW]},
    "variants": [{"name": "A", "configuration_value": 1, "status_override": "None"}],
    "allocation": {
        "default_when_enabled": "A",
        "user": [{"variant": "A", "users": ["u"]}],
        "group": [{"variant": "A", "groups": ["g"]}],
        "percentile": [{"variant": "A", "from": 0, "to": 50}],
        "seed": "s",
    },
    "telemetry": {"enabled": True, "metadata": {"a": "b"}},
}


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where a part of a flag may be replaced."""
    inside: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inside = list(value.items())
    elif isinstance(value, list):
        inside = list(enumerate(value))
    return [path, *(found for key, item in inside for found in paths(item, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], part: Any) -> Any:
    """Return a flag with a part replaced."""
    if not path:
        return part
    copied = value.copy()
    copied[path[0]] = replaced(value[path[0]], path[1:], part)
    return copied


BROKEN = st.builds(replaced, st.just(WHOLE), st.sampled_from(paths(WHOLE)), SHAPES)
CONTEXTS = st.sampled_from(["u", None, TargetingContext("v", ["g"]), TargetingContext("", ())])


@pytest.fixture(autouse=True)
def _silent() -> Any:
    """Write no log: there is a warning for each."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@settings(max_examples=1_500)
@given(BROKEN | SHAPES | st.dictionaries(WORDS, SHAPES), CONTEXTS)
def test_no_shape_of_a_flag_raises(shape: Any, context: Any) -> None:
    """Each answer has its type, errors are in the details, and the neighbours are evaluated."""
    good = flag("good", targeting(Users=["u"]))
    config = holding(flag("first"), shape, good)
    manager = FeatureManager(config, on_feature_evaluated=print_nothing)
    name = shape.get("id") if isinstance(shape, dict) else None
    if not isinstance(name, str):
        name = "x"
    state = manager.is_enabled(name, context)
    details = manager.evaluate(name, context)
    assert details.enabled is state
    assert details.error is None or (state, details.variant) == (False, None)
    assert details.variant is None or manager.get_variant(name, context) is details.variant
    assert isinstance(manager.get_value(name, "", context), str)
    assert isinstance(manager.explain(name, context), str)
    assert {"first", "good"} <= set(manager.names()) == set(manager.evaluate_all(context))
    if name not in {"first", "good"}:
        assert manager.is_enabled("first")
        assert manager.is_enabled("good", "u")


def print_nothing(_event: object) -> None:
    """Be a callback."""


@settings(max_examples=500)
@given(SHAPES | st.fixed_dictionaries({"feature_flags": SHAPES}))
def test_no_shape_of_a_list_raises(management: Any) -> None:
    """Whatever stands at `feature_management`, evaluations answer."""
    manager = FeatureManager({"feature_management": management})
    assert all(isinstance(name, str) for name in manager.names())
    assert manager.is_enabled("x") in {True, False}
    assert set(manager.evaluate_all()) == set(manager.names())
