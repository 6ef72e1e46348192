"""What the providers for threads and for asyncio share: status, subscriptions, publishing.

`agenda` decides when a refresh is due and who may do it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, NoReturn, TypeVar, overload

from appconfig_provider._live.agenda import Agenda
from appconfig_provider._live.bindings import Binding, bind
from appconfig_provider._live.callbacks import Callback, Subscription, SuccessCallback
from appconfig_provider._live.flight import Owner, Settled
from appconfig_provider._live.notifications import (
    Attempted,
    PendingCallbacks,
    attempted,
    change_message,
)
from appconfig_provider._live.process import DriverT, PollerT, ProcessRecord
from appconfig_provider._live.source import Outcome, RequestT, Source, StateT
from appconfig_provider._live.standing import now
from appconfig_provider.models import Status
from appconfig_provider.nesting import Separator
from appconfig_provider.snapshot import ConfigurationSnapshot
from appconfig_provider.texts import counted, kind_of
from appconfig_provider.value_errors import BindingError

ListenerT = TypeVar("ListenerT", bound="SuccessCallback")
T = TypeVar("T")


class LiveConfiguration(Agenda[StateT, RequestT, DriverT, PollerT]):
    """A Mapping of the newest generation; each call answers from a single one."""

    __slots__ = ("_attempt_listeners", "_bindings", "_listeners")

    def __init__(self, source: Source[StateT, RequestT], driver: DriverT, state: StateT) -> None:
        self._listeners: dict[Subscription, None] = {}
        """In the order of registration. No lock is needed: any thread adds and removes by a single
        operation of the dict, and readers copy it."""
        self._attempt_listeners: dict[object, Callback] = {}
        """The listeners of every attempt, in the same way."""
        self._bindings = source.options.bindings
        super().__init__(source, driver, state)
        source.log_start(state, driver.sent)
        options = self._options
        if options.polls and self._process.poller is None and options.threadless:
            options.logger.warning(options.threadless)

    @property
    def _subscriptions(self) -> tuple[Subscription, ...]:
        return tuple(self._listeners.copy())

    def __repr__(self) -> str:
        snapshot = self._state.snapshot
        return (
            f"<{type(self).__name__} {self._source.name} "
            f"version={snapshot.version} keys={len(snapshot)}>"
        )

    def __copy__(self) -> ConfigurationSnapshot:
        return self.snapshot

    def __deepcopy__(self, _memo: dict[int, object]) -> ConfigurationSnapshot:
        return self.snapshot

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError(
            f"{kind_of(self)} cannot be pickled: it has connections and refreshes itself. "
            "Pickle config.snapshot, which becomes a dict, or call load() in the other process"
        )

    @property
    def status(self) -> Status:
        """How refreshing goes; reads memory only."""
        state, instant = self._state, now(self._options.clock)
        standing = state.standing
        attempt = standing.attempt
        confirmed = attempt.success.boottime if attempt.success else -math.inf
        ahead = standing.backoff_until - instant.monotonic
        return Status(
            generation=state.snapshot.version,
            last_attempt=_utc(attempt.last and attempt.last.wall),
            last_success=_utc(attempt.success and attempt.success.wall),
            last_error=attempt.error or self._bindings.error_in(state.snapshot),
            age=0.0 if standing.local else instant.boottime - confirmed,
            stale=state.snapshot.stale,
            endpoint=attempt.endpoint,
            backoff_until=_utc(instant.wall + ahead) if ahead > 0 else None,
            requests_sent=self._driver.sent,
            overdue=self._overdue(self._flight.holder),
            cache_error=standing.cache_error,
        )

    def _overdue(self, owner: Owner | None) -> float | None:
        """Return by how many seconds a refresh is past its limit; None when it is not."""
        late = -1.0 if owner is None else self._monotonic() - owner.began - owner.limit
        return late if late > 0 else None

    def _give_way(self, process: ProcessRecord[DriverT, PollerT]) -> None:
        """Leave it to another call that refreshes; warn once if that one is past its limit."""
        owner = process.flight.holder
        late = self._overdue(owner)
        if owner is not None and late is not None and not owner.warned:
            owner.warned = True
            self._options.logger.warning(
                "a refresh that began %.0f s ago on thread %d has not ended, and should have after "
                "%.0f s; until it does refresh() returns False. A callback, validate, a mapper, a "
                "credential or a resolver of yours may hang",
                late + owner.limit,
                owner.thread,
                owner.limit,
            )

    @overload
    def bind(
        self,
        model: type[T],
        prefix: str = "",
        separator: Separator = ":",
        case_sensitive: bool = True,
    ) -> Binding[T]: ...

    @overload
    def bind(
        self,
        model: object,
        prefix: str = "",
        separator: Separator = ":",
        case_sensitive: bool = True,
    ) -> Binding[Any]: ...

    def bind(
        self,
        model: Any,
        prefix: str = "",
        separator: Separator = ":",
        case_sensitive: bool = True,
    ) -> Binding[Any]:
        """Keep a value of your own type, made of the settings below a prefix by pydantic.

        `model` is what `pydantic.TypeAdapter` takes: a model, a dataclass, a TypedDict,
        `list[int]`, `int`. It gets the tree of `snapshot.nested(prefix, separator)`, or the value
        of the key that is the prefix. Where a field is no scalar, text is decoded as JSON. With
        `case_sensitive=False` keys match fields of models whatever their case.

        A copy of an earlier run (`stale`) that does not fit is replaced first, by one refresh; in
        `aio` that is left to the caller. An empty configuration fits nothing.

        From now on a generation that does not fit is not published: the old one stays, and
        `on_refresh_error` gets the `BindingError`. That lasts while somebody holds the binding.

        Raises:
            BindingError: the generation in force does not fit; it names places, but no values.
            ImportError: pydantic is not installed (extra `pydantic`).
            TypeError, ValueError: an argument is wrong.
        """
        arguments = (model, prefix, separator, case_sensitive)
        try:
            return bind(self, self._bindings, arguments)
        except BindingError:
            if not self._replace_stale():
                raise
        return bind(self, self._bindings, arguments)

    def _replace_stale(self) -> bool:
        """Refresh now if a copy of an earlier run is served; True when the store replaced it.

        For who cannot use the copy. In asyncio nothing can be awaited there, so it stays.
        """
        return False

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
        self._listeners[subscription] = None
        return subscription

    def _check_listener(self, subscription: Subscription) -> None:
        """Refuse a callback that this provider cannot call: with threads, a coroutine function."""

    def _unsubscribe(self, subscription: Subscription) -> None:
        self._listeners.pop(subscription, None)

    def _push(self, request: RequestT) -> None:
        """Leave a request for the next refresh; may be called from any thread."""
        if self._closed:
            return
        self._inbox.append(request)
        # Set after the inbox: the owner of the flag sets `_wake` first and then reads the inbox, so
        # one of the two sees the other's change (see `Agenda._set_wake`).
        self._wake = -math.inf
        poller = self._this_process().poller
        if poller is not None:
            poller.wake()

    def _publish(self, outcome: Outcome[StateT]) -> Settled:
        """Publish the outcome of a refresh: readers see the new state by one assignment."""
        before = self._state
        # If this call is interrupted below, the next one must not return at once: it works out anew
        # what is due.
        self._wake = -math.inf
        self._state = outcome.state
        self._have_told(outcome, before)
        # After that: were a validator of the program interrupted, callbacks would still be called.
        unfit = self._bindings.catch_up(outcome.state.snapshot, before.snapshot)
        if unfit is not None:
            self._have_told(outcome.also(unfit), before)
        self._in_flight = None
        if outcome.message:
            # Logged as text, not as an exception: a handler that keeps records would keep the
            # frames of the traceback, and with them settings and secrets.
            self._options.logger.warning("configuration not refreshed: %s", outcome.message)
        self._source.log_change(outcome.state, before)
        error = outcome.error or unfit
        if outcome.changes is None:
            return Settled(published=False, error=error)
        began, sent = self._began
        message = change_message(outcome.state.snapshot, outcome.changes)
        took = 1000 * (self._monotonic() - began)
        requests = counted(self._driver.sent - sent, "request")
        level = self._options.change_level
        self._options.logger.log(level, "%s; %s, %.0f ms", message, requests, took)
        return Settled(published=True, error=error)

    def _have_told(self, outcome: Outcome[StateT], before: StateT) -> None:
        """Make the callbacks pending that the outcome of a refresh is told to."""
        listeners = tuple(self._attempt_listeners.copy().values())
        if listeners or not outcome.quiet:
            attempt = attempted(outcome, before)
            attempts = ((callback, attempt) for callback in listeners)
            self._pending_callbacks = PendingCallbacks(
                outcome, self._options, self._subscriptions, attempts
            )


def on_attempt(
    config: LiveConfiguration[Any, Any, Any, Any], listener: Callable[[Attempted], object]
) -> Callable[[], None]:
    """Have a function called after every attempt to refresh; return what ends that.

    For integrations that show failure and recovery. It is called after the swap and after the
    callbacks of the user, still by the holder of the flag; what it raises stops nothing.
    """
    key = object()
    config._attempt_listeners[key] = Callback(listener, wants_argument=True)

    def end() -> None:
        config._attempt_listeners.pop(key, None)

    return end


def _utc(wall: float | None) -> datetime | None:
    return None if wall is None else datetime.fromtimestamp(wall, timezone.utc)
