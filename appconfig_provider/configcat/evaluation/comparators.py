"""The comparators of config_v6.json: what each compares, and how logs name it.

A comparator makes a test of a comparison value once; the test takes an attribute that has been
turned into the comparator's kind of value. Tests of hashes raise UnicodeEncodeError for a text that
has half a character (a lone surrogate).
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, NamedTuple, TypeAlias

from appconfig_provider.configcat.evaluation import attributes
from appconfig_provider.configcat.evaluation.attributes import Kind
from appconfig_provider.configcat.evaluation.decisions import InvalidSetting
from appconfig_provider.configcat.evaluation.hashing import digests, sha256
from appconfig_provider.configcat.evaluation.notices import shown
from appconfig_provider.configcat.evaluation.semver import Version, version

Test: TypeAlias = Callable[[Any], bool]
Texts: TypeAlias = tuple[str, ...]

MAX_LISTED = 10
"""Comparison values that a log lists."""


class InvalidComparison(ValueError):
    """A comparison value that nothing can be compared with: the rule is skipped."""


class Comparator(NamedTuple):
    """One way to compare an attribute."""

    name: str
    field: str
    """Where the comparison value stands: `l`, texts; `s`, a text; `d`, a number."""
    kind: Kind
    make: Callable[[Any, bytes], Test]
    """Makes the test of a comparison value and of what is hashed behind each attribute."""
    hashed: bool = False


def opposite(make: Callable[[Any, bytes], Test]) -> Callable[[Any, bytes], Test]:
    """Return what makes tests of the opposite."""

    def made(operand: Any, salt: bytes) -> Test:
        test = make(operand, salt)
        return lambda value: not test(value)

    return made


def one_of(texts: Texts, _salt: bytes) -> Test:
    """Return a test of whether a text is one of a list."""
    return frozenset(texts).__contains__


def contains(texts: Texts, _salt: bytes) -> Test:
    """Return a test of whether a text has one of a list in it."""
    if len(texts) == 1:
        (only,) = texts
        return lambda text: only in text
    return lambda text: any(one in text for one in texts)


def _starts(texts: Texts, _salt: bytes) -> Test:
    return lambda text: text.startswith(texts)


def _ends(texts: Texts, _salt: bytes) -> Test:
    return lambda text: text.endswith(texts)


def _equals(text: str, _salt: bytes) -> Test:
    return text.__eq__


def _any_in(texts: Texts, _salt: bytes) -> Test:
    disjoint = frozenset(texts).isdisjoint
    return lambda values: not disjoint(values)


def _one_of_hashed(texts: Texts, salt: bytes) -> Test:
    hashes = digests(texts, 32)
    return lambda text: sha256(text.encode() + salt).digest() in hashes


def _equals_hashed(text: str, salt: bytes) -> Test:
    return _one_of_hashed((text,), salt)


def _any_in_hashed(texts: Texts, salt: bytes) -> Test:
    hashes = digests(texts, 32)
    return lambda values: any(sha256(one.encode() + salt).digest() in hashes for one in values)


def _starts_hashed(texts: Texts, salt: bytes) -> Test:
    by_length = _by_length(texts)

    def test(text: str) -> bool:
        data = text.encode()
        return any(
            len(data) >= length and sha256(data[:length] + salt).digest() in hashes
            for length, hashes in by_length
        )

    return test


def _ends_hashed(texts: Texts, salt: bytes) -> Test:
    by_length = _by_length(texts)

    def test(text: str) -> bool:
        data = text.encode()
        size = len(data)
        return any(
            size >= length and sha256(data[size - length :] + salt).digest() in hashes
            for length, hashes in by_length
        )

    return test


def _by_length(texts: Texts) -> tuple[tuple[int, frozenset[bytes]], ...]:
    """Return hashes by the count of bytes that they are made of: `5_831d...`."""
    found: dict[int, list[str]] = {}
    for text in texts:
        length, mark, digest = text.partition("_")
        length = length.strip()  # the hash is not trimmed
        if not (mark and length.isascii() and length.isdigit() and len(length) < 10):
            raise InvalidSetting("Comparison value is missing or invalid.")
        found.setdefault(int(length), []).append(digest)
    return tuple((length, digests(tuple(found[length]), 32)) for length in sorted(found))


def versions(texts: Texts) -> tuple[Version, ...]:
    """Return the versions in a list of texts; empty ones are left out.

    Raises:
        InvalidComparison: one of them is no version.
    """
    return tuple(_version(text.strip()) for text in texts if text.strip())


def _version(text: str) -> Version:
    try:
        return version(text)
    except ValueError:
        pass
    raise InvalidComparison(f"the comparison value '{shown(text)}' {attributes.VERSION.complaint}")


def one_of_versions(texts: Texts, _salt: bytes) -> Test:
    """Return a test of whether a version is one of a list."""
    return frozenset(versions(texts)).__contains__


def compared(compare: Callable[[Any, Any], bool]) -> Callable[[Any, bytes], Test]:
    """Return what makes tests against a number."""
    return lambda operand, _salt: lambda value: compare(value, operand)


def versions_compared(compare: Callable[[Any, Any], bool]) -> Callable[[Any, bytes], Test]:
    """Return what makes tests against a version."""

    def make(text: str, _salt: bytes) -> Test:
        limit = _version(text.strip())
        return lambda value: compare(value, limit)

    return make


_ORDERS = (("<", operator.lt), ("<=", operator.le), (">", operator.gt), (">=", operator.ge))
_EQUALITIES = (("=", operator.eq), ("!=", operator.ne))


def _pair(
    names: tuple[str, str], field: str, kind: Kind, make: Callable[[Any, bytes], Test]
) -> tuple[Comparator, Comparator]:
    """Return a comparator and its opposite; the names say where both stand."""
    hashed = make.__name__.endswith("_hashed")
    first, second = names
    return (
        Comparator(first, field, kind, make, hashed),
        Comparator(second, field, kind, opposite(make), hashed),
    )


_ONE_OF = ("IS ONE OF", "IS NOT ONE OF")
_EQUALS = ("EQUALS", "NOT EQUALS")
_STARTS = ("STARTS WITH ANY OF", "NOT STARTS WITH ANY OF")
_ENDS = ("ENDS WITH ANY OF", "NOT ENDS WITH ANY OF")
_ARRAY = ("ARRAY CONTAINS ANY OF", "ARRAY NOT CONTAINS ANY OF")

COMPARATORS: tuple[Comparator, ...] = (
    *_pair(_ONE_OF, "l", attributes.TEXT, one_of),
    *_pair(("CONTAINS ANY OF", "NOT CONTAINS ANY OF"), "l", attributes.TEXT, contains),
    *_pair(_ONE_OF, "l", attributes.VERSION, one_of_versions),
    *(Comparator(name, "s", attributes.VERSION, versions_compared(by)) for name, by in _ORDERS),
    *(
        Comparator(name, "d", attributes.NUMBER, compared(by))
        for name, by in (*_EQUALITIES, *_ORDERS)
    ),
    *_pair(_ONE_OF, "l", attributes.TEXT, _one_of_hashed),
    Comparator("BEFORE", "d", attributes.SECONDS, compared(operator.lt)),
    Comparator("AFTER", "d", attributes.SECONDS, compared(operator.gt)),
    *_pair(_EQUALS, "s", attributes.TEXT, _equals_hashed),
    *_pair(_STARTS, "l", attributes.TEXT, _starts_hashed),
    *_pair(_ENDS, "l", attributes.TEXT, _ends_hashed),
    *_pair(_ARRAY, "l", attributes.TEXTS, _any_in_hashed),
    *_pair(_EQUALS, "s", attributes.TEXT, _equals),
    *_pair(_STARTS, "l", attributes.TEXT, _starts),
    *_pair(_ENDS, "l", attributes.TEXT, _ends),
    *_pair(_ARRAY, "l", attributes.TEXTS, _any_in),
)
"""By the number that stands in the config."""


def described(comparator: Comparator, operand: object) -> str:
    """Return a comparison value as logs show it; hashed ones are only counted."""
    if isinstance(operand, tuple):
        count = len(operand)
        if comparator.hashed:
            return f"[<{count} hashed value{'s' if count > 1 else ''}>]"
        listed = shown(list(operand[:MAX_LISTED]))
        more = count - MAX_LISTED
        if more <= 0:
            return listed
        return f"{listed[:-1]}, ... <{more} more value{'s' if more > 1 else ''}>]"
    if comparator.hashed:
        return "'<hashed value>'"
    date = _date(operand) if comparator.kind is attributes.SECONDS else ""
    return f"'{shown(operand)}'{date}"


def _date(seconds: Any) -> str:
    try:
        date = datetime.fromtimestamp(seconds, timezone.utc)
    except (TypeError, ValueError, OverflowError, OSError):  # no date that Python knows
        return ""
    return f" ({date.strftime('%Y-%m-%dT%H:%M:%S.%f')[:-3]}Z UTC)"
