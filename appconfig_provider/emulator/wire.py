"""A request as the handlers see it, and the answers they give.

Handlers are plain functions from a :class:`Call` to an :class:`Answer`; a request that cannot be
served is a :class:`Refusal`, raised anywhere and carrying its answer. Nothing here knows a web
framework. Percent-encoding is undone exactly once, and only bytes that are UTF-8 are accepted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from appconfig_provider.emulator.filters import FilterError, NameFilter, parse_name_filter
from appconfig_provider.emulator.json_texts import read_json
from appconfig_provider.emulator.json_values import is_json
from appconfig_provider.emulator.model import Setting
from appconfig_provider.emulator.versions import DESCRIPTIONS

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_ERRORS = "https://azconfig.io/errors/"
_PROBLEM = "application/problem+json; charset=utf-8"
_FIELDS: Mapping[str, Callable[[Setting], object]] = {
    "etag": lambda setting: setting.etag,
    "key": lambda setting: setting.key,
    "label": lambda setting: setting.label,
    "content_type": lambda setting: setting.content_type,
    "value": lambda setting: setting.value,
    "tags": lambda setting: dict(setting.tags),
    "description": lambda setting: setting.description,
    "locked": lambda setting: setting.locked,
    "last_modified": lambda setting: setting.last_modified.isoformat(timespec="seconds"),
}
_UNDESCRIBED = tuple(name for name in _FIELDS if name != "description")


_EXPLANATIONS: Mapping[int, tuple[str, str]] = {
    401: (
        "The request has no credentials",
        "Sign it with the access key, or start the emulator with --anonymous reader or owner.",
    ),
    403: (
        "Who has no credentials may only read here",
        "Start the emulator with --anonymous owner to let everybody write.",
    ),
    415: ("The body is not JSON by its header", "Send the header Content-Type: application/json."),
}
CONTROL_PATH = "/_control"
"""Where faults are set; web pages of other origins have no business there."""
NO_FAULTS = "No faults are set here"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status with its body and header lines."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class Refusal(Exception):
    """A request that is answered with an error; nothing was stored."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Query:
    """The decoded parameters of a request in the order they came; names are lower-case."""

    pairs: tuple[tuple[str, str], ...]

    def first(self, *names: str) -> str | None:
        """The first value given under any of these names."""
        return next((value for name, value in self.pairs if name in names), None)

    def all(self, name: str) -> list[str]:
        """Every value given under a name."""
        return [value for given, value in self.pairs if given == name]


@dataclass(frozen=True, slots=True)
class Call:
    """An authenticated request.

    ``key`` is what follows the resource in the path, decoded: a key, or a snapshot's name.
    ``target`` is path and query as they stood on the request line; ``origin`` is the address the
    client knows the store by.
    """

    method: str
    path: str
    query: Query
    version: str
    headers: Mapping[str, str]
    body: bytes
    key: str
    target: str
    origin: str


def parse_query(raw: bytes) -> Query:
    """Decode a query string; ``+`` and ``%20`` are blanks, a stray ``%`` stands for itself.

    Raises:
        Refusal: 400, a value is not UTF-8.
    """
    parts = (part.partition(b"=") for part in raw.replace(b"+", b" ").split(b"&") if part)
    named = ((decode(name, "query").lower(), value) for name, _, value in parts)
    return Query(tuple((name, decode(value, name)) for name, value in named))


def decode(raw: bytes, name: str) -> str:
    """Undo percent-encoding once; ``name`` is what an error blames.

    Raises:
        Refusal: 400, the bytes are not UTF-8.
    """
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise invalid_argument(name, "The text is not UTF-8.") from None


def to_json(content: object) -> str:
    """JSON as the service writes it: compact, and not escaped beyond need."""
    return _encode(content)


def answer_json(kind: str, text: str, headers: Mapping[str, str]) -> Answer:
    """A 200 with a JSON body of one of the service's media types."""
    media_type = f"application/vnd.microsoft.appconfig.{kind}+json; charset=utf-8"
    return Answer(200, text.encode(), (("Content-Type", media_type), *headers.items()))


def answer_page(
    kind: str, items: Iterable[str], members: Mapping[str, str | None], headers: Mapping[str, str]
) -> Answer:
    """A 200 with a page of items that are JSON already; a member that is None is left out."""
    present = {name: value for name, value in members.items() if value is not None}
    rest = "".join(f",{to_json(name)}:{to_json(value)}" for name, value in present.items())
    return answer_json(kind, f'{{"items":[{",".join(items)}]{rest}}}', headers)


def with_headers(answer: Answer, headers: Mapping[str, str]) -> Answer:
    """The same answer with more header lines."""
    return replace(answer, headers=(*answer.headers, *headers.items()))


def problem(
    status: int, kind: str, title: str, name: str = "", detail: str = "", policy: str = ""
) -> Refusal:
    """An error with a problem document.

    ``name`` is the parameter to blame, ``policy`` the quota that is used up, if there is one.
    """
    named = {"name": name} if name else {}
    said = {"policy": policy} if policy else {"detail": detail}
    document = {"type": _ERRORS + kind, "title": title, **named, **said, "status": status}
    # A name out of a body may hold half a character; with a backslash it is JSON all the same.
    body = to_json(document).encode(errors="backslashreplace")
    return Refusal(Answer(status, body, (("Content-Type", _PROBLEM),)))


def explained(answer: Answer) -> Answer:
    """A refusal with a problem document where the service gives no body.

    It is for requests without credentials, which people send by hand, and not for the service's
    own clients.
    """
    if answer.body or answer.status not in _EXPLANATIONS:
        return answer
    title, detail = _EXPLANATIONS[answer.status]
    said = problem(answer.status, "refused", title, detail=detail).answer
    return with_headers(said, dict(answer.headers))


def retry_after(seconds: float) -> dict[str, str]:
    """The headers that tell when to ask again: whole seconds, and milliseconds for who knows."""
    return {
        "retry-after-ms": str(math.ceil(seconds * 1000)),
        "Retry-After": str(math.ceil(seconds)),
    }


def invalid_argument(name: str, detail: str = "") -> Refusal:
    """The 400 for a parameter, a header or a field of the body."""
    return problem(400, "invalid-argument", f"Invalid request parameter '{name}'", name, detail)


def invalid_version(title: str, version: str, target: str) -> Refusal:
    """The 400 for an API version that does not serve a request target."""
    detail = f"The request {target} names the version '{version}'."
    return problem(400, "invalid-argument", title, "api-version", detail)


def invalid_filter(error: FilterError) -> Refusal:
    """The 400 for a filter outside the grammar."""
    return invalid_argument(error.name, error.detail)


def name_filter(call: Call, parameter: str, blamed: str) -> NameFilter:
    """The filter on names in a parameter; ``blamed`` is what an error calls it.

    Raises:
        Refusal: 400, the filter is outside the grammar.
    """
    try:
        return parse_name_filter(call.query.first(parameter), blamed)
    except FilterError as error:
        raise invalid_filter(error) from None


def selected_fields(call: Call) -> tuple[str, ...]:
    """The fields a request asks for in ``$select``, in the service's order; all without it."""
    return choose(call, tuple(_FIELDS) if call.version >= DESCRIPTIONS else _UNDESCRIBED)


def choose(call: Call, known: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the known fields that ``$select`` names; unknown names are ignored."""
    text = call.query.first("$select", "fields") or "*"
    if text.strip() == "*":
        return known
    wanted = {name.strip().lower() for name in text.split(",")}
    return tuple(name for name in known if name in wanted)


# Listings write the same settings over and over; a setting never changes.
@lru_cache(maxsize=16_384)
def represent(setting: Setting, fields: tuple[str, ...]) -> str:
    """A setting as the JSON object of the API, reduced to some fields."""
    return to_json({name: _FIELDS[name](setting) for name in fields})


def read_object(call: Call) -> dict[str, Any]:
    """Read a JSON object from a request; see :func:`parse_object`."""
    return parse_object(call.headers, call.body)


def parse_object(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Read a JSON object from a body.

    Raises:
        Refusal: 400, it is missing or no JSON object; 415, it claims to be something else.
    """
    if not body:
        raise invalid_argument("body", "The request has no body.")
    if not is_json(headers.get("content-type")):
        raise Refusal(Answer(415))
    try:
        content = read_json(body)
    except ValueError:
        raise invalid_argument("body", "The body is not JSON.") from None
    if not isinstance(content, dict):
        raise invalid_argument("body", "The body is not a JSON object.")
    return content


def read_text(content: Mapping[str, Any], name: str) -> str | None:
    """A member of a JSON object that is a text, null or absent.

    Raises:
        Refusal: 400, it is something else.
    """
    text = content.get(name)
    if text is not None and not isinstance(text, str):
        raise invalid_argument(name, "It is a text or null.")
    return text


def read_tags(content: Mapping[str, Any], blamed: str) -> Mapping[str, str | None]:
    """The member ``tags`` of a JSON object; ``blamed`` names a tag in errors, by its ``{}``.

    Raises:
        Refusal: 400, it is not an object of texts and nulls.
    """
    tags = content.get("tags")
    if tags is None or tags == []:  # some clients write no tags as an empty list
        return {}
    if not isinstance(tags, dict):
        raise invalid_argument("tags", "It is an object of texts and nulls.")
    for name, value in tags.items():
        if value is not None and not isinstance(value, str):
            raise invalid_argument(blamed.replace("{}", name))
    return tags
