"""Faults for an emulator in another process, set by HTTP at ``/_control``.

The route exists only in an emulator that was started with it; it asks for no credentials, because
it is for tests on this machine. PUT sets the faults, GET tells them and how many requests they met,
DELETE ends them. Everything else is served as ever, through the faults.

When a store has several endpoints, each has faults of its own at its ``/_control``. Those of any
endpoint are also at ``/_control/0``, ``/_control/1`` and so on of every endpoint, because one that
is down cannot be asked itself.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from appconfig_provider.emulator.answers import response
from appconfig_provider.emulator.faults import Faults
from appconfig_provider.emulator.gate import read_body
from appconfig_provider.emulator.lagging import MakeApp, Memory
from appconfig_provider.emulator.scripting import Behind, Hook, RequestRecord, Script, Scripted
from appconfig_provider.emulator.server import Server
from appconfig_provider.emulator.store import Store
from appconfig_provider.emulator.wire import (
    CONTROL_PATH,
    NO_FAULTS,
    Answer,
    Refusal,
    explained,
    invalid_argument,
    parse_object,
    problem,
    to_json,
)

_ROUTE: Final = re.compile(rf"{CONTROL_PATH}(?:/([0-9]{{1,4}}))?")


class Control:
    """The faults of one endpoint, none at first.

    ``server`` is what goes down, ``endpoints`` are the controls of the same store by their numbers;
    both are for the one to set who makes the servers.
    """

    def __init__(self) -> None:
        self.server: Server | None = None
        self.endpoints: Sequence[Control] = (self,)
        self._lock = threading.Lock()
        self._faults = Faults()
        self._met = 0
        self._memory: Memory | None = None
        self._behind: Behind | None = None
        self._script = Script(recording=False)
        Hook(self._script.responders, self._meet)

    def now(self) -> float:
        """The time of day, skewed; seconds since 1970."""
        return time.time() + self._faults.skew

    def around(self, store: Store, make_app: MakeApp) -> ASGIApp:
        """The application over a store, behind the faults and with the control route.

        ``make_app`` is called for the store, and for copies of it that give stale answers.
        """
        self._memory = Memory(store, make_app, self._script)
        served = self._script.around(make_app(store))

        async def controlled(scope: Scope, receive: Receive, send: Send) -> None:
            if not scope["path"].startswith(CONTROL_PATH):
                await served(scope, receive, send)
                return
            try:
                control = self._addressed(scope["path"])
                answer = await control._answer(Request(scope, receive), self)
            except Refusal as refusal:
                answer = explained(refusal.answer)
            await response(answer)(scope, receive, send)

        return controlled

    def close(self) -> None:
        """Forget the faults and the older state."""
        self._script.close()
        if self._memory is not None:
            self._memory.close()

    def _addressed(self, path: str) -> Control:
        """The control that a path belongs to.

        Raises:
            Refusal: 404, it belongs to none.
        """
        found = _ROUTE.fullmatch(path)
        if found is not None and found[1] is None:
            return self
        number = -1 if found is None else int(found[1])
        if 0 <= number < len(self.endpoints):
            return self.endpoints[number]
        last = len(self.endpoints) - 1
        detail = f"The endpoints are at {CONTROL_PATH}/0" + (f" to /{last}." if last else ".")
        raise problem(404, "not-found", NO_FAULTS, detail=detail)

    async def _answer(self, request: Request, asked: Control) -> Answer:
        """Answer a request for this endpoint's faults that came to an endpoint, maybe this one."""
        headers = [("Content-Type", "application/json")]
        if request.method == "PUT":
            content = parse_object(request.headers, await read_body(request))
            await self._set(_read(content), asked, request.scope)
        elif request.method == "DELETE":
            await self._set(Faults(), asked, request.scope)
        elif request.method != "GET":
            return Answer(405, headers=(("Allow", "GET, PUT, DELETE"),))
        with self._lock:
            shown = {**asdict(self._faults), "met": self._met}
        if shown["down"] and asked is self:
            headers.append(("Connection", "close"))  # nothing more is answered on it
        return Answer(200, to_json(shown).encode(), tuple(headers))

    async def _set(self, faults: Faults, asked: Control, scope: Scope) -> None:
        if faults.down and self.server is None:
            raise invalid_argument("down", "This endpoint cannot be taken down.")
        behind = self._look_back(faults)
        with self._lock:
            self._faults, self._behind, self._met = faults, behind, 0
        if self.server is None:
            return
        if self is not asked:
            switch = partial(self.server.down, faults.down) if faults.down else self.server.up
            await asyncio.to_thread(switch)
        elif faults.down:
            await self.server.go_down(faults.down, scope["state"]["transport"])

    def _look_back(self, faults: Faults) -> Behind | None:
        if self._memory is None or not (faults.stale or faults.lag):
            return None
        return self._memory.remember() if faults.stale else self._memory.remember_until_seen()

    def _meet(self, record: RequestRecord) -> Scripted | None:
        with self._lock:
            faults, behind = self._faults, self._behind
            over = faults.times is not None and self._met >= faults.times
            if over or not record.target.startswith(faults.path):
                return None
            read = record.method in ("GET", "HEAD")
            older = read and behind is not None and behind(record) is not None
            answer = faults.script(stale=older)
            if answer == Scripted():
                return None  # nothing goes wrong with this request
            self._met += 1
        return answer


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
        finite = abs(value) < math.inf  # not isfinite(), which raises for a very large integer
        return "str" not in declared and isinstance(value, wanted) and finite
    return (isinstance(value, str) and "str" in declared) or (value is None and "None" in declared)
