"""Faults for an emulator in another process, set by HTTP at ``/_control``.

The route exists only in an emulator that was started with it; it asks for no credentials, because
it is for tests on this machine. PUT sets the faults, GET tells them and how many requests they met,
DELETE ends them. Everything else is served as ever, through the faults.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from appconfig_provider.emulator.gate import read_body
from appconfig_provider.emulator.scripting import Hook, RequestRecord, Script, Scripted
from appconfig_provider.emulator.store import Store
from appconfig_provider.emulator.wire import (
    Answer,
    Refusal,
    invalid_argument,
    parse_object,
    problem,
    to_json,
)

PATH: Final = "/_control"
_STATUSES: Final = range(400, 600)


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong; as JSON, these are the members that can be set.

    ``status`` is an answer of 400 to 599, ``retry_after`` its header in seconds. ``delay`` and
    ``drip`` are in seconds, ``cut_after`` is in bytes, as in :class:`Scripted`. ``stale`` answers
    reads from the state at the moment it was set. ``skew`` moves the emulator's clock by seconds.
    Only targets that begin with ``path`` are met, and only the first ``times`` of them.

    Raises:
        ValueError: a member has a value outside its range; the message begins with its name.
    """

    status: int | None = None
    retry_after: float | None = None
    delay: float = 0.0
    cut_after: int | None = None
    drip: float = 0.0
    stale: bool = False
    skew: float = 0.0
    path: str = "/"
    times: int | None = None

    def __post_init__(self) -> None:
        if self.status is not None and self.status not in _STATUSES:
            raise ValueError("status: an error has 400 to 599")
        if self.stale and self.status is not None:
            raise ValueError("stale: an answer with a status of its own has no state")
        for name in ("retry_after", "delay", "cut_after", "drip", "times"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ValueError(f"{name}: it is not negative")

    @property
    def script(self) -> Scripted:
        """The answer of a request that is met."""
        timing = (self.delay, self.cut_after, self.drip)
        if self.status is None:
            return Scripted(None, {}, b"", *timing, stale=self.stale)
        kind = "too-many-requests" if self.status == 429 else "server-error"
        answer = problem(self.status, kind, "A fault that was asked for").answer
        headers = dict(answer.headers)
        if self.retry_after is not None:
            headers["Retry-After"] = f"{self.retry_after:g}"
        return Scripted(self.status, headers, answer.body, *timing)


class Control:
    """The faults of one emulator, none at first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults = Faults()
        self._met = 0
        self._copy: Store | None = None
        self._script = Script(recording=False)
        Hook(self._script.responders, self._meet)

    def now(self) -> float:
        """The time of day, skewed; seconds since 1970."""
        return time.time() + self._faults.skew

    def around(self, store: Store, make_app: Callable[[Store], ASGIApp]) -> ASGIApp:
        """The application over a store, behind the faults and with the control route.

        ``make_app`` is called for the store, and for copies of it that give stale answers.
        """
        served = self._script.around(make_app(store))

        async def controlled(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] != PATH:
                await served(scope, receive, send)
                return
            try:
                answer = await self._answer(Request(scope, receive), store, make_app)
            except Refusal as refusal:
                answer = refusal.answer
            response = Response(answer.body, answer.status, dict(answer.headers))
            await response(scope, receive, send)

        return controlled

    def close(self) -> None:
        """Forget the faults and the older state."""
        self._script.close()
        if self._copy is not None:
            self._copy.close()

    async def _answer(
        self, request: Request, store: Store, make_app: Callable[[Store], ASGIApp]
    ) -> Answer:
        if request.method == "PUT":
            content = parse_object(request.headers, await read_body(request))
            self._set(_read(content), store, make_app)
        elif request.method == "DELETE":
            self._set(Faults(), store, make_app)
        elif request.method != "GET":
            return Answer(405, headers=(("Allow", "GET, PUT, DELETE"),))
        with self._lock:
            shown = {**asdict(self._faults), "met": self._met}
        return Answer(200, to_json(shown).encode(), (("Content-Type", "application/json"),))

    def _set(self, faults: Faults, store: Store, make_app: Callable[[Store], ASGIApp]) -> None:
        if faults.stale:
            older, self._copy = self._copy, store.copy()
            self._script.remembered = make_app(self._copy)
            if older is not None:
                older.close()
        with self._lock:
            self._faults, self._met = faults, 0

    def _meet(self, record: RequestRecord) -> Scripted | None:
        with self._lock:
            faults = self._faults
            over = faults.times is not None and self._met >= faults.times
            if over or not record.target.startswith(faults.path):
                return None
            self._met += 1
        return faults.script


def _read(content: Mapping[str, Any]) -> Faults:
    """The faults in a JSON object.

    Raises:
        Refusal: 400, a member is unknown, of another type or out of its range.
    """
    known = {field.name: str(field.type) for field in fields(Faults)}
    for name, value in content.items():
        if name not in known:
            raise invalid_argument(name, f"The members are {', '.join(known)}.")
        if not _fits(value, known[name]):
            raise invalid_argument(name, f"It is {known[name]}, not {json.dumps(value)[:40]}.")
    try:
        return Faults(**content)
    except ValueError as error:
        name, _, reason = str(error).partition(": ")
        raise invalid_argument(name, reason) from None


def _fits(value: object, declared: str) -> bool:
    """Whether a value out of JSON is of a declared type; a boolean is no number."""
    if isinstance(value, bool) or "bool" in declared:
        return isinstance(value, bool) and declared == "bool"
    if isinstance(value, int | float):
        wanted = int if "int" in declared else (int, float)
        return "str" not in declared and isinstance(value, wanted) and math.isfinite(value)
    return (isinstance(value, str) and "str" in declared) or (value is None and "None" in declared)
