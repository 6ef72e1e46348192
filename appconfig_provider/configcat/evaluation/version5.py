"""Reads a setting of config_v5.json."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

from appconfig_provider.configcat.evaluation import attributes, comparators
from appconfig_provider.configcat.evaluation.attributes import Kind
from appconfig_provider.configcat.evaluation.comparators import InvalidComparison, Test
from appconfig_provider.configcat.evaluation.compiled import (
    Broken,
    Raw,
    Rule,
    Served,
    Setting,
    UserCondition,
)
from appconfig_provider.configcat.evaluation.decisions import InvalidSetting, decided
from appconfig_provider.configcat.evaluation.hashing import digests, sha1
from appconfig_provider.configcat.evaluation.notices import shown
from appconfig_provider.configcat.evaluation.shapes import (
    NO_ATTRIBUTE,
    NO_COMPARATOR,
    NO_COMPARISON,
    NO_VALUE,
    item,
    items,
    options_of,
    variation_id,
)
from appconfig_provider.configcat.evaluation.version6 import refusing, type_of
from appconfig_provider.flags.evaluation import Match


class _Comparator(NamedTuple):
    name: str
    kind: Kind
    make: Callable[[str], Test]


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


def _one_of(text: str) -> Test:
    return comparators.one_of(_listed(text), b"")


def _contains(text: str) -> Test:
    return comparators.contains((text,), b"")


def _one_of_versions(text: str) -> Test:
    return comparators.one_of_versions(_listed(text), b"")


def _one_of_hashed(text: str) -> Test:
    hashes = digests(_listed(text), 20)
    return lambda value: sha1(value.encode()).digest() in hashes


def _opposite(make: Callable[[str], Test]) -> Callable[[str], Test]:
    opposite = comparators.opposite(lambda text, _salt: make(text))
    return lambda text: opposite(text, b"")


def _version(compare: Callable[[Any, Any], bool]) -> Callable[[str], Test]:
    make = comparators.versions_compared(compare)
    return lambda text: make(text, b"")


def _number(compare: Callable[[Any, Any], bool]) -> Callable[[str], Test]:
    make = comparators.compared(compare)

    def test_of(text: str) -> Test:
        try:
            return make(attributes.as_number(text), b"")
        except ValueError:
            complaint = attributes.NUMBER.complaint
        raise InvalidComparison(f"the comparison value '{shown(text)}' {complaint}")

    return test_of


def _as_number(value: object) -> float:
    return attributes.as_number(str(value))


_TEXT = Kind(str, attributes.TEXT.complaint)
_NUMBER = Kind(_as_number, attributes.NUMBER.complaint)
_VERSION = attributes.VERSION

COMPARATORS = (
    _Comparator("IS ONE OF", _TEXT, _one_of),
    _Comparator("IS NOT ONE OF", _TEXT, _opposite(_one_of)),
    _Comparator("CONTAINS", _TEXT, _contains),
    _Comparator("DOES NOT CONTAIN", _TEXT, _opposite(_contains)),
    _Comparator("IS ONE OF (SemVer)", _VERSION, _one_of_versions),
    _Comparator("IS NOT ONE OF (SemVer)", _VERSION, _opposite(_one_of_versions)),
    _Comparator("< (SemVer)", _VERSION, _version(operator.lt)),
    _Comparator("<= (SemVer)", _VERSION, _version(operator.le)),
    _Comparator("> (SemVer)", _VERSION, _version(operator.gt)),
    _Comparator(">= (SemVer)", _VERSION, _version(operator.ge)),
    _Comparator("= (Number)", _NUMBER, _number(operator.eq)),
    _Comparator("<> (Number)", _NUMBER, _number(operator.ne)),
    _Comparator("< (Number)", _NUMBER, _number(operator.lt)),
    _Comparator("<= (Number)", _NUMBER, _number(operator.le)),
    _Comparator("> (Number)", _NUMBER, _number(operator.gt)),
    _Comparator(">= (Number)", _NUMBER, _number(operator.ge)),
    _Comparator("IS ONE OF (Sensitive)", _TEXT, _one_of_hashed),
    _Comparator("IS NOT ONE OF (Sensitive)", _TEXT, _opposite(_one_of_hashed)),
)
"""By the number that stands in the config."""
_LISTS_OF_VERSIONS = {"IS ONE OF (SemVer)", "IS NOT ONE OF (SemVer)"}


def read(key: str, raw: Raw) -> Setting:
    """Read a setting.

    Raises:
        InvalidSetting: not even its parts can be told.
    """
    rules = items(raw, "r", "targeting rules")
    options = options_of(
        items(raw, "p", "percentage rules"),
        None,
        lambda option, match: _served(option, match, option=option),
    )
    served = _served(raw, Match.DEFAULT if rules or options else Match.STATIC)
    kind = type_of(raw)
    if kind is None and not isinstance(served, Broken):
        kind = type(served.value)
    return Setting(key, 5, kind, tuple(map(_rule, rules)), options, served)


def _served(
    holder: Raw, match: Match, rule: Raw | None = None, option: Raw | None = None
) -> Served:
    value = holder.get("v")
    if not isinstance(value, bool | str | int | float):
        return Broken(NO_VALUE)
    return decided(match, value, variation_id(holder), rule, option)


def _rule(given: object) -> Rule | Broken:
    try:
        raw = item(given, "A targeting rule")
        return Rule((_condition(raw),), _served(raw, Match.TARGETING, raw), None)
    except InvalidSetting as error:
        return Broken(str(error))


def _condition(raw: Raw) -> UserCondition:
    attribute, comparison, index = raw.get("a"), raw.get("c"), raw.get("t")
    if attribute is None:
        raise InvalidSetting(NO_ATTRIBUTE)
    if type(index) is not int or not 0 <= index < len(COMPARATORS):
        raise InvalidSetting(NO_COMPARATOR)
    if not isinstance(comparison, str | int | float):
        raise InvalidSetting(NO_COMPARISON)
    name, kind, make = COMPARATORS[index]
    operand = str(comparison)
    try:
        test = make(operand)
    except InvalidComparison as error:
        test = refusing(error)
    if name in _LISTS_OF_VERSIONS and not any(_listed(operand)):
        kind = attributes.ANYTHING  # there is nothing that a bad version could be compared with
    text = f"[{shown(attribute)}] [{name}] [{shown(operand)}]"
    return UserCondition(str(attribute), kind, text, test)
