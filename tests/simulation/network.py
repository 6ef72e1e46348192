"""The way to servers and back: delays, faults, outages; and a store whose endpoints lag behind."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

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


class Conditions(Protocol):
    """How a scenario has it on the way to its servers; times in seconds."""

    @property
    def endpoints(self) -> Sequence[str]:
        """The servers."""
        ...

    @property
    def round_trip(self) -> float:
        """What an answer takes, about."""
        ...

    @property
    def slow(self) -> float:
        """Probability of an answer that takes twenty times as long."""
        ...

    @property
    def faults(self) -> float:
        """Probability of a fault, by request."""
        ...

    @property
    def outages(self) -> int:
        """How many there are."""
        ...

    @property
    def disk_faults(self) -> float:
        """Probability that what is kept between runs cannot be written."""
        ...

    @property
    def horizon(self) -> float:
        """When everything calms down."""
        ...


@dataclass
class Network(ABC):
    """Carries requests; `calm` ends all trouble."""

    FAULTS: ClassVar[Sequence[str]] = FAULTS
    OUTAGES: ClassVar[Sequence[str]] = OUTAGES

    world: World
    scenario: Conditions
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
            fault = world.random.choice(self.OUTAGES)
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
            return self.world.random.choice(self.FAULTS)
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
        """Answer at the moment the request arrives."""
        answer = self._answer(request)
        if self.world.trace is not None:
            status = answer.outcome.status if isinstance(answer.outcome, Response) else ""
            seen = "" if answer.revision is None else f" at revision {answer.revision}"
            where = f"{request.origin[8:13]} {request.target}"
            self.world.tell("store", "%s %s%s", where, status, seen)
        self.world.later(back, deliver, answer)

    @abstractmethod
    def _answer(self, request: Request) -> Answer:
        """Return what the server says that nothing is wrong with."""


@dataclass
class StoreNetwork(Network):
    """The way to a store."""

    scenario: Scenario
    history: History = field(kw_only=True)

    def _answer(self, request: Request) -> Answer:
        """Answer from as late a revision as the endpoint shows."""
        world, scenario, revision = self.world, self.scenario, self.history.newest
        if scenario.lag and not self.calm:
            seen = self.history.at(world.now - scenario.lag * world.random.random())
            revision = max(seen, token_of(request))
        known = dict(request.headers).get("if-none-match")
        return Answer(self.history.answer(revision, request.target, known), revision)


def _failed(kind: Kind, request: Request) -> Answer:
    return Answer(Failure(RequestFailed(kind, request.origin, "simulated")))
