"""Reading and writing caches, which may block: on a thread of its own, within a bound.

A disk may hang for minutes, and a file may lie on a server that does not answer. A refresh does not
wait for that. Python cannot end a thread, so one that hangs goes on until the system lets it; until
then nothing else is begun, so that there is never more than one.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextvars import copy_context

from appconfig_provider._plan import Effect, Failure, ReadStored, WriteStored
from appconfig_provider.trouble import EngineError

MAX_WAIT = 2.0
"""Seconds that a read or a write is waited for."""


class CacheBlocked(EngineError):
    """A cache did not answer in time, or an earlier call of it has not returned."""

    def as_public(self) -> Exception:
        """Return a TimeoutError with the same message."""
        return TimeoutError(str(self))


class Storage:
    """The calls of caches by one driver: one at a time."""

    def __init__(self) -> None:
        self._busy = False

    def begin(self, effect: ReadStored | WriteStored) -> Callable[[], object]:
        """Return the call of a cache that performs an effect.

        Raises:
            CacheBlocked: an earlier call has not returned yet.
        """
        if self._busy:
            raise blocked()

        def call() -> object:
            self._busy = True
            try:
                return _call(effect)
            finally:
                self._busy = False

        return call

    def perform(self, effect: ReadStored | WriteStored) -> object:
        """Perform an effect on a thread; wait for its outcome no longer than `MAX_WAIT`.

        The thread has this one's context variables, which tell the calls of a cache from those of
        others: what a cache reads of its own configuration does not wait for this refresh. If no
        thread can be started, the cache is called on this one.

        Raises:
            CacheBlocked: it takes longer, or an earlier call does.
            Exception: whatever the cache raised.
        """
        call = self.begin(effect)
        # Not a name imported from `queue` or `threading`: gevent may have replaced it since.
        outcomes: queue.SimpleQueue[object] = queue.SimpleQueue()
        context = copy_context()
        try:
            threading.Thread(
                target=lambda: outcomes.put(context.run(_outcome, call)),
                name="appconfig-cache",
                daemon=True,
            ).start()
        except (RuntimeError, MemoryError):
            return call()
        try:
            outcome = outcomes.get(timeout=MAX_WAIT)
        except queue.Empty:
            raise blocked() from None
        if isinstance(outcome, Failure):
            raise outcome.error
        return outcome


def blocked() -> CacheBlocked:
    """Return the error for a call of a cache that takes too long, and for those after it.

    Its text is the same for all, so that who logs a text once logs this once.
    """
    return CacheBlocked(f"a read or write has taken more than {MAX_WAIT:g} s, and hangs")


def _outcome(call: Callable[[], object]) -> object:
    try:
        return call()
    except BaseException as error:  # raised again where the caller waits
        return Failure(error)


def _call(effect: Effect[object]) -> object:
    if isinstance(effect, ReadStored):
        return effect.cache.read(effect.now)
    if isinstance(effect, WriteStored):
        return effect.cache.write(effect.text, effect.loaded, effect.confirmed, effect.digest)
    raise AssertionError("only reads and writes come here")
