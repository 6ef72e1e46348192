"""Content as a text, and back: the pages with their ETags, never a resolved secret.

Settings stand in the text as they are kept in memory, one list for each field of a page: a list of
texts is written and read by the JSON module's own C code, an object for each setting would take
five times as long. A field that all settings of a page share stands there once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from appconfig_provider._azure.listing.content import Content, Selections
from appconfig_provider._azure.rest.responses import MAX_ETAG, Sentinel, shared
from appconfig_provider._azure.settings.layering import Pages
from appconfig_provider._azure.settings.records import Columns, Details, Page
from appconfig_provider._azure.stored.identity import Identity, read_identity
from appconfig_provider.caches.envelope import CopyRefused
from appconfig_provider.decoding import Undecodable, decode

T = TypeVar("T")

FORMAT = "settings of Azure App Configuration, 1"


class Document(NamedTuple):
    """What is kept of a load."""

    identity: Identity
    content: Content
    sentinels: tuple[Sentinel, ...]


def to_text(document: Document) -> bytes:
    """Return a document as a text; equal documents give equal texts."""
    content = document.content
    body = {
        "format": FORMAT,
        "identity": document.identity._asdict(),
        "consistent": content.consistent,
        "sentinels": [
            [one.etag, one.modified and one.modified.isoformat(), one.before]
            for one in document.sentinels
        ],
        "settings": _written(content.settings),
        "references": {name: _written((pages,))[0] for name, pages in content.references.items()},
        "flags": None if content.flags is None else _written(content.flags),
    }
    # Escapes keep half of a character (a lone surrogate), which UTF-8 cannot hold.
    return json.dumps(body, separators=(",", ":")).encode("ascii")


def _written(selections: Selections) -> list[list[dict[str, object]]]:
    return [[_written_page(page) for page in pages] for pages in selections]


def _written_page(page: Page) -> dict[str, object]:
    keys, values, labels, types, tags, details = page.columns
    written: dict[str, object] = {
        "target": page.target,
        "etag": page.etag,
        "next": page.next,
        "size": page.size,
        "keys": keys,
        "values": values,
    }
    optional = {
        "labels": _once(labels),
        "content_types": _once(types),
        "tags": _once(tags),
        "details": details,
    }
    return written | {name: column for name, column in optional.items() if column}


def _once(column: tuple[T, ...]) -> tuple[T, ...]:
    """Return a column in which all fields are equal as that one field."""
    return column[:1] if column and column.count(column[0]) == len(column) else column


def from_text(text: bytes) -> Document:
    """Read a document.

    Raises:
        CopyRefused: it is something else; nothing of it is used then.
    """
    try:
        return _document(decode(text))
    except CopyRefused:
        raise
    except Undecodable as error:
        why = f"its text is no JSON ({error})"
    except (KeyError, TypeError, ValueError, AttributeError):
        why = "its text does not hold what was written there"
    # Raised outside of the `except` block, so that the error is not its context: that one has
    # frames, which hold values of settings.
    raise CopyRefused(why)


def _document(body: Any) -> Document:
    if body["format"] != FORMAT:
        raise CopyRefused("it holds something else than settings that this version can read")
    content = Content(
        _selections(body["settings"]),
        {name: _pages(pages) for name, pages in _mapping(body["references"]).items()},
        None if body["flags"] is None else _selections(body["flags"]),
        body["consistent"] is True,
    )
    sentinels = tuple([_sentinel(*one) for one in body["sentinels"]])
    document = Document(read_identity(body["identity"]), content, sentinels)
    _check_counts(document)
    return document


def _check_counts(document: Document) -> None:
    """Refuse a document that lacks the pages of a selector, or a watched key."""
    identity, content, sentinels = document
    counts = [
        (identity.settings, content.settings),
        (identity.flags or (), content.flags or ()),
        (identity.watched, sentinels),
    ]
    if any(len(one) != len(other) for one, other in counts):
        raise TypeError("as many listings as selectors, as many sentinels as watched keys")
    if (identity.flags is None) != (content.flags is None):
        raise TypeError("flags are listed where they are loaded, and nowhere else")


def _selections(found: Any) -> Selections:
    return tuple([_pages(pages) for pages in _list(found)])


def _pages(found: Any) -> Pages:
    return tuple([_page(one) for one in _list(found)])


def _page(found: Any) -> Page:
    keys, values = _list(found["keys"]), _list(found["values"])
    count = len(keys)
    labels = shared(_column(_list(found.get("labels", [])), count))
    types = shared(_column(_list(found.get("content_types", [])), count))
    if not _TEXT.issuperset(map(type, chain(values, labels, types))):
        raise TypeError("values, labels and content types are texts")
    if not _KEY.issuperset(map(type, keys)) or len(values) != count:
        raise TypeError("each setting has a key, which is a text, and a value")
    tags = [None if one is None else _tags(one) for one in _list(found.get("tags", []))]
    details = [None if one is None else _details(one) for one in _list(found.get("details", []))]
    if details and len(details) != count:
        raise TypeError("a column has a field for each setting")
    columns = Columns(
        tuple(keys),
        tuple(values),
        labels,
        types,
        _column(tags, count),
        tuple(details),
    )
    target, size = found["target"], found["size"]
    if type(size) is not int or not _is_target(target):
        raise TypeError("a page has a target and a size")
    following = found["next"]
    if following is not None and not _is_target(following):
        raise TypeError("a page is followed by another one, or by none")
    return Page(target, _etag(found["etag"]), columns, following, size)


_KEY = frozenset({str})
_TEXT = frozenset({str, type(None)})
_TARGET = re.compile(r"/kv[!-~]*")


def _is_target(found: object) -> bool:
    """Tell whether a text can be the target of a request for a page."""
    return type(found) is str and _TARGET.fullmatch(found) is not None


def _column(found: list[T], count: int) -> tuple[T, ...]:
    """Return a column; a field that stands alone is that of all settings."""
    if len(found) == 1:
        return tuple(found) * count
    if found and len(found) != count:
        raise TypeError("a column has a field for each setting")
    return tuple(found)


def _tags(found: Any) -> Mapping[str, str | None]:
    if not _TEXT.issuperset(map(type, _mapping(found).values())):
        raise TypeError("tags are texts")
    return dict(found)


def _details(found: Any) -> Details:
    etag, modified, locked = found
    if type(etag) not in _TEXT or type(modified) not in _TEXT or type(locked) is not bool:
        raise TypeError("an ETag, a date, and whether it is locked")
    return Details(etag, modified, locked)


def _sentinel(etag: Any, modified: Any, before: Any) -> Sentinel:
    if None in map(_etag, _list(before)):
        raise TypeError("ETags are texts")
    written = None if modified is None else datetime.fromisoformat(modified)
    if written is not None and written.tzinfo is None:
        raise TypeError("a date has a time zone")
    return Sentinel(_etag(etag), written, tuple(before))


def _etag(found: Any) -> str | None:
    """Return an ETag that a header can hold, or None."""
    if found is None:
        return None
    if type(found) is not str or len(found) > MAX_ETAG or not _ETAG.fullmatch(found):
        raise TypeError("an ETag was expected")
    return str(found)


_ETAG = re.compile(r"[ !-~\x80-\xff]+")


def _list(found: Any) -> list[Any]:
    if type(found) is not list:
        raise TypeError("a list was expected")
    return found


def _mapping(found: Any) -> dict[str, Any]:
    if type(found) is not dict:
        raise TypeError("an object was expected")
    return found
