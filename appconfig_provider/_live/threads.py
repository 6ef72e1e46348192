"""A live configuration for programs with threads: `refresh()` blocks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from appconfig_provider._live.callbacks import Subscription
from appconfig_provider._live.configuration import LiveConfiguration
from appconfig_provider._live.flight import Owner
from appconfig_provider._live.notifications import call_back
from appconfig_provider._live.process import BlockingDriver, ProcessRecord, runs_threads
from appconfig_provider._live.source import RequestT, StateT
from appconfig_provider._plan import Stopped
from appconfig_provider.checks import is_coroutine_function
from appconfig_provider.trouble import name_of

if TYPE_CHECKING:
    from typing_extensions import Self  # typing's own needs Python 3.11

    from appconfig_provider._live.polling import ThreadPoller


class ThreadedProvider(LiveConfiguration[StateT, RequestT, BlockingDriver, "ThreadPoller"]):
    """A read-only Mapping of a document, kept fresh by `refresh()`; thread-safe."""

    __slots__ = ()

    def refresh(self, force: bool = False) -> bool:
        """Check for changes if the interval has passed; load everything if something moved.

        Returns True when a new generation was published. Returns False at once, without I/O, when
        nothing is due, another thread is refreshing, nothing is watched or the provider is closed.
        Never raises for trouble with the server: the old generation stays, a warning is logged,
        `status.last_error` is set and `on_refresh_error` is called. `force` ignores the interval
        and back-off; what has not changed is still not loaded, but secrets without a version are
        read again. With `Polling.auto()` it leaves what is due to the poller, unless that is late.
        """
        if not force and self._monotonic() < self._wake:
            return False
        owner = self._refresh(in_background=False, force=force)
        return owner is not None and owner.published

    def _check(self) -> bool:
        """Refresh for the poller: in the background, with fewer requests at once."""
        owner = self._refresh(in_background=True, force=False)
        return owner is not None and owner.published

    def _refresh(self, *, in_background: bool, force: bool) -> Owner | None:
        """Refresh what is due; None when another call does."""
        process = self._this_process()
        flight = process.flight
        for owner in flight.begin(self._monotonic(), self._limits[in_background]):
            try:
                if not flight.take(owner):
                    self._give_way(process)
                    return None
                self._keep_polling()
                self._call_back(process.driver)
                state = self._take(process, in_background=in_background, force=force)
                if state is None:
                    return owner
                plan = self._source.next(state, force=force, in_background=in_background)
                outcome = process.driver.run(plan)
                if not self._closed:
                    self._publish(outcome, flight, owner)
                    self._call_back(process.driver)
                    self._keep(process.driver)
                return owner
            except Stopped:  # by `close()`, which is no failure
                return owner
            finally:
                self._finish(process, owner)
        return None

    def _call_back(self, driver: BlockingDriver) -> None:
        """Call the callbacks that are still to be called, also those of an interrupted refresh."""
        if self._pending_callbacks is not None and not self._closed:
            driver.run(call_back(self._pending_callbacks))
            self._pending_callbacks = None

    def _keep(self, driver: BlockingDriver) -> None:
        """Have the source keep the state for the next run; called by the holder of the flag."""
        plan = None if self._closed else self._source.keep(self._state)
        if plan is not None:
            self._state = driver.run(plan)

    def _replace_stale(self) -> bool:
        return self._state.snapshot.stale and self.refresh(force=True)

    def _make_poller(self) -> ThreadPoller | None:
        from appconfig_provider._live.polling import ThreadPoller

        return ThreadPoller(self, self._options.clock) if runs_threads() else None

    def _make_read_task(self) -> None:
        return None

    def _refresh_for_reader(self, _process: ProcessRecord[BlockingDriver, ThreadPoller]) -> None:
        self._refresh(in_background=False, force=False)

    def _check_listener(self, subscription: Subscription) -> None:
        refuse_coroutine(subscription.callback.function)

    def close(self) -> None:
        """Close the connections; the last generation stays readable, `refresh()` returns False.

        A request that is on its way ends at once. A function of yours that a poller calls is waited
        for, but no longer than `connect_timeout + read_timeout`.
        """
        self._closed = True
        self._wake = -math.inf
        process = self._this_process()
        process.flight.call_watchers()
        process.driver.close()
        if process.poller is not None:
            process.poller.stop(self._options.stop_wait)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def refuse_coroutine(function: Callable[..., object]) -> None:
    """Raise at registration for a coroutine function, which would never be awaited here."""
    if is_coroutine_function(function):
        name = name_of(function)
        raise TypeError(f"{name} is a coroutine function; use appconfig_provider.aio.load")
