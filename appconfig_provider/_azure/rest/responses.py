"""Reading answers of the store: pages of settings, sentinels, ETags and next links."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timezone
from itertools import chain
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from appconfig_provider._azure.settings.records import Columns, Details, Page, column
from appconfig_provider._plan import Response
from appconfig_provider.decoding import Undecodable, decode
from appconfig_provider.models import FLAG_PREFIX


class Malformed(ValueError):
    """An answer that is not what the service documents."""


def read_page(response: Response, target: str, *, detailed: bool = False) -> Page:
    """Read a page of `/kv`; details are kept of feature flags, with `detailed` of all settings.

    Raises:
        Malformed: the body is not a page of settings.
    """
    try:
        body = decode(response.body)
        columns = _columns(body["items"], detailed=detailed)
        following = body.get("@nextLink")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Malformed(f"{target} did not answer with a page of settings") from error
    if following is None or following == "":
        following = next_link(response.headers.get("link", ""))
    following = _local(following, target)
    return Page(target, etag_of(response), columns, following, len(columns.keys))


def _columns(items: list[dict[str, Any]], *, detailed: bool) -> Columns:
    """Read the settings of a page.

    One loop for each field is faster than one object for each setting.
    """
    if not isinstance(items, list):
        # An empty object or text could be iterated over as well, and would pass for an empty page.
        raise TypeError("items is a list")
    keys = [item["key"] for item in items]
    values = [item.get("value") for item in items]
    labels = [item.get("label") for item in items]
    types = [item.get("content_type") for item in items]
    if not _TEXT.issuperset(map(type, chain(values, labels, types))):
        raise TypeError("labels, values and content types are texts")
    tags = [item.get("tags") for item in items]
    if not all(map(_are_tags, filter(None, tags))) or not _TAGS.issuperset(map(type, tags)):
        raise TypeError("tags are an object of texts")
    details = [
        _details(item) if item["key"].startswith(FLAG_PREFIX) or detailed else None
        for item in items
    ]
    return Columns(
        tuple(keys),
        tuple(values),
        shared(labels),
        shared(types),
        column([one or None for one in tags]),
        column(details),
    )


def shared(fields: Sequence[str | None]) -> tuple[str | None, ...]:
    """Return a column of texts in which equal texts are one object.

    Thousands of settings have the same few labels and content types; this saves memory.
    """
    seen: dict[str | None, str | None] = {}
    return column([seen.setdefault(text, text) for text in fields])


_TEXT = frozenset({str, type(None)})
_TAGS = frozenset({dict, type(None)})


def _are_tags(tags: object) -> bool:
    return type(tags) is dict and _TEXT.issuperset(map(type, tags.values()))


def _details(item: dict[str, Any]) -> Details:
    details = Details(item.get("etag"), item.get("last_modified"), item.get("locked") is True)
    if type(details.etag) not in _TEXT or type(details.last_modified) not in _TEXT:
        raise TypeError("ETags and dates are texts")
    return details


class Sentinel(NamedTuple):
    """A watched key as it was last read; one without an ETag does not exist in the store."""

    etag: str | None
    modified: datetime | None = None
    before: tuple[str, ...] = ()
    """The ETags that it had earlier in the same second. It does not count for equality."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sentinel) and self[:2] == other[:2]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self[:2])


def read_sentinel(response: Response, target: str) -> Sentinel:
    """Read a watched key.

    Raises:
        Malformed: the answer is not a setting. It may be the sign-in page of a network, which must
            not count as a change.
    """
    body = read_object(response, target)
    etag = etag_of(response)
    if etag is None or "key" not in body:
        raise Malformed(f"{target} did not answer with a setting")
    return Sentinel(etag, parse_date(body.get("last_modified")))


def parse_date(text: object) -> datetime | None:
    """Read a date as the service writes it; None if it is not a date."""
    if not isinstance(text, str) or len(text) > _MAX_DATE:
        return None
    try:
        instant = datetime.fromisoformat(_python_iso(text))
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=timezone.utc)


def _python_iso(text: str) -> str:
    """Rewrite an ISO 8601 date as Python 3.10 can read it: six fraction digits, and no `Z`."""
    text = re.sub(r"Z$", "+00:00", text)
    return re.sub(r"\.(\d+)", lambda match: "." + match[1][:6].ljust(6, "0"), text)


_MAX_DATE = 64
"""Characters of a date; a longer text is not parsed."""


def read_object(response: Response, doing: str) -> dict[str, Any]:
    """Read an answer that is a JSON object.

    Raises:
        Malformed: it is something else.
    """
    try:
        body = decode(response.body)
    except Undecodable as error:
        raise Malformed(f"{doing} did not answer with JSON ({error})") from error
    if not isinstance(body, dict):
        raise Malformed(f"{doing} did not answer with a JSON object")
    return body


def etag_of(response: Response) -> str | None:
    """Return the ETag without its quotes; None also for one that is too long to be sent back."""
    text = response.headers.get("etag")
    if text is None or len(text) > MAX_ETAG:
        return None
    return text.removeprefix("W/").strip('"') or None


MAX_ETAG = 4096
"""Characters of an ETag; servers refuse requests whose headers are very long."""


def next_link(header: str) -> str | None:
    """Return the target of the `rel="next"` part of a Link header."""
    for part in header.split("<")[1:]:
        target, closed, parameters = part.partition(">")
        if closed and re.search(r'rel="?next"?', parameters):
            return target
    return None


MAX_LINK = 32_768
"""Characters of a next link; servers refuse far shorter ones."""
_USUAL_LINK = re.compile(r"/kv\?[!\"$-~]*")
"""The links that the service sends. They need no parsing, which takes time."""
_SENDABLE = re.compile(r"[!-~]*")
"""The characters that a request target may have."""


def _local(link: object, target: str) -> str | None:
    """Return a next link as a target of the same origin.

    Only path and query are used: a page must not be able to send signed requests to another host.
    """
    if link is None or link == "":
        return None
    if not isinstance(link, str):
        raise Malformed(f"{target} has a next link that is no text")
    if len(link) > MAX_LINK or not link.isascii():
        # Python normalises non-ASCII letters of a host, in a time that grows with the square of
        # their number.
        raise Malformed(f"{target} has a next link that no request can be made of")
    if _USUAL_LINK.fullmatch(link):
        return link
    try:
        parts = urlsplit(urljoin(target, link))
    except ValueError as error:
        raise Malformed(f"{target} has a next link that is no address") from error
    following = f"{parts.path}?{parts.query}"
    if not following.startswith("/kv") or not _SENDABLE.fullmatch(following):
        raise Malformed(f"{target} has a next link that leads out of the listing")
    return following
