"""Evaluates settings at once where there is nothing to tell.

A setting becomes a few functions of a user's attributes. They answer as `stepwise` does, as long as
each attribute is there, and of a type that needs no words; else they raise, and `stepwise` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from appconfig_provider.configcat.evaluation.attributes import TEXT
from appconfig_provider.configcat.evaluation.compiled import (
    Broken,
    Condition,
    Option,
    Options,
    Rule,
    SegmentCondition,
    Served,
    Setting,
    UserCondition,
)
from appconfig_provider.configcat.evaluation.decisions import SettingDecision
from appconfig_provider.configcat.evaluation.hashing import bucket

Attributes: TypeAlias = Mapping[str, Any]
Holds: TypeAlias = Callable[[Attributes], bool]
Decide: TypeAlias = Callable[[Attributes], SettingDecision]

_SIMPLE = frozenset({str, int, float, bool, datetime, list})
"""Types whose conversion needs no words of a program's own."""


class Unusual(Exception):
    """There is something to tell, or it takes a closer look."""


def compiled(setting: Setting | Broken) -> Decide:
    """Return the function that decides about a setting."""
    if isinstance(setting, Broken):
        return _unusual
    rules = [_rule(rule, setting) for rule in setting.rules]
    otherwise = _options(setting.options, setting, _serving(setting.served))
    if not rules:
        return otherwise
    if len(rules) == 1 and isinstance(setting.served, SettingDecision):
        holds, target = rules[0]
        if isinstance(target, SettingDecision) and setting.options is None:
            return _one_rule(holds, target, setting.served)
    return _several_rules(rules, otherwise)


def _unusual(_attributes: Attributes) -> Any:
    raise Unusual


def _serving(served: Served) -> Decide:
    return _unusual if isinstance(served, Broken) else lambda _attributes: served


def _one_rule(holds: Holds, target: SettingDecision, otherwise: SettingDecision) -> Decide:
    return lambda attributes: target if holds(attributes) else otherwise


def _several_rules(
    rules: list[tuple[Holds, SettingDecision | Decide]], otherwise: Decide
) -> Decide:
    def decide(attributes: Attributes) -> SettingDecision:
        for holds, target in rules:
            if holds(attributes):
                return target if type(target) is SettingDecision else target(attributes)  # type: ignore[operator]
        return otherwise(attributes)

    return decide


def _rule(rule: Rule | Broken, setting: Setting) -> tuple[Holds, SettingDecision | Decide]:
    if isinstance(rule, Broken) or isinstance(rule.served, Broken) or not rule.conditions:
        return _unusual, _unusual
    conditions = [_condition(condition, setting.version) for condition in rule.conditions]
    holds = conditions[0] if len(conditions) == 1 else _all(conditions)
    return holds, rule.served or _options(rule.options, setting, _unusual)


def _all(conditions: list[Holds]) -> Holds:
    def hold(attributes: Attributes) -> bool:
        for holds in conditions:  # noqa: SIM110
            if not holds(attributes):  # `all` would take three times as long
                return False
        return True

    return hold


def _condition(condition: Condition, version: int) -> Holds:
    if isinstance(condition, UserCondition):
        return _user_condition_5(condition) if version == 5 else _user_condition(condition)
    if isinstance(condition, SegmentCondition):
        parts = _all([_condition(part, version) for part in condition.conditions])
        return parts if condition.inside else lambda attributes: not parts(attributes)
    return _unusual


def _user_condition(condition: UserCondition) -> Holds:
    name, test, convert = condition.attribute, condition.test, condition.kind.convert

    def holds(attributes: Attributes) -> bool:
        text = attributes.get(name)
        if type(text) is str and text:
            return test(text)
        raise Unusual

    def holds_converted(attributes: Attributes) -> bool:
        value = attributes.get(name)
        if type(value) in _SIMPLE and value != "":
            return test(convert(value))
        raise Unusual

    return holds if condition.kind is TEXT else holds_converted


def _user_condition_5(condition: UserCondition) -> Holds:
    name, test, convert = condition.attribute, condition.test, condition.kind.convert

    def holds(attributes: Attributes) -> bool:
        value = attributes.get(name)
        if type(value) is str:
            return test(value) if value else False
        if value is None:
            return False
        raise Unusual

    def holds_converted(attributes: Attributes) -> bool:
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

    def decide(attributes: Attributes) -> SettingDecision:
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
