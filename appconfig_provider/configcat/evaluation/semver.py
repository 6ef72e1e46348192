"""Semantic versions, as https://semver.org orders them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, TypeAlias

Version: TypeAlias = tuple[Any, ...]
"""Compares like the version that it stands for."""

MAX_LENGTH = 256
"""Characters of a version; the time to read a number grows with the square of its length."""

_NUMBER = "(0|[1-9][0-9]*)"
_PART = "(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
_BUILD = "[0-9a-zA-Z-]+"
_VERSION = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_PART}(?:\.{_PART})*))?(?:\+{_BUILD}(?:\.{_BUILD})*)?"
)


@lru_cache(maxsize=512)  # the users of a program have few versions
def version(text: str) -> Version:
    """Return a version; what stands behind its `+` does not count.

    Raises:
        ValueError: it is none.
    """
    found = _VERSION.fullmatch(text) if len(text) <= MAX_LENGTH else None
    if found is None:
        raise ValueError("no semantic version")
    major, minor, patch, before = found.groups()
    if before is None:
        return int(major), int(minor), int(patch), 1  # more than any version before it
    return int(major), int(minor), int(patch), 0, tuple(map(_part, before.split(".")))


def _part(text: str) -> tuple[int, int | str]:
    return (0, int(text)) if text.isdigit() else (1, text)  # numbers come before words
