"""Evaluates a setting of config_v6.json step by step, with its warnings and its log.

This is the whole rule. `direct` answers sooner in the cases in which there is nothing to tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from appconfig_provider.configcat.evaluation import notices
from appconfig_provider.configcat.evaluation.attributes import TEXT, as_text
from appconfig_provider.configcat.evaluation.compiled import (
    Broken,
    Condition,
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
from appconfig_provider.configcat.evaluation.notices import shown
from appconfig_provider.configcat.evaluation.tracing import MAX_DEPTH, Run
from appconfig_provider.configcat.evaluation.version6 import value_of

NO_USER = "cannot evaluate, User Object is missing"
IGNORED = "The current targeting rule is ignored and the evaluation continues with the next rule."


def usable(served: Served) -> SettingDecision:
    """Return what is served.

    Raises:
        InvalidSetting: it cannot be used.
    """
    if isinstance(served, Broken):
        raise served.error()
    return served


class Stepwise:
    """The evaluation of one setting."""

    __slots__ = (
        "_any_version",
        "_attribute_told",
        "_key",
        "_log",
        "_run",
        "_setting",
        "_user_told",
    )

    def __init__(
        self, run: Run, setting: Setting, any_version: Callable[[Run, Setting], SettingDecision]
    ) -> None:
        self._run = run
        self._log = run.log
        self._setting = setting
        self._key = setting.key
        self._any_version = any_version
        """Evaluates a setting of any version."""
        self._user_told = run.user_told
        self._attribute_told = False

    def evaluate(self) -> SettingDecision:
        """Return the decision.

        Raises:
            InvalidSetting: a part cannot be used that counts for this user.
        """
        if self._setting.rules:
            self._log.line("Evaluating targeting rules and applying the first match if any:")
        for rule in self._setting.rules:
            if isinstance(rule, Broken):
                raise rule.error()
            decision = self._rule(rule)
            if decision is not None:
                return decision
        return self._options(self._setting.options) or usable(self._setting.served)

    def _rule(self, rule: Rule) -> SettingDecision | None:
        if rule.conditions:
            served = None if rule.served is None else usable(rule.served)
            if not self._conditions(rule.conditions, served):
                return None
            if served is not None:
                return served
        self._log.indent()
        decision = self._options(rule.options)
        if decision is None:
            self._log.line(IGNORED)
        self._log.dedent()
        return decision

    def _conditions(self, conditions: Sequence[Condition], served: SettingDecision | None) -> bool:
        log, several = self._log, len(conditions) > 1
        held, why = True, ""
        for position, condition in enumerate(conditions):
            log.line("AND " if position else "- IF ")
            if not position:
                log.indent()
            held, why = self._condition(condition, alone=not several)
            if several:
                log.add(_told(held))
            if not held or why:
                break
        if several:
            log.line()
        target = "% options" if served is None else f"'{shown(served.value)}'"
        if why:
            log.add(f"THEN {target} => {why}")
            log.line(IGNORED)
        else:
            log.add(f"THEN {target} => {'MATCH, applying rule' if held else 'no match'}")
        log.dedent()
        return held and not why

    def _condition(self, condition: Condition, *, alone: bool) -> tuple[bool, str]:
        """Return whether a condition holds, and why that cannot be told, or ''."""
        self._run.step()
        if isinstance(condition, UserCondition):
            return self._user_condition(condition)
        if isinstance(condition, Broken):
            raise condition.error()
        if isinstance(condition, SegmentCondition):
            held, why = self._segment_condition(condition)
        else:
            held, why = self._prerequisite_condition(condition), ""
        if not why:
            if alone:
                self._log.line()
            else:
                self._log.add(" ")
        return held, why

    def _user_condition(self, condition: UserCondition) -> tuple[bool, str]:
        run = self._run
        self._log.add(condition.text + " ")
        if run.user is None:
            self._tell_of_user()
            return False, NO_USER
        value = run.user.get_attribute(condition.attribute)
        if value is None or (isinstance(value, str) and not value):
            name = shown(condition.attribute)
            run.tell(notices.attribute_missing(self._key, condition.text, name))
            return False, f"cannot evaluate, the User.{name} attribute is missing"
        held, why = run.compare(self._key, condition, value)
        if why:
            name = shown(condition.attribute)
            return False, f"cannot evaluate, the User.{name} attribute is invalid ({why})"
        if condition.kind is TEXT and not isinstance(value, str):
            name, text = shown(condition.attribute), run.shown_as_text(value)
            run.tell(notices.attribute_converted(self._key, condition.text, name, text))
        return held, ""

    def _segment_condition(self, condition: SegmentCondition) -> tuple[bool, str]:
        log = self._log
        log.add(condition.text)
        if self._run.user is None:
            self._tell_of_user()
            log.add(" ")
            return False, NO_USER
        log.line("(")
        log.indent()
        log.line(f"Evaluating segment '{shown(condition.segment)}':")
        inside, why = self._segment(condition)
        held = inside == condition.inside and not why
        if why:
            log.line(f"Segment evaluation result: {why}.")
            log.line(f"Condition ({condition.text}) failed to evaluate.")
        else:
            log.line(f"Segment evaluation result: User IS{' ' if inside else ' NOT '}IN SEGMENT.")
            log.line(f"Condition ({condition.text}) evaluates to {str(held).lower()}.")
        log.dedent()
        log.line(")")
        if why:
            log.line()
        return held, why

    def _segment(self, condition: SegmentCondition) -> tuple[bool, str]:
        log = self._log
        held, why = True, ""
        for position, part in enumerate(condition.conditions):
            log.line("AND " if position else "- IF ")
            if not position:
                log.indent()
            if isinstance(part, Broken):
                raise part.error()
            self._run.step()
            held, why = self._user_condition(part)
            log.add(_told(held))
            if not held:
                break
        if condition.conditions:
            log.dedent()
        return held, why

    def _prerequisite_condition(self, condition: PrerequisiteCondition) -> bool:
        run, log, key = self._run, self._log, condition.key
        needed = run.find(key)
        if needed is None:
            raise InvalidSetting("Prerequisite flag key is missing or invalid.")
        expected = value_of(condition.value, needed.type)
        text = f"Flag '{shown(key)}' {'EQUALS' if condition.equal else 'DOES NOT EQUAL'} "
        text += f"'{shown(expected)}'"
        self._enter(key)
        log.add(text)
        log.line("(")
        log.indent()
        value = self._value_of(key, needed)
        run.path.pop()
        held = bool((value == expected) == condition.equal)
        log.line(f"Prerequisite flag evaluation result: '{shown(value)}'.")
        log.line(f"Condition ({text}) evaluates to {str(held).lower()}.")
        log.dedent()
        log.line(")")
        return held

    def _value_of(self, key: str, needed: Setting) -> object:
        """Return the value of a prerequisite, which may be known already."""
        run, depth = self._run, len(self._run.path)
        known = run.prerequisites.known(key, depth)
        if known is not None:
            return known[0]
        self._log.line(f"Evaluating prerequisite flag '{shown(key)}':")
        try:
            value: object = self._any_version(run, needed).value
        except InvalidSetting:
            run.prerequisites.failed(key, depth)
            raise
        run.prerequisites.keep(key, value)
        return value

    def _enter(self, key: str) -> None:
        path = self._run.path
        path.append(self._key)
        if key in path:
            circle = " -> ".join(f"'{shown(one)}'" for one in (*path, key))
            raise InvalidSetting(
                f"Circular dependency detected between the following depending flags: {circle}."
            )
        if len(path) > MAX_DEPTH:
            raise InvalidSetting(f"more than {MAX_DEPTH} prerequisite flags need one another")

    def _options(self, options: Options | Broken | None) -> SettingDecision | None:
        run, log = self._run, self._log
        if options is None:
            return None
        if run.user is None:
            self._tell_of_user()
            log.line("Skipping % options because the User Object is missing.")
            return None
        if isinstance(options, Broken):
            raise options.error()
        value = run.user.get_attribute(options.attribute or "Identifier")
        name = shown(options.attribute or "Identifier")
        if value is None and options.attribute is not None:
            if not self._attribute_told:
                self._attribute_told = True
                run.tell(notices.options_attribute_missing(self._key, name))
            log.line(f"Skipping % options because the User.{name} attribute is missing.")
            return None
        return self._selected(options, bucket(self._key, _identity(value)), name)

    def _selected(self, options: Options, place: int, name: str) -> SettingDecision | None:
        log = self._log
        log.line(f"Evaluating % options based on the User.{name} attribute:")
        log.line(
            f"- Computing hash in the [0..99] range from User.{name} => {place} "
            "(this value is sticky and consistent across all SDKs)"
        )
        option = options.buckets[place]
        if option is None:
            return None
        decision = usable(option.served)
        log.line(
            f"- Hash value {place} selects % option {option.number} ({option.percent}%), "
            f"'{shown(decision.value)}'."
        )
        return decision

    def _tell_of_user(self) -> None:
        if not self._user_told:
            self._user_told = True
            self._run.tell(notices.user_missing(self._key))


def _told(held: bool) -> str:
    return "=> true" if held else "=> false, skipping the remaining AND conditions"


def _identity(value: object) -> str:
    """Return the text that decides about percentage options.

    Raises:
        InvalidSetting: a program's own object cannot be turned into a text.
    """
    try:
        return "" if value is None else as_text(value)
    except Exception:  # whatever it raises may quote the user
        kind = shown(type(value).__name__)
    raise InvalidSetting(f"an attribute of type {kind} cannot be converted to a text")
