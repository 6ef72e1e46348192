"""`explain()`: it says what decided, and shows no values."""

from __future__ import annotations

import pytest

from appconfig_provider.flags import TargetingContext
from tests.support.managers import Manage, flag, holding, targeting, window

AUDIENCE = targeting(
    Users=["Adam"],
    Groups=[{"Name": "all", "RolloutPercentage": 100}, {"Name": "half", "RolloutPercentage": 50}],
    DefaultRolloutPercentage=25,
    Exclusion={"Users": ["Mallory"], "Groups": ["barred"]},
)


@pytest.mark.parametrize(
    ("context", "line"),
    [
        (TargetingContext("Adam"), "the user is listed"),
        (TargetingContext("Mallory"), "the user or a group is excluded"),
        (TargetingContext("Adam", ["barred"]), "the user or a group is excluded"),
        (TargetingContext("Brian", ["all"]), "group 'all' is let in"),
        (TargetingContext("Brian"), "the user is at "),
    ],
)
def test_targeting_is_explained(manage: Manage, context: TargetingContext, line: str) -> None:
    """The rule that decided is named, and the place of a user beside the percentage."""
    text = manage(holding(flag("x", AUDIENCE))).explain("x", context)
    assert text.startswith(f"'x' is {'on' if 'let in' in line or 'listed' in line else 'off'} for")
    assert f"\n  {line}" in text


def test_filters_windows_and_variants_are_explained(manage: Manage) -> None:
    """Each filter that was come to is named, then the variant with its reason, not its value."""
    split = {"percentile": [{"variant": "Big", "from": 0, "to": 100}]}
    both = flag(
        "x",
        window(End="2020-01-01"),
        window(Start="2020-01-01"),
        variants=[{"name": "Big", "configuration_value": "hunter2"}],
        allocation=split,
    )
    text = manage(holding(both)).explain("x", "Adam")
    assert text.splitlines()[0].startswith("'x' is on for user 'Adam'")
    assert "any of the filters: Microsoft.TimeWindow" in text
    assert "it is outside of the window" in text
    assert "it is inside the window" in text
    assert "allocation: the user is at" in text
    assert text.splitlines()[-1] == "  variant 'Big', reason Percentile"
    assert "hunter2" not in text


def test_what_is_not_evaluated_is_explained(manage: Manage) -> None:
    """A flag that is disabled, unknown or unusable says so, and why; no value is shown."""
    off = {"id": "off", "variants": [{"name": "A"}]}
    manager = manage(holding(off, {"id": "bad", "enabled": "maybe"}, flag("on")))
    assert manager.explain("off") == (
        "'off' is off for no user: the flag is disabled\n  no variant, reason DefaultWhenDisabled"
    )
    assert manager.explain("unknown") == "'unknown' is off for no user: there is no such flag"
    assert manager.explain("on", TargetingContext("u", ["g", "h"])) == (
        "'on' is on for user 'u' in groups 'g', 'h': no rule, everybody gets the same"
    )
    assert manager.explain("bad").splitlines() == [
        "'bad' is off for no user: the flag's content cannot be used",
        "  its setting 'enabled' has a value that cannot be used",
    ]


def test_what_comes_from_outside_is_one_line(manage: Manage) -> None:
    """A name with line breaks forges no line of an explanation."""
    text = manage(holding(flag("a\nb"))).explain("a\nb", "c\nd")
    assert len(text.splitlines()) == 1
