"""A setting is evaluated at once, or step by step where there is something to tell: they agree."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from hashlib import sha1
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as effort
from hypothesis import strategies as st

from appconfig_provider.configcat.evaluation import stepwise
from appconfig_provider.configcat.evaluation.compiled import Broken, Setting
from appconfig_provider.configcat.evaluation.decisions import SettingDecision
from appconfig_provider.configcat.evaluation.direct import Others, compiled
from appconfig_provider.configcat.evaluation.document import read_config
from appconfig_provider.configcat.evaluation.evaluators import Evaluators
from appconfig_provider.configcat.evaluation.prerequisites import Prerequisites
from appconfig_provider.configcat.evaluation.tracing import Run
from appconfig_provider.configcat.user import User, attributes_of

from . import strategies_v5
from .strategies import (
    ATTRIBUTES,
    KEYS,
    ODD,
    SALT,
    USERS,
    VERSIONS,
    WORDS,
    configs,
    hashed,
)

USUAL: st.SearchStrategy[Any] = st.fixed_dictionaries(
    dict.fromkeys(ATTRIBUTES, st.sampled_from(["jane@example.com", "US", "5", "1.2.0", "12345"]))
)
"""Users that have every attribute as a text."""
ASKED = st.lists(USERS | USUAL, min_size=4, max_size=4)


@st.composite
def mixed(draw: st.DrawFn) -> dict[str, Any]:
    """Return a config with settings of both formats, which may need one another."""
    config = draw(configs())
    for key in draw(st.sets(st.sampled_from(KEYS))):
        config["f"][key] = draw(strategies_v5.settings())
    return config


def user_of(attributes: dict[str, Any] | None) -> User | None:
    """Return a user with these attributes."""
    if attributes is None:
        return None
    three = [attributes[name] for name in ("Identifier", "Email", "Country")]
    return User(three[0], three[1], three[2], {"Custom": attributes["Custom"]})


def in_steps(evaluators: Evaluators, key: str, user: User | None) -> SettingDecision:
    """Return what the evaluation step by step comes to, without any other."""

    def found(name: str) -> Setting | None:
        entry = evaluators.entry(name)
        if entry is not None and isinstance(entry.flag, Broken):
            raise entry.flag.error()
        return None if entry is None else entry.flag

    entry = evaluators.entry(key)
    assert entry is not None
    return stepwise.evaluate(Run(user, found, Prerequisites(), log_user=True), key, entry.flag)


def shown(decision: SettingDecision) -> tuple[Any, ...]:
    """Return everything that a decision tells; JSON tells 5 from 5.0 and from True."""
    failure = decision.failure
    return (
        decision.match,
        repr(decision.value),
        decision.variation_id,
        decision.enabled,
        json.dumps([decision.rule, decision.option]),
        None if failure is None else failure.notice("x"),
        [(notice.event_id, notice.level, notice.text) for notice in decision.notices],
    )


def agree(config: dict[str, Any], users: list[dict[str, Any] | None]) -> None:
    """Evaluate everything in every way."""
    settings = read_config(json.dumps(config)).settings
    evaluators = Evaluators(settings)
    for user in map(user_of, users):
        for key in settings:
            steps = in_steps(evaluators, key, user)
            decisions = [evaluators.decide(key, user), evaluators.traced(key, user)[0]]
            decisions += at_once(evaluators, key, user) if user is not None else []
            decisions += filter(None, [evaluators.constants.get(key)])
            for decision in decisions:
                if decision is not steps:  # most are made once
                    assert decision == steps
                    assert shown(decision) == shown(steps)


def at_once(evaluators: Evaluators, key: str, user: User) -> list[SettingDecision]:
    """Return what the evaluation at once comes to, if it can tell."""
    entry = evaluators.entry(key)
    assert entry is not None
    others = Others(evaluators.entry, Others(evaluators.entry, None))
    with suppress(Exception):  # as `decide` does
        return [compiled(entry.flag)(attributes_of(user), others)]
    return []


EVERY = (None, *dict.fromkeys((*WORDS, *VERSIONS)), *ODD, 0, 0.0, False)
"""Attributes of every sort."""
OPERANDS: tuple[dict[str, Any], ...] = (
    {"s": "US"},
    {"s": "1.2.0"},
    {"s": "x"},
    {"d": 5},
    {"l": ["US", "jane@example.com"]},
    {"l": ["1.2.0", "2.0.0"]},
    {"l": ["x"]},
    {"l": [" "]},
    {"l": ["2_" + hashed(b"US", "k"), "3_" + hashed(b"ple", "k")]},
    {"l": [hashed(b"US", "k")]},
    {"s": hashed(b"US", "k")},
    {},
)
SHARES = [{"p": 50, "v": {"b": True}, "i": "a"}, {"p": 50, "v": {"b": False}, "i": "b"}]
MORE: tuple[dict[str, Any], ...] = (
    {},
    {"p": SHARES},
    {"p": SHARES, "a": "Custom"},
    {"p": [7]},
    {"p": 7},
)


def document(*conditions: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a config of format v6 with a setting that has a rule, and one that it may need."""
    rule = {"c": list(conditions), "s": {"v": {"b": True}, "i": "r"}}
    flag = {"t": 0, "v": {"b": False}, "i": "v", "r": [rule], **more}
    other = {**flag, "r": [{**rule, "c": [{"u": {"a": "Custom", "c": 28, "s": "US"}}]}]}
    segment = {"n": "k", "r": [{"a": "Custom", "c": 28, "s": "US"}]}
    return {"p": {"s": SALT}, "s": [segment], "f": {"k": flag, "other": other}}


def of_version_5(comparator: int, comparison: object, options: list[Any]) -> dict[str, Any]:
    """Return a config of format v5 with one setting."""
    rule = {"o": 0, "a": "Custom", "t": comparator, "c": comparison, "v": True, "i": "r"}
    return {"f": {"k": {"t": 0, "v": False, "i": "v", "r": [rule], "p": options}}}


def everybody() -> list[dict[str, Any] | None]:
    """Return users with attributes of every sort, and nobody."""
    return [None, *({**dict.fromkeys(ATTRIBUTES, one), "Email": "x"} for one in EVERY)]


@pytest.mark.heavy
@pytest.mark.parametrize("comparator", range(36))
def test_every_comparator_compares_alike(comparator: int) -> None:
    """Each comparator of format v6, with comparison values and attributes of every sort."""
    for operand in OPERANDS:
        agree(document({"u": {"a": "Custom", "c": comparator, **operand}}), everybody())


@pytest.mark.heavy
@pytest.mark.parametrize("comparator", range(18))
def test_every_comparator_of_format_5_compares_alike(comparator: int) -> None:
    """Each comparator of format v5, alone and with percentages for those that match nothing."""
    shares = [{"o": 0, "p": 50, "v": one, "i": str(one)} for one in (True, False)]
    for comparison in ("US, x", "1.2.0", "5", "x", "", sha1(b"US").hexdigest(), 5, None):
        for options in ([], shares, [{"p": "x", "v": True}]):
            agree(of_version_5(comparator, comparison, options), everybody())


@pytest.mark.parametrize(
    "condition",
    [
        {"s": {"s": 0, "c": 0}},
        {"s": {"s": 0, "c": 1}},
        {"s": {"s": 7, "c": 1}},
        *(
            {"p": {"f": "other", "c": sign, "v": {"b": one}}}
            for sign in (0, 1)
            for one in (True, False)
        ),
        {"p": {"f": "other", "c": 0, "v": {"s": "x"}}},
        {"p": {"f": "nothing", "c": 0, "v": {"b": True}}},
        {"p": {"f": "k", "c": 0, "v": {"b": True}}},
    ],
)
@pytest.mark.parametrize(
    "more", [{}, {"p": SHARES}, {"p": SHARES, "a": "Custom"}, {"p": [7]}, {"p": 7}]
)
def test_every_condition_holds_alike(condition: dict[str, Any], more: dict[str, Any]) -> None:
    """Segments, prerequisites and percentages, alone and one after the other."""
    on_custom = {"u": {"a": "Custom", "c": 28, "s": "US"}}
    for conditions in ([condition], [on_custom, condition], []):
        agree(document(*conditions, **more), everybody())


@effort(max_examples=40)
@given(mixed(), ASKED)
def test_both_evaluations_agree(config: dict[str, Any], users: list[Any]) -> None:
    """Value, variation id, rule, option, reason, errors and warnings are the same, in all ways."""
    agree(config, users)


def test_the_generated_settings_meet_every_case() -> None:
    """Settings of both formats are often decided at once, and often left to the other way."""
    found: Counter[str] = Counter()

    @seed(5)
    @effort(max_examples=40, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(mixed(), ASKED)
    def run(config: dict[str, Any], users: list[Any]) -> None:
        evaluators = Evaluators(read_config(json.dumps(config)).settings)
        for user in filter(None, map(user_of, users)):
            for key in KEYS:
                entry = evaluators.entry(key)
                if entry is not None and entry.needs_context:
                    how = "at once" if at_once(evaluators, key, user) else "in steps"
                    found[f"{entry.flag.version} {how}"] += 1

    run()
    assert {name: count > 30 for name, count in found.items()} == {
        f"{version} {how}": True for version in (5, 6) for how in ("at once", "in steps")
    }
