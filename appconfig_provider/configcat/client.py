"""The client, for programs with threads."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from logging import ERROR, INFO
from typing import TYPE_CHECKING, Any

from appconfig_provider._io.sync import SyncDriver
from appconfig_provider._live.callbacks import Callback
from appconfig_provider._live.configuration import on_attempt
from appconfig_provider._live.joining import refresh_or_join, wait
from appconfig_provider._live.process import is_master
from appconfig_provider.configcat._spellings import (
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    TIME_TO_LIVE,
    given_options,
    mode_of,
    options_of,
)
from appconfig_provider.configcat.configcatoptions import ConfigCatOptions, hooks_of
from appconfig_provider.configcat.connecting import network_of
from appconfig_provider.configcat.datagovernance import DataGovernance
from appconfig_provider.configcat.evaluation.evaluators import KeyValue
from appconfig_provider.configcat.evaluationdetails import EvaluationDetails
from appconfig_provider.configcat.events import OTHER, logger, write
from appconfig_provider.configcat.fetching.source import ConfigCatSource
from appconfig_provider.configcat.fetching.state import NEVER
from appconfig_provider.configcat.live import ThreadedConfig
from appconfig_provider.configcat.managing import CLOSED, MAX_JOINS, UNFINISHED, ManagedClient
from appconfig_provider.configcat.refreshresult import RefreshResult
from appconfig_provider.configcat.registry import Registry
from appconfig_provider.configcat.snapshots import UserSettings
from appconfig_provider.configcat.user import User
from appconfig_provider.protocols import Clock
from appconfig_provider.trouble import describe

if TYPE_CHECKING:
    from typing_extensions import Self  # typing's own needs Python 3.11

_levels: Mapping[int, bool] = getattr(logger, "_cache", {})
"""For which levels the logger is enabled, as far as it was asked. It empties this dict whenever
a level changes. Where there is no such dict, `isEnabledFor` is asked each time."""

__all__ = ["ConfigCatClient", "KeyValue"]


class ConfigCatClient(ManagedClient[ThreadedConfig]):
    """Evaluates the settings of a config, and keeps it fresh; may be used from any thread."""

    __slots__ = ()

    def __init__(
        self,
        sdk_key: str,
        poll_interval_seconds: float | ConfigCatOptions | None = 60,
        max_init_wait_time_seconds: float | None = 5,
        on_configuration_changed_callback: Any = None,
        cache_time_to_live_seconds: float | None = TIME_TO_LIVE,
        config_cache_class: Any = None,
        base_url: str | None = None,
        proxies: Mapping[str, str] | None = None,
        proxy_auth: Any = None,
        connect_timeout: float | None = CONNECT_TIMEOUT,
        read_timeout: float | None = READ_TIMEOUT,
        flag_overrides: Any = None,
        data_governance: DataGovernance = DataGovernance.Global,
        *,
        cache_refresh_interval_seconds: float | None = None,
        config_cache: Any = None,
        connect_timeout_seconds: float | None = None,
        read_timeout_seconds: float | None = None,
        log_user: bool = True,
        options: ConfigCatOptions | None = None,
    ) -> None:
        """Make a client: auto polling, or lazy loading where `poll_interval_seconds` is 0.

        Where `cache_time_to_live_seconds` is 0, too, the config is downloaded by `force_refresh()`
        alone. The other arguments are those of `create_client_with_auto_poll()`. `options` takes
        the place of them all, also as the second argument: then it is a client like those of
        `get()`, which is not shared.
        """
        given = locals()
        newer = given_options(given)
        if newer is None:
            hooks = hooks_of(on_configuration_changed_callback)
            self._manage(sdk_key, options_of(given, mode_of(given), hooks), newest=False)
        else:
            self._manage(sdk_key, newer, newest=True)
        _registry.add(self)
        self._begin()

    @classmethod
    def of(cls, sdk_key: str, options: ConfigCatOptions) -> Self:
        """Make a client of its own with newer options; it asks for `config_v5.json` first."""
        client = cls.__new__(cls)
        client._manage(sdk_key, options, newest=False)
        _registry.add(client)
        client._begin()
        return client

    @classmethod
    def get(cls, sdk_key: str, options: ConfigCatOptions | None = None) -> ConfigCatClient:
        """Return the client of an SDK key, which is made by the first call."""

        def make() -> ConfigCatClient:
            client = cls.__new__(cls)
            client._manage(sdk_key, options or ConfigCatOptions(), newest=True)
            return client

        return _registry.shared(sdk_key, make, given=options is not None)

    @classmethod
    def close_all(cls) -> None:
        """Close every client that `get()` has made."""
        for client in _registry.all_shared():
            client.close()

    def get_value(self, key: str, default_value: Any, user: User | None = None) -> Any:
        """Return the value of a setting for a user.

        `default_value` is returned where there is no config, no such setting, or none that can be
        evaluated; the error is logged. It waits for a download only as its polling mode says.
        """
        # Written out: most evaluations end here, after one look-up and no further call.
        live = self._live
        if live._wake < NEVER and live._monotonic() >= live._wake + self._late:
            self._catch_up()
        if not (self._listeners or _levels.get(INFO, True)):
            evaluators = live._state.evaluators
            if user is None:
                user = self._evaluation.default_user
            if user is None or user.__class__ is User:
                decision = evaluators.constants.get(key) or evaluators.decide(key, user)
            else:
                decision = evaluators.decide(key, user)
            value = decision.value
            if (
                value.__class__ is default_value.__class__
                and value is not None
                and not decision.notices
            ):
                return value
        return self._evaluation.value(live._state, key, default_value, user)

    def get_value_details(
        self, key: str, default_value: Any, user: User | None = None
    ) -> EvaluationDetails:
        """Return the value of a setting for a user, with everything about its evaluation."""
        self._look()
        return self._evaluation.details(self._live._state, key, default_value, user)

    def get_all_keys(self) -> list[str]:
        """Return the keys of all settings."""
        self._look()
        return self._evaluation.keys(self._live._state)

    def get_all_values(self, user: User | None = None) -> dict[str, Any]:
        """Return the values of all settings for a user, by key."""
        self._look()
        return self._evaluation.values(self._live._state, user)

    def get_all_value_details(self, user: User | None = None) -> list[EvaluationDetails]:
        """Return the values of all settings for a user, with everything about their evaluations."""
        self._look()
        return self._evaluation.all_details(self._live._state, user)

    def get_variation_id(
        self, key: str, default_variation_id: Any, user: User | None = None
    ) -> Any:
        """Return the variation id of a setting's value for a user."""
        self._look()
        return self._evaluation.variation_id(self._live._state, key, default_variation_id, user)

    def get_all_variation_ids(self, user: User | None = None) -> list[str]:
        """Return the variation ids of the values of all settings for a user."""
        self._look()
        return self._evaluation.variation_ids(self._live._state, user)

    def get_key_and_value(self, variation_id: str) -> KeyValue | None:
        """Return which setting has a variation id, and which value that is; None if none has it."""
        self._look()
        return self._evaluation.key_and_value(self._live._state, variation_id)

    def for_user(self, user: User | None) -> UserSettings:
        """Return a Mapping of all settings for a user, as they are now: it does not change."""
        self._look()
        return self.snapshot().for_user(user)

    def force_refresh(self) -> RefreshResult:
        """Ask the server for the config now; tell whether it confirmed or replaced it.

        Where another thread does so already, this waits for that. In a hook of a refresh it tells
        what that refresh has come to. Nothing is sent when the client is offline or closed, or has
        local settings only; then there is an error, as after every failure.
        """
        live = self._live
        before, until = live._state.result, live._monotonic() + self._limit
        if self._begins_without_request:
            refresh_or_join(live, until)
        for _ in range(MAX_JOINS):
            settled = refresh_or_join(live, until, force=True)
            if settled is None:
                return CLOSED if live._closed else UNFINISHED
            if live._state.result is not before:
                break
        return live._state.result

    def wait_for_ready(self, timeout: float | None = None) -> bool:
        """Wait as a read does; tell whether there are settings to evaluate.

        With auto polling that is until the end of the first download, for at most `timeout` seconds
        from now; None: as long as reads wait.
        """
        if timeout is not None and not self._is_ready and self._polls:
            self._first_is_over(self._live._monotonic() + timeout)
        else:
            self._look()
        return self._live._state.loaded

    def close(self) -> None:
        """Stop polling, and close the connections; values stay readable. It can be repeated."""
        _registry.forget(self)
        self._end()
        self._live.close()

    stop = close

    # Keeping it fresh -----------------------------------------------------------------------

    def _look(self) -> None:
        """Do before a read what it has to wait for; usually nothing."""
        live = self._live
        if live._wake < NEVER and live._monotonic() >= live._wake + self._late:
            self._catch_up()

    def _catch_up(self) -> None:
        live = self._live
        if live._closed:
            return
        try:
            if not self._is_ready:
                if not self._first_is_over(self._wait_until):
                    self._tell_ready()
            elif not self._polls and self._joins:
                refresh_or_join(live, live._monotonic() + self._limit)
            elif not self._polls or self._poller_is_late():
                live._refresh(in_background=False, force=False)
        except Exception as error:
            write(OTHER, ERROR, "a read goes on with the old values: %s", describe(error))

    def _first_is_over(self, until: float) -> bool:
        """Wait until the first refresh has ended; False when it has not by then."""
        live = self._live
        process = live._this_process()
        owner = process.flight.holder
        if owner is not None and owner.runs_here:
            return True  # for a function that this refresh calls: it cannot end before that returns
        if process.poller is None or is_master():
            refresh_or_join(live, until)
        else:
            wait(live, lambda: self._first_refresh_ended, until)
        return self._first_refresh_ended or live._closed

    def _tell_ready(self) -> None:
        for one in self._become_ready():
            self._events.call(one)

    def _made_live(
        self, source: ConfigCatSource, options: ConfigCatOptions, clock: Clock
    ) -> ThreadedConfig:
        return ThreadedConfig(source, SyncDriver(network_of(options), clock, None))

    def _told_of_changes(self) -> Callback:
        found = weakref.ref(self)

        def changed() -> None:
            client = found()
            if client is not None:
                for one in client._changed():
                    client._events.call(one)

        return Callback(changed, wants_argument=False)

    def _begin(self) -> None:
        found, live = weakref.ref(self), self._live

        def attempted(_: object) -> None:
            client = found()
            if client is not None and client._first_refresh_ended and not client._is_ready:
                client._tell_ready()

        on_attempt(live, attempted)
        if not self._polls:
            self._tell_ready()
        live.begin()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_registry: Registry[ConfigCatClient] = Registry()
