"""Reads a setting of config_v6.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from appconfig_provider.configcat.evaluation import attributes
from appconfig_provider.configcat.evaluation.comparators import (
    COMPARATORS,
    Comparator,
    InvalidComparison,
    Test,
    described,
)
from appconfig_provider.configcat.evaluation.compiled import (
    Broken,
    Condition,
    PrerequisiteCondition,
    Raw,
    Rule,
    SegmentCondition,
    Served,
    Setting,
    UserCondition,
)
from appconfig_provider.configcat.evaluation.decisions import InvalidSetting, decided
from appconfig_provider.configcat.evaluation.hashing import in_bytes
from appconfig_provider.configcat.evaluation.notices import shown
from appconfig_provider.configcat.evaluation.settings import Origin
from appconfig_provider.configcat.evaluation.shapes import (
    NO_ATTRIBUTE,
    NO_COMPARATOR,
    NO_COMPARISON,
    NO_VALUE,
    is_first,
    item,
    items,
    number,
    options_of,
    variation_id,
)
from appconfig_provider.flags.evaluation import Match

VALUES: dict[object, tuple[type, str]] = {
    0: (bool, "b"),
    1: (str, "s"),
    2: (int, "i"),
    3: (float, "d"),
}
"""The type of values and their field, by the number that stands in the config."""


def type_of(raw: Raw) -> type | None:
    """Return the type of a setting's values; None for one that there is not."""
    given = raw.get("t")
    return VALUES[given][0] if isinstance(given, int | float) and given in VALUES else None


def value_of(holder: Raw, kind: type | None) -> bool | str | int | float:
    """Return the value of a setting, a rule or an option.

    Raises:
        InvalidSetting: there is none, or it is of another type. Numbers may be whole or not.
    """
    given = holder.get("v")
    if given is None:
        raise InvalidSetting(NO_VALUE)
    if kind is None:
        raise InvalidSetting("Unsupported setting type")
    name = next(name for one, name in VALUES.values() if one is kind)
    value = given.get(name) if isinstance(given, Mapping) else None
    if type(value) is not kind and {type(value), kind} != {int, float}:
        raise InvalidSetting(f"Setting value is not of the expected type {kind}")
    return value  # type: ignore[return-value]


def read(key: str, raw: Raw, origin: Origin) -> Setting:
    """Read a setting.

    Raises:
        InvalidSetting: not even its parts can be told.
    """
    reader = _Reader(key, raw, origin)
    rules = items(raw, "r", "targeting rules")
    return Setting(
        key,
        6,
        reader.type,
        tuple(reader.rule(rule) for rule in rules),
        reader.options(raw),
        reader.served(raw, Match.DEFAULT if rules or raw.get("p") else Match.STATIC),
    )


class _Reader:
    """Reads the parts of one setting."""

    def __init__(self, key: str, raw: Raw, origin: Origin) -> None:
        self._key = key
        self._salt = in_bytes(origin.salt)
        self._segments = origin.segments
        attribute = raw.get("a")
        self._attribute = None if attribute is None else str(attribute)
        self.type = type_of(raw)

    def served(
        self, holder: Raw, match: Match, rule: Raw | None = None, option: Raw | None = None
    ) -> Served:
        """Return the value that a part serves."""
        try:
            value = value_of(holder, self.type)
        except InvalidSetting as error:
            return Broken(str(error))
        return decided(match, value, variation_id(holder), rule, option)

    def options(self, holder: Raw, rule: Raw | None = None) -> Any:
        """Return the percentage options of the setting, or of a rule of it."""
        try:
            given = items(holder, "p", "percentage options")
        except InvalidSetting as error:
            return Broken(str(error))
        return options_of(
            given, self._attribute, lambda option, match: self.served(option, match, rule, option)
        )

    def rule(self, given: object) -> Rule | Broken:
        """Return a targeting rule."""
        try:
            raw = item(given, "A targeting rule")
            conditions = tuple(self._condition(one) for one in items(raw, "c", "conditions"))
        except InvalidSetting as error:
            return Broken(str(error))
        serves = raw.get("s")
        served: Served | None = None
        if isinstance(serves, Mapping):
            served = self.served(serves, Match.TARGETING, raw)
        elif serves is not None:
            served = Broken(NO_VALUE)
        return Rule(conditions, served, self.options(raw, raw))

    def _condition(self, given: object) -> Condition:
        try:
            raw = item(given, "A condition")
            if raw.get("u") is not None:
                condition = item(raw["u"], "A condition")
                return self._user_condition(condition, self._salt + in_bytes(self._key))
            if raw.get("s") is not None:
                return self._segment_condition(item(raw["s"], "A condition"))
            return _prerequisite_condition(item(raw.get("p"), "A condition"))
        except InvalidSetting as error:
            return Broken(str(error))

    def _segment_condition(self, raw: Raw) -> SegmentCondition:
        index = raw.get("s")
        if type(index) is not int or not 0 <= index < len(self._segments):
            raise InvalidSetting("Segment reference is invalid.")
        segment = item(self._segments[index], "A segment")
        name = segment.get("n", "")
        if not isinstance(name, str):
            raise InvalidSetting("The name of a segment is invalid.")
        salt = self._salt + in_bytes(name)
        conditions = tuple(
            self._condition_of_segment(one, salt) for one in items(segment, "r", "conditions")
        )
        return SegmentCondition(is_first(raw.get("c")), name, conditions)

    def _condition_of_segment(self, given: object, salt: bytes) -> UserCondition | Broken:
        try:
            return self._user_condition(item(given, "A condition"), salt)
        except InvalidSetting as error:
            return Broken(str(error))

    @staticmethod
    def _user_condition(raw: Raw, salt: bytes) -> UserCondition:
        index = raw.get("c")
        if type(index) is not int or not 0 <= index < len(COMPARATORS):
            raise InvalidSetting(NO_COMPARATOR)
        comparator = COMPARATORS[index]
        attribute = raw.get("a")
        if attribute is None:
            raise InvalidSetting(NO_ATTRIBUTE)
        operand = raw.get(comparator.field)
        if isinstance(operand, list):
            operand = tuple(operand)
        test, kind = _test(comparator, operand, salt), comparator.kind
        if kind is attributes.VERSION and comparator.field == "l" and not _versions(operand):
            kind = attributes.ANYTHING  # there is nothing that a bad version could be compared with
        name = shown(attribute)
        text = f"User.{name} {comparator.name} {described(comparator, operand)}"
        return UserCondition(str(attribute), kind, text, test)


def _versions(operand: object) -> bool:
    return not isinstance(operand, tuple) or any(str(text).strip() for text in operand)


def _test(comparator: Comparator, operand: Any, salt: bytes) -> Test:
    """Return the test of a condition, of which the comparison value may be of no use."""
    error: ValueError
    try:
        if comparator.field == "l":
            fits = isinstance(operand, tuple) and all(isinstance(one, str) for one in operand)
        elif comparator.field == "s":
            fits = isinstance(operand, str)
        else:
            fits = number(operand) is not None
        if not fits:
            raise InvalidSetting(NO_COMPARISON)
        return comparator.make(operand, salt)
    except InvalidComparison as found:
        error = found
    except InvalidSetting as found:
        error = found
    return refusing(error)


def refusing(error: ValueError) -> Test:
    """Return a test that fails for each value."""
    kind, text = type(error), str(error)

    def test(_value: object) -> bool:
        raise kind(text)

    return test


def _prerequisite_condition(raw: Raw) -> PrerequisiteCondition:
    key = raw.get("f")
    if not isinstance(key, str):
        raise InvalidSetting("Prerequisite flag key is missing or invalid.")
    return PrerequisiteCondition(key, is_first(raw.get("c")), raw)
