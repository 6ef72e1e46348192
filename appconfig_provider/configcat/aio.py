"""ConfigCat's client for asyncio.

    from appconfig_provider.configcat import aio

    async with aio.create_client("#YOUR-SDK-KEY#") as client:
        if await client.get_value("isMyAwesomeFeatureEnabled", False):
            ...

What may have to wait for a download is awaited; usually nothing is waited for, and the coroutine
ends without giving way to others. `client.snapshot()` reads without `await`. A client may be made
outside of an event loop: it polls in a task of the loop that first reads.
"""

from __future__ import annotations

import weakref
from logging import ERROR
from typing import TYPE_CHECKING, Any

from appconfig_provider._io.aio_local import AsyncLocalDriver
from appconfig_provider._live.callbacks import Callback
from appconfig_provider._live.configuration import on_attempt
from appconfig_provider._live.joining import refresh_or_join_async, wait_async
from appconfig_provider.configcat.configcatoptions import ConfigCatOptions
from appconfig_provider.configcat.connecting import network_of
from appconfig_provider.configcat.evaluation.evaluators import KeyValue
from appconfig_provider.configcat.evaluationdetails import EvaluationDetails
from appconfig_provider.configcat.events import OTHER, write
from appconfig_provider.configcat.fetching.source import ConfigCatSource
from appconfig_provider.configcat.fetching.state import NEVER
from appconfig_provider.configcat.live import AwaitedConfig
from appconfig_provider.configcat.managing import CLOSED, MAX_JOINS, UNFINISHED, ManagedClient
from appconfig_provider.configcat.refreshresult import RefreshResult
from appconfig_provider.configcat.registry import Registry
from appconfig_provider.configcat.snapshots import UserSettings
from appconfig_provider.configcat.user import User
from appconfig_provider.protocols import Clock
from appconfig_provider.trouble import describe

if TYPE_CHECKING:
    from typing_extensions import Self  # typing's own needs Python 3.11

__all__ = ["ConfigCatClient", "close_all", "create_client", "get"]


class ConfigCatClient(ManagedClient[AwaitedConfig]):
    """Evaluates the settings of a config, and keeps it fresh; `get()` and others make it."""

    __slots__ = ()
    _awaits = True

    def __init__(self, sdk_key: str, options: ConfigCatOptions | None = None) -> None:
        """Make a client of its own; it asks for `config_v5.json` first, as `create_client` does."""
        self._manage(sdk_key, options or ConfigCatOptions(), newest=False)
        _registry.add(self)
        self._begin()

    async def get_value(self, key: str, default_value: Any, user: User | None = None) -> Any:
        """Return the value of a setting for a user.

        `default_value` is returned where there is no config, no such setting, or none that can be
        evaluated; the error is logged. It waits for a download only as its polling mode says.
        """
        await self._look()
        return self._evaluation.value(self._live._state, key, default_value, user)

    async def get_value_details(
        self, key: str, default_value: Any, user: User | None = None
    ) -> EvaluationDetails:
        """Return the value of a setting for a user, with everything about its evaluation."""
        await self._look()
        return self._evaluation.details(self._live._state, key, default_value, user)

    async def get_all_keys(self) -> list[str]:
        """Return the keys of all settings."""
        await self._look()
        return self._evaluation.keys(self._live._state)

    async def get_all_values(self, user: User | None = None) -> dict[str, Any]:
        """Return the values of all settings for a user, by key."""
        await self._look()
        return self._evaluation.values(self._live._state, user)

    async def get_all_value_details(self, user: User | None = None) -> list[EvaluationDetails]:
        """Return the values of all settings for a user, with everything about their evaluations."""
        await self._look()
        return self._evaluation.all_details(self._live._state, user)

    async def get_variation_id(
        self, key: str, default_variation_id: Any, user: User | None = None
    ) -> Any:
        """Return the variation id of a setting's value for a user."""
        await self._look()
        return self._evaluation.variation_id(self._live._state, key, default_variation_id, user)

    async def get_all_variation_ids(self, user: User | None = None) -> list[str]:
        """Return the variation ids of the values of all settings for a user."""
        await self._look()
        return self._evaluation.variation_ids(self._live._state, user)

    async def get_key_and_value(self, variation_id: str) -> KeyValue | None:
        """Return which setting has a variation id, and which value that is; None if none has it."""
        await self._look()
        return self._evaluation.key_and_value(self._live._state, variation_id)

    async def for_user(self, user: User | None) -> UserSettings:
        """Return a Mapping of all settings for a user, as they are now: it does not change."""
        await self._look()
        return self.snapshot().for_user(user)

    async def force_refresh(self) -> RefreshResult:
        """Ask the server for the config now; tell whether it confirmed or replaced it.

        Where another task does so already, this waits for that. In a hook of a refresh it tells
        what that refresh has come to. Nothing is sent when the client is offline or closed, or has
        local settings only; then there is an error, as after every failure.
        """
        live = self._live
        live._keep_polling()
        before, until = live._state.result, live._monotonic() + self._limit
        if self._begins_without_request:
            await refresh_or_join_async(live, until)
        for _ in range(MAX_JOINS):
            settled = await refresh_or_join_async(live, until, force=True)
            if settled is None:
                return CLOSED if live._closed else UNFINISHED
            if live._state.result is not before:
                break
        return live._state.result

    async def wait_for_ready(self, timeout: float | None = None) -> bool:
        """Wait as a read does; tell whether there are settings to evaluate.

        With auto polling that is until the end of the first download, for at most `timeout` seconds
        from now; None: as long as reads wait.
        """
        if timeout is not None and not self._is_ready and self._polls:
            await self._first_is_over(self._live._monotonic() + timeout)
        else:
            await self._look()
        return self._live._state.loaded

    async def close(self) -> None:
        """Stop polling, and close the connections; values stay readable. It can be repeated."""
        _registry.forget(self)
        self._end()
        await self._live.close()

    stop = close

    # Keeping it fresh -----------------------------------------------------------------------

    async def _look(self) -> None:
        """Do before a read what it has to wait for; usually nothing."""
        live = self._live
        if live._wake < NEVER and live._monotonic() >= live._wake + self._late and not live._closed:
            try:
                await self._catch_up()
            except Exception as error:
                write(OTHER, ERROR, "a read goes on with the old values: %s", describe(error))

    async def _catch_up(self) -> None:
        live = self._live
        if not self._polls:
            await self._tell_ready()
            if self._joins:
                await refresh_or_join_async(live, live._monotonic() + self._limit)
            else:
                await live.refresh()
        elif not self._is_ready:
            if not await self._first_is_over(self._wait_until):
                await self._tell_ready()
        elif self._poller_is_late():
            await live.refresh()

    async def _first_is_over(self, until: float) -> bool:
        """Wait until the first refresh has ended; False when it has not by then."""
        live = self._live
        live._keep_polling()  # there may have been no loop when the client was made
        owner = live._this_process().flight.holder
        if owner is not None and owner.runs_here:
            return True  # for a function that this refresh calls: it cannot end before that returns
        await wait_async(live, lambda: self._first_refresh_ended, until)
        return self._first_refresh_ended or live._closed

    async def _tell_ready(self) -> None:
        for one in self._become_ready():
            await self._events.call_async(one)

    def _made_live(
        self, source: ConfigCatSource, options: ConfigCatOptions, clock: Clock
    ) -> AwaitedConfig:
        if source.given.local_only:
            return AwaitedConfig(source, AsyncLocalDriver(clock))
        from appconfig_provider._io.aio import AsyncDriver

        return AwaitedConfig(source, AsyncDriver(network_of(options)(), clock, None))

    def _told_of_changes(self) -> Callback:
        found = weakref.ref(self)

        async def changed() -> None:
            client = found()
            if client is not None:
                for one in client._changed():
                    await client._events.call_async(one)

        return Callback(changed, wants_argument=False)

    def _begin(self) -> None:
        found, live = weakref.ref(self), self._live

        async def attempted(_: object) -> None:
            client = found()
            if client is not None and client._first_refresh_ended and not client._is_ready:
                await client._tell_ready()

        on_attempt(live, attempted)
        live.begin()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


_registry: Registry[ConfigCatClient] = Registry()


def create_client(sdk_key: str, options: ConfigCatOptions | None = None) -> ConfigCatClient:
    """Make a client of its own; without options it polls every 60 seconds.

    Raises:
        ConfigCatClientException: there is no SDK key.
        TypeError, ValueError: an option is wrong.
    """
    return ConfigCatClient(sdk_key, options)


def get(sdk_key: str, options: ConfigCatOptions | None = None) -> ConfigCatClient:
    """Return the client of an SDK key, which is made by the first call.

    Raises:
        ConfigCatClientException: the SDK key is missing, or has another form than ConfigCat's.
        TypeError, ValueError: an option is wrong.
    """

    def make() -> ConfigCatClient:
        client = ConfigCatClient.__new__(ConfigCatClient)
        client._manage(sdk_key, options or ConfigCatOptions(), newest=True)
        return client

    return _registry.shared(sdk_key, make, given=options is not None)


async def close_all() -> None:
    """Close every client that `get()` has made."""
    for client in _registry.all_shared():
        await client.close()
