"""What can be made to go wrong at an endpoint, and the answers that are given then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from appconfig_provider.emulator.auth import SCHEME, challenge
from appconfig_provider.emulator.scripting import Scripted
from appconfig_provider.emulator.wire import Answer, problem, retry_after

_STATUSES: Final = range(400, 600)
#: For seconds about thirty years: a clock moved so far still shows a date.
_MOST: Final = 1_000_000_000
_NUMBERS: Final = ("retry_after", "delay", "cut_after", "drip", "times", "down", "skew")
_TITLE: Final = "A fault that was asked for"
_KINDS: Final = {400: "invalid-argument", 409: "invalid-state", 500: "server-error"}


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong; as JSON, these are the members that can be set.

    ``status`` is an answer of 400 to 599; ``retry_after``, in seconds, is in its headers
    ``Retry-After``, rounded up to whole ones, and ``retry-after-ms``. ``delay`` and
    ``drip`` are in seconds, ``cut_after`` is in bytes, as in :class:`Scripted`. ``stale`` answers
    reads from the state at the instant it was set; so does ``lag``, but a request with a newer sync
    token gets the present state. ``skew`` moves the endpoint's clock by seconds. Only targets that
    begin with ``path`` are met, and only the first ``times`` of them. For ``down`` seconds after it
    was set the endpoint drops and refuses every connection, whatever was asked there.

    Raises:
        ValueError: a member has a value outside its range; the message begins with its name.
    """

    status: int | None = None
    retry_after: float | None = None
    delay: float = 0.0
    cut_after: int | None = None
    drip: float = 0.0
    stale: bool = False
    lag: bool = False
    down: float = 0.0
    skew: float = 0.0
    path: str = "/"
    times: int | None = None

    def __post_init__(self) -> None:
        if self.status is not None and self.status not in _STATUSES:
            raise ValueError("status: an error has 400 to 599")
        for name in ("stale", "lag"):
            if getattr(self, name) and self.status is not None:
                raise ValueError(f"{name}: an answer with a status of its own has no state")
        if self.stale and self.lag:
            raise ValueError("lag: a stale endpoint gives nobody the present state")
        for name in _NUMBERS:
            value = getattr(self, name) or 0
            if value < 0 and name != "skew":
                raise ValueError(f"{name}: it is not negative")
            if abs(value) > _MOST:
                raise ValueError(f"{name}: it is at most {_MOST:,}")
        if not self.path.isascii():
            raise ValueError("path: the target of a request is ASCII, the rest percent-encoded")

    def script(self, *, stale: bool) -> Scripted:
        """The answer of a request that is met; ``stale`` when it comes from the older state."""
        timing = (self.delay, self.cut_after, self.drip)
        if self.status is None:
            return Scripted(None, {}, b"", *timing, stale=stale)
        answer = _answer(self.status)
        again = {} if self.retry_after is None else retry_after(self.retry_after)
        return Scripted(self.status, {**dict(answer.headers), **again}, answer.body, *timing)


def _answer(status: int) -> Answer:
    """An error as the service gives it: those that have no problem document have no body."""
    if status == 401:
        offered = f"{challenge(SCHEME, _TITLE)}, {challenge('Bearer', None)}"
        return Answer(status, headers=(("WWW-Authenticate", offered),))
    if status == 429:
        title = "Resource utilization has surpassed the assigned quota"
        return problem(status, "too-many-requests", title, policy="Total Requests").answer
    if status in _KINDS:
        return problem(status, _KINDS[status], _TITLE).answer
    return Answer(status)
