"""What the sync and the async provider have in common: status, events, publishing, life after fork.

Theory. `_state` is the only thing a reader touches, and it is replaced whole. `_flight` is the
single-flight flag: whoever holds it may assign `_state`, nobody else. Both faces follow the same
steps (due? take the flag, run the plan, assign, call back, give the flag back); they differ only
in the words `async` and `await`.

Others leave what they want in `_inbox`, from where it gets into `_wish`, which `_mutex` guards; no
reader takes it. `_due` is when the state or a wish is due. `refresh()` compares the clock with one
number, `_wake`: that same moment, or a little later where a poller is to come first. A refresh
takes the wish up (`_granted`) and puts it back unless it gets as far as publishing.
"""

from __future__ import annotations

import logging
import math
import os
import weakref
from abc import abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from appconfig_provider._engine.context import Context
from appconfig_provider._engine.push import Event, Wish, read_events, wish_of, wished
from appconfig_provider._engine.refresh import Outcome
from appconfig_provider._engine.state import State
from appconfig_provider._rest.exchange import BACKGROUND_LANES
from appconfig_provider.callbacks import Subscription, SuccessCallback
from appconfig_provider.models import Status
from appconfig_provider.reading import CurrentValues
from appconfig_provider.reports import change_told, log_problems, log_what_waits

if TYPE_CHECKING:
    from appconfig_provider._drive.aio import AsyncDriver
    from appconfig_provider._drive.polling import TaskPoller, ThreadPoller
    from appconfig_provider._drive.sync import SyncDriver

logger = logging.getLogger("appconfig_provider")

DriverT = TypeVar("DriverT", "SyncDriver", "AsyncDriver")
ListenerT = TypeVar("ListenerT", bound="SuccessCallback")


PollerT = TypeVar("PollerT", "ThreadPoller", "TaskPoller")

LONGEST_MUTEX = 0.1
"""Seconds; other threads hold it for microseconds."""
JITTER = 0.1
"""What a poller adds to its sleep at most, as a part of the interval."""
LATE = 1.0
"""Seconds after which somebody who calls `refresh()` does what the poller should have done."""


class LiveConfiguration(CurrentValues, Generic[DriverT, PollerT]):
    """A Mapping of the newest generation; each call answers from a single one."""

    __slots__ = (
        "__weakref__",
        "_background",
        "_began",
        "_closed",
        "_context",
        "_driver",
        "_due",
        "_flight",
        "_granted",
        "_inbox",
        "_listening",
        "_monotonic",
        "_mutex",
        "_poller",
        "_subscriptions",
        "_wake",
        "_wish",
    )

    def __init__(self, context: Context, driver: DriverT, state: State) -> None:
        self._context = context
        self._background = replace(context, most_lanes=BACKGROUND_LANES, in_background=True)
        self._driver: DriverT = driver
        self._monotonic = context.clock.monotonic
        self._closed = False
        self._state = state
        self._subscriptions: tuple[Subscription, ...] = ()
        self._inbox: deque[Wish] = deque()
        self._wish = self._granted = Wish()
        self._begin_life()
        _living[id(self)] = self
        log_problems(state, None)
        log_what_waits(context.options, state)

    def _begin_life(self) -> None:
        """Make what a process must not share: locks, and what they guard."""
        self._flight = Lock()
        self._mutex = Lock()
        self._listening = RLock()
        self._began = (0.0, 0)
        self._poller: PollerT | None = self._make_poller() if self._context.options.polls else None
        self._give_back()
        self._keep_polling()

    @abstractmethod
    def _make_poller(self) -> PollerT:
        """Return what looks after this configuration."""

    def _keep_polling(self) -> None:
        """See that the poller lives: a fork, or the end of an event loop, may have ended it."""
        if self._poller is not None and not self._closed:
            self._poller.start()

    def _next_look(self) -> float | None:
        """Return when the poller is to look, on the monotonic clock; None when never again.

        A little later than it has to, by chance, so that a fleet does not ask all at once.
        """
        if self._closed:
            return None
        ahead = self._due - self._monotonic()
        spread = min(max(ahead, 0.0), self._context.options.interval) * JITTER
        return self._due + spread * self._context.random()

    def __repr__(self) -> str:
        snapshot = self._state.snapshot
        return (
            f"<{type(self).__name__} {self._context.options.stores[0].url} "
            f"version={snapshot.version} keys={len(snapshot)}>"
        )

    @property
    def status(self) -> Status:
        """How refreshing goes; reads memory only."""
        state, (now, wall) = self._state, self._context.moment()
        attempt = state.attempt
        free = state.fleet.free_at
        confirmed = attempt.success[0] if attempt.success else -math.inf
        return Status(
            generation=state.snapshot.version,
            last_attempt=_utc(attempt.last),
            last_success=_utc(attempt.success),
            last_error=attempt.error,
            age=now - confirmed,
            stale=state.snapshot.stale,
            endpoint=attempt.endpoint,
            backoff_until=_utc((now, wall + free - now)) if free > now else None,
            requests_sent=self._driver.sent,
        )

    def on_change(self, key_filter: str = "*") -> Callable[[ListenerT], ListenerT]:
        """Decorate a function that is to be called when keys of a filter change; see `subscribe`.

        Raises:
            TypeError, ValueError: as `subscribe`.
        """
        if callable(key_filter):
            raise TypeError('write @config.on_change() or @config.on_change("database/*")')

        def subscribed(function: ListenerT) -> ListenerT:
            self.subscribe(function, key_filter)
            return function

        return subscribed

    def subscribe(self, callback: SuccessCallback, key_filter: str = "*") -> Subscription:
        r"""Call a function after each generation in which keys of a filter changed.

        The filter is a key, a list `a,b` of at most five, or a prefix that ends in `*`; keys are
        meant as they are read here, feature flags by `.appconfig.featureflag/NAME`. The function
        gets a `ChangeSet` of these keys if it requires an argument.

        Raises:
            TypeError: it cannot be called like that.
            ValueError: the filter breaks the grammar.
        """
        subscription = Subscription(callback, key_filter, self._unsubscribe)
        self._check_listener(subscription)
        with self._listening:
            self._subscriptions = (*self._subscriptions, subscription)
        return subscription

    def _check_listener(self, subscription: Subscription) -> None:
        """Refuse what this face cannot call."""

    def _unsubscribe(self, subscription: Subscription) -> None:
        with self._listening:
            left = (one for one in self._subscriptions if one is not subscription)
            self._subscriptions = tuple(left)

    def notify(self, event: Event) -> dict[str, str] | None:
        """Take an event that Event Grid pushed, and make the next refresh due soon.

        `event` is an event, as a dict or JSON text, or a batch of them, in Event Grid's own schema
        or as CloudEvents. The next refresh is due after a random delay of at most `push_delay`
        seconds, so that a fleet does not ask all at once, and asks with the event's sync token, so
        that it sees the change. Events of other stores and services are ignored. May be called
        from any thread; does no I/O.

        Returns what to answer an event that validates the subscription with, else None.

        Raises:
            ValueError: it is no event.
        """
        notices, code = read_events(event)
        delay = self._context.random() * self._context.options.longest_push_delay
        wish = wish_of(notices, self._state.fleet, self._monotonic() + delay)
        if wish is None:
            logger.debug("event about another store ignored")
        elif not self._closed:
            self._inbox.append(wish)
            self._sort_inbox()
        return None if code is None else {"validationResponse": code}

    def _sort_inbox(self) -> None:
        """Add what was left in the inbox to the wish; also called at the end of every refresh.

        A signal handler may notify while this very thread holds the mutex. It leaves its wish and
        returns, because waiting would be for ever; the holder finds it.
        """
        while self._inbox and self._mutex.acquire(blocking=False):
            try:
                while self._inbox:
                    self._wish = self._wish.also(self._inbox.popleft())
                self._set_wake()
            finally:
                self._mutex.release()

    def _set_wake(self) -> None:
        """Work out when there is something to do; called with the mutex held."""
        self._due = due = wished(self._state, self._wish).due
        if self._poller is None:
            self._wake = due
        else:
            self._wake = due + self._context.options.interval * JITTER + LATE
            self._poller.ring()

    def _take_up(self, *, force: bool) -> State | None:
        """Return the state to refresh, wishes included, or None when nothing is due after all.

        Called with the flag held, and followed by `_give_back`.
        """
        if not self._mutex.acquire(timeout=LONGEST_MUTEX):
            # A signal handler refreshes while this very thread holds it; the next call will do.
            return None
        try:
            state = wished(self._state, self._wish)
            now = self._monotonic()
            nothing = math.isinf(state.due) if force else now < state.due
            if self._closed or nothing:
                return None
            self._granted, self._wish = self._wish, Wish()
        finally:
            self._mutex.release()
        self._began = (now, self._driver.sent)
        return state

    def _give_back(self) -> None:
        """Wish again for what a refresh had taken up and did not get to publish."""
        granted = not self._granted.empty
        # Without a grant there is nothing to lose, and perhaps nobody else to let go of the mutex.
        if self._mutex.acquire(timeout=-1 if granted else LONGEST_MUTEX):
            try:
                if granted:
                    self._wish, self._granted = self._granted.also(self._wish), Wish()
                self._set_wake()
            finally:
                self._mutex.release()
        self._sort_inbox()

    def _publish(self, outcome: Outcome) -> bool:
        """Make a refresh's outcome the current state; the one assignment readers can see."""
        before = self._state
        self._state = outcome.state
        self._granted = Wish()
        if outcome.error is not None:
            # As text: a handler that keeps records would keep the frames of the traceback, too.
            logger.warning("configuration not refreshed: %s", outcome.told)
        log_problems(outcome.state, before)
        if outcome.changes is None:
            return False
        began, sent = self._began
        told = change_told(outcome.state.snapshot, outcome.changes)
        took = 1000 * (self._monotonic() - began)
        logger.info("%s; %d requests, %.0f ms", told, self._driver.sent - sent, took)
        return True

    def _after_fork_in_child(self) -> None:
        """Begin a life of our own: the parent's thread may hold the locks, its sockets are its."""
        _left_to_the_parent.append(self._driver)
        self._driver = self._driver.for_child()
        state, options = self._state, self._context.options
        every = state.what_is_due(math.inf, force=True)
        rearmed = state.rearmed(self._monotonic(), options, every)
        # An event that was pushed is as much the child's as the parent's.
        timers = replace(rearmed.timers, push=state.timers.push)
        self._state = replace(rearmed, timers=timers)
        self._begin_life()


def _utc(moment: tuple[float, float] | None) -> datetime | None:
    return datetime.fromtimestamp(moment[1], timezone.utc) if moment else None


_living: weakref.WeakValueDictionary[int, LiveConfiguration[Any, Any]] = (
    weakref.WeakValueDictionary()
)
_left_to_the_parent: list[object] = []
"""Connections a child inherited; kept, because closing them could end the parent's."""


def _renew_after_fork() -> None:
    for configuration in list(_living.values()):
        configuration._after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_after_fork)
