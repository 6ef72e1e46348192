"""What belongs to one process and must not be shared by two: flag, driver, poller.

A process finds its own record by its process id. So it does not matter how it was forked: by
Python's `os.fork`, which calls the hook below, or by C code that does not, such as uWSGI's.
"""

from __future__ import annotations

import os
import sys
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from appconfig_provider._live.flight import Flight
from appconfig_provider._plan import Plan

if TYPE_CHECKING:
    import asyncio

    from typing_extensions import Self  # typing's own needs Python 3.11

DriverT = TypeVar("DriverT", bound="Driver")
PollerT = TypeVar("PollerT", bound="Poller")
T = TypeVar("T")


class Driver(Protocol):
    """What performs effects; these members are the same with threads and with asyncio."""

    @property
    def sent(self) -> int:
        """Requests sent so far."""
        ...

    def for_child(self) -> Self:
        """Return a driver for a forked child, which must not touch the parent's connections."""
        ...


class BlockingDriver(Driver, Protocol):
    """A driver for threads."""

    def run(self, plan: Plan[T]) -> T:
        """Run a plan to its end; return what it returns, or raise what it raises."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


class AwaitedDriver(Driver, Protocol):
    """A driver for asyncio."""

    async def run(self, plan: Plan[T]) -> T:
        """Run a plan to its end; return what it returns, or raise what it raises."""
        ...

    async def close(self) -> None:
        """Close what is open."""
        ...


class Poller(Protocol):
    """What refreshes in the background."""

    def start(self) -> None:
        """Start unless it runs."""
        ...

    def wake(self) -> None:
        """Make it work out anew what is due."""
        ...


@dataclass(slots=True, eq=False)
class ProcessRecord(Generic[DriverT, PollerT]):
    """What belongs to one process. A child inherits it, and may only read `children` of it."""

    driver: DriverT
    poller: PollerT | None
    armed: bool = True
    """False in a child until it has started its timers anew."""
    pid: int = field(default_factory=os.getpid)
    flight: Flight = field(default_factory=Flight)
    children: dict[int, ProcessRecord[DriverT, PollerT]] = field(default_factory=dict)
    """By process id: the child's own record. It is added by `setdefault`, so that threads which
    come at the same time agree on one."""


class Forkable(Protocol):
    """Something that needs a new `ProcessRecord` in each forked child."""

    def _begin_here(self) -> object:
        """Make the record of this process, unless it has one."""
        ...


_living: weakref.WeakValueDictionary[int, Forkable] = weakref.WeakValueDictionary()
_left_to_the_parent: list[object] = []
"""Drivers that a child inherited. If they were collected, their connections would be closed, which
could end those of the parent."""


def keep_after_fork(one: Forkable) -> None:
    """Have `one` make its record in every child that this process forks from now on."""
    _living[id(one)] = one
    _register_with_uwsgi()


def leave_to_the_parent(driver: object) -> None:
    """Keep an inherited driver for the rest of the process, without using it."""
    _left_to_the_parent.append(driver)


def _begin_after_fork() -> None:
    for one in list(_living.values()):
        one._begin_here()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_after_fork)


def current_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that runs on this thread; None where none does."""
    import asyncio  # its import takes 20 ms, which programs with threads are spared

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


# uWSGI. Its module `uwsgi` exists only in processes that uWSGI has started.

_RUNS_THREADS = frozenset({"enable-threads", "threads", "gevent", "gevent-monkey-patch"})
"""Options of uWSGI. Without one of them the threads of a worker run only during requests."""


def runs_threads() -> bool:
    """Tell whether threads run while this process waits for requests."""
    options = getattr(sys.modules.get("uwsgi"), "opt", None)
    return not isinstance(options, dict) or not _RUNS_THREADS.isdisjoint(options)


def is_master() -> bool:
    """Tell whether this process only forks workers and serves nothing itself."""
    master = getattr(sys.modules.get("uwsgi"), "masterpid", None)
    return callable(master) and master() == os.getpid()


class _PostFork:
    """The hook that uWSGI calls in each worker.

    uWSGI has only one, so this also calls the hook that was set before.
    """

    def __init__(self, before: object) -> None:
        self._before = before

    def __call__(self) -> None:
        _begin_after_fork()
        if callable(self._before):
            self._before()


def _register_with_uwsgi() -> None:
    """Have uWSGI call our hook in its workers, and keep the hooks of the program."""
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
