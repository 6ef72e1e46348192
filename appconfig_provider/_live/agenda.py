"""When a refresh is due, and the steps of a refresh before and after its plan.

Theory. A reader reads only `_state`, which is replaced as a whole. The owner of the single-flight
flag (see `flight`) may assign `_state`, `_pending`, `_in_flight` and `_due`; nobody else may. A
refresh has the same steps with threads and with asyncio: check whether it is due, take the flag,
run the plan, assign the state, call back, release the flag. There is no lock that an exception
could leave locked. An exception may end any step at any point, and the next owner of the flag
continues from there.

Other threads put requests into `_inbox`; the owner of the flag moves them to `_pending`. `_due` is
when the state or a pending request is due. `refresh()` compares the clock with one number, `_wake`:

- usually it is `_due`, or a little later where a poller is to come first;
- minus infinity while the inbox has to be read, callbacks have still to be called, or a message has
  to be logged once;
- infinity when nothing will ever be due.

A refresh moves what is pending to `_in_flight`, and puts it back unless it publishes.

What belongs to one process (flag, driver, poller) is a `ProcessRecord`. It is looked up by process
id each time, so that a child has its own even if it was forked without Python's hooks.
"""

from __future__ import annotations

import logging
import math
import os
from abc import abstractmethod
from collections import deque
from typing import Generic, cast

from appconfig_provider._live.flight import Flight, Owner
from appconfig_provider._live.notifications import PendingCallbacks
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

JITTER = 0.1
"""The largest random delay of a poller, as a fraction of the interval."""
MAX_INBOX = 256
"""Events that wait at most while nobody refreshes. Of more than that the oldest are dropped: the
newest ones have the newest sync tokens."""
LATE = 1.0
"""Seconds that a poller may be late before a caller of `refresh()` does its work."""


class Agenda(CurrentValues[StateT], Generic[StateT, RequestT, DriverT, PollerT]):
    """A state that is kept fresh, with its timers, its pushed requests and its single flight."""

    __slots__ = (
        "__weakref__",
        "_began",
        "_closed",
        "_due",
        "_in_flight",
        "_inbox",
        "_limits",
        "_logged",
        "_monotonic",
        "_options",
        "_pending",
        "_pending_callbacks",
        "_process",
        "_source",
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
        """When the current refresh began, and how many requests had been sent before it."""
        self._pending_callbacks: PendingCallbacks | None = None
        """Callbacks that are still to be called, maybe by the refresh after an interrupted one."""
        self._logged = {""}
        """Messages that are logged only once, and have been; no message counts as logged."""
        self._process: ProcessRecord[DriverT, PollerT] = ProcessRecord(driver, self._new_poller())
        self._set_wake(self._process)
        self._keep_polling()
        keep_after_fork(self)

    def _this_process(self) -> ProcessRecord[DriverT, PollerT]:
        """Return the record of this process; a child makes its own at its first call."""
        process = self._process
        return process if process.pid == os.getpid() else self._begin_in_child(process)

    def _begin_here(self) -> object:
        """Make the record of this process, unless it has one."""
        return self._this_process()

    def _begin_in_child(
        self, inherited: ProcessRecord[DriverT, PollerT]
    ) -> ProcessRecord[DriverT, PollerT]:
        """Return the record of a child, which keeps the generation but nothing else of the parent.

        Its flag is free, even if a thread of the parent had the parent's flag during the fork. Its
        driver opens connections of its own.
        """
        record = ProcessRecord(inherited.driver.for_child(), self._new_poller(), armed=False)
        process = inherited.children.setdefault(record.pid, record)
        leave_to_the_parent(inherited.driver)
        self._process = process
        self._pending_callbacks = None  # the parent's own call goes on with these callbacks
        if process is record:
            self._arm(process)
        return process

    def _arm(self, process: ProcessRecord[DriverT, PollerT]) -> None:
        """Start timers and poller of a child, unless another thread of it refreshes already."""
        flight = process.flight
        for owner in flight.begin(self._monotonic(), self._limits[False]):
            try:
                if flight.take(owner):
                    self._resume(process)
                    self._keep_polling()
            finally:
                self._finish(process, owner)

    @property
    def _flight(self) -> Flight:
        return self._this_process().flight

    @property
    def _driver(self) -> DriverT:
        return self._this_process().driver

    @property
    def _poller(self) -> PollerT | None:
        return self._this_process().poller

    def _new_poller(self) -> PollerT | None:
        return self._make_poller() if self._options.polls else None

    @abstractmethod
    def _make_poller(self) -> PollerT | None:
        """Return a new poller; None where none can run."""

    @abstractmethod
    def _make_read_task(self) -> PollerT | None:
        """Return what refreshes once a reader has started it; None where the reader refreshes."""

    @abstractmethod
    def _refresh_for_reader(self, process: ProcessRecord[DriverT, PollerT]) -> None:
        """Have refreshed what is due, unless another call does; see `lazy`."""

    def _keep_polling(self) -> None:
        """Start the poller again if a fork, or the end of an event loop, has ended it.

        A process that only forks workers (uWSGI's master) needs no poller, and a thread that works
        during a fork would be a risk.
        """
        if self._process.poller is None or self._closed or is_master():
            return
        poller = self._this_process().poller
        if poller is not None:
            poller.start()

    def _next_check(self) -> float | None:
        """Return when the poller is to check, on the monotonic clock; None when never again.

        A random delay is added, so that many processes do not send their requests at the same time.
        """
        if self._closed:
            return None
        if self._inbox:
            return self._monotonic()
        ahead = self._due - self._monotonic()
        spread = min(max(ahead, 0.0), self._options.interval) * JITTER
        return self._due + spread * self._options.random()

    # Only the owner of the flag calls the methods below. An exception may end it at any point, and
    # the next owner repeats what was not finished. So each step must be safe to do twice.

    def _resume(self, process: ProcessRecord[DriverT, PollerT]) -> None:
        """Continue where the last owner stopped, which may have been one in the parent process."""
        self._restore()
        if not process.armed:
            self._state = self._rearmed()
            process.armed = True
        self._read_inbox()

    def _restore(self) -> None:
        """Make a request pending again that an earlier refresh took and did not publish."""
        older = self._in_flight
        if older is not None:
            self._pending = older if self._pending is None else _merged(older, self._pending)
            self._in_flight = None

    def _read_inbox(self) -> None:
        """Move the requests in the inbox to what is pending."""
        while self._inbox:
            newer = self._inbox[0]
            self._pending = newer if self._pending is None else _merged(self._pending, newer)
            # Removed last: were this interrupted before, the next owner would merge it once more,
            # which changes nothing. The other way round a request could be lost.
            self._inbox.popleft()

    def _rearmed(self) -> StateT:
        """Return the state with all timers started anew."""
        return self._source.rearmed(self._state)

    def _requested(self) -> StateT:
        """Return the state with the pending request applied."""
        return self._source.with_requests(self._state, self._pending)

    def _set_wake(self, process: ProcessRecord[DriverT, PollerT]) -> None:
        """Work out when the next refresh has something to do, and wake the poller."""
        grace = self._grace(process)
        while True:
            self._read_inbox()
            self._due = due = self._requested().standing.due
            why = self._why_idle(due)
            now = why not in self._logged or self._pending_callbacks is not None
            self._wake = -math.inf if now else math.inf if why or self._closed else due + grace
            # Read after `_wake` is set, as `_push` sets `_wake` after it has added to the inbox: a
            # request that comes in between is seen by one of the two.
            if not self._inbox:
                break
        if process.poller is not None:
            process.poller.wake()

    def _why_idle(self, due: float) -> str:
        """Return why no refresh will ever be due; empty when one will be."""
        if self._closed:
            return self._options.closed
        return self._options.unwatched if math.isinf(due) else ""

    def _log_idle(self, due: float) -> None:
        """Log once why a call of `refresh()` does nothing."""
        why = self._why_idle(due)
        if why not in self._logged:
            self._logged.add(why)
            wanted = not self._closed and self._options.unwatched_by_choice
            self._options.logger.log(logging.INFO if wanted else logging.WARNING, why)

    def _grace(self, process: ProcessRecord[DriverT, PollerT]) -> float:
        """Return how many seconds a caller of `refresh()` waits for the poller to do the work."""
        if process.poller is None or not self._options.polls:
            return 0.0
        return self._options.interval * JITTER + LATE

    def _take(
        self, process: ProcessRecord[DriverT, PollerT], *, in_background: bool, force: bool
    ) -> StateT | None:
        """Return the state to refresh, with pending requests applied; None when nothing is due.

        The caller has compared the clock with `_wake` before it had the flag. Another call may have
        refreshed since then, so everything is checked again here.
        """
        self._resume(process)
        state = self._requested()
        now, due = self._monotonic(), state.standing.due
        grace = 0.0 if in_background else self._grace(process)
        nothing = math.isinf(due) if force else now < due + grace
        if self._closed or nothing:
            if not in_background:
                self._log_idle(due)
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
