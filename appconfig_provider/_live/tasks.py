"""A live configuration for programs with asyncio: `refresh()` is awaited."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from appconfig_provider._live.configuration import LiveConfiguration
from appconfig_provider._live.flight import Owner
from appconfig_provider._live.notifications import call_back
from appconfig_provider._live.process import AwaitedDriver, ProcessRecord, current_loop
from appconfig_provider._live.source import RequestT, StateT
from appconfig_provider._plan import Stopped

if TYPE_CHECKING:
    from typing_extensions import Self  # typing's own needs Python 3.11

    from appconfig_provider._live.polling import TaskPoller


class AsyncProvider(LiveConfiguration[StateT, RequestT, AwaitedDriver, "TaskPoller"]):
    """A read-only Mapping of a document, kept fresh by awaiting `refresh()`."""

    __slots__ = ()

    async def refresh(self, force: bool = False) -> bool:
        """Check for changes if the interval has passed; load everything if something moved.

        Returns True when a new generation was published. Returns False at once, without I/O, when
        nothing is due, another task is refreshing, nothing is watched or the provider is closed.
        Never raises for trouble with the server: the old generation stays, a warning is logged,
        `status.last_error` is set and `on_refresh_error` is called. `force` ignores the interval
        and back-off; what has not changed is still not loaded, but secrets without a version are
        read again. With `Polling.auto()` it leaves what is due to the poller, unless that is late.
        """
        # Before the clock is read: a task that ended with its event loop is replaced here.
        self._keep_polling()
        if not force and self._monotonic() < self._wake:
            return False
        owner = await self._refresh(in_background=False, force=force)
        return owner is not None and owner.published

    async def _check(self) -> bool:
        """Refresh for the poller: in the background, with fewer requests at once."""
        owner = await self._refresh(in_background=True, force=False)
        return owner is not None and owner.published

    async def _refresh(self, *, in_background: bool, force: bool) -> Owner | None:
        """Refresh what is due; None when another call does."""
        loop = current_loop()
        process = self._this_process()
        flight = process.flight
        for owner in flight.begin(self._monotonic(), self._limits[in_background], loop):
            try:
                if not flight.take(owner):
                    self._give_way(process)
                    return None
                await self._call_back(process.driver, owner)
                state = self._take(process, in_background=in_background, force=force)
                if state is None:
                    return owner
                plan = self._source.next(state, force=force, in_background=in_background)
                outcome = await process.driver.run(plan)
                if not self._closed:
                    self._publish(outcome, flight, owner)
                    await self._call_back(process.driver, owner)
                    await self._keep(process.driver)
                return owner
            except Stopped:  # by `close()`, which is no failure
                return owner
            finally:
                self._finish(process, owner)
        return None

    async def _call_back(self, driver: AwaitedDriver, owner: Owner) -> None:
        """Call the callbacks that are still to be called, also those of an interrupted refresh."""
        if self._pending_callbacks is not None and not self._closed:
            owner.calling = True
            await driver.run(call_back(self._pending_callbacks))
            owner.calling = False
            self._pending_callbacks = None

    async def _keep(self, driver: AwaitedDriver) -> None:
        """Have the source keep the state for the next run; called by the holder of the flag."""
        plan = None if self._closed else self._source.keep(self._state)
        if plan is not None:
            self._state = await driver.run(plan)

    def _make_poller(self) -> TaskPoller:
        from appconfig_provider._live.polling import TaskPoller

        return TaskPoller(self, self._options.clock)

    def _make_read_task(self) -> TaskPoller:
        from appconfig_provider._live.polling import ReadTask

        return ReadTask(self, self._options.clock)

    def _refresh_for_reader(self, process: ProcessRecord[AwaitedDriver, TaskPoller]) -> None:
        if process.poller is not None:
            process.poller.start()

    async def close(self) -> None:
        """Close the connections; the last generation stays readable, `refresh()` returns False."""
        self._closed = True
        self._wake = -math.inf
        process = self._this_process()
        process.flight.call_watchers()
        try:
            if process.poller is not None:
                owner = process.flight.holder
                calling = owner is not None and owner.calling
                await process.poller.stop(self._options.stop_wait, calling=calling)
        finally:
            await process.driver.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
