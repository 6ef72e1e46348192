"""What a source of a document gives the runtime.

The runtime keeps a document fresh without knowing what it is: it decides when to call the source,
publishes the state that comes back by one assignment, and calls listeners. The source decides what
is due, which requests a check sends and what a generation consists of.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from appconfig_provider._live.bindings import Bindings
from appconfig_provider._live.callbacks import Callback
from appconfig_provider._live.standing import Standing
from appconfig_provider._plan import Plan
from appconfig_provider.protocols import Clock
from appconfig_provider.snapshot import ChangeSet

if TYPE_CHECKING:
    from appconfig_provider.models import JsonValue
    from appconfig_provider.snapshot import ConfigurationSnapshot


class State(Protocol):
    """Everything that a source knows, as one frozen value.

    `values` and `snapshot` are attributes of the state itself, so that a read costs one attribute.
    A refresh is a function from one state to the next, so readers need no lock and can never see
    half of a refresh.
    """

    @property
    def values(self) -> Mapping[str, JsonValue]:
        """The values as an exact dict, which CPython reads twice as fast as a subclass."""
        ...

    @property
    def snapshot(self) -> ConfigurationSnapshot:
        """The same values, for several reads that must agree."""
        ...

    @property
    def standing(self) -> Standing:
        """How the source is doing, and when it is due."""
        ...


class Request(Protocol):
    """A pushed request for the next refresh; only the source knows what is in it."""

    def also(self, other: object, /) -> object:
        """Return both requests as one, this one being the older."""
        ...


StateT = TypeVar("StateT", bound=State)
RequestT = TypeVar("RequestT", bound=Request)
StateT_co = TypeVar("StateT_co", bound=State, covariant=True)
RequestT_contra = TypeVar("RequestT_contra", bound=Request, contravariant=True)


@dataclass(frozen=True, slots=True)
class Outcome(Generic[StateT_co]):
    """The state after a refresh; `changes` when it is a new generation, `error` when it failed."""

    state: StateT_co
    changes: ChangeSet | None = None
    error: Exception | None = field(default=None, repr=False)
    message: str = ""
    """What a log line says of the error, without secrets; empty where nothing is to be logged."""
    more_errors: tuple[Exception, ...] = field(default=(), repr=False)
    """What else failed in the same refresh, beside `error`; callbacks get each."""
    silent: bool = False
    """True for a new generation of which no callback hears, because nothing differs in it."""

    @property
    def errors(self) -> tuple[Exception, ...]:
        """All that failed; empty after success."""
        return (() if self.error is None else (self.error,)) + self.more_errors

    def also(self, error: Exception) -> Outcome[StateT_co]:
        """Return the outcome with one more error."""
        if self.error is None:
            return replace(self, error=error)
        return replace(self, more_errors=(*self.more_errors, error))

    @property
    def quiet(self) -> bool:
        """True when there is nothing to call callbacks for."""
        return (self.changes is None or self.silent) and self.error is None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOptions:
    """How a source wants to be kept fresh; times in seconds."""

    clock: Clock
    random: Callable[[], float] = field(repr=False)
    """A number from 0 to 1 at each call."""
    interval: float
    """Between two checks."""
    polls: bool = False
    """True when a poller checks in the background."""
    stop_wait: float = 20.0
    """How long `close()` waits for a poller that is in the middle of a check."""
    success: tuple[Callback, ...] = field(default=(), repr=False)
    error: tuple[Callback, ...] = field(default=(), repr=False)
    unwatched: str = "refresh() was called, but there is nothing to check"
    """The message that is logged once when `refresh()` is called and nothing will ever be due."""
    unwatched_by_choice: bool = False
    """True when the user asked for that: the message is no warning then."""
    logger: logging.Logger = logging.getLogger("appconfig_provider")  # noqa: RUF009 - as any other
    """What the runtime tells of refreshes goes there."""
    change_level: int = logging.INFO
    """At which level it tells of a new generation."""
    threadless: str = (
        "this server runs no threads, so Polling.auto() cannot work here: start uWSGI with "
        "--enable-threads. Until then a call of refresh() does what is due"
    )
    """The warning where a poller is wanted and cannot run; empty where reads do its work."""
    bindings: Bindings = field(default_factory=Bindings, repr=False)
    """What `bind()` adds to. The plan of a refresh invokes its `checks` before it returns another
    snapshot."""


class Source(Protocol[StateT, RequestT_contra]):
    """A document that can be loaded and checked for changes. Its plans do the work."""

    @property
    def name(self) -> str:
        """Where the document comes from, for a repr; holds no secret."""
        ...

    @property
    def options(self) -> LiveOptions:
        """How it wants to be kept fresh."""
        ...

    def limit(self, *, in_background: bool) -> float:
        """Return the seconds that a refresh may take, functions of the user included."""
        ...

    def next(self, state: StateT, *, force: bool, in_background: bool) -> Plan[Outcome[StateT]]:
        """Return the plan of a refresh. The plan does not raise: its outcome holds the error.

        `force` ignores timers and back-off. `in_background` is True for a poller: no caller waits.
        """
        ...

    def with_requests(self, state: StateT, request: RequestT_contra | None, /) -> StateT:
        """Return the state with a request applied, which may make it due sooner."""
        ...

    def rearmed(self, state: StateT) -> StateT:
        """Return the state with all timers started anew, as in a forked child."""
        ...

    def keep(self, state: StateT) -> Plan[StateT] | None:
        """Return the plan that keeps a state for the next run; None when there is nothing to do.

        It is run after the callbacks, by the holder of the flag, and does not raise. The state that
        it returns has the same values.
        """
        ...

    def log_start(self, state: StateT, requests: int) -> None:
        """Log what was loaded, and how many requests that took."""
        ...

    def log_change(self, state: StateT, before: StateT) -> None:
        """Log what else is worth a line of a state that was published."""
        ...
