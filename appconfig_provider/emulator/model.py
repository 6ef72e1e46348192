"""What the store keeps: a checked draft goes in, a stamped setting comes out.

A :class:`Draft` is what a writer decides. It checks itself, so nothing can be stored over HTTP,
by a seed file or by a test that the service would have refused. A :class:`Setting` is a draft that
was written: it has an ETag and an instant. "No label" is ``None``; the empty label does not exist.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

MAX_NAME = 256
_TEXTS = ("key", "label", "value", "content_type", "description")
MAX_ITEM_BYTES = 10 * 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class InvalidDraft(ValueError):
    """A field that the service would refuse; ``field`` is its path as the API names it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class SettingLocked(ValueError):
    """A setting that is read-only until somebody unlocks it."""


class DraftTooLarge(ValueError):
    """A setting that is larger than 10 KB with everything that belongs to it."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A setting as a writer wants it.

    Raises:
        InvalidDraft: a field breaks the rules for names and texts.
        DraftTooLarge: all fields together are larger than 10 KB in UTF-8.
    """

    key: str
    label: str | None = None
    value: str | None = None
    content_type: str | None = None
    tags: Mapping[str, str | None] = field(default_factory=dict)
    description: str | None = None

    def __post_init__(self) -> None:
        _check_types(self)
        object.__setattr__(self, "label", label_of(self.label))
        check_name("key", self.key, empty_allowed=False)
        if "%" in self.key or self.key in (".", ".."):
            raise InvalidDraft("key", "'%' and the names '.' and '..' are not allowed")
        check_name("label", self.label or "")
        _check_printable("content_type", self.content_type or "")
        for name, value in self.tags.items():
            check_name(f"tags.{name}", name, empty_allowed=False)
            check_name(f"tags.{name}", value or "")
        if size_of(self) > MAX_ITEM_BYTES:
            raise DraftTooLarge(f"the setting {self.key!r} is larger than {MAX_ITEM_BYTES} bytes")


@dataclass(frozen=True, slots=True)
class Setting:
    """A stored setting; ``tags`` is read-only.

    ``last_modified`` is in UTC, with microseconds; over HTTP it is told in whole seconds.
    """

    key: str
    label: str | None
    value: str | None
    content_type: str | None
    tags: Mapping[str, str | None]
    description: str | None
    etag: str
    last_modified: datetime
    locked: bool = False

    def __hash__(self) -> int:
        return hash(self.etag)


def label_of(text: str | None) -> str | None:
    """The label a text stands for: an empty one and a lone NUL mean "no label"."""
    return None if text in (None, "", "\0") else text


def size_of(item: Draft | Setting) -> int:
    """The bytes of a setting in UTF-8, with everything that belongs to it.

    Raises:
        InvalidDraft: a text is none that UTF-8 can hold.
    """
    texts = {
        "key": item.key,
        "label": item.label,
        "value": item.value,
        "content_type": item.content_type,
        "description": item.description,
    }
    size = sum(_bytes_of(name, text or "") for name, text in texts.items())
    return size + sum(
        _bytes_of("tags", name) + _bytes_of("tags", value or "")
        for name, value in item.tags.items()
    )


def _check_types(draft: Draft) -> None:
    """Check what no type checker looked at: tests may write what they like."""
    for name in _TEXTS:
        text = getattr(draft, name)
        if text is not None and not isinstance(text, str):
            raise InvalidDraft(name, f"a text is needed, not {type(text).__name__}")
    tags: Iterable[tuple[object, object]] = draft.tags.items()
    for tag, value in tags:
        if not isinstance(tag, str) or not isinstance(value, str | None):
            raise InvalidDraft(f"tags.{tag}", "names of tags are texts, values texts or None")


def check_text(field: str, text: str) -> None:
    """Check that a text can be stored at all.

    Raises:
        InvalidDraft: it holds half a character.
    """
    _bytes_of(field, text)


def check_name(field: str, text: str, *, empty_allowed: bool = True) -> None:
    """Check a text by the rules for names; ``field`` is what an error calls it.

    Raises:
        InvalidDraft: it is empty, too long, not printable or no text.
    """
    if not text and not empty_allowed:
        raise InvalidDraft(field, "must not be empty")
    _check_printable(field, text)
    units = len(text)
    if not text.isascii():  # most names are, and a seed has many of them
        check_text(field, text)
        units += sum(character > "\uffff" for character in text)
    if units > MAX_NAME:
        raise InvalidDraft(field, f"at most {MAX_NAME} UTF-16 units are allowed")


def _check_printable(field: str, text: str) -> None:
    if _CONTROL.search(text):
        raise InvalidDraft(field, "control characters are not allowed")


def _bytes_of(field: str, text: str) -> int:
    if text.isascii():
        return len(text)
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise InvalidDraft(field, "a lone surrogate is not a character") from None
