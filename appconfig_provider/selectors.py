"""Which settings are wanted: selectors, and the filters that the service understands."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from appconfig_provider.texts import argument, holds_secret, sendable

NO_LABEL = "\0"
"""The label filter of the service for settings without a label."""

MAX_TAGS = 5


class SettingSelector:
    r"""Which settings to load: by filters, or everything in a snapshot.

    `key_filter` is a key, a list `a,b` of at most five, or a prefix that ends in `*`; a backslash
    escapes `*`, `,` and itself. `label_filter` has the same grammar; without it only settings
    without a label match. `tag_filters` is a list of at most five `name=value`, all of which must
    match (`name=` is an empty value, `name=\0` a null one). `snapshot_name` names a snapshot of
    composition type `key` and cannot be combined with a filter.

    Selectors are compared by value, and are hashable.

    Raises:
        TypeError: a filter is not a str, or `tag_filters` is not a list.
        ValueError: neither or both of key filter and snapshot, or a filter breaks the grammar.
    """

    __slots__ = ("_key_filter", "_label_filter", "_snapshot_name", "_tag_filters")

    def __init__(
        self,
        *,
        key_filter: str | None = None,
        label_filter: str | None = NO_LABEL,
        tag_filters: list[str] | tuple[str, ...] | None = None,
        snapshot_name: str | None = None,
    ) -> None:
        if snapshot_name is not None:
            _refuse_filters_beside_a_snapshot(key_filter, label_filter, tag_filters)
            _check_text("snapshot_name", snapshot_name)
        elif key_filter is None:
            raise ValueError("Either key_filter or snapshot_name must be specified.")
        else:
            _check_filter("key_filter", key_filter)
            _check_filter(
                "label_filter",
                NO_LABEL if label_filter is None or label_filter == "" else label_filter,
            )
        self._key_filter = key_filter
        self._label_filter = NO_LABEL if label_filter is None else label_filter
        self._tag_filters = None if tag_filters is None else _checked_tags(tag_filters)
        self._snapshot_name = snapshot_name

    @property
    def key_filter(self) -> str | None:
        """The filter for keys; None with a snapshot."""
        return self._key_filter

    @property
    def label_filter(self) -> str:
        """The filter for labels as it was given; `""` means the same as no label."""
        return self._label_filter

    @property
    def tag_filters(self) -> list[str] | None:
        """The filters for tags; a new list at each call."""
        return None if self._tag_filters is None else list(self._tag_filters)

    @property
    def snapshot_name(self) -> str | None:
        """The name of the snapshot; None with filters."""
        return self._snapshot_name

    def _value(self) -> tuple[object, ...]:
        label_filter = self._label_filter or NO_LABEL
        return self._key_filter, label_filter, self._tag_filters, self._snapshot_name

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SettingSelector):
            return NotImplemented
        return self._value() == other._value()

    def __hash__(self) -> int:
        return hash(self._value())

    def __repr__(self) -> str:
        names = ("key_filter", "label_filter", "tag_filters", "snapshot_name")
        given = zip(names, self._value(), strict=True)
        shown = (f"{name}={value!r}" for name, value in given if value not in {None, NO_LABEL})
        return f"SettingSelector({', '.join(shown)})"


def _refuse_filters_beside_a_snapshot(
    key_filter: str | None, label_filter: str | None, tag_filters: Sequence[str] | None
) -> None:
    given = {
        "key_filter": key_filter is not None,
        "label_filter": label_filter != NO_LABEL,
        "tag_filters": tag_filters is not None,
    }
    for name, is_given in given.items():
        if is_given:
            raise ValueError(
                f"Cannot specify both snapshot_name and {name}. "
                "When using snapshots, all other filtering parameters are ignored."
            )


def _checked_tags(tags: Sequence[str]) -> tuple[str, ...]:
    if not isinstance(tags, list | tuple):
        raise TypeError("tag_filters must be a list of strings.")
    for tag in tags:
        if not tag:
            raise ValueError("Tag filter cannot be an empty string or None.")
        if not isinstance(tag, str) or "=" not in tag or tag.startswith("="):
            message = argument(tag).strip("'")
            raise ValueError(f'Tag filter {message} does not follow the format "tagName=tagValue".')
        _check_sendable("tag_filters", tag)
    if len(tags) > MAX_TAGS:
        raise ValueError(f"tag_filters holds {len(tags)} filters; the service takes {MAX_TAGS}")
    return tuple(tags)


def _check_text(name: str, text: str) -> None:
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a str, not {type(text).__name__}")
    if not text:
        raise ValueError(f"{name} must not be empty; '*' selects everything")
    _check_sendable(name, text)


def _check_sendable(name: str, text: str) -> None:
    if holds_secret(text) and (name != "tag_filters" or ";" in text):
        # It would be sent in a URL, and servers and proxies log URLs.
        raise ValueError(f"{name} holds an access key or a connection string")
    if not sendable(text):
        raise ValueError(f"{name} {text!r} holds half of a character, which cannot be sent")


def _check_filter(name: str, text: str) -> None:
    """Refuse a filter that the service would answer with 400.

    Here the traceback shows the line of the program with the mistake.
    """
    _check_text(name, text)
    stars, commas = _reserved(text)
    if any(position != len(text) - 1 for position in stars) or (stars and commas):
        raise ValueError(
            f"{name} {text!r}: '*' may stand only at the end of a single value; "
            "write '\\*' for the character itself"
        )
    if len(commas) > 4:
        raise ValueError(f"{name} {text!r} lists {len(commas) + 1} values; the service takes five")


def key_matcher(key_filter: str) -> Callable[[str], bool]:
    """Return a function that tells whether a key matches a filter of the service's grammar.

    Raises:
        TypeError, ValueError: the filter is malformed.
    """
    _check_filter("key_filter", key_filter)
    stars, commas = _reserved(key_filter)
    if stars:
        prefix = _unescaped(key_filter[:-1])
        return lambda key: key.startswith(prefix)
    ends = [*commas, len(key_filter)]
    starts = [0, *(place + 1 for place in commas)]
    names = {_unescaped(key_filter[start:end]) for start, end in zip(starts, ends, strict=True)}
    return names.__contains__


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.?)", r"\1", text, flags=re.DOTALL)


def _reserved(text: str) -> tuple[list[int], list[int]]:
    """Return the positions of the unescaped stars and commas."""
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
