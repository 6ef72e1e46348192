"""Evaluated flags: ours beside `featuremanagement`, over generated flags and contexts.

A strict manager answers the same, or the case has one of the properties that are named here. How
often each name had to be used is counted and printed.
"""

from __future__ import annotations

import copy
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, tzinfo
from importlib import import_module
from typing import Any, NamedTuple

import featuremanagement
import pytest
from hypothesis import HealthCheck, given, settings

from appconfig_provider import flags
from appconfig_provider.flags.evaluation import InvalidFlag
from appconfig_provider.flags.windows import read_window
from appconfig_provider.testing import FakeClock

from .flag_strategies import CONTEXTS, DAYS, FLAGS, NOW

THEIR_FILTERS = import_module("featuremanagement._defaultfilters")
LIGHT, HEAVY = 500, 20_000
MAX_EXCUSED = 0.3


class Case(NamedTuple):
    """A flag and who asks for it."""

    flag: Mapping[str, Any]
    user: str
    groups: list[str]

    def filters(self, name: str) -> Iterator[Mapping[str, Any]]:
        """Yield the parameters of the filters of a name."""
        for one in (self.flag.get("conditions") or {}).get("client_filters") or ():
            if one.get("name") == name:
                yield one["parameters"]

    def allocation(self, name: str) -> list[Any]:
        """Return a list of the allocation."""
        found: list[Any] = (self.flag.get("allocation") or {}).get(name) or []
        return found

    @property
    def windows(self) -> list[Mapping[str, Any]]:
        """The parameters of time windows."""
        return list(self.filters("Microsoft.TimeWindow"))


def first_of_several_entries_counts(case: Case) -> bool:
    """Of several entries that fit a user or the groups, theirs takes the last one."""
    users = [one for one in case.allocation("user") if case.user in one["users"]]
    groups = [one for one in case.allocation("group") if {*one["groups"]} & {*case.groups}]
    return len(users) > 1 or len(groups) > 1


def first_variant_of_a_name_counts(case: Case) -> bool:
    """Theirs takes the value of the first one, and the first override among all of them."""
    names = [one["name"] for one in case.flag.get("variants") or ()]
    return len(names) > len({*names})


def nobody_is_a_user(case: Case) -> bool:
    """Without user and groups theirs does not look at an audience, not even at its errors."""
    return not case.user and not case.groups and any(case.filters("Microsoft.Targeting"))


def bounds_may_be_fractions_or_zero(case: Case) -> bool:
    """Theirs refuses a percentile that ends at 0 or at a fraction."""
    return any(
        one["to"] == 0 or isinstance(one["to"], float) or isinstance(one["from"], float)
        for one in case.allocation("percentile")
    )


def null_is_absent(case: Case) -> bool:
    """Theirs refuses null for most parts."""

    def has_null(value: Any) -> bool:
        if isinstance(value, Mapping):
            value = list(value.values())
        return value is None or (isinstance(value, list) and any(map(has_null, value)))

    return has_null(case.flag)


def dates_may_be_iso_or_without_zone(case: Case) -> bool:
    """Theirs reads RFC 2822 with a zone alone."""
    texts = [window[name] for window in case.windows for name in ("Start", "End") if name in window]
    return any("GMT" not in text and text[-5:-4] not in "+-" for text in texts)


def recurrence_is_checked_first_and_strictly(case: Case) -> bool:
    """Theirs checks outside of the first window, and lets Pattern, Range and End be wrong."""
    for window in case.windows:
        try:
            read_window(window)
        except InvalidFlag:
            if "Recurrence" in window:
                return True
    return False


def days_may_be_listed_twice(case: Case) -> bool:
    """Theirs refuses a day that is listed twice."""
    for window in case.windows:
        pattern = window.get("Recurrence", {}).get("Pattern", {})
        days = [day for day in pattern.get("DaysOfWeek", []) if day in DAYS]
        if len(days) > len({*days}):
            return True
    return False


def requirement_may_be_in_any_case(case: Case) -> bool:
    """Theirs knows `Any` and `All` alone."""
    return (case.flag.get("conditions") or {}).get("requirement_type") == "all"


def reasons_are_those_of_the_other_libraries(case: Case) -> bool:
    """Without an allocation, and for a disabled flag without variants, theirs has other reasons."""
    return not case.flag.get("allocation") or not case.flag.get("variants")


PREDICATES: tuple[Callable[[Case], bool], ...] = (
    first_of_several_entries_counts,
    first_variant_of_a_name_counts,
    nobody_is_a_user,
    bounds_may_be_fractions_or_zero,
    null_is_absent,
    dates_may_be_iso_or_without_zone,
    recurrence_is_checked_first_and_strictly,
    days_may_be_listed_twice,
    requirement_may_be_in_any_case,
    reasons_are_those_of_the_other_libraries,
)


class Answer(NamedTuple):
    """What an evaluation came to."""

    enabled: bool
    variant: tuple[str, Any] | None
    reason: str


class Filter:
    """A filter of the program, for both libraries."""

    def __init__(self, name: str) -> None:
        self.name = name

    def evaluate(self, _context: object, **_keywords: object) -> bool:
        """Answer by the name."""
        return self.name == "Always"


class Theirs(Filter, featuremanagement.FeatureFilter):  # type: ignore[misc]  # a name is a name
    """The same for them, who ask for their class."""

    name = ""

    def __init__(self, name: str) -> None:
        self.name = name


class Clock(datetime):
    """The time of day that they read."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        """Return the time of the test."""
        return NOW.astimezone(tz)


def answer(library: Any, case: Case, **more: Any) -> Answer | str:
    """Return what a library answers, or the type of its error."""
    flag = {**copy.deepcopy(dict(case.flag)), "telemetry": {"enabled": True}}
    events: list[Any] = []
    filters = [(Filter if library is flags else Theirs)(name) for name in ("Always", "Never")]
    manager = library.FeatureManager(
        {"feature_management": {"feature_flags": [flag]}},
        feature_filters=filters,
        on_feature_evaluated=events.append,
        **more,
    )
    context = library.TargetingContext(case.user, case.groups)
    try:
        enabled = manager.is_enabled(flag["id"], context)
        variant = manager.get_variant(flag["id"], context)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        return type(error).__name__
    except THEIR_FILTERS.TargetingException as error:
        return type(error).__name__
    named = None if variant is None else (variant.name, variant.configuration)
    assert [event.enabled for event in events] == [enabled, enabled]
    return Answer(enabled, named, events[-1].reason.value)


def compared(case: Case, used: Counter[str]) -> None:
    """Compare both; count the case, and the predicates that a difference is due to."""
    with FakeClock(NOW.timestamp()):
        ours, theirs = answer(flags, case, strict=True), answer(featuremanagement, case)
    used["cases"] += 1
    if ours == theirs:
        return
    due_to = [predicate.__name__ for predicate in PREDICATES if predicate(case)]
    assert due_to, (case, ours, theirs)
    if due_to == ["reasons_are_those_of_the_other_libraries"]:
        assert isinstance(ours, Answer), (case, ours, theirs)
        assert isinstance(theirs, Answer), (case, ours, theirs)
        assert ours[:2] == theirs[:2], (case, ours, theirs)
    used["different"] += 1
    used.update(due_to)


def run(count: int) -> Counter[str]:
    """Compare so many generated cases; print and return how often what was used."""
    used: Counter[str] = Counter()

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(FLAGS, CONTEXTS)
    def compare(flag: Mapping[str, Any], context: tuple[str, list[str]]) -> None:
        compared(Case(flag, *context), used)

    compare()
    for name, number in used.most_common():
        print(f"{number:6d} {name}")
    return used


@pytest.fixture(autouse=True)
def _their_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let both live at the same time, and log nothing: there is a warning for each odd flag."""
    monkeypatch.setattr(THEIR_FILTERS, "datetime", Clock)
    logging.disable(logging.CRITICAL)
    # Their filter would install a handler at the root logger.
    monkeypatch.setattr(THEIR_FILTERS, "logging", logging.getLogger("theirs"))
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize(
    "count", [LIGHT, pytest.param(HEAVY, marks=pytest.mark.heavy)], ids=["light", "heavy"]
)
def test_flags_are_evaluated_as_by_featuremanagement(count: int) -> None:
    """Equal, or different for a reason with a name; at most 30 % of all cases are different."""
    used = run(count)
    assert used["cases"] >= count
    assert used["different"] <= MAX_EXCUSED * used["cases"], used


def test_every_predicate_is_needed() -> None:
    """A case for each: it has that property alone, and the answers do differ."""
    variants = [{"name": "A", "configuration_value": 1}, {"name": "B", "configuration_value": 2}]
    base = {"id": "x", "enabled": True, "variants": variants}
    users = [{"variant": "A", "users": ["u"]}, {"variant": "B", "users": ["u"]}]
    audience = {"Audience": {"DefaultRolloutPercentage": 100}}
    monday = "Mon, 13 May 2024 00:00:00 GMT"
    default = {"default_when_enabled": "A"}

    def window(**parameters: Any) -> dict[str, Any]:
        named = {"name": "Microsoft.TimeWindow", "parameters": parameters}
        return {**base, "allocation": default, "conditions": {"client_filters": [named]}}

    def recurring(**recurrence: Any) -> dict[str, Any]:
        end = "Mon, 13 May 2024 01:00:00 GMT"
        return window(Start=monday, End=end, Recurrence=recurrence)

    target = {"name": "Microsoft.Targeting", "parameters": audience}
    twice = {"Type": "Weekly", "DaysOfWeek": ["Monday", "Monday"]}
    same = [variants[0], {"name": "A", "status_override": "Disabled"}]
    cases = {
        first_variant_of_a_name_counts: Case(
            {**base, "variants": same, "allocation": default}, "u", []
        ),
        first_of_several_entries_counts: Case({**base, "allocation": {"user": users}}, "u", []),
        nobody_is_a_user: Case(
            {**base, "allocation": default, "conditions": {"client_filters": [target]}}, "", []
        ),
        bounds_may_be_fractions_or_zero: Case(
            {**base, "allocation": {"percentile": [{"variant": "A", "from": 0, "to": 0}]}}, "u", []
        ),
        null_is_absent: Case({**base, "allocation": default, "conditions": None}, "u", []),
        dates_may_be_iso_or_without_zone: Case(window(Start="2020-01-01"), "u", []),
        recurrence_is_checked_first_and_strictly: Case(recurring(Range={}), "u", []),
        days_may_be_listed_twice: Case(recurring(Range={}, Pattern=twice), "u", []),
        requirement_may_be_in_any_case: Case(
            {**base, "allocation": default, "conditions": {"requirement_type": "all"}}, "u", []
        ),
        reasons_are_those_of_the_other_libraries: Case(base, "u", []),
    }
    assert set(cases) == set(PREDICATES)
    for predicate, case in cases.items():
        assert [one for one in PREDICATES if one(case)] == [predicate], predicate.__name__
        with FakeClock(NOW.timestamp()):
            assert answer(flags, case, strict=True) != answer(featuremanagement, case)
