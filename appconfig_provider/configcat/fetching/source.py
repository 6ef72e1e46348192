"""A ConfigCat config as a source of the runtime (see `_live/source`)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from appconfig_provider._live.source import LiveOptions, Outcome
from appconfig_provider._plan import Plan, Steps, plan
from appconfig_provider.configcat.fetching.options import SourceOptions
from appconfig_provider.configcat.fetching.refresh import refresh
from appconfig_provider.configcat.fetching.shared import SharedCache, is_to_be_kept, write_copy
from appconfig_provider.configcat.fetching.state import NEVER, State, first_state

CACHE_WAITS = 6.0
"""Seconds that a cache which hangs may be waited for in one refresh: it is asked for one file or
for two, and given one."""


class Online:
    """A pushed request: the client was switched online, so ask the server unless all is fresh."""

    __slots__ = ()

    def also(self, _other: object, /) -> Online:
        """Return both requests as one."""
        return self


@dataclass(frozen=True, slots=True)
class ConfigCatSource:
    """A config, as the arguments of a client describe it.

    `Outcome.message` is always empty: what there is to say is in `State.reports`, and is told to
    `given.tell` when the new state is published.
    """

    given: SourceOptions

    @property
    def name(self) -> str:
        """The server that is asked first."""
        return "local settings" if self.given.local_only else self.given.addresses.first

    @property
    def options(self) -> LiveOptions:
        """How it is kept fresh."""
        return self.given.live

    def first(self) -> State:
        """Return the state that a client begins with: empty, and due at once."""
        given = self.given
        return first_state(given.addresses.first, given.now(), log_user=given.log_user)

    def limit(self, *, in_background: bool) -> float:  # noqa: ARG002 - the same for all
        """Return the seconds that a refresh may take."""
        return self.given.allowance.seconds + (CACHE_WAITS if self.given.cache else 0.0)

    def next(self, state: State, *, force: bool, in_background: bool) -> Plan[Outcome[State]]:
        """Return the plan of a refresh: cache, server and files, each if it is due.

        The first one reads the cache and the files in every mode. `force` asks the server, unless
        the client is offline or has local settings only; `State.result` tells what came of it.
        """
        return refresh(self.given, state, force=force, in_background=in_background)

    def with_requests(self, state: State, request: Online | None, /) -> State:
        """Return the state; due at once where a client that was offline is online again."""
        if request is None or state.fetch_due == NEVER:
            return state
        return replace(state, fetch_due=min(state.fetch_due, self.given.live.clock.monotonic()))

    def rearmed(self, state: State) -> State:
        """Return the state with its timers started anew, unless there is no config yet.

        A back-off stays: a server in trouble is not to be asked sooner because a process forks.
        """
        if state.fetch_due == NEVER or state.entry is None:
            return state
        live = self.given.live
        due = max(live.clock.monotonic() + live.interval, state.server.backoff.until)
        return replace(state, fetch_due=due)

    def keep(self, state: State) -> Plan[State] | None:
        """Return the plan that writes the shared cache; None when it has what it should have."""
        cache = self.given.cache
        if cache is None or not is_to_be_kept(state.entry, state.version, state.copies):
            return None
        return _kept(self.given, cache, state)

    def log_start(self, state: State, requests: int) -> None:
        """Log nothing: the first state is empty."""

    def log_change(self, state: State, before: State) -> None:  # noqa: ARG002 - of one state only
        """Tell what a refresh has to report."""
        for reported in state.reports:
            self.given.tell(reported)


@plan
def _kept(given: SourceOptions, cache: SharedCache, state: State) -> Steps[State]:
    if state.entry is None:
        raise AssertionError("called only when there is something to keep")
    copies, told = yield from write_copy(cache, state.entry, state.copies)
    for reported in told:
        given.tell(reported)
    return replace(state, copies=copies)
