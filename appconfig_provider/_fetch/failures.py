"""A request that got no usable answer.

The plans use only this small class. A source turns it into public errors of its own, and only when
the user gets one (see `refusals` of App Configuration for the reason).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING

from appconfig_provider.texts import printable
from appconfig_provider.trouble import MAX_MESSAGE, EngineError

if TYPE_CHECKING:
    pass


_MAX_ENDPOINTS = 3
"""How many endpoints an error describes; of the others it gives the number."""
_MAX_CAUSES = 5
"""How many causes are looked at to find out why a request failed."""
_MAX_EACH = 1000
"""Characters about each endpoint."""


class Kind(Enum):
    """What happened to the request."""

    REFUSED = "the store answered with an error"
    UNREACHABLE = "no connection"
    UNTRUSTED = "no trusted connection"
    UNANSWERED = "the answer did not come"
    OUT_OF_TIME = "the time allowed was used up"
    MALFORMED = "the answer made no sense"
    UNSOLICITED = "more came than was asked for"
    """Unsolicited bytes came, so answers may have been displaced: the job begins again."""


PERMANENT = frozenset({400, 401, 403, 404})
"""Statuses that waiting does not heal."""


class OutOfTime(EngineError):
    """The time of a load was used up before all functions of the user had been called."""

    def as_public(self) -> Exception:
        return TimeoutError(str(self))


class RequestFailed(EngineError):
    """No usable answer: a status that refuses, or an error of the connection."""

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
        """What happened, without the hint what to do about it."""
        self.hint = hint
        self.proxied = False
        """True when the request went to a proxy."""
        self.status = status
        self.retry_after = retry_after
        self.challenge: str | None = None
        """The WWW-Authenticate header of a 401."""
        self.original: Exception | None = None
        """The error that the user's credential raised, if that is why the request failed."""

    def with_hint(self, hint: str) -> RequestFailed:
        """Return the failure with words about what to do."""
        hinted = RequestFailed(
            self.kind,
            self.origin,
            self.detail,
            status=self.status,
            retry_after=self.retry_after,
            hint=hint,
        )
        hinted.__cause__, hinted.proxied = self.__cause__, self.proxied
        return hinted

    @property
    def timed_out(self) -> bool:
        """True when a limit of time ended the request: that of a step, or that of a budget."""
        cause: BaseException | None = self
        for _ in range(_MAX_CAUSES):  # a failure that was raised from itself is its own cause
            cause = None if cause is None else cause.__cause__
            if isinstance(cause, TimeoutError):
                return True
        return self.kind is Kind.OUT_OF_TIME

    @property
    def permanent(self) -> bool:
        """True when asking again later cannot help."""
        return self.status in PERMANENT

    @property
    def foreign(self) -> bool:
        """True when the user gets the credential's own error."""
        return self.original is not None

    def as_public(self) -> Exception:
        """Return a builtin error with the same message; a source may have errors of its own."""
        if self.original is not None:
            return self.original
        if self.kind is Kind.OUT_OF_TIME:
            error: Exception = TimeoutError(str(self))
        else:
            error = ConnectionError(str(self))
        error.__cause__ = self
        return error


def as_one(failures: Sequence[RequestFailed]) -> RequestFailed:
    """Return one failure for a round: the first endpoint's, and a message about the others."""
    first, *others = failures
    if not others:
        return first
    message = "; and ".join(printable(failure, _MAX_EACH) for failure in failures[:_MAX_ENDPOINTS])
    left = len(failures) - _MAX_ENDPOINTS
    if left > 0:
        message += f" (and {left} more endpoint{'s' if left > 1 else ''})"
    detail = message.removeprefix(f"{first.origin}: ")
    whole = RequestFailed(
        first.kind, first.origin, detail, status=first.status, retry_after=first.retry_after
    )
    whole.challenge, whole.original = first.challenge, first.original
    whole.__cause__ = first.__cause__
    return whole
