"""Whatever JSON stands where a config should: no exception, and no harm to other settings."""

from __future__ import annotations

import contextlib
import copy
import json
import sys
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appconfig_provider.configcat.evaluation.document import (
    read_config,
    read_overrides,
    simple_settings,
)
from appconfig_provider.configcat.evaluation.evaluators import Evaluators
from appconfig_provider.configcat.evaluation.settings import Settings
from appconfig_provider.configcat.user import User
from tests.property.strategies import JSON_VALUES

from .strategies import USERS

ODD: st.SearchStrategy[Any] = JSON_VALUES | st.sampled_from(
    [None, True, "true", -1, 0.5, 1e308, float("nan"), 10**400, "", "\ud800", [], {}, [None], 36, 4]
)
NAMES = st.sampled_from(["v", "t", "r", "p", "i", "c", "s", "u", "a", "l", "d", "f", "b", "n", "o"])
SHAPES = st.recursive(
    ODD,
    lambda inner: st.dictionaries(NAMES, inner, max_size=5) | st.lists(inner, max_size=3),
    max_leaves=12,
)
CONDITION = {"u": {"a": "Email", "c": 2, "l": ["@x"]}}
SEGMENT = {"s": {"s": 0, "c": 1}}
NEEDED = {"p": {"f": "sound", "c": 0, "v": {"b": True}}}
WHOLE: dict[int, Any] = {
    6: {
        "t": 1,
        "v": {"s": "a"},
        "i": "id",
        "a": "Custom",
        "r": [
            {"c": [CONDITION, SEGMENT, NEEDED], "s": {"v": {"s": "b"}, "i": "x"}},
            {"c": [CONDITION], "p": [{"p": 100, "v": {"s": "c"}}]},
        ],
        "p": [{"p": 50, "v": {"s": "d"}}, {"p": 50, "v": {"s": "e"}}],
    },
    5: {
        "t": 1,
        "v": "a",
        "i": "id",
        "r": [{"o": 0, "a": "Email", "t": 2, "c": "@x", "v": "b", "i": "x"}],
        "p": [{"o": 0, "v": "c", "p": 100, "i": "y"}],
    },
}
SOUND = {"t": 0, "v": {"b": True}, "i": "sound"}
JANE = User("1", "jane@x.org", None, {"Custom": "c"})


class Hostile:
    """An attribute that cannot even be shown."""

    def __str__(self) -> str:
        raise RuntimeError("jane@x.org")

    __bool__ = __float__ = __repr__ = __str__


def replaced(value: Any, places: list[int], odd: Any) -> Any:
    """Return a copy in which one part, found by following the places, is something else."""
    if not places or not isinstance(value, dict | list) or not value:
        return odd
    copied = copy.copy(value)
    keys = list(value) if isinstance(value, dict) else range(len(value))
    key = keys[places[0] % len(value)]
    copied[key] = replaced(value[key], places[1:], odd)
    return copied


def evaluated(settings: Settings, user: object) -> None:
    """Evaluate everything in every way."""
    evaluators = Evaluators(settings)
    for key in settings:
        decision = evaluators.decide(key, user)
        traced, log = evaluators.traced(key, user)
        assert traced == decision
        assert traced.failure is None or traced.failure.notice(None).text.isprintable()
        assert all(notice.text.isprintable() for notice in decision.notices)
        assert all(line.isprintable() for line in log.split("\n"))
        assert "Error of the program" not in str(decision.failure)
    evaluators.key_and_value("id")
    assert evaluators.decide("sound", user).value is True


@settings(max_examples=300)
@given(
    st.sampled_from([5, 6]),
    st.lists(st.integers(0, 5), max_size=8),
    SHAPES,
    USERS.map(
        lambda given: None if given is None else User("1", given["Email"], given["Country"], given)
    ),
)
def test_a_bad_setting_spoils_only_itself(
    version: int, places: list[int], odd: Any, user: User | None
) -> None:
    """A setting with any JSON in any place is evaluated or told as error; others are as before."""
    bad = replaced(WHOLE[version], places, odd)
    segments = [{"n": "Beta", "r": [CONDITION["u"]]}, odd]
    document = {"p": {"s": "salt"}, "s": segments, "f": {"bad": bad, "sound": SOUND}}
    for one in (user, JANE):
        evaluated(read_config(json.dumps(document)).settings, one)


@settings(max_examples=200)
@given(SHAPES | st.dictionaries(st.sampled_from(["f", "p", "s", "flags"]), SHAPES))
def test_any_json_is_a_config_or_a_value_error(document: Any) -> None:
    """Reading a config, or a file of local settings, raises nothing but ValueError."""
    text = json.dumps(document)
    for read in (read_config, read_overrides):
        with contextlib.suppress(ValueError):
            found = read(text).settings
            for user in (None, JANE):
                evaluators = Evaluators(found)
                for key in found:
                    assert evaluators.traced(key, user)[0] == evaluators.decide(key, user)


@given(st.text() | st.binary())
def test_any_text_is_a_config_or_a_value_error(text: str | bytes) -> None:
    """Texts and bytes are a config or raise ValueError, nothing else."""
    for read in (read_config, read_overrides):
        with contextlib.suppress(ValueError):
            assert isinstance(read(text).settings, Settings)


@pytest.mark.parametrize("text", ["hidden", '{"hidden"', b"\xffhidden", '["hidden"]', '{"f": 5}'])
def test_a_text_that_is_no_config_is_not_quoted(text: str | bytes) -> None:
    """The error says what is wrong, in a line, without any of the content."""
    for read in (read_config, read_overrides):
        with pytest.raises(ValueError, match=r".") as caught:
            read(text)
        assert "hidden" not in str(caught.value)
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("text", ["[" * 100_000, '{"f":' * 100_000, '{"f":{"k":' + "9" * 10**6])
def test_depth_and_size_are_bounded(text: str) -> None:
    """Nested and long texts are refused, in little time."""
    began = time.perf_counter()
    for read in (read_config, read_overrides):
        with pytest.raises(ValueError, match=r"."):
            read(text)
    assert time.perf_counter() - began < 5


def needing(key: str, other: str, *more: str) -> dict[str, Any]:
    """Return a setting that needs others, all in one rule each."""
    rules = [
        {"c": [{"p": {"f": one, "c": 0, "v": {"b": False}}}], "s": {"v": {"b": False}}}
        for one in (other, *more)
    ]
    return {key: {"t": 0, "v": {"b": True}, "r": rules}}


def failure_of(found: dict[str, Any], key: str) -> str:
    """Return the error that an evaluation ends with."""
    evaluators = Evaluators(read_config(json.dumps({"f": found})).settings)
    decision = evaluators.decide(key, JANE)
    assert decision == evaluators.traced(key, JANE)[0]
    assert decision.failure is not None
    assert decision.failure.event_id == 2001
    return decision.failure.notice("x").text


def test_a_long_chain_of_prerequisites_is_an_error() -> None:
    """A chain of 10,000 settings ends in error 2001, not at the end of the stack."""
    found: dict[str, Any] = {"k10000": SOUND}
    for number in range(10_000):
        found |= needing(f"k{number}", f"k{number + 1}")
    assert "(more than 50 prerequisite flags need one another)" in failure_of(found, "k0")
    limit = sys.getrecursionlimit()
    assert "(more than 50 prerequisite flags" in failure_of(found, "k9000")
    assert sys.getrecursionlimit() == limit


def test_prerequisites_that_double_are_evaluated() -> None:
    """Settings that need the next one twice, 40 in a row, do not keep the evaluation busy."""
    found: dict[str, Any] = {"k40": SOUND}
    for number in range(40):
        found |= needing(f"k{number}", f"k{number + 1}", f"k{number + 1}")
    began = time.perf_counter()
    evaluators = Evaluators(read_config(json.dumps({"f": found})).settings)
    decision = evaluators.decide("k0", JANE)
    assert decision == evaluators.traced("k0", JANE)[0]
    assert decision.value is True
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("version", [5, 6])
def test_attributes_of_a_program_are_harmless(version: int) -> None:
    """An attribute whose own methods raise ends no evaluation by an exception, and is not told."""
    document = {"s": [{"n": "B", "r": []}], "f": {"odd": WHOLE[version], "sound": SOUND}}
    odd: Any = Hostile()
    for user in (User("1", odd), User(odd), User("1", "x", None, {"Custom": odd})):
        settings = read_config(json.dumps(document)).settings
        evaluators = Evaluators(settings)
        decision, log = evaluators.traced("odd", user)
        assert repr(decision) == repr(evaluators.decide("odd", user))
        told = log + "".join(notice.text for notice in decision.notices)
        assert "jane" not in told
        if decision.failure is not None:
            assert "jane" not in decision.failure.notice(None).text


def test_values_of_other_types_are_errors() -> None:
    """A local setting of a type that no setting has is error 2001, and the others are evaluated."""
    evaluators = Evaluators(simple_settings({"list": [1], "none": None, "sound": True}))
    for key in ("list", "none"):
        failure = evaluators.decide(key).failure
        assert failure is not None
        assert failure.event_id == 2001
    assert evaluators.decide("sound").value is True
