"""What a manager answers: values, details, contexts, keywords, unknown flags, changed Mappings."""

from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace
from typing import Any

import pytest

from appconfig_provider.flags import (
    EvaluationDetails,
    FeatureManager,
    TargetingContext,
    User,
    VariantAssignmentReason,
)
from tests.support.managers import Manage, flag, holding, targeting

LISTED = flag("listed", targeting(Users=["Adam"], Groups=[{"Name": "g", "RolloutPercentage": 100}]))


def variants(**values: Any) -> dict[str, Any]:
    """Return a flag in which user NAME gets the variant NAME with its value."""
    named = [{"name": name, "configuration_value": value} for name, value in values.items()]
    users = [{"variant": name, "users": [name]} for name in values]
    return flag("v", variants=named, allocation={"user": users})


@pytest.mark.parametrize(
    ("context", "enabled"),
    [
        ("Adam", True),
        ("adam", False),
        (TargetingContext("Adam"), True),
        (TargetingContext(groups=["g"]), True),
        (TargetingContext("x", ["h", "g"]), True),
        (TargetingContext(user_id=None), False),  # type: ignore[arg-type]  # as some programs do
        (User("Adam"), True),
        (User("x", custom={"groups": ["g"]}), True),
        (User("x", email="Adam"), False),
        (SimpleNamespace(user_id="x", groups=("g",)), True),
        (SimpleNamespace(user_id=None, groups=None), False),
        (SimpleNamespace(identifier="Adam"), True),
        (SimpleNamespace(user_id="x", groups="g"), True),
        (None, False),
    ],
)
def test_contexts(manage: Manage, context: object, enabled: bool) -> None:
    """A user id, a context, a user, or anything that has `user_id` or `identifier`."""
    manager = manage(holding(LISTED))
    assert manager.is_enabled("listed", context) is enabled
    assert manager.is_enabled("listed", context=context) is enabled


def test_what_is_no_context_counts_as_nobody(
    manage: Manage, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told once and not raised, unless the manager is strict."""
    manager = manage(holding(LISTED))
    assert [manager.is_enabled("listed", 5) for _ in range(3)] == [False] * 3
    assert len(caplog.records) == 1
    assert "TargetingContext" in caplog.text
    with pytest.raises(TypeError, match="TargetingContext"):
        manage(holding(LISTED), strict=True).is_enabled("listed", 5)


def test_no_user_is_the_empty_text(manage: Manage) -> None:
    """None, a missing user and the empty text fall into the same place."""
    half = {"percentile": [{"variant": "A", "from": 0, "to": 50}], "default_when_enabled": "B"}
    split = flag("s", variants=[{"name": "A"}, {"name": "B"}], allocation=half)
    manager = manage(holding(split))
    nobody = (None, "", TargetingContext(), TargetingContext(user_id=None))  # type: ignore[arg-type]
    assert len({manager.get_variant("s", one).name for one in nobody}) == 1


def test_case_is_ignored_in_the_names_of_groups_alone(manage: Manage) -> None:
    """`ignore_case` is a keyword of its own; users are compared exactly even so."""
    audience = targeting(Users=["Adam"], Groups=[{"Name": "Stage", "RolloutPercentage": 100}])
    manager = manage(holding(flag("x", audience)))
    assert not manager.is_enabled("x", TargetingContext("u", ["STAGE"]))
    assert manager.is_enabled("x", TargetingContext("u", ["STAGE"]), ignore_case=True)
    assert not manager.is_enabled("x", "ADAM", ignore_case=True)


@pytest.mark.parametrize("keyword", ["tenant", "user", "groups"])
@pytest.mark.parametrize("method", ["is_enabled", "get_variant", "evaluate"])
def test_a_keyword_that_nobody_takes_is_named(manage: Manage, method: str, keyword: str) -> None:
    """Without custom filters a keyword is a mistake, also for a flag that needs no context."""
    manager = manage(holding(flag("x")))
    for _ in range(2):
        with pytest.raises(TypeError, match=f"'{keyword}'"):
            getattr(manager, method)("x", **{keyword: 1})
    assert manager.is_enabled("x")


@pytest.mark.parametrize(
    ("value", "default", "expected"),
    [
        ("dark", "light", "dark"),
        ("dark", None, "dark"),
        ("dark", 5, 5),
        ("dark", False, False),
        (True, False, True),
        (True, 1, 1),
        (1, False, False),
        (5, 1, 5),
        (5, 1.5, 5.0),
        (5.5, 1, 1),
        ([1], [], [1]),
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, [], []),
        (None, "light", "light"),
        (None, None, None),
    ],
)
def test_values_have_the_type_of_the_default(
    manage: Manage, value: object, default: object, expected: object
) -> None:
    """A value of another JSON type is not handed out; None takes any, a float a whole number."""
    found = manage(holding(variants(u=value))).get_value("v", default, "u")
    assert (found, type(found)) == (expected, type(expected))


def test_values_of_flags_without_a_variant(manage: Manage) -> None:
    """No variant gives the default; a flag without variants has its state as a value."""
    manager = manage(holding(flag("on"), variants(u=1), {"id": "bad", "enabled": "what"}))
    assert manager.get_value("v", 7, "somebody else") == 7
    assert manager.get_value("v", default=True, context="somebody else") is True
    assert manager.get_value("on", default=False) is True
    assert manager.get_value("on", "text") == "text"
    assert manager.get_value("unknown", default=True) is True
    assert manager.get_value("bad", default=True) is True


def test_details(manage: Manage) -> None:
    """Details are a tuple of five: state, variant, reason, flag, error."""
    manager = manage(holding(flag("on"), variants(u=1), {"id": "bad", "enabled": "what"}))
    enabled, variant, reason, found, error = manager.evaluate("v", "u")
    assert (enabled, variant.name, variant.configuration) == (True, "u", 1)
    assert (reason, found.name, error) == (VariantAssignmentReason.USER, "v", None)
    assert manager.evaluate("on") == manager.evaluate("on")
    assert manager.evaluate("on").flag.name == "on"
    none = VariantAssignmentReason.NONE
    assert manager.evaluate("unknown") == EvaluationDetails(False, None, none, None, None)  # noqa: FBT003
    bad = manager.evaluate("bad")
    assert (bad.enabled, bad.variant, bad.flag, type(bad.error)) == (False, None, None, ValueError)
    assert "what" not in repr(bad)
    assert "'v'" in repr(manager.evaluate("v", "u"))


def test_all_flags_at_once(manage: Manage) -> None:
    """`evaluate_all` has every flag that can be named, each as `evaluate` has it."""
    calls: list[int] = []

    def accessor() -> str:
        calls.append(1)
        return "Adam"

    manager = manage(
        holding(flag("on"), LISTED, {"id": 5, "enabled": True}, {"id": "bad", "enabled": 7}),
        targeting_context_accessor=accessor,
    )
    found = manager.evaluate_all()
    assert {name: one.enabled for name, one in found.items()} == {
        "on": True,
        "listed": True,
        "bad": False,
    }
    assert len(calls) == 1
    assert not manager.evaluate_all("Brian")["listed"].enabled
    assert manager.names() == ["on", "listed", "bad"]


def test_an_unknown_flag_is_told_once_for_each_name(
    manage: Manage, caplog: pytest.LogCaptureFixture
) -> None:
    """It is off; names may come from outside, so only so many are remembered."""
    manager = manage(holding(flag("on")))
    for _ in range(3):
        assert not manager.is_enabled("a")
        assert not manager.is_enabled("b")
    assert [one.getMessage() for one in caplog.records] == [
        "feature flag 'a' is not loaded, so it is off or has its caller's default",
        "feature flag 'b' is not loaded, so it is off or has its caller's default",
    ]
    for number in range(2_000):
        assert not manager.is_enabled(f"n{number}")
    assert len(caplog.records) == 1_000


def test_a_bad_flag_is_told_once_for_each_of_its_texts(
    manage: Manage, caplog: pytest.LogCaptureFixture
) -> None:
    """The same text in another generation is no news, another one is; no value is repeated."""
    config = holding({"id": "x", "enabled": "hunter2"})
    manager = manage(config)
    for text, count in (("hunter2", 1), ("hunter2", 1), ("hunter3", 2)):
        config["feature_management"] = holding({"id": "x", "enabled": text})["feature_management"]
        assert [manager.is_enabled("x") for _ in range(3)] == [False] * 3
        assert len(caplog.records) == count
    assert "'enabled'" in caplog.text
    assert "hunter" not in caplog.text


def test_a_plain_mapping_that_changes_is_followed(manage: Manage) -> None:
    """Another object, and another number of flags in the same list, are noticed."""
    config = holding(flag("a"))
    manager = manage(config)
    assert manager.is_enabled("a")
    config["feature_management"] = {"feature_flags": [flag("b")]}
    assert (manager.is_enabled("a"), manager.is_enabled("b")) == (False, True)
    config["feature_management"]["feature_flags"].append(flag("c"))
    assert manager.is_enabled("c")
    del config["feature_management"]
    assert not manager.is_enabled("c")
    config["feature_management"] = {"feature_flags": [flag("c")]}
    assert manager.is_enabled("c")


@pytest.mark.parametrize(
    "management",
    [None, 5, [], {}, {"feature_flags": None}, {"feature_flags": "no"}, {"feature_flags": {}}],
)
def test_what_is_no_list_of_flags_is_empty(manage: Manage, management: object) -> None:
    """There are no flags then, and nothing is raised."""
    manager = manage({"feature_management": management})
    assert (manager.names(), manager.is_enabled("a")) == ([], False)


def test_the_last_flag_of_a_name_wins_and_odd_ones_are_passed_over(manage: Manage) -> None:
    """What is no object, has no id or one that nobody can ask for does not disturb the others."""
    odd: list[Any] = [None, 5, "x", [], {}, {"id": None}, {"id": ["a"]}, {"id": {}}]
    manager = manage(holding(flag("a"), *odd, {"id": "a", "enabled": False}, flag("b")))
    assert (manager.is_enabled("a"), manager.is_enabled("b")) == (False, True)
    assert manager.names() == ["a", "b"]


def test_flags_may_be_a_tuple_and_are_never_written_to(manage: Manage) -> None:
    """Whoever made the configuration finds it as it was."""
    import copy

    flags = (LISTED, flag("c", {"name": "Custom", "parameters": {"a": 1}}))
    config = {"feature_management": {"feature_flags": flags}}
    before = copy.deepcopy(config)

    class Custom:
        name = "Custom"

        def evaluate(self, context: dict[str, Any], **_named: object) -> bool:
            context["more"] = 1
            return True

    manager = manage(config, feature_filters=[Custom()])
    assert manager.is_enabled("listed", "Adam")
    assert manager.is_enabled("c", "Adam")
    assert config == before


def test_the_configuration_must_be_a_mapping(manage: Manage) -> None:
    """What is none is refused as by `featuremanagement`."""
    wrong: list[Any] = [None, "", [], 5]
    for given in wrong:
        with pytest.raises(AttributeError, match="Mapping"):
            manage(given)


def test_a_misspelt_keyword_of_the_manager_is_a_type_error() -> None:
    """The constructor takes the keywords that it names and no others."""
    with pytest.raises(TypeError, match="on_feature_evaluate"):
        FeatureManager({}, on_feature_evaluate=print)  # type: ignore[call-arg]  # the mistake


def test_reasons_equal_their_texts_and_those_of_featuremanagement() -> None:
    """A callback that was written for that package may compare with its members."""
    import featuremanagement

    for ours in VariantAssignmentReason:
        theirs = featuremanagement.VariantAssignmentReason[ours.name]
        assert ours == theirs
        assert theirs == ours
        assert ours == ours.value
        assert ours != "another"
    assert len({*VariantAssignmentReason, "User"}) == len(VariantAssignmentReason)


def test_a_manager_is_freed_without_the_garbage_collector() -> None:
    """A program may make one for each request, and each has an evaluator for each flag."""
    manager = FeatureManager(holding(LISTED, {"id": "b", "enabled": "bad"}))
    manager.evaluate_all("Adam")
    gone = weakref.ref(manager)
    gc.disable()
    try:
        del manager
        assert gone() is None
    finally:
        gc.enable()


def test_items_that_nobody_can_ask_for_are_told_once(
    manage: Manage, caplog: pytest.LogCaptureFixture
) -> None:
    """An id that is no text, no id, or no object: the others count, and one warning says so."""
    items: list[Any] = [{"id": 5, "enabled": True}, {"enabled": True}, "x", flag("on")]
    config: dict[str, Any] = {"feature_management": {"feature_flags": items}}
    manager = manage(config)
    for _ in range(2):
        assert manager.is_enabled("on")
        assert manager.names() == ["on"]
        config["feature_management"] = dict(config["feature_management"])
    assert [one.getMessage() for one in caplog.records] == [
        "feature_flags has 3 items without an id that is a text, which nobody can ask for"
    ]


def test_wrong_arguments_are_named_as_users_know_them(manage: Manage) -> None:
    """A keyword that does not exist names `FeatureManager`; `of` says what it takes."""
    with pytest.raises(TypeError, match=r"^FeatureManager\.__init__\(\) got an unexpected"):
        manage(holding(), filters=[])
    wrong: Any
    for wrong in (None, 5, []):
        with pytest.raises(TypeError, match=r"of\(\) takes a snapshot or a Mapping of flags, not"):
            manage(holding()).of(wrong)
