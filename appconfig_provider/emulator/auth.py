"""Access keys, and the check of requests signed with them.

A request is signed over its method, its target and the values of some headers. The target is
taken byte for byte from the request line, and never escaped again: a client may escape other
characters than we would, and its signature is right all the same.

The checks run in the service's order: which headers are signed, the date, the id of the access key,
the signature, and last the hash of the body. The first check that fails is named in the
``WWW-Authenticate`` header.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Final

SCHEME: Final = "HMAC-SHA256"
#: Seconds by which the date of a request may differ from the server's time, either way.
MAX_AGE: Final = 15 * 60.0
_DATES: Final = ("x-ms-date", "date")
_BODY_HASH: Final = "x-ms-content-sha256"
_MONTHS: Final = [
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
]
_PYTHON_DATE = re.compile(
    r"(?P<month>[A-Z][a-z]{2}), (?P<day>\d{1,2}) (?P<year>\d{4})"
    r" (?P<time>\d\d:\d\d:\d\d)(\.\d+)? GMT"
)


@dataclass(frozen=True, slots=True)
class AccessKey:
    """The id and the base64 secret that a connection string carries.

    Raises:
        ValueError: the id is empty or the secret is not base64.
    """

    id: str
    secret: str = field(repr=False)
    read_only: bool = False

    def __post_init__(self) -> None:
        if not self.id or ";" in self.id:
            raise ValueError("an access key needs an id without a semicolon")
        try:
            usable = bool(base64.b64decode(self.secret, validate=True))
        except ValueError:
            usable = False
        if not usable:
            raise ValueError(f"the secret of the access key {self.id!r} is not base64")

    def connection_string(self, endpoint: str) -> str:
        """The connection string of an endpoint; the endpoint comes first, without a slash."""
        return f"Endpoint={endpoint};Id={self.id};Secret={self.secret}"


#: The key of an emulator that was given none. It is public, so it protects nothing: use it only
#: where no other machine reaches the emulator.
DEFAULT_ACCESS_KEY: Final = AccessKey(
    "local-emulator", "YXBwY29uZmlnLXByb3ZpZGVyLWxvY2FsLWVtdWxhdG9yIQ=="
)


class Unauthenticated(Exception):
    """A request whose sender is not proved; ``reason`` is None when it was not signed at all."""

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason

    @property
    def challenge(self) -> str:
        """The value for the ``WWW-Authenticate`` header."""
        return challenge(SCHEME, self.reason)


def challenge(scheme: str, reason: str | None) -> str:
    """The challenge that asks for a scheme; ``reason`` says why the credentials were refused."""
    if reason is None:
        return scheme
    described = reason.replace("\\", "\\\\").replace('"', '\\"')
    return f'{scheme} error="invalid_token", error_description="{described}"'


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What a signature covers; ``target`` is the request target as it was sent."""

    method: str
    target: bytes
    headers: Mapping[str, str]


def authenticate(request: SignedRequest, keys: Sequence[AccessKey], now: float) -> AccessKey:
    """The access key a request was signed with.

    The hash of the body counts as signed here; :func:`check_body` compares it with the body.

    Raises:
        Unauthenticated: with the reason of the first check that failed.
    """
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.upper() != SCHEME:
        raise Unauthenticated
    parameters = _parameters(credentials)
    signed = _signed_headers(parameters, request.headers)
    _check_date(signed, now)
    key = next((key for key in keys if key.id == _required(parameters, "Credential")), None)
    if key is None:
        raise Unauthenticated("Invalid Credential")
    _check_signature(_required(parameters, "Signature"), key, request, tuple(signed.values()))
    return key


def check_body(body: bytes, headers: Mapping[str, str]) -> None:
    """Check that a body is the one whose hash was signed.

    Raises:
        Unauthenticated: it is another one.
    """
    actual = base64.b64encode(hashlib.sha256(body).digest())
    if not hmac.compare_digest(actual, headers.get(_BODY_HASH, "").encode()):
        raise Unauthenticated("Invalid request content hash")


def sign(request: SignedRequest, secret: str, values: Sequence[str]) -> bytes:
    """The signature over a request and the values of its signed headers."""
    lines = (request.method.upper().encode(), request.target, ";".join(values).encode("latin-1"))
    return hmac.digest(base64.b64decode(secret), b"\n".join(lines), "sha256")


def parse_date(text: str) -> float | None:
    """Seconds since 1970 of a date as clients send it, or None when it is not a date.

    Clients use three forms: RFC 1123, the official Python client's ``Nov, 20 2026 23:52:02.5 GMT``
    and ISO 8601. ``strptime`` is not used: it would expect the month's name in the locale.
    """
    try:
        date = _python_date(text) or _iso_date(text) or parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=timezone.utc)
    return date.timestamp()


def _parameters(credentials: str) -> Mapping[str, str]:
    """The parameters of an ``Authorization`` header; of one that is repeated the first counts."""
    parameters: dict[str, str] = {}
    for part in re.split("[&,]", credentials):
        name, separator, value = part.strip().partition("=")
        if separator:
            parameters.setdefault(name, value)
    return parameters


def _required(parameters: Mapping[str, str], name: str) -> str:
    if not parameters.get(name):
        raise Unauthenticated(f"{name} is required")
    return parameters[name]


def _signed_headers(parameters: Mapping[str, str], headers: Mapping[str, str]) -> Mapping[str, str]:
    """The signed headers and their values, in the order in which they were signed."""
    named = _required(parameters, "SignedHeaders").split(";")
    names = dict.fromkeys(name.strip().lower() for name in named)
    for name in names:
        if name not in headers:
            raise Unauthenticated(f"Signed request header '{name}' is not provided")
    mandatory = [next((name for name in _DATES if name in names), _DATES[0]), "host", _BODY_HASH]
    for name in mandatory:
        if name not in names:
            raise Unauthenticated(f"{name} is required as a signed header")
    return {name: headers[name] for name in names}


def _check_date(signed: Mapping[str, str], now: float) -> None:
    text = next(signed[name] for name in _DATES if name in signed)
    signed_at = parse_date(text)
    if signed_at is None:
        raise Unauthenticated("Invalid access token date")
    if abs(now - signed_at) > MAX_AGE:
        raise Unauthenticated("The access token has expired")


def _check_signature(
    signature: str, key: AccessKey, request: SignedRequest, values: Sequence[str]
) -> None:
    try:
        claimed = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        raise Unauthenticated("Invalid Signature") from None
    for target in _accepted_targets(request.target):
        expected = sign(SignedRequest(request.method, target, {}), key.secret, values)
        if hmac.compare_digest(claimed, expected):
            return
    raise Unauthenticated("Invalid Signature")


def _accepted_targets(target: bytes) -> Sequence[bytes]:
    # Where its endpoint ends in a slash, the official Python client signs the target without the
    # first slash. A "?" with nothing after it is signed, but the ASGI server does not pass it on.
    return (target, target.removeprefix(b"/"), target + b"?")


def _python_date(text: str) -> datetime | None:
    match = _PYTHON_DATE.fullmatch(text)
    if match is None or match["month"] not in _MONTHS:
        return None
    month = _MONTHS.index(match["month"]) + 1
    return datetime.fromisoformat(f"{match['year']}-{month:02}-{match['day']:0>2}T{match['time']}")


def _iso_date(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
