"""What a provider holds at one point in time, for code that steps it: simulations and tests.

A provider shows its users values and `status`, and nothing else. To check the runtime itself one
has to see more: the state, the time to wake up, and what waits for the next refresh. To inspect a
provider changes nothing that it does, and providers that nobody inspects pay nothing for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from appconfig_provider._live.configuration import LiveConfiguration
from appconfig_provider._live.notifications import PendingCallbacks
from appconfig_provider._live.process import (
    DriverT,
    PollerT,
    ProcessRecord,
    _left_to_the_parent,
)
from appconfig_provider._live.source import RequestT, Source, StateT

ConfigT = TypeVar("ConfigT", bound=LiveConfiguration[Any, Any, Any, Any])


@dataclass(frozen=True, slots=True)
class Inspection(Generic[StateT, RequestT, DriverT, PollerT]):
    """What a provider held when it was inspected; nothing of it may be written to."""

    state: StateT = field(repr=False)
    process: ProcessRecord[DriverT, PollerT]
    """What belongs to this process: the flag, the driver, the poller."""
    wake: float
    """What `refresh()` compares with the monotonic clock (see `agenda`)."""
    inbox: tuple[RequestT, ...]
    """Requests that no refresh has read yet."""
    pending: RequestT | None
    """The request that the next refresh takes, without those in the inbox."""
    pending_callbacks: PendingCallbacks | None
    """What an interrupted refresh has still to call."""
    closed: bool


def inspect(
    config: LiveConfiguration[StateT, RequestT, DriverT, PollerT],
) -> Inspection[StateT, RequestT, DriverT, PollerT]:
    """Return what a provider holds now; in a forked child this makes the child's own record."""
    process = config._this_process()
    return Inspection(
        config._state,
        process,
        config._wake,
        tuple(config._inbox),
        config._pending,
        config._pending_callbacks,
        config._closed,
    )


def forked(parent: ConfigT, source: Source[Any, Any] | None = None) -> ConfigT:
    """Return the provider that a child would have if this process forked now, without forking.

    It begins as a child does: with the generation and the pending requests of its parent, and with
    a flag, a driver and a poller of its own. It has no subscriptions: their functions are those of
    the parent, which a simulation would see called twice. `source` is the child's copy of a source
    that knows more of its program than plans may, such as whom to tell.
    """
    child = object.__new__(type(parent))
    for kind in type(parent).__mro__:
        for name in getattr(kind, "__slots__", ()):
            if name != "__weakref__":
                setattr(child, name, getattr(parent, name))
    # In a real child these are copies, as all of its memory is.
    child._inbox = parent._inbox.copy()
    child._logged = parent._logged.copy()
    child._listeners, child._attempt_listeners = {}, {}
    if source is not None:
        child._source, child._options = source, source.options
    inherited = parent._process
    child._begin_in_child(inherited)
    # A real child has done this to its copies; here it is undone, since they are the parent's.
    inherited.children.clear()
    _left_to_the_parent.remove(inherited.driver)
    return child
