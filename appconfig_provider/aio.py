"""`load()` and the provider, awaited; for programs with asyncio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from appconfig_provider._azure.arguments import RefreshOn
from appconfig_provider._azure.flagged import FlaggedConfiguration
from appconfig_provider._azure.options import Options
from appconfig_provider._azure.rest.refusals import public
from appconfig_provider._azure.startup import start
from appconfig_provider._azure.state import State
from appconfig_provider._azure.vaults import (
    AzureAppConfigurationKeyVaultOptions,
    ClientConfigs,
    SecretResolver,
)
from appconfig_provider._live.callbacks import OnError, OnSuccess
from appconfig_provider._live.lazy import LazyConfiguration
from appconfig_provider._live.process import AwaitedDriver
from appconfig_provider._live.tasks import AsyncProvider
from appconfig_provider.caches.file import FileCache
from appconfig_provider.models import ConfigurationSetting, Mapped, Polling
from appconfig_provider.preparation import make_context, network_of, options_of
from appconfig_provider.protocols import Clock
from appconfig_provider.selectors import SettingSelector
from appconfig_provider.snapshot import ConfigurationSnapshot
from appconfig_provider.trouble import EngineError

if TYPE_CHECKING:
    import ssl

    from azure.core.credentials import TokenCredential
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.identity.aio import DefaultAzureCredential

    from appconfig_provider._azure.push import PushedChange  # noqa: F401 - in a base class
    from appconfig_provider._live.polling import TaskPoller  # noqa: F401 - the same
    from appconfig_provider.flags.aio import FeatureManager
    from appconfig_provider.overrides.declared import Overrides


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
    secret_policy: Literal["raise", "keep_last", "omit"] | None = None,
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
    configuration_mapper: Callable[[ConfigurationSetting], Mapped | Awaitable[Mapped]]
    | None = None,
    validate: Callable[[ConfigurationSnapshot], object] | None = None,
    startup_timeout: float | None = 100.0,
    polling: Polling | None = Polling.manual(),
    overrides: Overrides | Iterable[Overrides] | None = None,
    cache: FileCache | None = None,
    optional: bool | None = False,
    consistency: Literal["point_in_time"] | None = None,
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

    Credentials are those of `azure.identity.aio`; callbacks may be coroutine functions. With
    `Polling.lazy(ttl)` a read that finds anything due starts a task that refreshes, and answers
    from the current generation, so that the first read after an idle time is old.

    Raises:
        As `appconfig_provider.load`.
    """
    options = options_of(locals())  # the fields of Keywords are the keywords above
    del connection_string, headers, proxy, replicas  # error trackers show the locals of frames
    if isinstance(options, Exception):
        raise options

    from appconfig_provider._io.clock import clock_in_force
    from appconfig_provider._io.threads import running_loop

    running_loop()
    clock = clock_in_force()
    own = _default_credential() if options.needs_credential else None
    context = make_context(options, clock, credential if own is None else own)
    driver = _driver(options, clock, own)
    try:
        state = await driver.run(start(context))
    except BaseException as error:
        await driver.close()
        if isinstance(error, EngineError):
            shown = public(error)
            raise shown from shown.__cause__
        raise
    lazy = options.refresh.on_read
    kind = LazyAzureAppConfigurationProvider if lazy else AzureAppConfigurationProvider
    return kind(context, driver, state)


def _driver(options: Options, clock: Clock, own: DefaultAzureCredential | None) -> AwaitedDriver:
    if options.local:
        # The other driver imports an HTTP library, which takes longer than all of this package.
        from appconfig_provider._io.aio_local import AsyncLocalDriver

        return AsyncLocalDriver(clock)
    from appconfig_provider._io.aio import AsyncDriver

    return AsyncDriver(network_of(options), clock, own)


def _default_credential() -> DefaultAzureCredential:
    from azure.identity.aio import DefaultAzureCredential

    return DefaultAzureCredential()


class AzureAppConfigurationProvider(
    FlaggedConfiguration[AwaitedDriver, "TaskPoller"], AsyncProvider[State, "PushedChange"]
):
    """A read-only Mapping of the store's settings, kept fresh by awaiting `refresh()`."""

    __slots__ = ()

    @property
    def feature_flags(self) -> FeatureManager:
        """Evaluates the feature flags, awaited; see `appconfig_provider.flags.aio`.

        It is always the same object, and follows every refresh. For filters of your own, a callback
        or `strict` make one: `FeatureManager(config, ...)`.
        """
        # Imported here, for programs that have no feature flags.
        from appconfig_provider.flags.aio import FeatureManager

        return self._manager(FeatureManager)


class LazyAzureAppConfigurationProvider(
    LazyConfiguration[State, "PushedChange", AwaitedDriver, "TaskPoller"],
    AzureAppConfigurationProvider,
):
    """The same with `Polling.lazy(ttl)`: a read starts a task that refreshes what is due."""

    __slots__ = ()
