"""The words of the service: selectors, watched keys, stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, TypeAlias

NO_LABEL = "\0"
"""How the service's filters spell "without label"."""

JsonValue: TypeAlias = (
    "str | int | float | bool | Mapping[str, JsonValue] | Sequence[JsonValue] | None"
)
"""A value of the configuration: text, or what a JSON setting holds."""


class WatchKey(NamedTuple):
    """A sentinel: when this key changes, appears or goes, everything is loaded again.

    Both parts are exact; filters with `*` are refused where it is used.
    """

    key: str
    label: str = NO_LABEL


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingSelector:
    """Which settings to load.

    `key_filter` is a key, a list `a,b` of at most five, or a prefix that ends in `*`; a backslash
    takes the meaning from `*`, `,` and itself. `label_filter` follows the same grammar and stands
    for "no label" unless given.

    Raises:
        TypeError: a filter is not text.
        ValueError: a filter is empty or breaks the grammar.
    """

    key_filter: str
    label_filter: str = NO_LABEL

    def __post_init__(self) -> None:
        object.__setattr__(self, "label_filter", self.label_filter or NO_LABEL)
        _check_filter("key_filter", self.key_filter)
        _check_filter("label_filter", self.label_filter)


def _check_filter(name: str, text: str) -> None:
    """Refuse here what the service would answer 400, so that the mistake has a line number."""
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a str, not {type(text).__name__}: {text!r}")
    if not text:
        raise ValueError(f"{name} must not be empty; use '*' to select everything")
    stars, commas = _reserved(text)
    if any(position != len(text) - 1 for position in stars) or (stars and commas):
        raise ValueError(
            f"{name} {text!r}: '*' may stand only at the end of a single value; "
            "write '\\*' for the character itself"
        )
    if len(commas) > 4:
        raise ValueError(f"{name} {text!r} lists {len(commas) + 1} values; the service takes five")


def _reserved(text: str) -> tuple[list[int], list[int]]:
    """Return where the unescaped stars and commas stand."""
    stars: list[int] = []
    commas: list[int] = []
    escaped = False
    for position, character in enumerate(text):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == "*":
            stars.append(position)
        elif character == ",":
            commas.append(position)
    return stars, commas


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key of a store; the secret stays out of every repr."""

    id: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Store:
    """One endpoint to ask, and the access key for it unless a credential is used."""

    url: str
    access_key: AccessKey | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """How the provider is doing; cheap enough for a health endpoint. Times are UTC."""

    generation: int
    last_attempt: datetime | None
    last_success: datetime | None
    last_error: Exception | None
    age: float
    """Seconds since the store last confirmed this generation."""
    stale: bool
    endpoint: str
    backoff_until: datetime | None
    """When the next endpoint is free again, while every one of them is backing off."""
    requests_sent: int

    def healthy(self, max_age: float) -> bool:
        """Tell whether the store confirmed the configuration within `max_age` seconds."""
        return not self.stale and self.age <= max_age
