"""When there is something to do, and who does it: the steps of a refresh before and after its plan.

Theory. `_state` is the only thing a reader touches, and it is replaced whole. Whoever holds the
single-flight flag (see `flight`) may assign it, and `_wish`, `_granted`, `_due`; nobody else. Both
faces follow the same steps (due? take the flag, run the plan, assign, call back, release the flag);
they differ only in the words `async` and `await`. There is no lock that an exception could leave
locked: each step may be broken off anywhere, and the next owner of the flag goes on from there.

Others leave what they want in `_inbox`, from where the owner of the flag adds it to `_wish`. `_due`
is when the state or a wish is due. `refresh()` compares the clock with one number, `_wake`: that
same moment, or a little later where a poller is to come first; minus infinity while somebody has to
look into the inbox, or to be told that nothing will ever be due. A refresh takes the wish up
(`_granted`) and puts it back unless it gets as far as publishing.

What belongs to one process (flag, driver, poller) is a `ProcessRecord`. It is looked up by process
id wherever it is needed, so that a child that was forked without Python's hooks has its own, too.
"""

from __future__ import annotations

import logging
import math
import os
from abc import abstractmethod
from collections import deque
from dataclasses import replace
from typing import Generic

from appconfig_provider._azure.budgets import of_check, of_reload
from appconfig_provider._azure.context import Context
from appconfig_provider._azure.push import Wish, wished
from appconfig_provider._azure.reports import Telling
from appconfig_provider._azure.state import State
from appconfig_provider._fetch.exchange import BACKGROUND_LANES
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

logger = logging.getLogger("appconfig_provider")

JITTER = 0.1
"""What a poller adds to its sleep at most, as a part of the interval."""
MAX_INBOX = 256
"""Events that wait at most while nobody refreshes; of more, the newest know the most."""
LATE = 1.0
"""Seconds after which somebody who calls `refresh()` does what the poller should have done."""
UNWATCHED = (
    "refresh() was called, but nothing is watched: the configuration stays as it was loaded; "
    "pass refresh_on=[...] or refresh_enabled=True to load()"
)
CLOSED = "refresh() was called after close(): the configuration stays as it is"


class Agenda(CurrentValues, Generic[DriverT, PollerT]):
    """A state that is kept fresh: what of it is due, what was pushed, who refreshes it where."""

    __slots__ = (
        "__weakref__",
        "_background",
        "_began",
        "_closed",
        "_context",
        "_due",
        "_granted",
        "_inbox",
        "_limits",
        "_monotonic",
        "_process",
        "_told",
        "_untold",
        "_wake",
        "_wish",
    )

    def __init__(self, context: Context, driver: DriverT, state: State) -> None:
        self._context = context
        self._background = replace(context, most_lanes=BACKGROUND_LANES, in_background=True)
        self._limits = tuple(
            of_check(one.options).seconds + of_reload(one).seconds
            for one in (context, self._background)
        )
        self._monotonic = context.clock.monotonic
        self._closed = False
        self._state = state
        self._inbox: deque[Wish] = deque(maxlen=MAX_INBOX)
        self._wish = self._granted = Wish()
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
        made = ProcessRecord(inherited.driver.for_child(), self._new_poller(), armed=False)
        process = inherited.children.setdefault(made.pid, made)
        leave_to_the_parent(inherited.driver)
        self._process = process
        self._untold = None  # the parent's own call goes on with that
        if process is made:
            self._arm(process)
        return process

    def _arm(self, process: ProcessRecord[DriverT, PollerT]) -> None:
        """Start timers and poller of a child, unless somebody there refreshes already."""
        flight = process.flight
        for owner in flight.begin(self._monotonic(), self._limit(self._context)):
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
        return self._make_poller() if self._context.options.refresh.polls else None

    def _limit(self, context: Context) -> float:
        """Return the seconds that a refresh may take; functions of the user count, too."""
        return self._limits[context.in_background]

    @abstractmethod
    def _make_poller(self) -> PollerT | None:
        """Return what looks after this configuration; None where nothing can."""

    def _keep_polling(self) -> None:
        """See that the poller lives: a fork, or the end of an event loop, may have ended it.

        A process that only forks workers needs none, and a fork while it works would be a risk.
        """
        if self._process.poller is None or self._closed or is_master():
            return
        poller = self._here().poller
        if poller is not None:
            poller.start()

    def _next_look(self) -> float | None:
        """Return when the poller is to look, on the monotonic clock; None when never again.

        A little later than it has to, by chance, so that a fleet does not ask all at once.
        """
        if self._closed:
            return None
        if self._inbox:
            return self._monotonic()
        ahead = self._due - self._monotonic()
        spread = min(max(ahead, 0.0), self._context.options.refresh.interval) * JITTER
        return self._due + spread * self._context.random()

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
        """Wish again for what a refresh had taken up and did not get to publish."""
        if not self._granted.empty:
            self._wish = self._granted.also(self._wish)
            self._granted = Wish()

    def _read_inbox(self) -> None:
        """Add what was left in the inbox to the wish."""
        while self._inbox:
            self._wish = self._wish.also(self._inbox[0])
            self._inbox.popleft()

    def _rearmed(self) -> State:
        """Return the state with all timers started anew, but that of an event that was pushed."""
        state, options = self._state, self._context.options
        every = state.what_is_due(math.inf, force=True)
        rearmed = state.rearmed(self._monotonic(), options, every)
        timers = replace(rearmed.timers, push=state.timers.push)
        return replace(rearmed, timers=timers)

    def _set_wake(self, process: ProcessRecord[DriverT, PollerT]) -> None:
        """Work out when there is something to do."""
        grace = self._grace(process)
        while True:
            self._read_inbox()
            self._due = due = wished(self._state, self._wish).due
            why = self._why_idle(due)
            now = why not in self._told or self._untold is not None
            self._wake = -math.inf if now else math.inf if why else due + grace
            if not self._inbox:
                break
        if process.poller is not None:
            process.poller.ring()

    def _why_idle(self, due: float) -> str:
        """Return why a refresh never has anything to do; empty when it has."""
        return CLOSED if self._closed else UNWATCHED if math.isinf(due) else ""

    def _tell_idle(self, due: float) -> None:
        """Tell once whoever calls `refresh()` that nothing will come of it."""
        why = self._why_idle(due)
        if why not in self._told:
            self._told.add(why)
            wanted = why == UNWATCHED and self._context.options.refresh.switched_off
            logger.log(logging.INFO if wanted else logging.WARNING, why)

    def _grace(self, process: ProcessRecord[DriverT, PollerT]) -> float:
        """Return the seconds by which callers of `refresh()` let the poller come first."""
        if process.poller is None:
            return 0.0
        return self._context.options.refresh.interval * JITTER + LATE

    def _take_up(
        self, *, process: ProcessRecord[DriverT, PollerT], context: Context, force: bool
    ) -> State | None:
        """Return the state to refresh, wishes included, or None when nothing is due after all."""
        self._go_on(process)
        state = wished(self._state, self._wish)
        now = self._monotonic()
        grace = 0.0 if context is self._background else self._grace(process)
        nothing = math.isinf(state.due) if force else now < state.due + grace
        if self._closed or nothing:
            if context is not self._background:
                self._tell_idle(state.due)
            return None
        self._granted, self._wish = self._wish, Wish()
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
