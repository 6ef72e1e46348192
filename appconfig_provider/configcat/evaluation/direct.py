"""Evaluates settings at once where there is nothing to tell.

A setting becomes a few functions of a user's attributes. They answer as `stepwise` does, as long as
each attribute is there, and of a type that needs no words; else they raise, and `stepwise` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from appconfig_provider.configcat.evaluation.attributes import TEXT
from appconfig_provider.configcat.evaluation.compiled import (
    Broken,
    Condition,
    Option,
    Options,
    PrerequisiteCondition,
    Rule,
    SegmentCondition,
    Served,
    Setting,
    UserCondition,
)
from appconfig_provider.configcat.evaluation.decisions import InvalidSetting, SettingDecision
from appconfig_provider.configcat.evaluation.hashing import bucket
from appconfig_provider.configcat.evaluation.version6 import VALUES, value_of
from appconfig_provider.flags.index import Entry

Attributes: TypeAlias = Mapping[str, Any]
Holds: TypeAlias = Callable[[Attributes, "Others | None"], bool]
Decide: TypeAlias = Callable[[Attributes, "Others | None"], SettingDecision]
Decider: TypeAlias = "SettingDecision | Decide"

MAX_PREREQUISITES = 8
"""Conditions of one setting that ask for others at once; what has more of them is left to
`stepwise`, which counts."""

_SIMPLE = frozenset({str, int, float, bool, datetime, list})
"""Types whose conversion needs no words of a program's own."""


class Others(NamedTuple):
    """The settings that a setting may need."""

    find: Callable[[str], Entry | None]
    others: Others | None
    """Those that these may need; None: none, which leaves it to `stepwise` to follow long ways."""
    known: dict[str, object] | None = None
    """What settings came to that were needed before, within one call and for one user; None where
    nothing is kept."""


class Unusual(Exception):
    """There is something to tell, or it takes a closer look."""


def compiled(setting: Setting | Broken) -> Decide:
    """Return the function that decides about a setting."""
    if isinstance(setting, Broken):
        return _unusual
    conditions = _Conditions(setting)
    rules = [_rule(rule, setting, conditions) for rule in setting.rules]
    otherwise = _options(setting.options, setting, _serving(setting.served))
    if not rules:
        return otherwise
    if len(rules) == 1 and isinstance(setting.served, SettingDecision):
        holds, target = rules[0]
        if isinstance(target, SettingDecision) and setting.options is None:
            return _one_rule(holds, target, setting.served)
    return _several_rules(rules, otherwise)


def _unusual(_attributes: Attributes, _others: Others | None) -> Any:
    raise Unusual


def _serving(served: Served) -> Decide:
    return _unusual if isinstance(served, Broken) else lambda _attributes, _others: served


def _one_rule(holds: Holds, target: SettingDecision, otherwise: SettingDecision) -> Decide:
    return lambda attributes, others: target if holds(attributes, others) else otherwise


def _several_rules(
    rules: list[tuple[Holds, SettingDecision | Decide]], otherwise: Decide
) -> Decide:
    def decide(attributes: Attributes, others: Others | None) -> SettingDecision:
        for holds, target in rules:
            if holds(attributes, others):
                return target if type(target) is SettingDecision else target(attributes, others)  # type: ignore[operator]
        return otherwise(attributes, others)

    return decide


def _rule(
    rule: Rule | Broken, setting: Setting, conditions: _Conditions
) -> tuple[Holds, SettingDecision | Decide]:
    if isinstance(rule, Broken) or isinstance(rule.served, Broken) or not rule.conditions:
        return _unusual, _unusual
    compiled = [conditions.compiled(condition) for condition in rule.conditions]
    holds = compiled[0] if len(compiled) == 1 else _all(compiled)
    return holds, rule.served or _options(rule.options, setting, _unusual)


def _all(conditions: list[Holds]) -> Holds:
    def hold(attributes: Attributes, others: Others | None) -> bool:
        for holds in conditions:  # noqa: SIM110
            if not holds(attributes, others):  # `all` would take three times as long
                return False
        return True

    return hold


class _Conditions:
    """Compiles the conditions of one setting."""

    def __init__(self, setting: Setting) -> None:
        self._user_condition = _user_condition_5 if setting.version == 5 else _user_condition
        self._prerequisites = 0

    def compiled(self, condition: Condition) -> Holds:
        """Return the function that tells whether a condition holds."""
        if isinstance(condition, UserCondition):
            return self._user_condition(condition)
        if isinstance(condition, SegmentCondition):
            parts = _all([self.compiled(part) for part in condition.conditions])
            return parts if condition.inside else _opposite(parts)
        if isinstance(condition, PrerequisiteCondition):
            self._prerequisites += 1
            if self._prerequisites <= MAX_PREREQUISITES:
                return _prerequisite_condition(condition)
        return _unusual


def _opposite(holds: Holds) -> Holds:
    return lambda attributes, others: not holds(attributes, others)


def _prerequisite_condition(condition: PrerequisiteCondition) -> Holds:
    key, equal = condition.key, condition.equal
    values: dict[type | None, object] = {}
    for kind, _ in VALUES.values():
        try:
            values[kind] = value_of(condition.value, kind)
        except InvalidSetting:
            continue

    def holds(attributes: Attributes, others: Others | None) -> bool:
        entry = others.find(key) if others is not None else None
        if others is None or entry is None or entry.flag.type not in values:
            raise Unusual
        known = others.known
        if known is None:
            value = entry.evaluate(attributes, others.others).value  # type: ignore[attr-defined]
        elif key in known:
            value = known[key]
        else:
            known[key] = _UNUSUAL
            value = known[key] = entry.evaluate(attributes, others.others).value  # type: ignore[attr-defined]
        if value is _UNUSUAL:
            raise Unusual
        return bool((value == values[entry.flag.type]) == equal)

    return holds


_UNUSUAL = object()
"""Stands for the value of a setting that is left to `stepwise`."""


def _user_condition(condition: UserCondition) -> Holds:
    name, test, convert = condition.attribute, condition.test, condition.kind.convert

    def holds(attributes: Attributes, _others: Others | None) -> bool:
        text = attributes.get(name)
        if type(text) is str and text:
            return test(text)
        raise Unusual

    def holds_converted(attributes: Attributes, _others: Others | None) -> bool:
        value = attributes.get(name)
        if type(value) in _SIMPLE and value != "":
            return test(convert(value))
        raise Unusual

    return holds if condition.kind is TEXT else holds_converted


def _user_condition_5(condition: UserCondition) -> Holds:
    name, test, convert = condition.attribute, condition.test, condition.kind.convert

    def holds(attributes: Attributes, _others: Others | None) -> bool:
        value = attributes.get(name)
        if type(value) is str:
            return test(value) if value else False
        if value is None:
            return False
        raise Unusual

    def holds_converted(attributes: Attributes, _others: Others | None) -> bool:
        value = attributes.get(name)
        if value is None or type(value) in _SIMPLE:
            return test(convert(value)) if value else False
        raise Unusual

    return holds if convert is str else holds_converted


def _options(options: Options | Broken | None, setting: Setting, otherwise: Decide) -> Decide:
    if options is None:
        return otherwise
    if isinstance(options, Broken):
        return _unusual
    key, name = setting.key, options.attribute or "Identifier"
    table = tuple(map(_of_bucket, options.buckets))

    def decide(attributes: Attributes, _others: Others | None) -> SettingDecision:
        text = attributes.get(name)
        if type(text) is str:
            decision = table[bucket(key, text)]
            if decision is not None:
                return decision
        raise Unusual

    return decide


def _of_bucket(option: Option | None) -> SettingDecision | None:
    """Return what a bucket serves; None where none does, or nothing that can be used."""
    return option.served if option and isinstance(option.served, SettingDecision) else None
