"""The way to the store and back: delays, faults, outages, and endpoints that lag behind."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._plan import Failure, Request, Response, Send
from tests.simulation.history import History
from tests.simulation.scenario import READ_TIMEOUT, Scenario
from tests.simulation.world import World

Deliver = Callable[["Answer"], None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back of a request, and which revision it showed, if it showed any."""

    outcome: Response | Failure
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class Outage:
    """An endpoint in trouble for a while."""

    origin: str
    begin: float
    end: float
    fault: str


STATUSES: Mapping[str, tuple[int, Mapping[str, str]]] = {
    "500": (500, {}),
    "503": (503, {"retry-after": "1"}),
    "429": (429, {"retry-after-ms": "400"}),
    "429 for long": (429, {"retry-after": "45"}),
    "401": (401, {"www-authenticate": 'Bearer claims="eyJhIjoxfQ"'}),
    "403": (403, {}),
}
GARBAGE = (
    b"<html>sign in</html>",
    b'{"items":{}}',
    b'{"items":[{"key":"k00","value":7}]}',
    b'{"items":[],"@nextLink":"/elsewhere?key=k"}',
)
FAULTS = ("unreachable", "silent", "lost", "garbage", *STATUSES)
OUTAGES = ("unreachable", "silent", "500", "503", "429", "429 for long", "403", "garbage")

_TOKEN = re.compile(r"zone=(\d+)")


def token_of(request: Request) -> int:
    """Return the newest revision that a request's sync tokens tell of."""
    header = dict(request.headers).get("sync-token")
    return 0 if header is None else max(map(int, _TOKEN.findall(header)), default=0)


@dataclass(slots=True)
class Network:
    """Carries requests; `calm` ends all trouble."""

    world: World
    scenario: Scenario
    history: History
    calm: bool = True
    outages: list[Outage] = field(default_factory=list)

    def break_things(self) -> None:
        """Let faults begin, and settle when which endpoint is out of order."""
        world, horizon = self.world, self.scenario.horizon
        self.calm = False
        for _ in range(self.scenario.outages):
            begin = world.between(0.0, horizon)
            origin = world.random.choice(self.scenario.endpoints)
            length = world.between(0.2, horizon / 2)
            fault = world.random.choice(OUTAGES)
            self.outages.append(Outage(origin, begin, begin + length, fault))

    def delay(self) -> float:
        """Return the seconds of one way."""
        seconds = self.scenario.round_trip * (0.2 + 0.6 * self.world.random.random())
        slow = not self.calm and self.scenario.slow and self.world.chance(self.scenario.slow)
        return seconds * 20 if slow else seconds

    def carry(self, send: Send, deliver: Deliver) -> bool:
        """Carry a request and, in time, deliver what comes of it; tell whether nothing is wrong."""
        world = self.world
        left = send.deadline - world.now
        limit = min(READ_TIMEOUT, left)
        fault = self._fault(send.request.origin)
        there, back = self.delay(), self.delay()
        if fault is None and there + back < limit:
            world.later(there, self._serve, send.request, back, deliver)
            return True
        if fault is None or fault == "silent" or there + back >= limit:
            kind = Kind.OUT_OF_TIME if left <= READ_TIMEOUT else Kind.UNANSWERED
            world.later(limit, deliver, _failed(kind, send.request))
        else:
            world.later(there + back, deliver, self._faulty(fault, send.request))
        world.counts[f"fault: {fault or 'slow'}"] += 1
        world.tell("network", "%s %s: %s", send.request.origin[8:13], send.request.target, fault)
        return False

    def _fault(self, origin: str) -> str | None:
        if self.calm:
            return None
        now = self.world.now
        for outage in self.outages:
            if outage.origin == origin and outage.begin <= now < outage.end:
                return outage.fault
        if self.scenario.faults and self.world.chance(self.scenario.faults):
            return self.world.random.choice(FAULTS)
        return None

    def _faulty(self, fault: str, request: Request) -> Answer:
        if fault in STATUSES:
            status, headers = STATUSES[fault]
            return Answer(Response(status, headers))
        if fault == "garbage":
            body = self.world.random.choice(GARBAGE)
            return Answer(Response(200, {"etag": '"garbage"'}, body))
        return _failed(Kind.UNREACHABLE if fault == "unreachable" else Kind.UNANSWERED, request)

    def _serve(self, request: Request, back: float, deliver: Deliver) -> None:
        """Answer at the moment the request arrives, from as late a revision as it shows."""
        world, scenario, revision = self.world, self.scenario, self.history.newest
        if scenario.lag and not self.calm:
            seen = self.history.at(world.now - scenario.lag * world.random.random())
            revision = max(seen, token_of(request))
        known = dict(request.headers).get("if-none-match")
        answer = Answer(self.history.answer(revision, request.target, known), revision)
        if world.trace is not None:
            status = answer.outcome.status if isinstance(answer.outcome, Response) else ""
            where = f"{request.origin[8:13]} {request.target}"
            world.tell("store", "%s %s at revision %d", where, status, revision)
        world.later(back, deliver, answer)


def _failed(kind: Kind, request: Request) -> Answer:
    return Answer(Failure(RequestFailed(kind, request.origin, "simulated")))
