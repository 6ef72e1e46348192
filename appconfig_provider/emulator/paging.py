"""Pages of a listing: where the next one begins, its link, its ETag, and conditions on ETags.

A full page always has a next link, even when nothing follows: a listing of twice the page size
has three pages, the last one empty. The ETag of a page is a pure function of the ETags on it and
of where it goes on; a change in the middle of a listing leaves earlier pages as they were.

The token of a next page names the instant of a listing of the past, too: there are clients that
send ``Accept-Datetime`` with the first page only, and would otherwise go on in the present.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

from appconfig_provider.emulator.queries import Position
from appconfig_provider.emulator.wire import Call

T = TypeVar("T")

_ENTITY_TAG = re.compile(r'\s*(?:(?:W/)?"([^"]*)"|(\*)\s*(?:,|$))')
_NUMBER = re.compile("[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a request demands of an ETag; ``"*"`` is any. At most one of the two is set."""

    match: str | None = None
    none_match: str | None = None

    def fails(self, etag: str | None) -> bool:
        """Whether an ETag, or None for nothing there, breaks the demand."""
        if self.match is not None:
            return etag is None or self.match not in ("*", etag)
        return etag is not None and self.none_match in ("*", etag)

    @property
    def failure(self) -> int:
        """The status a reader gets when the demand is broken: 412 or 304."""
        return 304 if self.match is None else 412


def conditions_of(headers: Mapping[str, str]) -> Conditions:
    """Read the condition headers; ``If-Match`` wins, an unquoted tag is no condition."""
    match = _entity_tag(headers.get("if-match", ""))
    if match is not None:
        return Conditions(match=match)
    return Conditions(none_match=_entity_tag(headers.get("if-none-match", "")))


def _entity_tag(text: str) -> str | None:
    found = _ENTITY_TAG.match(text)
    if found is None:
        return None
    return "*" if found[1] is None else found[1]


def encode_position(position: Position, instant: int | None = None) -> str:
    """A position as a token of letters that no client escapes.

    ``instant`` is that of a listing of the past, in microseconds since 1970.
    """
    text = position.text
    if instant is not None:
        text += "\n" * (3 - text.count("\n")) + str(instant)
    return _base64url(text.encode())


def decode_position(token: str | None) -> Position | None:
    """The position in a token; a token nobody issued is as good as none."""
    key, *rest = _token_parts(token)
    return Position(key, rest[0], _number(rest, 1)) if rest else None


def decode_instant(token: str | None) -> int | None:
    """The instant in a token, in microseconds since 1970; None for the present."""
    return _number(_token_parts(token), 3)


def _token_parts(token: str | None) -> Sequence[str]:
    padded = (token or "") + "=" * (-len(token or "") % 4)
    try:
        text = base64.b64decode(padded.encode(), b"-_", validate=True).decode()
    except ValueError:
        return ("",)
    return text.split("\n")


def _number(parts: Sequence[str], place: int) -> int | None:
    given = len(parts) > place and _NUMBER.fullmatch(parts[place])
    return int(parts[place]) if given else None


def following(found: Sequence[T], page_size: int) -> T | None:
    """The last of what is on a full page, after which the next one goes on; None without a next."""
    return found[-1] if len(found) == page_size else None


def page_etag(etags: Iterable[str], position: Position | None) -> str:
    """The ETag, unquoted, of a page of settings after which a listing goes on at a position."""
    lines = "".join(f"{etag}\n" for etag in etags) or "\n"
    text = f"kvset\n{lines}" + ("" if position is None else position.text)
    return _base64url(hashlib.sha256(text.encode("utf-16-le")).digest())


def next_link(call: Call, position: Position | None, instant: int | None = None) -> str | None:
    """The relative address of the next page: the request's own parameters, ``after`` last.

    ``instant`` is that of a listing of the past, in microseconds since 1970.
    """
    if position is None:
        return None
    kept = [pair for pair in call.query.pairs if pair[0] != "after"]
    if not any(name == "api-version" for name, _ in kept):
        kept.insert(0, ("api-version", call.version))
    pairs = [*kept, ("after", encode_position(position, instant))]
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
    return f"{call.path}?{query}"


def link_header(link: str | None) -> dict[str, str]:
    """The Link header for a next page, if there is one."""
    return {} if link is None else {"Link": f'<{link}>; rel="next"'}


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
