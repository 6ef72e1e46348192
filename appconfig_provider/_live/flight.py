"""Single flight: one refresh at a time, whatever interrupts it.

Theory. A call that wants the flag enters an `Owner` behind the last one, with one
`dict.setdefault`, which neither a thread nor a signal handler can split. It succeeds only behind an
owner that is *gone*: one that said it is done, whose event loop was closed, or whose call is over.

The last of these is what makes it safe. An exception may end a call between any two instructions,
also inside `finally`, so a flag that only `finally` clears can stay set for ever. Each owner
therefore knows a token weakly, and only the evaluation stack of its call holds that token: it is
the iterator of the call's `for` statement. The interpreter clears the stack when the call ends,
however it ends. (Its variables can outlive it, in the traceback of an exception that somebody
keeps.) So the rule for whoever takes the flag is to write it as

    for owner in flight.begin(...):
        try:
            if not flight.take(owner):
                return False
            ...
        finally:
            flight.release(owner)

and to keep what `begin` returns in no variable.
"""

from __future__ import annotations

import weakref
from collections.abc import Generator
from threading import get_ident
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


class Owner:
    """One call that wants the flag, or has it."""

    __slots__ = ("_call", "_loop", "began", "calling", "done", "limit", "next", "thread", "warned")

    def __init__(self, began: float, limit: float, loop: asyncio.AbstractEventLoop | None) -> None:
        self.began = began
        """When the call came, on the monotonic clock."""
        self.limit = limit
        """Seconds that it may take."""
        self.thread = get_ident()
        self.calling = False
        """True while functions of the user are told of a generation."""
        self.done = False
        self.warned = False
        """True when somebody has warned that it takes too long."""
        self.next: dict[str, Owner | None] = {}
        """The owner after this one, by the only key; None once it need not be known any more."""
        self._loop = loop
        self._call: weakref.ref[Generator[Owner, None, None]] | None = None

    @property
    def gone(self) -> bool:
        """True when the flag is free for others; once True it stays so."""
        if self.done or self._call is None or self._call() is None:
            return True
        return self._loop is not None and self._loop.is_closed()

    def token(self) -> Generator[Owner, None, None]:
        """Return what the call holds on its stack; when it is collected, the call is over."""
        token = _only(self)
        self._call = weakref.ref(token)
        return token


def _only(owner: Owner) -> Generator[Owner, None, None]:
    yield owner


class Flight:
    """The flag of one provider in one process; safe to use from threads and signal handlers."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = Owner(0.0, 0.0, None)

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
                # Somebody may keep `last` (in a traceback), and is not to keep all that follow.
                last.next[""] = None
                return True
            last = self._last if following is None else following
        return False

    def release(self, owner: Owner) -> None:
        """Make the flag free, if it is this owner's."""
        owner.done = True

    def held_by(self, owner: Owner) -> bool:
        """Tell whether an owner has the flag."""
        return self._last is owner and not owner.gone

    def locked(self) -> bool:
        """Tell whether somebody has the flag."""
        return self.holder is not None

    @property
    def holder(self) -> Owner | None:
        """Who has the flag; None when it is free."""
        last = self._last
        while (following := last.next.get("", last)) is not last:
            last = self._last if following is None else following
        return None if last.gone else last
