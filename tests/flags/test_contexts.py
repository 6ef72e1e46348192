"""Contexts that a program passes: what counts as user and groups, and what cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from openfeature.evaluation_context import EvaluationContext

from appconfig_provider.flags import FeatureManager, TargetingContext, User
from appconfig_provider.flags.percentage import percentage
from appconfig_provider.integrations.openfeature import AppConfigurationFeatureProvider
from tests.support.managers import Manage, flag, holding, targeting

SECRET = "hunter2"
BANNED = {"Exclusion": {"Groups": ["banned"]}, "DefaultRolloutPercentage": 100}


class Having:
    """Any object with user and groups."""

    def __init__(self, user_id: Any, groups: Any) -> None:
        self.user_id = user_id
        self.groups = groups


class Raising:
    """An object whose user raises."""

    groups = ()

    @property
    def user_id(self) -> str:
        """Raise."""
        raise RuntimeError(SECRET)


class OddText(str):
    """A text that cannot be looked up."""

    __slots__ = ()

    def __eq__(self, _other: object) -> bool:
        raise RuntimeError(SECRET)

    __hash__ = str.__hash__


UNREADABLE: dict[str, Callable[[], Any]] = {
    "groups are a number": lambda: Having("Adam", 5),
    "groups are bytes": lambda: Having("Adam", b"g"),
    "the user raises": Raising,
    "a number as groups": lambda: TargetingContext("Adam", 5),  # type: ignore[arg-type]
    "groups of lists": lambda: TargetingContext("Adam", [["g"]]),  # type: ignore[list-item]
    "groups of lists in an object": lambda: Having("Adam", [["g"]]),
}
everything = pytest.mark.parametrize("made", UNREADABLE.values(), ids=list(UNREADABLE))


def listing() -> dict[str, Any]:
    """Return a flag for Adam, and one for all: evaluations of both look at groups."""
    groups = [{"Name": "g", "RolloutPercentage": 100}]
    return holding(
        flag("x", targeting(Exclusion={"Groups": ["b"]}, Users=["Adam"], Groups=groups)),
        flag("all", targeting(Groups=groups, DefaultRolloutPercentage=100)),
    )


@everything
def test_a_context_that_cannot_be_read_is_nobody(
    manage: Manage, made: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    """It counts as no user, for every question; one warning has type and place, and no value."""
    manager = manage(listing())
    assert [manager.is_enabled(name, made()) for name in ("x", "all")] == [False, True]
    assert manager.evaluate("x", made()).error is None
    assert [one.enabled for one in manager.evaluate_all(made()).values()] == [False, True]
    assert "is off" in manager.explain("x", made())
    assert len(caplog.records) == 1
    assert "a context cannot be used, and counts as nobody: " in caplog.text
    assert SECRET not in caplog.text
    assert "feature flag" not in caplog.text


@everything
def test_an_accessor_may_return_one_that_cannot_be_read(
    manage: Manage, made: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    """What the accessor returns is read in the same way."""
    manager = manage(listing(), targeting_context_accessor=made)
    assert [manager.is_enabled(name) for name in ("x", "all")] == [False, True]
    assert len(caplog.records) == 1
    assert "cannot be used, and counts as nobody: " in caplog.text


@everything
def test_strict_raises_for_one_that_cannot_be_read(manage: Manage, made: Callable[[], Any]) -> None:
    """With `strict` the error is that of the object, or a TypeError that names no value."""
    for keywords, given in (({}, made()), ({"targeting_context_accessor": made}, None)):
        manager = manage(listing(), strict=True, **keywords)
        with pytest.raises((TypeError, RuntimeError)):
            manager.is_enabled("x", given)


@pytest.mark.parametrize(
    "given",
    [
        TargetingContext("eve", "banned"),
        Having("eve", "banned"),
        User("eve", custom={"groups": "banned"}),
    ],
    ids=["TargetingContext", "object", "User"],
)
def test_a_text_as_groups_is_one_group(
    manage: Manage, given: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not split into letters, so that who is excluded stays out; one warning says so."""
    manager = manage(holding(flag("x", targeting(**BANNED))))
    assert [manager.is_enabled("x", given) for _ in range(2)] == [False, False]
    assert [one.getMessage() for one in caplog.records] == [
        "the groups of a context are a text, which is one group; pass a list"
    ]


def test_a_user_that_is_no_text_is_its_text(manage: Manage) -> None:
    """A number is the same user in a TargetingContext and in any other object."""
    manager = manage(holding(flag("x", targeting(Users=["5"]))))
    for given in (TargetingContext(5), Having(5, None), TargetingContext(5, None)):  # type: ignore[arg-type]
        assert manager.is_enabled("x", given)


def test_a_text_of_another_class_is_that_text(
    manage: Manage, caplog: pytest.LogCaptureFixture
) -> None:
    """A subclass of str cannot change how users are compared."""
    manager = manage(holding(flag("x", targeting(Users=["Adam"]))))
    for given in (OddText("Adam"), Having(OddText("Adam"), ())):
        assert manager.is_enabled("x", given)
    assert not caplog.records


def test_half_of_a_character_has_a_place(manage: Manage, caplog: pytest.LogCaptureFixture) -> None:
    """A user id that is no valid UTF-8 is hashed like any other, and no flag is blamed."""
    assert 0 < percentage("\ud800", "x") < 100
    for share, on in ((1, False), (99, True)):
        manager = manage(holding(flag("x", targeting(DefaultRolloutPercentage=share))))
        assert manager.is_enabled("x", "\ud800") is on
    assert not caplog.records


class OddAttributes(dict[str, Any]):
    """Attributes of which one cannot be read."""

    def get(self, *_given: object) -> Any:
        """Raise."""
        raise RuntimeError(SECRET)


@pytest.mark.parametrize("attributes", [None, OddAttributes()], ids=["None", "raises"])
def test_attributes_that_cannot_be_read_are_a_wrong_context(attributes: Any) -> None:
    """OpenFeature is told that the context is wrong, without the text of the error."""
    provider = AppConfigurationFeatureProvider(FeatureManager(listing()))
    provider.initialize(EvaluationContext())
    context = EvaluationContext("Adam")
    object.__setattr__(context, "attributes", attributes)
    found = provider.resolve_boolean_details("x", default_value=True, evaluation_context=context)
    assert (found.value, found.error_code) == (True, "INVALID_CONTEXT")
    assert SECRET not in str(found.error_message)


def test_a_filter_whose_answer_has_no_truth_does_not_match(
    manage: Manage, caplog: pytest.LogCaptureFixture
) -> None:
    """What raises when it is asked whether it is true is an error of the filter, not the flag."""

    class Odd:
        def __bool__(self) -> bool:
            raise RuntimeError(SECRET)

    class Filter:
        name = "Custom"

        def evaluate(self, _context: object, **_keywords: object) -> object:
            return Odd()

    manager = manage(holding(flag("x", {"name": "Custom"})), feature_filters=[Filter()])
    assert manager.evaluate("x").error is None
    (record,) = caplog.records
    assert "evaluate failed for feature flag 'x': RuntimeError raised at" in record.getMessage()
