"""When there is something to do, and who does it: the steps of a refresh before and after its plan.

Theory. `_state` is the only thing a reader touches, and it is replaced whole. Whoever holds the
single-flight flag (see `flight`) may assign it, and `_pending`, `_in_flight`, `_due`; nobody else.
The steps of a refresh are the same with threads and with asyncio: due? take the flag, run the plan,
assign, call back, release the flag. There is no lock that an exception could leave locked: each
step may be broken off anywhere, and the next owner of the flag goes on from there.

Others leave requests in `_inbox`, from where the owner of the flag adds them to `_pending`. `_due`
is when the state or a pending request is due. `refresh()` compares the clock with one number,
`_wake`: that same moment, or a little later where a poller is to come first; minus infinity while
somebody has to read the inbox, or to be told that nothing will ever be due. A refresh takes what is
pending (`_in_flight`) and puts it back unless it gets as far as publishing.

What belongs to one process (flag, driver, poller) is a `ProcessRecord`. It is looked up by process
id wherever it is needed, so that a child that was forked without Python's hooks has its own, too.
"""

from __future__ import annotations

import logging
import math
import os
from abc import abstractmethod
from collections import deque
from typing import Generic, cast

from appconfig_provider._live.flight import Flight, Owner
from appconfig_provider._live.process import (
    DriverT,
    PollerT,
    ProcessRecord,
    is_master,
    keep_after_fork,
    leave_to_the_parent,
)
from appconfig_provider._live.reading import CurrentValues
from appconfig_provider._live.source import RequestT, Source, StateT
from appconfig_provider._live.telling import Telling

logger = logging.getLogger("appconfig_provider")

JITTER = 0.1
"""What a poller adds to its sleep at most, as a part of the interval."""
MAX_INBOX = 256
"""Events that wait at most while nobody refreshes; of more, the newest know the most."""
LATE = 1.0
"""Seconds after which somebody who calls `refresh()` does what the poller should have done."""
CLOSED = "refresh() was called after close(): the configuration stays as it is"


class Agenda(CurrentValues[StateT], Generic[StateT, RequestT, DriverT, PollerT]):
    """A state that is kept fresh: what of it is due, what was pushed, who refreshes it where."""

    __slots__ = (
        "__weakref__",
        "_began",
        "_closed",
        "_due",
        "_in_flight",
        "_inbox",
        "_limits",
        "_monotonic",
        "_options",
        "_pending",
        "_process",
        "_source",
        "_told",
        "_untold",
        "_wake",
    )

    def __init__(self, source: Source[StateT, RequestT], driver: DriverT, state: StateT) -> None:
        self._source = source
        self._options = options = source.options
        self._limits = (source.limit(in_background=False), source.limit(in_background=True))
        self._monotonic = options.clock.monotonic
        self._closed = False
        self._state = state
        self._inbox: deque[RequestT] = deque(maxlen=MAX_INBOX)
        self._pending: RequestT | None = None
        self._in_flight: RequestT | None = None
        self._began = (0.0, 0)
        self._untold: Telling | None = None
        """Whom a refresh that was broken off has still to tell of what it published."""
        self._told = {""}
        """What is told only once, and was."""
        self._process: ProcessRecord[DriverT, PollerT] = ProcessRecord(driver, self._new_poller())
        self._set_wake(self._process)
        self._keep_polling()
        keep_after_fork(self)

    def _here(self) -> ProcessRecord[DriverT, PollerT]:
        """Return what belongs to this process; a child has none before its first call."""
        process = self._process
        return process if process.pid == os.getpid() else self._begin_in_child(process)

    def _begin_here(self) -> object:
        """Make the record of this process, unless it has one."""
        return self._here()

    def _begin_in_child(
        self, inherited: ProcessRecord[DriverT, PollerT]
    ) -> ProcessRecord[DriverT, PollerT]:
        """Return the record of a child, which keeps the generation but nothing of the parent's.

        Its flag is free, whoever had the parent's; its driver opens connections of its own.
        """
        record = ProcessRecord(inherited.driver.for_child(), self._new_poller(), armed=False)
        process = inherited.children.setdefault(record.pid, record)
        leave_to_the_parent(inherited.driver)
        self._process = process
        self._untold = None  # the parent's own call goes on with that
        if process is record:
            self._arm(process)
        return process

    def _arm(self, process: ProcessRecord[DriverT, PollerT]) -> None:
        """Start timers and poller of a child, unless somebody there refreshes already."""
        flight = process.flight
        for owner in flight.begin(self._monotonic(), self._limits[False]):
            try:
                if flight.take(owner):
                    self._go_on(process)
                    self._keep_polling()
            finally:
                self._finish(process, owner)

    @property
    def _flight(self) -> Flight:
        return self._here().flight

    @property
    def _driver(self) -> DriverT:
        return self._here().driver

    @property
    def _poller(self) -> PollerT | None:
        return self._here().poller

    def _new_poller(self) -> PollerT | None:
        return self._make_poller() if self._options.polls else None

    @abstractmethod
    def _make_poller(self) -> PollerT | None:
        """Return what checks in the background; None where nothing can."""

    def _keep_polling(self) -> None:
        """See that the poller lives: a fork, or the end of an event loop, may have ended it.

        A process that only forks workers needs none, and a fork while it works would be a risk.
        """
        if self._process.poller is None or self._closed or is_master():
            return
        poller = self._here().poller
        if poller is not None:
            poller.start()

    def _next_check(self) -> float | None:
        """Return when the poller is to check, on the monotonic clock; None when never again.

        A little later than it has to, by chance, so that many processes do not ask all at once.
        """
        if self._closed:
            return None
        if self._inbox:
            return self._monotonic()
        ahead = self._due - self._monotonic()
        spread = min(max(ahead, 0.0), self._options.interval) * JITTER
        return self._due + spread * self._options.random()

    # From here on everything is done by the owner of the flag. It may be broken off anywhere, and
    # its successor does again what was not finished, so each step has to bear being done twice.

    def _go_on(self, process: ProcessRecord[DriverT, PollerT]) -> None:
        """Go on where the last owner stopped, be it one of the parent's."""
        self._restore()
        if not process.armed:
            self._state = self._rearmed()
            process.armed = True
        self._read_inbox()

    def _restore(self) -> None:
        """Put back what a refresh had taken and did not get to publish."""
        taken = self._in_flight
        if taken is not None:
            self._pending = taken if self._pending is None else _merged(taken, self._pending)
            self._in_flight = None

    def _read_inbox(self) -> None:
        """Add what was left in the inbox to what is pending."""
        while self._inbox:
            newest = self._inbox[0]
            self._pending = newest if self._pending is None else _merged(self._pending, newest)
            self._inbox.popleft()

    def _rearmed(self) -> StateT:
        """Return the state with all timers started anew."""
        return self._source.rearmed(self._state)

    def _requested(self) -> StateT:
        """Return the state that knows of what is pending."""
        return self._source.with_requests(self._state, self._pending)

    def _set_wake(self, process: ProcessRecord[DriverT, PollerT]) -> None:
        """Work out when there is something to do."""
        grace = self._grace(process)
        while True:
            self._read_inbox()
            self._due = due = self._requested().standing.due
            why = self._why_idle(due)
            now = why not in self._told or self._untold is not None
            self._wake = -math.inf if now else math.inf if why else due + grace
            if not self._inbox:
                break
        if process.poller is not None:
            process.poller.wake()

    def _why_idle(self, due: float) -> str:
        """Return why a refresh never has anything to do; empty when it has."""
        return CLOSED if self._closed else self._options.unwatched if math.isinf(due) else ""

    def _tell_idle(self, due: float) -> None:
        """Tell once whoever calls `refresh()` that nothing will come of it."""
        why = self._why_idle(due)
        if why not in self._told:
            self._told.add(why)
            wanted = why != CLOSED and self._options.unwatched_by_choice
            logger.log(logging.INFO if wanted else logging.WARNING, why)

    def _grace(self, process: ProcessRecord[DriverT, PollerT]) -> float:
        """Return the seconds by which callers of `refresh()` let the poller come first."""
        if process.poller is None:
            return 0.0
        return self._options.interval * JITTER + LATE

    def _take(
        self, process: ProcessRecord[DriverT, PollerT], *, in_background: bool, force: bool
    ) -> StateT | None:
        """Return the state to refresh, requests included, or None when nothing is due after all."""
        self._go_on(process)
        state = self._requested()
        now, due = self._monotonic(), state.standing.due
        grace = 0.0 if in_background else self._grace(process)
        nothing = math.isinf(due) if force else now < due + grace
        if self._closed or nothing:
            if not in_background:
                self._tell_idle(due)
            return None
        self._in_flight, self._pending = self._pending, None
        self._began = (now, process.driver.sent)
        return state

    def _finish(self, process: ProcessRecord[DriverT, PollerT], owner: Owner) -> None:
        """Set the time to wake up and release the flag, if it is this owner's."""
        try:
            if process is self._process and process.flight.held_by(owner):
                self._restore()
                self._set_wake(process)
        finally:
            process.flight.release(owner)


def _merged(older: RequestT, newer: RequestT) -> RequestT:
    return cast("RequestT", older.also(newer))
