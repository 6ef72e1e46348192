"""Reading a seed file: settings as the portal and ``az appconfig kv export`` write them.

Two forms are read: the KVSet profile ``{"items": [{"key": ..., "value": ...}]}``, and for quick
starts a plain object of keys and values. In both a value that is no text is stored as JSON, with
its content type; ``null`` is a setting without a value. The JSON value null is the text ``"null"``
with a content type of JSON, which the KVSet profile can say. What stands twice is an error.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

from appconfig_provider.emulator.json_texts import read_json
from appconfig_provider.emulator.json_values import InvalidValue, stored_form
from appconfig_provider.emulator.model import Draft, DraftTooLarge, InvalidDraft
from appconfig_provider.emulator.store import Store

_TEXTS = ("label", "content_type", "description")
_KNOWN = frozenset({"key", "value", "tags", "etag", "locked", "last_modified", *_TEXTS})
_MAX_DIGITS = 4_000
MAX_BYTES = 256 * 2**20
"""Of a seed file. Fifty thousand settings of usual size have a fifth of it."""


class SeedError(ValueError):
    """A seed file that cannot be read; the message names the file and the item."""


class Seeded(NamedTuple):
    """A setting of a seed file; ``locked`` is None where the file does not say."""

    draft: Draft
    locked: bool | None = None


def plant(store: Store, seed: Iterable[Seeded]) -> None:
    """Write a seed into a store, locked settings too; lock and unlock what the file says so of."""
    seed = tuple(seed)
    with store.exclusive():
        unlocked = store.size == 0
        store.load(each.draft for each in seed)
        for draft, locked in seed:
            if locked or (locked is False and not unlocked):
                store.lock(draft.key, draft.label, locked=locked)


def read_seed(path: str | os.PathLike[str]) -> tuple[Seeded, ...]:
    """The settings in a seed file.

    Raises:
        SeedError: the file is missing, is not JSON, holds something that is not a setting or names
            something twice.
    """
    try:
        with Path(path).open("rb") as file:
            read = file.read(MAX_BYTES + 1)
        if len(read) > MAX_BYTES:
            raise SeedError(f"larger than {MAX_BYTES // 2**20} MB")
        text = read.decode("utf-8-sig")
        content = read_json(text, members=_object, integer=_integer)
        return tuple(_once(_settings(content)))
    except OSError as error:
        raise SeedError(f"{os.fspath(path)}: {error.strerror}") from error
    except ValueError as error:
        raise SeedError(f"{os.fspath(path)}: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise SeedError(f"the name {twice!r} stands twice in one object")
    return content


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise SeedError(f"the integer {text[:20]}... has too many digits")
    return int(text)


def _once(seed: Iterable[Seeded]) -> Iterator[Seeded]:
    met = set()
    for each in seed:
        named = each.draft.key, each.draft.label
        if named in met:
            raise SeedError(f"the key {named[0]!r} with the label {named[1]!r} stands there twice")
        met.add(named)
        yield each


def _settings(content: Any) -> Iterator[Seeded]:
    if not isinstance(content, dict):
        raise SeedError("expected a JSON object")
    items = content.get("items")
    if not isinstance(items, list):
        for key, value in content.items():
            yield _setting({"key": key, "value": value}, "the plain object")
        return
    beside = next((name for name in content if name != "items"), None)
    if beside is not None:
        raise SeedError(
            f"a list of 'items' holds all settings, and {beside!r} stands beside it; a setting "
            "with the key 'items' is an item, too"
        )
    for number, item in enumerate(items, 1):
        yield _setting(item, f"item {number}")


def _setting(item: Any, place: str) -> Seeded:
    if not isinstance(item, dict):
        raise SeedError(f"{place}: expected a JSON object")
    key = item.get("key")
    where = f"{place} (key {key!r})"
    unknown = sorted(set(item) - _KNOWN)
    if unknown:
        raise SeedError(f"{where}: unknown field {unknown[0]!r}")
    tags, locked = item.get("tags") or {}, item.get("locked")
    if not isinstance(key, str) or not _is_tags(tags):
        raise SeedError(f"{where}: 'key' must be a text and 'tags' an object of texts")
    if not isinstance(locked, bool | None):
        raise SeedError(f"{where}: 'locked' must be true or false")
    texts = {name: item.get(name) for name in _TEXTS}
    for name, text in texts.items():
        if not isinstance(text, str | None):
            raise SeedError(f"{where}: {name!r} must be a text or null")
    try:
        value, texts["content_type"] = stored_form(item.get("value"), texts["content_type"])
        return Seeded(Draft(key=key, value=value, tags=tags, **texts), locked)
    except (InvalidValue, InvalidDraft, DraftTooLarge) as error:
        raise SeedError(f"{where}: {error}") from error


def _is_tags(tags: Any) -> TypeGuard[Mapping[str, str | None]]:
    return isinstance(tags, dict) and all(isinstance(tag, str | None) for tag in tags.values())
