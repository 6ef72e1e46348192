"""`load()` and the provider, awaited; for programs with asyncio."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING

from appconfig_provider._azure.arguments import RefreshOn
from appconfig_provider._azure.context import Context
from appconfig_provider._azure.options import Options
from appconfig_provider._azure.refresh import refresh
from appconfig_provider._azure.reports import call_back
from appconfig_provider._azure.rest.refusals import public
from appconfig_provider._azure.startup import start
from appconfig_provider._azure.vaults import (
    AzureAppConfigurationKeyVaultOptions,
    ClientConfigs,
    SecretResolver,
)
from appconfig_provider._live.callbacks import OnError, OnSuccess
from appconfig_provider._live.face import LiveConfiguration
from appconfig_provider._live.flight import Owner
from appconfig_provider.models import ConfigurationSetting, Polling, SettingSelector
from appconfig_provider.preparation import make_context, network_of, options_of
from appconfig_provider.snapshot import ConfigurationSnapshot
from appconfig_provider.trouble import EngineError

if TYPE_CHECKING:
    import asyncio
    import ssl

    from azure.core.credentials import TokenCredential
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.identity.aio import DefaultAzureCredential

    from appconfig_provider._io.aio import AsyncDriver
    from appconfig_provider._live.polling import TaskPoller


async def load(
    endpoint: str | None = None,
    credential: AsyncTokenCredential | TokenCredential | None = None,
    *,
    connection_string: str | None = None,
    selects: Iterable[SettingSelector] | None = None,
    trim_prefixes: Iterable[str] | None = (),
    keyvault_credential: AsyncTokenCredential | TokenCredential | None = None,
    keyvault_client_configs: ClientConfigs | None = None,
    secret_resolver: SecretResolver | None = None,
    key_vault_options: AzureAppConfigurationKeyVaultOptions | None = None,
    secret_refresh_interval: float | None = None,
    secret_policy: str | None = None,
    refresh_on: RefreshOn | None = (),
    refresh_interval: float | None = 30.0,
    refresh_enabled: bool | None = None,
    on_refresh_success: OnSuccess | None = None,
    on_refresh_error: OnError | None = None,
    feature_flag_enabled: bool | None = False,
    feature_flag_selectors: Iterable[SettingSelector] | None = None,
    feature_flag_refresh_enabled: bool | None = False,
    feature_flag_refresh_interval: float | None = None,
    replicas: Iterable[str] | None = (),
    replica_discovery_enabled: bool | None = True,
    load_balancing_enabled: bool | None = False,
    configuration_mapper: Callable[[ConfigurationSetting], object] | None = None,
    validate: Callable[[ConfigurationSnapshot], object] | None = None,
    startup_timeout: float | None = 100.0,
    polling: Polling | None = Polling.manual(),
    consistency: str | None = None,
    push_delay: float | None = 30.0,
    audience: str | None = None,
    user_agent: str | None = None,
    headers: Mapping[str, str] | None = None,
    connect_timeout: float | None = 10.0,
    read_timeout: float | None = 10.0,
    retry_total: int | None = 2,
    proxy: str | None = None,
    verify: bool | str | ssl.SSLContext | None = True,
) -> AzureAppConfigurationProvider:
    """Load the configuration; the keywords are those of `appconfig_provider.load`.

    Credentials are those of `azure.identity.aio`; callbacks may be coroutine functions.

    Raises:
        As `appconfig_provider.load`.
    """
    options = options_of(locals())  # the fields of Keywords are the keywords above
    del connection_string, headers, proxy, replicas  # error trackers show the locals of frames
    if isinstance(options, Exception):
        raise options

    from appconfig_provider._io import aio
    from appconfig_provider._io.clock import clock_in_force

    aio.running_loop()
    clock = clock_in_force()
    own = _default_credential(options) if credential is None else None
    context = make_context(options, clock, credential if own is None else own)
    driver = aio.AsyncDriver(network_of(options), clock, own)
    try:
        state = await driver.run(start(context))
    except BaseException as error:
        await driver.close()
        if isinstance(error, EngineError):
            shown = public(error)
            raise shown from shown.__cause__
        raise
    return AzureAppConfigurationProvider(context, driver, state)


def _loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that this task runs on; where there is none, the driver will say so."""
    import asyncio

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _default_credential(options: Options) -> DefaultAzureCredential | None:
    if options.store.endpoints[0].access_key is not None:
        return None
    from azure.identity.aio import DefaultAzureCredential

    return DefaultAzureCredential()


class AzureAppConfigurationProvider(LiveConfiguration["AsyncDriver", "TaskPoller"]):
    """A read-only Mapping of the store's settings, kept fresh by awaiting `refresh()`."""

    __slots__ = ()

    def _make_poller(self) -> TaskPoller:
        from appconfig_provider._live.polling import TaskPoller

        return TaskPoller(self, self._context.clock)

    async def refresh(self, force: bool = False) -> bool:
        """Look at the sentinels if the interval has passed; load everything if one moved.

        Returns True when a new generation was published. Returns False at once, without I/O, when
        nothing is due, another task is refreshing, nothing is watched (neither `refresh_on` nor
        another refresh keyword was given) or the provider is closed. Never raises for trouble with
        the store: the old generation stays, a warning is logged, `status.last_error` is set and
        `on_refresh_error` is called. `force` ignores the interval and back-off; what has not
        changed is still not loaded, but secrets without a version are read again. With
        `Polling.auto()` it leaves what is due to the poller, unless that is late.
        """
        self._keep_polling()
        if not force and self._monotonic() < self._wake:
            return False
        return await self._refresh(self._context, force=force)

    async def _look(self) -> bool:
        """Do what the poller does: refresh in the background."""
        return await self._refresh(self._background, force=False)

    async def _refresh(self, context: Context, *, force: bool) -> bool:
        """Refresh what is due, unless somebody else does."""
        loop = _loop()
        process = self._here()
        flight = process.flight
        for owner in flight.begin(self._monotonic(), self._limit(context), loop):
            try:
                if not flight.take(owner):
                    return self._give_way(process)
                await self._tell(process.driver, owner)
                state = self._take_up(process=process, context=context, force=force)
                if state is None:
                    return False
                outcome = await process.driver.run(refresh(context, state, force=force))
                if self._closed:
                    return False
                published = self._publish(outcome)
                await self._tell(process.driver, owner)
                return published
            finally:
                self._finish(process, owner)
        return False

    async def _tell(self, driver: AsyncDriver, owner: Owner) -> None:
        """Call back whom a refresh has still to tell."""
        if self._untold is not None and not self._closed:
            owner.calling = True
            await driver.run(call_back(self._untold))
            owner.calling = False
            self._untold = None

    async def close(self) -> None:
        """Close the connections; the last generation stays readable, `refresh()` returns False."""
        self._closed = True
        self._wake = -math.inf
        process = self._here()
        try:
            if process.poller is not None:
                owner = process.flight.holder
                calling = owner is not None and owner.calling
                await process.poller.stop(self._context.options.check_budget, calling=calling)
        finally:
            await process.driver.close()

    async def __aenter__(self) -> AzureAppConfigurationProvider:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
