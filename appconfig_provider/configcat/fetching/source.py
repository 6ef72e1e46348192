"""A ConfigCat config as a source of the runtime (see `_live/source`)."""

from __future__ import annotations

from dataclasses import dataclass

from appconfig_provider._live.source import LiveOptions, Outcome
from appconfig_provider._plan import Plan
from appconfig_provider.configcat.fetching.options import SourceOptions
from appconfig_provider.configcat.fetching.state import State, first_state


class Online:
    """A pushed request: the client was switched online, so ask the server unless all is fresh."""

    __slots__ = ()

    def also(self, _other: object, /) -> Online:
        """Return both requests as one."""
        return self


@dataclass(frozen=True, slots=True)
class ConfigCatSource:
    """A config, as the arguments of a client describe it.

    `Outcome.message` is always empty: what there is to say is in `State.reports`, and was told to
    `given.tell` when the new state is published.
    """

    given: SourceOptions

    @property
    def name(self) -> str:
        """The server that is asked first."""
        return self.given.addresses.first

    @property
    def options(self) -> LiveOptions:
        """How it is kept fresh."""
        return self.given.live

    def first(self) -> State:
        """Return the state that a client begins with: empty, and due at once."""
        return first_state(self.given.addresses.first, self.given.now())

    def limit(self, *, in_background: bool) -> float:
        """Return the seconds that a refresh may take."""
        raise NotImplementedError

    def next(self, state: State, *, force: bool, in_background: bool) -> Plan[Outcome[State]]:
        """Return the plan of a refresh: cache, server and files, each if it is due.

        The first one reads the cache and the files in every mode. `force` asks the server, unless
        the client is offline or has local settings only; `State.result` tells what came of it.
        """
        raise NotImplementedError

    def with_requests(self, state: State, request: Online | None, /) -> State:
        """Return the state; due at once where a client that was offline is online again."""
        raise NotImplementedError
