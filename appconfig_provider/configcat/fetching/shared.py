"""The cache that a program shares with other processes, as the runtime's `Cache`.

What it holds is text, the same for all of ConfigCat's SDKs. Caches that were written for version 6
of them hold a dict instead: one that returned a dict is given dicts from then on.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from appconfig_provider._plan import ReadStored, Steps, WriteStored, perform, plan
from appconfig_provider.configcat.evaluation.document import Config, read_config
from appconfig_provider.configcat.fetching import reports
from appconfig_provider.configcat.fetching.entries import Entry, from_payload, to_payload
from appconfig_provider.configcat.fetching.reports import Report, report
from appconfig_provider.configcat.fetching.state import Copies
from appconfig_provider.configcat.keys import VERSION_5, VERSION_6, cache_key_of
from appconfig_provider.decoding import Undecodable, decode
from appconfig_provider.protocols import Stored
from appconfig_provider.texts import kind_of, printable
from appconfig_provider.trouble import EngineError, describe, drop_frames, public


class UnreadableCopy(EngineError):
    """What a cache holds is no config of ConfigCat."""

    def as_public(self) -> Exception:
        """Return a ValueError with the same message."""
        return ValueError(str(self))


class SharedCache:
    """A program's cache, with the SDK key that names what is this client's in it."""

    def __init__(self, cache: Any, sdk_key: str) -> None:
        self._cache = cache
        self._sdk_key = sdk_key
        self._holds_dicts = False

    def of(self, file: str) -> CachedFile:
        """Return the place of one config file."""
        return CachedFile(self, cache_key_of(self._sdk_key, file), file)

    def get(self, key: str, file: str) -> Entry | None:
        """Return what the cache holds; may block, and may raise anything."""
        value = _plain(self._cache.get(key))
        if value is None:
            return None
        if isinstance(value, bytes | bytearray):
            value = value.decode()
        if isinstance(value, str):
            return from_payload(value, file)
        if not isinstance(value, dict):
            raise UnreadableCopy(f"it holds {kind_of(value)} instead of a text")
        self._holds_dicts = True
        # It tells neither the time nor the ETag.
        return Entry(json.dumps(value), "", 0.0, file)

    def set(self, key: str, entry: Entry) -> None:
        """Have the cache hold an entry; may block, and may raise anything."""
        _plain(self._cache.set(key, decode(entry.text) if self._holds_dicts else to_payload(entry)))


def _plain(answer: Any) -> Any:
    """Return what a cache has returned, unless that would have to be awaited."""
    if inspect.iscoroutine(answer):
        answer.close()
        raise UnreadableCopy("it returned a coroutine; its methods must be plain functions")
    return answer


class CachedFile:
    """The place of one config file in a shared cache.

    The digest of a text is its ETag.
    """

    name = "of the program"

    def __init__(self, cache: SharedCache, key: str, file: str) -> None:
        self._cache = cache
        self._key = key
        self._file = file

    def read(self, now: float) -> Stored | None:  # noqa: ARG002 - as `Cache` has it
        """Return what the cache holds; None when it holds nothing."""
        try:
            entry = self._cache.get(self._key, self._file)
        except Undecodable as error:
            raise UnreadableCopy(str(error)) from None
        if entry is None:
            return None
        text = entry.text.encode(errors="surrogatepass")
        return Stored(text, entry.etag, entry.fetched_at, entry.fetched_at)

    def write(
        self,
        text: Callable[[], bytes],
        loaded: float,  # noqa: ARG002 - as `Cache` has it
        confirmed: float,
        digest: str = "",
    ) -> str:
        """Have the cache hold a text."""
        config = text().decode(errors="surrogatepass")
        self._cache.set(self._key, Entry(config, digest, confirmed, self._file))
        return digest


@plan
def read_copies(
    cache: SharedCache, files: tuple[str, ...], before: Copies, wall: float
) -> Steps[tuple[Copies, Config | None, tuple[Report, ...]]]:
    """Read the first of some files that the cache holds.

    The config is that of `Copies.known`; None where that is the same as before. What cannot be read
    is reported once.
    """
    entry = None
    try:
        for file in files:
            stored = yield from perform(ReadStored(cache.of(file), wall))
            if stored is not None:
                text = stored.text.decode(errors="surrogatepass")
                entry = Entry(text, stored.digest, stored.loaded, file)
                break
        if entry is None or entry == before.known:
            return replace(before, known=entry, unreadable=""), None, ()
        return replace(before, known=entry, unreadable=""), _config_of(entry), ()
    except Exception as error:
        # As it was: what cannot be read now may be readable, and the same, the next time.
        why = f"the cache cannot be read: {describe(error)}"
        told = () if why == before.unreadable else (report(reports.CACHE_UNREADABLE, why),)
        return replace(before, unreadable=why), None, told


def _config_of(entry: Entry) -> Config:
    try:
        config = read_config(entry.text)
    except ValueError as error:
        raise UnreadableCopy(f"its config is none ({printable(error)})") from None
    if not config.has_settings:
        raise UnreadableCopy("its config has no settings")
    return config


def is_to_be_kept(entry: Entry | None, version: int | None, copies: Copies) -> bool:
    """Tell whether a cache lacks an entry that it may hold.

    ConfigCat's SDKs could not read one without an ETag, nor one of another format than that of its
    file; `version` is None where there are no settings to tell it by.
    """
    if entry is None or not entry.etag or entry == copies.known:
        return False
    return version is None or entry.file == {5: VERSION_5, 6: VERSION_6}[version]


@plan
def write_copy(
    cache: SharedCache, entry: Entry, before: Copies
) -> Steps[tuple[Copies, tuple[Report, ...]]]:
    """Write an entry into the cache. A cache that cannot be written is reported once."""
    place, at = cache.of(entry.file), entry.fetched_at
    try:
        yield from perform(WriteStored(place, lambda: _encoded(entry), at, at, entry.etag))
    except Exception as error:
        why = f"the cache cannot be written: {describe(error)}"
        told = () if before.unwritable else (report(reports.CACHE_UNWRITABLE, why),)
        shown = public(error)
        drop_frames(shown)
        # As if it were written: it is tried again with the next confirmation, not all the time.
        return replace(before, known=entry, unwritable=shown), told
    return replace(before, known=entry, unwritable=None), ()


def _encoded(entry: Entry) -> bytes:
    return entry.text.encode(errors="surrogatepass")
