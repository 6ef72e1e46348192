"""What attributes of users are turned into, so that comparators can compare them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, NamedTuple, cast

from appconfig_provider.configcat.evaluation.semver import Version, version
from appconfig_provider.decoding import decode

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Kind(NamedTuple):
    """A kind of value that comparators compare."""

    convert: Callable[[Any], Any]
    """Raises a ValueError, or what a program's own object raises, if it cannot be done."""
    complaint: str
    """What is said of an attribute that is nothing of the kind."""


def as_text(value: object) -> str:
    """Return an attribute as a text, the same in all SDKs of ConfigCat."""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        value = as_seconds(value)
    elif _is_list_of_texts(value):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if isinstance(value, float):
        return _number_as_text(value)
    return str(value)


def _number_as_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    text = str(value)
    return str(int(value)) if "e" not in text and value.is_integer() else text


def as_number(value: Any) -> float:
    """Return an attribute as a number; texts may have a comma before the decimals."""
    return float(value.replace(",", ".") if isinstance(value, str) else value)


def as_seconds(value: Any) -> float:
    """Return an attribute as seconds since 1970; a date without a zone is in UTC."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=timezone.utc)
        return (aware - _EPOCH).total_seconds()
    return as_number(value)


def as_texts(value: object) -> list[str]:
    """Return an attribute as a list of texts; it may also be JSON of such a list."""
    texts: Any = decode(value) if isinstance(value, str) else value
    if not _is_list_of_texts(texts):
        raise ValueError("no list of texts")
    return cast("list[str]", texts)


def as_version(value: object) -> Version:
    """Return an attribute as a semantic version, without the blanks around it."""
    return version(str(value).strip())


def as_nothing(_value: object) -> None:
    """Return nothing of an attribute, where there is nothing to compare it with."""


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


TEXT = Kind(as_text, "cannot be converted to a text")
VERSION = Kind(as_version, "is not a valid semantic version")
NUMBER = Kind(as_number, "is not a valid decimal number")
SECONDS = Kind(
    as_seconds, "is not a valid Unix timestamp (number of seconds elapsed since Unix epoch)"
)
TEXTS = Kind(as_texts, "is not a valid string array")
ANYTHING = Kind(as_nothing, "cannot be compared")
