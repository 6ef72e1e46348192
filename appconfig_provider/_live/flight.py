"""Single flight: one refresh at a time, whatever interrupts it.

Theory. The owners form a chain, and the last one has the flag. A call that wants the flag appends
an `Owner` to the chain by one `dict.setdefault`, which is atomic: no thread and no signal handler
can run in the middle of it. It may do so only when the last owner is *gone*. An owner is gone when
it has released the flag, when its event loop was closed, or when its call is over.

The third case is needed because an exception (of a signal handler, for example) may end a call
between any two instructions, also inside `finally`. A flag that only `finally` clears could stay
set for ever. So each owner has a weak reference to a token, and the only strong reference is on the
evaluation stack of its call: the token is the iterator of the call's `for` statement. The
interpreter clears that stack however the call ends. (A local variable would not do: the traceback
of an exception can keep it alive.) So code that takes the flag must be written as

    for owner in flight.begin(...):
        try:
            if not flight.take(owner):
                return False
            ...
        finally:
            flight.release(owner)

and must not keep what `begin` returns in a variable.

Others may wait until the refresh of an owner is *settled*, published or failed, or until the owner
is gone (see `joining`). They leave a function among the watchers of the flag by one operation of a
dict and look at the owner after that; who settles or releases does it first and calls the watchers
after that. So one of the two sees the other. A waiting call also has a weak reference of its own to
the token, which calls it when the owner is gone without having released.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Generator
from contextvars import ContextVar
from threading import get_ident
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import asyncio


class Settled(NamedTuple):
    """What the refresh of an owner came to."""

    published: bool
    """True when there is a new generation."""
    error: Exception | None
    """Why it failed, as `status` shows it; None when it did not."""


_running: ContextVar[Owner | None] = ContextVar("_running", default=None)
"""The owner whose refresh runs in this thread, greenlet or task, and in tasks that it has begun."""


class Owner:
    """One call that wants the flag, or has it."""

    __slots__ = (
        "_call",
        "_loop",
        "began",
        "calling",
        "done",
        "limit",
        "next",
        "settled",
        "thread",
        "warned",
    )

    def __init__(self, began: float, limit: float, loop: asyncio.AbstractEventLoop | None) -> None:
        self.began = began
        """When the call came, on the monotonic clock."""
        self.limit = limit
        """Seconds that it may take."""
        self.thread = get_ident()
        self.calling = False
        """True while callbacks of the user are called."""
        self.done = False
        self.warned = False
        """True once a warning was logged that it takes too long."""
        self.settled: Settled | None = None
        """What its refresh came to, as soon as that is published; callbacks may still be called."""
        self.next: dict[str, Owner | None] = {}
        """The owner after this one, under the key ""; None once the chain has moved on.

        It is a dict because `setdefault` is atomic.
        """
        self._loop = loop
        self._call: weakref.ref[Generator[Owner, None, None]] | None = None

    @property
    def gone(self) -> bool:
        """True when the flag is free for others; once True it stays so."""
        if self.done or self._call is None or self._call() is None:
            return True
        return self._loop is not None and self._loop.is_closed()

    @property
    def published(self) -> bool:
        """True when its refresh has published a new generation."""
        return self.settled is not None and self.settled.published

    @property
    def over(self) -> bool:
        """True once nothing more comes of its refresh."""
        return self.settled is not None or self.gone

    @property
    def runs_here(self) -> bool:
        """True in a function that the refresh of this owner calls: a callback, a validator."""
        return _running.get() is self

    def when_gone(self, call: Callable[[], object]) -> object:
        """Have a function called when the owner's call ends, for as long as the result is kept.

        Returns None when that call is over.
        """
        try:
            # In one expression: a variable would keep the token, and with it the owner's claim.
            return weakref.ref(self._call(), lambda _: call())  # type: ignore[misc]
        except TypeError:  # there is no token, or None is what is left of it
            return None

    def token(self) -> Generator[Owner, None, None]:
        """Return the token for the stack of the call; once it is collected, the call is over."""
        token = _only(self)
        self._call = weakref.ref(token)
        return token


def _only(owner: Owner) -> Generator[Owner, None, None]:
    yield owner


class Flight:
    """The flag of one provider in one process; safe to use from threads and signal handlers."""

    __slots__ = ("_last", "_watchers")

    def __init__(self) -> None:
        self._last = Owner(0.0, 0.0, None)
        self._watchers: dict[object, Callable[[], object]] = {}

    def begin(
        self, began: float, limit: float, loop: asyncio.AbstractEventLoop | None = None
    ) -> Generator[Owner, None, None]:
        """Return what to iterate over once, for an owner that does not have the flag yet.

        `began` is now, on the monotonic clock; `limit` the seconds after which the owner is late.
        """
        return Owner(began, limit, loop).token()

    def take(self, owner: Owner) -> bool:
        """Give an owner the flag unless another one has it; never waits."""
        last = self._last
        while last.gone:
            following = last.next.setdefault("", owner)
            if following is owner:
                # Only the owner that has the flag assigns this, so it never goes back.
                self._last = owner
                # A traceback may keep `last` alive; without this it would keep all later owners.
                last.next[""] = None
                _running.set(owner)
                return True
            last = self._last if following is None else following
        return False

    def release(self, owner: Owner) -> None:
        """Release the flag if this owner has it; later calls do nothing."""
        owner.done = True
        if self._last is owner:
            if _running.get() is owner:
                _running.set(None)
            self.call_watchers()

    def settle(self, owner: Owner, settled: Settled) -> None:
        """Note what the refresh of an owner came to, and wake those who wait for it."""
        owner.settled = settled
        self.call_watchers()

    def watch(self, key: object, call: Callable[[], object]) -> None:
        """Have a function called, from any thread, whenever an owner has settled or released."""
        self._watchers[key] = call

    def unwatch(self, key: object) -> None:
        """Call it no longer."""
        self._watchers.pop(key, None)

    @property
    def watched(self) -> int:
        """How many calls wait."""
        return len(self._watchers)

    def call_watchers(self) -> None:
        """Wake those who wait, so that they look again."""
        if self._watchers:
            for call in self._watchers.copy().values():
                call()

    def held_by(self, owner: Owner) -> bool:
        """Tell whether an owner has the flag."""
        return self._last is owner and not owner.gone

    def locked(self) -> bool:
        """Tell whether any owner has the flag."""
        return self.holder is not None

    @property
    def holder(self) -> Owner | None:
        """Who has the flag; None when it is free."""
        last = self._last
        while (following := last.next.get("", last)) is not last:
            last = self._last if following is None else following
        return None if last.gone else last
