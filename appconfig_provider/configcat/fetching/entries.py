"""A config as a server or a shared cache gave it, and the text that shared caches hold.

All of ConfigCat's SDKs store the same text: the time in milliseconds, the ETag and the config JSON,
each on a line of its own.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from appconfig_provider.decoding import Undecodable

MAX_TAG = 1000
"""Characters of an ETag."""

_TAG = re.compile(r"[\t\x20-\x7e\x80-\xff]+")
"""What may stand in a header, character by character."""
_TIME = re.compile(r"[0-9]{1,16}(\.[0-9]{1,16})?")


@dataclass(frozen=True, slots=True)
class Entry:
    """One config, as it came."""

    text: str = field(repr=False)
    """The config JSON."""
    etag: str
    """As it came, with its quotes; empty where there was none."""
    fetched_at: float
    """When a server last confirmed it, in seconds since 1970."""
    file: str
    """`config_v5.json` or `config_v6.json`."""


def usable_tag(etag: str | None) -> str:
    """Return an ETag that can be sent back; the empty text for any other."""
    if etag is None or len(etag) > MAX_TAG or not _TAG.fullmatch(etag):
        return ""
    return etag


def confirmed_at(wall: float) -> float:
    """Return a time as shared caches keep it: in whole milliseconds."""
    return math.floor(wall * 1000) / 1000


def to_payload(entry: Entry) -> str:
    """Return the text for a shared cache."""
    # Rounded, since the product of a time in whole milliseconds may lie a little below.
    milliseconds = math.floor(round(entry.fetched_at * 1000, 3))
    return f"{milliseconds}\n{entry.etag}\n{entry.text}"


def from_payload(payload: str, file: str) -> Entry:
    """Read the text of a shared cache; the config in it is not read here.

    Raises:
        Undecodable: it is not such a text. The message does not quote it.
    """
    time, first, rest = payload.partition("\n")
    etag, second, text = rest.partition("\n")
    if not (first and second):
        raise Undecodable("it has fewer than three lines")
    if not _TIME.fullmatch(time):
        raise Undecodable("its first line is no time in milliseconds")
    if not etag:
        raise Undecodable("its ETag is empty")
    if not usable_tag(etag):
        raise Undecodable("its ETag cannot be sent in a header")
    return Entry(text, etag, float(time) / 1000, file)
