"""What a program gives a client: by either interface's names, and wrongly."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from appconfig_provider import configcat
from appconfig_provider.configcat import (
    ConfigCatClient,
    ConfigCatClientException,
    ConfigCatOptions,
    DataGovernance,
    Hooks,
    LocalDictionaryFlagOverrides,
    OverrideBehaviour,
    PollingMode,
    User,
    aio,
)
from appconfig_provider.testing import ConfigCatEmulator
from tests.support.configcat_clients import KEY

MANUAL = PollingMode.manual_poll()
ONLY = OverrideBehaviour.LocalOnly


@pytest.mark.parametrize("as_keyword", [True, False])
def test_the_constructor_takes_options(as_keyword: bool) -> None:
    """As `options` or as second argument; it asks as `get` does, and is not shared."""
    with ConfigCatEmulator() as cdn:
        cdn.set("flag", value=True)
        options = ConfigCatOptions(base_url=cdn.base_url, polling_mode=MANUAL)
        made = (
            ConfigCatClient(KEY, options=options) if as_keyword else ConfigCatClient(KEY, options)
        )
        with made as client, configcat.get(KEY, options) as shared:
            assert client is not shared
            assert client.force_refresh().is_success
            assert client.get_value("flag", default_value=False) is True
        assert [request.path.rpartition("/")[2] for request in cdn.requests] == ["config_v6.json"]
    with pytest.raises(ConfigCatClientException):
        ConfigCatClient("no key", options)


@pytest.mark.parametrize(
    "more",
    [
        {"base_url": "https://a.example"},
        {"max_init_wait_time_seconds": 1},
        {"data_governance": DataGovernance.EuOnly},
        {"connect_timeout": 10.0, "read_timeout_seconds": 3},
        {"log_user": False},
        {"poll_interval_seconds": 5},
    ],
)
def test_options_and_single_arguments_are_not_mixed(more: dict[str, Any]) -> None:
    """Who gives both is told so, since one of them would not count."""
    with pytest.raises(TypeError, match="either ConfigCatOptions or single arguments"):
        ConfigCatClient(KEY, options=ConfigCatOptions(polling_mode=MANUAL), **more)
    with pytest.raises(TypeError, match="options must be ConfigCatOptions, not a dict"):
        ConfigCatClient(KEY, options={})  # type: ignore[arg-type]


def test_options_show_no_password() -> None:
    """Addresses of proxies and servers may hold one, and a repr is logged by accident."""
    proxies = {"https": "http://user:hunter2@proxy:1"}
    shown = repr(ConfigCatOptions(base_url="https://user:hunter2@a.example", proxies=proxies))
    assert "hunter2" not in shown
    assert "offline=False" in shown


def test_none_is_the_default() -> None:
    """None as a number of seconds stands for the default, in both interfaces."""
    with configcat.create_client_with_manual_poll("x", connect_timeout=None, read_timeout=None):
        pass
    options = ConfigCatOptions(
        connect_timeout_seconds=None, read_timeout_seconds=None, polling_mode=MANUAL
    )
    with ConfigCatClient(KEY, options):
        pass
    assert PollingMode.auto_poll(None, None) == PollingMode.auto_poll()
    assert PollingMode.lazy_load(None) == PollingMode.lazy_load()


@pytest.mark.parametrize("wrong", ["5", True, [1], math.nan])
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (configcat.create_client_with_auto_poll, "poll_interval_seconds"),
        (configcat.create_client_with_auto_poll, "max_init_wait_time_seconds"),
        (configcat.create_client_with_auto_poll, "connect_timeout"),
        (configcat.create_client_with_manual_poll, "read_timeout_seconds"),
        (configcat.create_client_with_lazy_load, "cache_time_to_live_seconds"),
        (configcat.create_client_with_lazy_load, "cache_refresh_interval_seconds"),
        (ConfigCatClient, "poll_interval_seconds"),
        (ConfigCatClient, "read_timeout"),
    ],
)
def test_an_error_names_the_argument_as_it_was_given(
    make: Callable[..., Any], name: str, wrong: Any
) -> None:
    """A time that is no number is refused by the name that the program used."""
    with pytest.raises(TypeError, match=f"^{name} must be a number of seconds, not "):
        make("x", **{name: wrong})


def test_a_very_large_number_is_a_very_long_time() -> None:
    """A number that no float can hold is bounded like any other."""
    configcat.create_client_with_manual_poll("x", connect_timeout=10**400).close()
    configcat.create_client_with_lazy_load("x", 10**400).close()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"hooks": 3}, "^hooks must be Hooks, not an int"),
        ({"default_user": "x"}, "^default_user must be a User, not a str"),
        ({"data_governance": 7}, "^data_governance must be a DataGovernance, not 7"),
        ({"polling_mode": "auto"}, "^polling_mode must be a PollingMode, not a str"),
        ({"base_url": 3}, "^base_url: an address must be a str, not an int"),
        ({"proxies": {"https": "proxy:port"}}, "^proxies must read http://host:port"),
        ({"proxies": {"https": "http://proxy:99999"}}, "^proxies must read http://host:port"),
    ],
)
def test_a_wrong_option_is_told_at_once(options: dict[str, Any], error: str) -> None:
    """When the client is made, by its name, for threads and for asyncio."""
    for kind in (ConfigCatClient, aio.ConfigCatClient):
        with pytest.raises((TypeError, ValueError), match=error):
            kind(KEY, ConfigCatOptions(**options))


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: Hooks(on_error=3), "on_error must be a function, not 3"),  # type: ignore[arg-type]
        (lambda: Hooks(on_config_changed=""), "on_config_changed must be a function"),  # type: ignore[arg-type]
        (lambda: Hooks().add_on_error(None), "on_error must be a function, not None"),  # type: ignore[arg-type]
        (
            lambda: ConfigCatClient("x", on_configuration_changed_callback=3),
            "on_configuration_changed_callback must be a function, not 3",
        ),
        (lambda: User("x", custom=[1]), "custom must be a dict of attributes by name"),  # type: ignore[arg-type]
        (
            lambda: LocalDictionaryFlagOverrides([1], ONLY),  # type: ignore[arg-type]
            "source must be a dict of values by key, not a list",
        ),
    ],
)
def test_what_a_program_makes_is_checked_when_it_is_made(
    make: Callable[[], object], error: str
) -> None:
    """The error names the argument, and says what it must be."""
    with pytest.raises(TypeError, match=error):
        make()


def test_a_variation_id_of_any_type_may_be_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    """What no setting can have is found nowhere, and logged like any other."""
    local = LocalDictionaryFlagOverrides({"a": 1}, ONLY)
    with ConfigCatClient(KEY, ConfigCatOptions(flag_overrides=local)) as client:
        assert client.get_key_and_value([]) is None  # type: ignore[arg-type]
    assert "Could not find the setting" in caplog.text


def test_a_matched_rule_is_json() -> None:
    """The rule of an evaluation is a dict that cannot be changed, and that JSON can be made of."""
    with ConfigCatEmulator() as cdn:
        condition = {"u": {"a": "Identifier", "c": 0, "l": ["x"]}}
        rule = {"c": [condition], "s": {"v": {"b": True}}}
        cdn.load({"f": {"flag": {"t": 0, "v": {"b": False}, "r": [rule]}}})
        options = ConfigCatOptions(base_url=cdn.base_url, polling_mode=MANUAL)
        with ConfigCatClient(KEY, options) as client:
            client.force_refresh()
            details = client.get_value_details("flag", None, User("x"))
    assert json.loads(json.dumps(details.matched_targeting_rule)) == rule


def test_the_module_shows_its_public_names_alone() -> None:
    """No name is importable by accident: each that is must be kept."""
    public = {name for name in dir(configcat) if not name.startswith("_")}
    assert set(configcat.__all__) <= public
    for name in ("one_of", "options_of", "spellings", "annotations", "TYPE_CHECKING"):
        assert name not in public
    for name in ("one_of", "options_of", "spellings", "annotations"):
        assert not hasattr(configcat, name)
