"""Generated feature flags and contexts: most as the schema has them, some odd in a known way."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

from hypothesis import strategies as st

USERS = ("Adam", "Brian", "Charlie", "Dan", "Ellie", "Frank", "")
GROUPS = ("Ring0", "Ring1", "ring1", "Beta")
VARIANTS = ("On", "Off", "Big", "Missing")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NOW = datetime(2024, 5, 15, 12, 30, tzinfo=timezone.utc)
"""A Wednesday."""


def rarely(common: st.SearchStrategy[Any], odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return the one, and the other in one of twenty cases."""
    return st.integers(0, 19).flatmap(lambda number: odd if number == 19 else common)


def some(*texts: str, most: int = 3) -> st.SearchStrategy[list[str]]:
    """Return some of the texts, each once."""
    return st.lists(st.sampled_from(texts), max_size=most, unique=True)


SHARES = st.integers(0, 100) | st.sampled_from([0, 50, 100, 33.3, 0.5])
AUDIENCES = st.fixed_dictionaries(
    {"DefaultRolloutPercentage": rarely(SHARES, st.sampled_from([None, -1, 101]))},
    optional={
        "Users": some(*USERS),
        "Groups": rarely(
            st.lists(
                st.fixed_dictionaries(
                    {"Name": st.sampled_from(GROUPS), "RolloutPercentage": SHARES}
                ),
                max_size=3,
            ),
            st.none(),
        ),
        "Exclusion": rarely(
            st.fixed_dictionaries({}, optional={"Users": some(*USERS), "Groups": some(*GROUPS)}),
            st.none(),
        ),
    },
)
TARGETING = st.builds(
    lambda audience: {"name": "Microsoft.Targeting", "parameters": {"Audience": audience}},
    rarely(AUDIENCES, st.none()),
)


@st.composite
def dates(draw: st.DrawFn) -> str:
    """Return a date within some weeks of `NOW`, in one of the forms that are read."""
    zone = timezone(timedelta(hours=draw(st.sampled_from([0, 8, -5]))))
    hours = draw(st.integers(-24 * 21, 24 * 14))
    date = (NOW + timedelta(hours=hours, minutes=-30)).astimezone(zone)
    text = format_datetime(date)
    return str(draw(rarely(st.just(text), st.sampled_from([date.isoformat(), text[:-6], "soon"]))))


@st.composite
def recurring(draw: st.DrawFn) -> dict[str, Any]:
    """Return a window that recurs; most of them are valid."""
    zone = timezone(timedelta(hours=draw(st.sampled_from([0, 8, -5]))))
    start = (NOW - timedelta(hours=draw(st.integers(0, 24 * 40)))).astimezone(zone)
    end = start + timedelta(hours=draw(rarely(st.integers(1, 24), st.sampled_from([-1, 0, 80]))))
    pattern: dict[str, Any] = {
        "Type": draw(st.sampled_from(["Daily", "Weekly"])),
        "Interval": draw(rarely(st.integers(1, 3), st.just(0))),
    }
    if pattern["Type"] == "Weekly":
        own = DAYS[start.weekday()]
        days = {own, *draw(some(*DAYS))} if draw(rarely(st.just(True), st.just(False))) else []  # noqa: FBT003
        pattern["DaysOfWeek"] = [*sorted(days), *draw(rarely(st.just([]), st.just([own])))]
        pattern["FirstDayOfWeek"] = draw(st.sampled_from(DAYS))
    span: dict[str, Any] = draw(
        st.sampled_from([{"Type": "NoEnd"}, {}])
        | st.builds(lambda n: {"Type": "Numbered", "NumberOfOccurrences": n}, st.integers(1, 30))
        | st.builds(
            lambda days: {
                "Type": "EndDate",
                "EndDate": format_datetime(start + timedelta(days=days)),
            },
            st.integers(0, 40),
        )
    )
    recurrence: dict[str, Any] = {"Pattern": pattern, "Range": span}
    for missing in draw(rarely(st.just([]), st.sampled_from([["Pattern"], ["Range"]]))):
        del recurrence[missing]
    return {
        "Start": format_datetime(start),
        "End": format_datetime(end),
        "Recurrence": recurrence,
    }


WINDOWS = st.builds(
    lambda parameters: {"name": "Microsoft.TimeWindow", "parameters": parameters},
    recurring() | st.fixed_dictionaries({}, optional={"Start": dates(), "End": dates()}),
)
FILTERS = rarely(
    TARGETING | WINDOWS | st.sampled_from([{"name": "Always"}, {"name": "Never"}]),
    st.sampled_from([{"name": "Nobody.Knows"}, {}]),
)
CONDITIONS = rarely(
    st.fixed_dictionaries(
        {"client_filters": st.lists(FILTERS, max_size=3)},
        optional={
            "requirement_type": rarely(
                st.sampled_from(["Any", "All"]), st.sampled_from(["all", "Some", None])
            )
        },
    ),
    st.none() | st.just({}),
)
BOUNDS = rarely(st.integers(0, 100), st.just(12.5))
PERCENTILES = st.builds(
    lambda variant, one, other: {
        "variant": variant,
        "from": min(one, other),
        "to": max(one, other),
    },
    st.sampled_from(VARIANTS),
    BOUNDS,
    BOUNDS,
)
ALLOCATIONS = rarely(
    st.fixed_dictionaries(
        {"default_when_enabled": st.sampled_from(VARIANTS)},
        optional={
            "default_when_disabled": st.sampled_from(VARIANTS),
            "user": st.lists(
                st.fixed_dictionaries(
                    {"variant": st.sampled_from(VARIANTS), "users": some(*USERS)}
                ),
                max_size=2,
            ),
            "group": st.lists(
                st.fixed_dictionaries(
                    {"variant": st.sampled_from(VARIANTS), "groups": some(*GROUPS)}
                ),
                max_size=2,
            ),
            "percentile": st.lists(PERCENTILES, max_size=3),
            "seed": rarely(st.sampled_from(["seed", "another"]), st.sampled_from(["", None])),
        },
    ),
    st.none(),
)
DEFINED = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(VARIANTS[:3]), "configuration_value": st.integers(0, 3)},
        optional={"status_override": st.sampled_from(["None", "Enabled", "Disabled"])},
    ),
    min_size=1,
    max_size=3,
)
DISTINCT = DEFINED.map(lambda found: list({one["name"]: one for one in found}.values()))
_COMMON: dict[str, st.SearchStrategy[Any]] = {
    "id": st.sampled_from(["Beta", "Greeting", "x"]),
    "enabled": rarely(
        st.sampled_from([True] * 9 + [False]),
        st.sampled_from(["true", "FALSE", "maybe", None]),
    ),
}
PLAIN = st.fixed_dictionaries(_COMMON, optional={"conditions": CONDITIONS})
ALLOCATED = st.fixed_dictionaries(
    {**_COMMON, "variants": rarely(DISTINCT, DEFINED | st.none()), "allocation": ALLOCATIONS},
    optional={"conditions": CONDITIONS},
)
FLAGS = PLAIN | ALLOCATED | ALLOCATED
CONTEXTS = st.tuples(st.sampled_from(USERS), some(*GROUPS, most=2))
