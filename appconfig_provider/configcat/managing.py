"""What both clients have in common, for threads and for asyncio: nothing here waits.

Theory. A read compares the clock with one number, the runtime's time to wake up plus `_late`, and
usually that is all. `_late` is minus infinity until the client is ready, so every read looks. Then
it is 0, so that a read looks when something is due (lazy), or a file may have changed (manual,
local settings only). With a poller it is an interval: a read looks only when the poller is late by
that much, as it is in a server without threads.

A client is ready when its first refresh has ended, well or badly, or the longest time has passed
for which reads wait. Whoever notices calls the hooks, once: `_unready` is a list with one item, and
to take it is one operation, which no two threads can both succeed in.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from contextlib import suppress
from typing import Any, ClassVar, Generic, TypeVar

from appconfig_provider._io.clock import clock_in_force
from appconfig_provider._live.callbacks import Callback
from appconfig_provider._live.configuration import LiveConfiguration
from appconfig_provider.configcat.configcatoptions import ConfigCatOptions, Hooks
from appconfig_provider.configcat.connecting import Surroundings, source_of
from appconfig_provider.configcat.evaluating import Evaluation
from appconfig_provider.configcat.events import Call, Events, refuse_coroutines
from appconfig_provider.configcat.fetching.source import ConfigCatSource, Online
from appconfig_provider.configcat.fetching.state import State
from appconfig_provider.configcat.keys import masked
from appconfig_provider.configcat.pollingmode import AutoPollingMode
from appconfig_provider.configcat.refreshresult import RefreshResult
from appconfig_provider.configcat.snapshots import ConfigCatSnapshot
from appconfig_provider.configcat.user import User
from appconfig_provider.protocols import Clock

LiveT = TypeVar("LiveT", bound="LiveConfiguration[State, Online, Any, Any]")

CLOSED = RefreshResult(is_success=False, error="the client was closed, so no request was sent")
UNFINISHED = RefreshResult(
    is_success=False, error="another refresh has not ended in time, or has called this function"
)


MAX_JOINS = 3
"""How often `force_refresh()` tries. It tries again after it has joined a refresh that did not ask
the server, but only looked at a file or a cache."""


class ManagedClient(Generic[LiveT]):
    """A client of either kind."""

    __slots__ = (
        "__weakref__",
        "_evaluation",
        "_events",
        "_late",
        "_limit",
        "_listeners",
        "_live",
        "_sdk_key",
        "_source",
        "_unready",
        "_wait_until",
    )

    _live: LiveT
    _awaits: ClassVar[bool] = False
    """True where hooks may be coroutine functions."""

    def _manage(self, sdk_key: str, options: ConfigCatOptions, *, newest: bool) -> None:
        """Make the runtime of a client; it begins with `_begin`.

        `newest` is True for `get()`, which asks for `config_v6.json` first and checks the key.
        """
        self._sdk_key = sdk_key
        self._events = events = Events(options.hooks or Hooks())
        self._evaluation = Evaluation(events, options.default_user)
        clock = clock_in_force()
        given = Surroundings(clock=clock, tell=events.report, success=(self._told_of_changes(),))
        self._source = source = source_of(sdk_key, options, given, newest=newest)
        refuse_coroutines(events.hooks, awaits=self._awaits)
        self._listeners = events.hooks.flag_evaluated
        """The hooks that hear of each evaluation, one attribute away."""
        self._live = live = self._made_live(source, options, clock)
        self._limit = source.limit(in_background=False)
        self._unready = [True]
        mode, now = options.polling_mode, clock.monotonic()
        self._wait_until = now
        if isinstance(mode, AutoPollingMode) and live._options.polls:
            self._wait_until += mode.max_init_wait_time_seconds
        self._late = -math.inf

    @abstractmethod
    def _made_live(self, source: ConfigCatSource, options: ConfigCatOptions, clock: Clock) -> LiveT:
        """Return a runtime that has not begun."""

    @abstractmethod
    def _told_of_changes(self) -> Callback:
        """Return what calls the hooks after a change; it must not keep the client alive."""

    @abstractmethod
    def _begin(self) -> None:
        """Call the hooks of a client that is ready at once, and let it poll."""

    @property
    def _is_ready(self) -> bool:
        return not self._unready

    @property
    def _first_refresh_ended(self) -> bool:
        return self._live._state.attempt.last is not None

    @property
    def _begins_without_request(self) -> bool:
        """True where the first refresh reads only cache and files, and has not ended.

        Reads join it. `force_refresh()` has it first, so that they never join a download.
        """
        return not (self._source.given.fetches_by_itself or self._first_refresh_ended)

    @property
    def _polls(self) -> bool:
        return self._live._options.polls

    def _become_ready(self) -> list[Call]:
        """Let reads wait no longer; return the hooks to call, if nobody has before."""
        self._late = self._live._options.interval if self._polls else 0.0
        with suppress(IndexError):
            self._unready.pop()
            return self._events.ready()
        return []

    def _changed(self) -> list[Call]:
        """Return the hooks to call after a change.

        The settings of a client with local ones only are no change when they are read first.
        """
        if self._source.given.local_only and self._live._state.snapshot.version == 1:
            return []
        return self._events.changed(dict(self._live._state.settings))

    @property
    def _joins(self) -> bool:
        """Tell whether a read that finds something due waits for the call that refreshes.

        A manual client waits for no server, unless local settings or a cache are still to be read.
        """
        given = self._source.given
        unread = given.local is not None or given.cache is not None
        return given.fetches_by_itself or (unread and not self._live._state.loaded)

    def _end(self) -> None:
        """Call no hook any longer, and let a refresh that is under way send nothing more."""
        self._events.end()
        self._source.given.switch.offline = True

    def _poller_is_late(self) -> bool:
        """Tell whether a read is to refresh because the poller does not, and nobody else does."""
        live = self._live
        process = live._this_process()
        late = self._late if process.poller is not None else 0.0
        if live._monotonic() < live._due + late:
            return False
        if process.flight.locked():
            live._give_way(process)
            return False
        return True

    # What a program calls -------------------------------------------------------------------

    def set_default_user(self, user: User | None) -> None:
        """Set the user of evaluations that are given none."""
        self._evaluation.default_user = user

    def clear_default_user(self) -> None:
        """Have evaluations without a user again."""
        self._evaluation.default_user = None

    def set_online(self) -> None:
        """Let the client send requests."""
        given = self._source.given
        if given.local_only:
            self._events.no_effect("set_online")
        elif given.switch.offline and not self._live._closed:
            given.switch.offline = False
            self._events.switched("ONLINE")
            if given.fetches_by_itself:
                self._live._push(Online())

    def set_offline(self) -> None:
        """Let the client send nothing: it answers from memory, and from a shared cache.

        It waits for nothing: a request that is on its way ends by itself.
        """
        given = self._source.given
        if not given.local_only and not given.switch.offline:
            given.switch.offline = True
            self._events.switched("OFFLINE")

    def is_offline(self) -> bool:
        """Tell whether the client sends nothing."""
        given = self._source.given
        return given.local_only or given.switch.offline or self._live._closed

    def get_hooks(self) -> Hooks:
        """Return the hooks, for `add_on_...`."""
        return self._events.hooks

    def snapshot(self) -> ConfigCatSnapshot:
        """Return the settings as they are now, for several reads that must agree.

        It never waits and sends nothing: what a client has at that time is what counts.
        """
        return ConfigCatSnapshot(self._live._state, self._evaluation)

    def __repr__(self) -> str:
        key, state = masked(self._sdk_key), self._live._state
        return f"<{type(self).__name__} {key} settings={len(state.settings)}>"
