"""Reading a seed file: settings as the portal and ``az appconfig kv export`` write them.

Two forms are read: the KVSet profile ``{"items": [{"key": ..., "value": ...}]}``, and for quick
starts a plain object of keys and texts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

from appconfig_provider.emulator.model import Draft, DraftTooLarge, InvalidDraft

_TEXTS = ("label", "value", "content_type", "description")
_KNOWN = frozenset({"key", "tags", "etag", "locked", "last_modified", *_TEXTS})


class SeedError(ValueError):
    """A seed file that cannot be read; the message names the file and the item."""


def read_seed(path: str | os.PathLike[str]) -> Sequence[Draft]:
    """The settings in a seed file.

    Raises:
        SeedError: the file is missing, is not JSON or holds something that is not a setting.
    """
    try:
        return tuple(_drafts(json.loads(Path(path).read_text(encoding="utf-8-sig"))))
    except OSError as error:
        raise SeedError(f"{os.fspath(path)}: {error.strerror}") from error
    except RecursionError:
        raise SeedError(f"{os.fspath(path)}: nested too deeply") from None
    except ValueError as error:
        raise SeedError(f"{os.fspath(path)}: {error}") from error


def _drafts(content: Any) -> Iterator[Draft]:
    if not isinstance(content, dict):
        raise SeedError("expected a JSON object")
    items = content.get("items")
    if isinstance(items, list):
        for number, item in enumerate(items, 1):
            yield _draft(item, f"item {number}")
    else:
        for key, value in content.items():
            yield _draft({"key": key, "value": value}, "the plain object")


def _draft(item: Any, place: str) -> Draft:
    if not isinstance(item, dict):
        raise SeedError(f"{place}: expected a JSON object")
    key = item.get("key")
    where = f"{place} (key {key!r})"
    unknown = sorted(set(item) - _KNOWN)
    if unknown:
        raise SeedError(f"{where}: unknown field {unknown[0]!r}")
    tags = item.get("tags") or {}
    if not isinstance(key, str) or not _is_tags(tags):
        raise SeedError(f"{where}: 'key' must be a text and 'tags' an object of texts")
    texts = {name: item.get(name) for name in _TEXTS}
    for name, text in texts.items():
        if text is not None and not isinstance(text, str):
            raise SeedError(f"{where}: {name!r} must be a text or null")
    try:
        return Draft(key=key, tags=tags, **texts)
    except (InvalidDraft, DraftTooLarge) as error:
        raise SeedError(f"{where}: {error}") from error


def _is_tags(tags: Any) -> TypeGuard[Mapping[str, str | None]]:
    return isinstance(tags, dict) and all(
        isinstance(tag, (str, type(None))) for tag in tags.values()
    )
