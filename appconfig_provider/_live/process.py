"""What belongs to one process and must not be shared by two: flag, driver, poller.

A process finds its own by its id, so that it does not matter how it was forked: with Python's
`os.fork`, which calls the hook below, or from C without it, as uWSGI does by default.
"""

from __future__ import annotations

import os
import sys
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from appconfig_provider._live.flight import Flight

if TYPE_CHECKING:
    from typing_extensions import Self  # typing's own needs Python 3.11

DriverT = TypeVar("DriverT", bound="Driver")
PollerT = TypeVar("PollerT", bound="Poller")


class Driver(Protocol):
    """What performs effects, as far as both faces use it alike."""

    @property
    def sent(self) -> int:
        """Requests sent so far."""
        ...

    def for_child(self) -> Self:
        """Return one for a forked child, which must not touch the parent's connections."""
        ...


class Poller(Protocol):
    """What checks in the background."""

    def start(self) -> None:
        """Start unless it runs."""
        ...

    def wake(self) -> None:
        """Make it work out anew what is due."""
        ...


@dataclass(slots=True, eq=False)
class ProcessRecord(Generic[DriverT, PollerT]):
    """What one process has; inherited by a child, which must only look for its own in it."""

    driver: DriverT
    poller: PollerT | None
    armed: bool = True
    """False in a child until its timers were started anew."""
    pid: int = field(default_factory=os.getpid)
    flight: Flight = field(default_factory=Flight)
    children: dict[int, ProcessRecord[DriverT, PollerT]] = field(default_factory=dict)
    """In a child: its own record, by its id. Of threads that come at once, one makes it."""


class Forkable(Protocol):
    """What has a record for each process."""

    def _begin_here(self) -> object:
        """Make the record of this process, unless it has one."""
        ...


_living: weakref.WeakValueDictionary[int, Forkable] = weakref.WeakValueDictionary()
_left_to_the_parent: list[object] = []
"""Connections a child inherited; kept, because closing them could end the parent's."""


def keep_after_fork(one: Forkable) -> None:
    """Have something begin anew in every child that this process forks from now on."""
    _living[id(one)] = one
    _ask_uwsgi()


def leave_to_the_parent(driver: object) -> None:
    """Keep the connections that a child inherited, unused."""
    _left_to_the_parent.append(driver)


def _begin_after_fork() -> None:
    for one in list(_living.values()):
        one._begin_here()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_after_fork)


# uWSGI. Its module is there only inside of it.

_RUNS_THREADS = frozenset({"enable-threads", "threads", "gevent", "gevent-monkey-patch"})
"""Options without which the threads of a worker stand still between requests."""


def runs_threads() -> bool:
    """Tell whether threads get on while this process waits for requests."""
    options = getattr(sys.modules.get("uwsgi"), "opt", None)
    return not isinstance(options, dict) or not _RUNS_THREADS.isdisjoint(options)


def is_master() -> bool:
    """Tell whether this process only forks workers and serves nothing itself."""
    master = getattr(sys.modules.get("uwsgi"), "masterpid", None)
    return callable(master) and master() == os.getpid()


class _PostFork:
    """The hook that uWSGI calls in each worker; it has room for one, so this calls the last one."""

    def __init__(self, before: object) -> None:
        self._before = before

    def __call__(self) -> None:
        _begin_after_fork()
        if callable(self._before):
            self._before()


def _ask_uwsgi() -> None:
    """Have uWSGI call us in its workers, beside whatever else it calls there."""
    uwsgi: Any = sys.modules.get("uwsgi")
    if not hasattr(uwsgi, "masterpid"):
        return
    before = getattr(uwsgi, "post_fork_hook", None)
    decorators = sys.modules.get("uwsgidecorators")
    chain = getattr(decorators, "postfork_chain", None)
    if isinstance(chain, list) and before is getattr(decorators, "postfork_chain_hook", None):
        if _begin_after_fork not in chain:
            chain.append(_begin_after_fork)
    elif not isinstance(before, _PostFork):
        uwsgi.post_fork_hook = _PostFork(before)
