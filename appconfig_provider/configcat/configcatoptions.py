"""The options of a ConfigCat client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from appconfig_provider.configcat.datagovernance import DataGovernance
from appconfig_provider.configcat.pollingmode import PollingMode
from appconfig_provider.configcat.user import User
from appconfig_provider.texts import argument

_F = TypeVar("_F", bound=Callable[..., object])


class Hooks:
    """Functions of a program that a client calls."""

    def __init__(
        self,
        on_client_ready: Callable[[], object] | None = None,
        on_config_changed: Callable[..., object] | None = None,
        on_flag_evaluated: Callable[[Any], object] | None = None,
        on_error: Callable[[str], object] | None = None,
    ) -> None:
        """Register a function for each event that is given one.

        Raises:
            TypeError: one cannot be called.
        """
        self.client_ready = _listed("on_client_ready", on_client_ready)
        """Called once: the first download has ended, or `max_init_wait_time_seconds` has passed."""
        self.config_changed = _listed("on_config_changed", on_config_changed)
        """Called with the settings by key, after the first download and after each change."""
        self.flag_evaluated = _listed("on_flag_evaluated", on_flag_evaluated)
        """Called with the `EvaluationDetails` of each evaluation."""
        self.error = _listed("on_error", on_error)
        """Called with the text of each error that is logged."""

    def add_on_client_ready(self, callback: Callable[[], object]) -> None:
        """Have a function called when the client is ready."""
        self.client_ready.append(_callable("on_client_ready", callback))

    def add_on_config_changed(self, callback: Callable[..., object]) -> None:
        """Have a function called after each change; it gets the settings if it can."""
        self.config_changed.append(_callable("on_config_changed", callback))

    def add_on_flag_evaluated(self, callback: Callable[[Any], object]) -> None:
        """Have a function called after each evaluation."""
        self.flag_evaluated.append(_callable("on_flag_evaluated", callback))

    def add_on_error(self, callback: Callable[[str], object]) -> None:
        """Have a function called for each error."""
        self.error.append(_callable("on_error", callback))


def hooks_of(on_configuration_changed_callback: Callable[..., object] | None) -> Hooks:
    """Return the hooks of a client that is given the one function of SDK 6.

    Raises:
        TypeError: it cannot be called.
    """
    hooks = Hooks()
    given = on_configuration_changed_callback
    hooks.config_changed.extend(_listed("on_configuration_changed_callback", given))
    return hooks


def _listed(name: str, given: _F | None) -> list[_F]:
    return [] if given is None else [_callable(name, given)]


def _callable(name: str, given: _F) -> _F:
    if not callable(given):
        raise TypeError(f"{name} must be a function, not {argument(given)}")
    return given


@dataclass(slots=True)
class ConfigCatOptions:
    """How a client is to work; times in seconds, None means the default."""

    base_url: str | None = field(default=None, repr=False)
    """The address of a server to ask instead of ConfigCat's."""
    polling_mode: PollingMode = field(default_factory=PollingMode.auto_poll)
    config_cache: Any = None
    """A `ConfigCache`, or a class that makes one."""
    proxies: Mapping[str, str] | None = field(default=None, repr=False)
    """Proxies by scheme: `{"https": "127.0.0.1:8080"}`. None takes those of the environment."""
    proxy_auth: Any = field(default=None, repr=False)
    """For the proxy: any object with `username` and `password`."""
    connect_timeout_seconds: float | None = 10
    read_timeout_seconds: float | None = 30
    flag_overrides: Any = None
    """Local settings: `LocalFileFlagOverrides`, `LocalDictionaryFlagOverrides`."""
    data_governance: DataGovernance = DataGovernance.Global
    default_user: User | None = None
    """The user of evaluations that are given none."""
    hooks: Hooks | None = None
    offline: bool = False
    """True makes a client that sends nothing until `set_online()`."""
    log_user: bool = True
    """False leaves the user's attributes out of all log lines."""
