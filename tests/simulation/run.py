"""What one refresh did on the wire, and which revisions of the store it was shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from appconfig_provider._fetch.exchange import READ_OR_ABSENT
from appconfig_provider._fetch.waiting import retry_after
from appconfig_provider._plan import AcquireToken, Effect, ReadFile, ResolveSrv, Response, Send
from tests.simulation.history import Target, read_target
from tests.simulation.network import Answer


class Reading(NamedTuple):
    """One answer that was heard: from where, about what, of which revision."""

    origin: str
    target: Target
    revision: int


@dataclass(slots=True)
class Run:
    """A plan while it runs, and what is known of it afterwards."""

    name: str
    begun: float
    forced: bool = False
    pushed: bool = False
    heals: bool = False
    """Whether everything is asked for because a copy is served."""
    settings_due: bool = False
    flags_due: bool = False
    file_due: bool = False
    file_checked: float | None = None
    """When the file of overrides was checked; None when it was not."""
    file_held: str | None = None
    """What it held then; None when it was not there."""
    origins: list[str] = field(default_factory=list)
    """The endpoints in the order in which they were tried."""
    readings: list[Reading] = field(default_factory=list)
    """What the endpoint that is tried now has answered."""
    learned: dict[str, int] = field(default_factory=dict)
    """The newest sync token of each endpoint."""
    refused: set[str] = field(default_factory=set)
    """Bearer tokens that this endpoint has turned down."""
    last: dict[str, float] = field(default_factory=dict)
    """When an endpoint's last answer was heard."""
    wait: dict[str, float] = field(default_factory=dict)
    """What an endpoint's last answer asked to wait for."""
    asked: int = 0
    """Requests, all endpoints together."""
    clean: bool = True
    """False when something went wrong on the wire."""
    heard: float = 0.0
    """When the last answer was heard."""
    known: list[str] = field(default_factory=list)
    """The endpoints that were known when it began."""
    named: list[str] = field(default_factory=list)
    """The endpoints that DNS named so far."""
    candidates: list[str] = field(default_factory=list)
    """The endpoints to be asked, in this order, those that DNS names last."""
    attempt_begun: float = 0.0
    """When the attempt at the endpoint began that was asked last."""
    pages: dict[str, str | None] = field(default_factory=dict)
    """The ETags of the pages that are known, by target."""
    targets: set[str] = field(default_factory=set)
    """What was asked for in this attempt."""
    listed: bool = False
    """Whether pages were asked for."""
    left: set[str] = field(default_factory=set)
    """The endpoints that answered 5xx while others were not tried yet."""
    over: bool = False

    @property
    def remote(self) -> bool:
        """Whether the store is asked."""
        return self.settings_due or self.flags_due

    @property
    def origin(self) -> str:
        """The endpoint that is tried now, or was last."""
        return self.origins[-1] if self.origins else ""

    def sends(self, send: Send, now: float) -> None:
        """Note a request."""
        self.asked += 1
        self._attempt_at(send.request.origin, now)

    def checks_file(self, held: str | None, now: float) -> None:
        """Note what the file of overrides holds as it is checked."""
        self.file_checked, self.file_held = now, held

    def refuses(self, origin: str, now: float) -> None:
        """Note a request that its deadline kept from being sent."""
        self.clean = False
        self._attempt_at(origin, now)

    def _attempt_at(self, origin: str, now: float) -> None:
        if origin != self.origin:
            self.origins.append(origin)
            self.attempt_begun = now
            self.readings.clear()
            self.refused.clear()
            self.targets.clear()

    def hears(
        self, effect: Effect[object], outcome: object, answer: Answer | None, now: float
    ) -> None:
        """Note an answer that somebody still waited for."""
        if isinstance(effect, ReadFile):
            return
        self.heard = now
        if isinstance(effect, AcquireToken):
            # A job that a refused token broke off begins anew.
            self.readings.clear()
            self.targets.clear()
            self.attempt_begun = now
        if isinstance(effect, ResolveSrv):
            # Nobody known was left; whoever is asked next begins anew, be it the last one again.
            self.readings.clear()
            self.targets.clear()
            if isinstance(outcome, tuple):
                self._looks_up(outcome)
        if not isinstance(effect, Send):
            return
        origin = effect.request.origin
        self.last[origin] = now
        self.wait[origin] = 0.0
        if isinstance(outcome, Response):
            self._reads(effect, outcome, answer)

    def _looks_up(self, targets: tuple[str, ...]) -> None:
        """Note what DNS says; it counts once the names are complete, and no part of them failed."""
        if targets:
            self.named += [f"https://{host}" for host in targets]
        else:
            self.candidates += [one for one in self.named if one not in self.known]

    def _reads(self, effect: Send, outcome: Response, answer: Answer | None) -> None:
        origin = effect.request.origin
        if outcome.status == 401 and effect.sign is not None:
            self.refused.add(dict(effect.sign(effect.request, 0.0)).get("authorization", ""))
        if outcome.status >= 500 and len(self.origins) < len(self.candidates):
            self.left.add(origin)
        if outcome.status not in READ_OR_ABSENT:
            self.wait[origin] = retry_after(outcome, 0.0) or 0.0
        if answer is not None and answer.revision is not None:
            self.learned[origin] = max(self.learned.get(origin, 0), answer.revision)
            reading = Reading(origin, read_target(effect.request.target), answer.revision)
            self.readings.append(reading)

    def of(self, kind: str) -> list[Reading]:
        """Return the readings of a kind in the last attempt."""
        return [one for one in self.readings if one.target.kind == kind]

    def last_pass(self) -> list[Reading]:
        """Return the readings of settings that belong to what was put together in the end.

        Each pass over the settings stands between two rounds of sentinels, where there are any.
        """
        found: list[Reading] = []
        for reading in reversed(self.readings):
            if reading.target.kind == "settings":
                found.append(reading)
            elif reading.target.kind == "sentinel" and found:
                break
        return found

    def passes(self) -> int:
        """Return how often the settings were gone through."""
        kinds = [one.target.kind for one in self.readings if one.target.kind != "flags"]
        return sum(
            kind == "settings" and (place == 0 or kinds[place - 1] == "sentinel")
            for place, kind in enumerate(kinds)
        )


def window(readings: Sequence[Reading]) -> tuple[int, int]:
    """Return the first and the last revision that readings show."""
    revisions = [reading.revision for reading in readings]
    return min(revisions), max(revisions)
