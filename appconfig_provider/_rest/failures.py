"""A request that got no usable answer.

The engine reasons about this small class. azure-core's own errors cost 70 ms to import, so they
are made only when an error is handed to the user.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING

from appconfig_provider.decoding import Undecodable, decode
from appconfig_provider.texts import printable
from appconfig_provider.trouble import MAX_MESSAGE, EngineError

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError


_MAX_ENDPOINTS = 3
"""Endpoints of which an error tells what happened; the others are counted."""
_MAX_EACH = 1000
"""Characters about each."""

MAX_PROBLEM = 65_536
"""Bytes of an error's body that is worth reading."""


class Kind(Enum):
    """What happened to the request."""

    REFUSED = "the store answered with an error"
    UNREACHABLE = "no connection"
    UNTRUSTED = "no trusted connection"
    UNANSWERED = "the answer did not come"
    OUT_OF_TIME = "the time allowed was used up"
    MALFORMED = "the answer made no sense"
    UNASKED = "more came than was asked for"
    """Answers of the same connection may have been taken for others; the job begins again."""


PERMANENT = frozenset({400, 401, 403, 404})
"""Statuses that waiting does not heal."""

_STORE_HINTS = {
    400: "check the selectors",
    401: "check the access key, or the credential and its audience, and this machine's clock",
    403: "give the identity the role 'App Configuration Data Reader'",
    404: "check the endpoint",
    429: "the store's request quota is used up: lengthen refresh_interval or use a higher tier",
}

_VAULT_HINTS = {
    401: "check the credential for Key Vault",
    403: "give the identity the role 'Key Vault Secrets User'",
    404: "there is no such secret",
}

_KEY_HINTS = {**_STORE_HINTS, 400: "check the watched keys"}
_REDIRECT = "redirects are never followed; check the endpoint and the proxy"

_HINTS = {
    "/kv/": _KEY_HINTS,
    "/kv": _STORE_HINTS,
    "/snapshots": _STORE_HINTS,
    "/secrets": _VAULT_HINTS,
}
"""What to do, by what was asked for and how it was refused."""


class OutOfTime(EngineError):
    """A load that had no time left for what the user's own functions had still to do."""

    def as_public(self) -> Exception:
        return TimeoutError(str(self))


class RequestFailed(EngineError):
    """No usable answer: a refusing status, or trouble on the way."""

    def __init__(
        self,
        kind: Kind,
        origin: str,
        detail: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(f"{origin}: {detail}" + (f"; {hint}" if hint else ""))
        self.kind = kind
        self.origin = origin
        self.detail = printable(detail, MAX_MESSAGE)
        """What happened, without what to do about it."""
        self.status = status
        self.retry_after = retry_after
        self.challenge: str | None = None
        """The WWW-Authenticate header of a 401."""
        self.original: Exception | None = None
        """The credential's own error, where that is what happened."""

    @property
    def permanent(self) -> bool:
        """True when asking again later cannot help."""
        return self.status in PERMANENT

    @property
    def foreign(self) -> bool:
        """True when the credential's own error is what the user is handed."""
        return self.original is not None

    def as_public(self) -> Exception:
        """Return azure-core's own error for this failure."""
        if self.original is not None:
            return self.original
        error = self._azure_error()
        error.__cause__ = self
        return error

    def _azure_error(self) -> AzureError:
        from appconfig_provider import errors

        if self.kind in {Kind.UNREACHABLE, Kind.UNTRUSTED}:
            return errors.ServiceRequestError(str(self))
        if self.kind is not Kind.REFUSED:
            return errors.ServiceResponseError(str(self))
        by_status = {401: errors.ClientAuthenticationError, 404: errors.ResourceNotFoundError}
        refused = by_status.get(self.status or 0, errors.HttpResponseError)(message=str(self))
        refused.status_code = self.status
        return refused


def as_one(failures: Sequence[RequestFailed]) -> RequestFailed:
    """Return the failure of a whole round: the first endpoint's, with words about the others."""
    first, *others = failures
    if not others:
        return first
    told = "; and ".join(printable(failure, _MAX_EACH) for failure in failures[:_MAX_ENDPOINTS])
    left = len(failures) - _MAX_ENDPOINTS
    if left > 0:
        told += f" (and {left} more endpoint{'s' if left > 1 else ''})"
    detail = told.removeprefix(f"{first.origin}: ")
    whole = RequestFailed(
        first.kind, first.origin, detail, status=first.status, retry_after=first.retry_after
    )
    whole.challenge, whole.original = first.challenge, first.original
    whole.__cause__ = first.__cause__
    return whole


def refused(origin: str, status: int, body: bytes, doing: str) -> RequestFailed:
    """Make the failure for a status that was not expected, in words that say what to do."""
    text = f"answered {status} to {printable(doing)}"
    problem = _problem(body)
    if problem:
        text += f" ({problem})"
    asked = next((path for path in _HINTS if doing.startswith(f"GET {path}")), None)
    usual = _REDIRECT if 300 <= status < 400 else ""
    hint = _HINTS[asked].get(status, usual) if asked else usual
    return RequestFailed(Kind.REFUSED, origin, text, status=status, hint=hint)


def _problem(body: bytes) -> str:
    """Return title and detail of a problem+json body, or nothing."""
    try:
        problem = decode(body[:MAX_PROBLEM])
    except Undecodable:
        return ""
    if not isinstance(problem, dict):
        return ""
    parts = (problem.get("title"), problem.get("detail"))
    return printable(": ".join(part for part in parts if isinstance(part, str) and part))
