"""Evaluates a setting of config_v5.json step by step, with its warnings and its log.

Unlike in config_v6.json, a user without the attribute of a rule is not worth a warning: the rule
does not match, whatever its comparator.
"""

from __future__ import annotations

from typing import Any

from appconfig_provider.configcat.evaluation import notices
from appconfig_provider.configcat.evaluation.compiled import Broken, Options, Setting, UserCondition
from appconfig_provider.configcat.evaluation.decisions import InvalidSetting, SettingDecision
from appconfig_provider.configcat.evaluation.hashing import bucket
from appconfig_provider.configcat.evaluation.notices import shown
from appconfig_provider.configcat.evaluation.stepwise6 import usable
from appconfig_provider.configcat.evaluation.tracing import Run
from appconfig_provider.configcat.user import User


def evaluate(run: Run, setting: Setting) -> SettingDecision:
    """Return the decision.

    Raises:
        InvalidSetting: a part cannot be used that counts for this user.
    """
    user = run.user
    if user is None:
        if setting.targets and not run.user_told:
            run.tell(notices.user_missing(setting.key))
    else:
        decision = _by_rules(run, setting, user) or _by_options(run, setting, user)
        if decision is not None:
            return decision
    decision = usable(setting.served)
    run.log.line(f"Returning {shown(decision.value)}")
    return decision


def _by_rules(run: Run, setting: Setting, user: User) -> SettingDecision | None:
    for rule in setting.rules:
        if isinstance(rule, Broken):
            raise rule.error()
        (condition,) = rule.conditions
        if not isinstance(condition, UserCondition) or rule.served is None:
            raise InvalidSetting("A targeting rule is missing or invalid.")
        run.step()
        held, why = _holds(run, setting.key, condition, user.get_attribute(condition.attribute))
        told = f"SKIP rule. Validation error: {why}" if why else "no match"
        if not held:
            run.log.line(f"Evaluating rule: {condition.text} => {told}")
            continue
        decision = usable(rule.served)
        value = shown(decision.value)
        run.log.line(f"Evaluating rule: {condition.text} => match, returning: {value}")
        return decision
    return None


def _holds(run: Run, key: str, condition: UserCondition, value: Any) -> tuple[bool, str]:
    try:
        missing = not value
    except Exception:  # a program's own object that cannot tell whether it is empty
        missing = False
    return (False, "") if missing else run.compare(key, condition, value)


def _by_options(run: Run, setting: Setting, user: User) -> SettingDecision | None:
    options = setting.options
    if not isinstance(options, Options):
        return None
    identifier = user.get_attribute("Identifier")
    try:
        text = "" if identifier is None else str(identifier)
    except Exception:  # whatever it raises may quote the user
        raise InvalidSetting("the identifier of the user cannot be converted to a text") from None
    option = options.buckets[bucket(setting.key, text)]
    if option is None:
        return None
    decision = usable(option.served)
    run.log.line(f"Evaluating % options. Returning {shown(decision.value)}")
    return decision
