"""What a client's arguments come to: keys, times, headers, switches."""

from __future__ import annotations

import math
from typing import Any

import pytest

from appconfig_provider.configcat.configcatoptions import ConfigCatOptions
from appconfig_provider.configcat.connecting import Surroundings, source_of
from appconfig_provider.configcat.fetching.source import ConfigCatSource
from appconfig_provider.configcat.interfaces import ConfigCatClientException
from appconfig_provider.configcat.keys import masked, path_of, shown_path_of
from appconfig_provider.configcat.pollingmode import (
    AutoPollingMode,
    LazyLoadingMode,
    PollingMode,
)
from appconfig_provider.testing import FakeClock
from tests.support.configcat_source import KEY, OLD_KEY, V6


def source(key: object = KEY, *, newest: bool = True, **options: Any) -> ConfigCatSource:
    """Return the source that arguments describe."""
    around = Surroundings(clock=FakeClock(), environment={})
    return source_of(key, ConfigCatOptions(**options), around, newest=newest)


@pytest.mark.parametrize("newest", [True, False])
def test_a_key_is_required(newest: bool) -> None:
    """Without a key there is no client."""
    with pytest.raises(ConfigCatClientException) as caught:
        source(None, newest=newest)
    assert str(caught.value) == "SDK Key is required."
    with pytest.raises(ConfigCatClientException, match="must be a str, not bytes"):
        source(b"key", newest=newest)


@pytest.mark.parametrize("key", ["", "x", "#YOUR-SDK-KEY#", OLD_KEY[:-1] + "\n", "\ud800"])
def test_get_is_strict_about_the_key_and_create_is_not(key: str) -> None:
    """`get` refuses what looks like no key, and shows it masked; the page's functions take it."""
    assert source(key, newest=False).given.sdk_key == key
    with pytest.raises(ConfigCatClientException) as caught:
        source(key)
    assert str(caught.value) == f"SDK Key `{masked(key)}` is invalid."


def test_keys_of_a_proxy_need_a_base_url() -> None:
    """A key that ConfigCat's servers do not know is taken where another server is named."""
    taken = source("configcat-proxy/mine", base_url="https://proxy.example")
    assert taken.given.sdk_key == "configcat-proxy/mine"
    with pytest.raises(ConfigCatClientException):
        source("configcat-proxy/mine")


@pytest.mark.parametrize(
    ("key", "shown"),
    [("", "********"), ("#YOUR-SDK-KEY#", "********"), (KEY, "********9012"), ("x" * 21, "*" * 8)],
)
def test_a_masked_key_tells_its_end_alone(key: str, shown: str) -> None:
    """Of a long key the last four characters are shown, of a short one nothing."""
    assert masked(key) == shown
    assert shown_path_of(key, V6) == f"/configuration-files/{shown}/{V6}"


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("..", "%2E%2E"),
        ("a/../../b", "a/%2E%2E/%2E%2E/b"),
        ("./x", "%2E/x"),
        ("a.b/..c", "a.b/..c"),
        ("%2e%2e", "%252e%252e"),
    ],
)
def test_a_key_leads_into_no_other_folder(key: str, path: str) -> None:
    """Parts of a key that would mean a folder above are percent-encoded."""
    assert path_of(key, V6) == f"/configuration-files/{path}/{V6}"


@pytest.mark.parametrize(
    ("mode", "interval"),
    [
        (AutoPollingMode(0.2), 1),
        (AutoPollingMode(-5), 1),
        (AutoPollingMode(95), 95),
        (AutoPollingMode(1e12), 366 * 86_400),
        (AutoPollingMode(math.inf), 366 * 86_400),
        (LazyLoadingMode(0), 1),
        (LazyLoadingMode(600), 600),
        (PollingMode.auto_poll(0), 1),
    ],
)
def test_intervals_have_bounds(mode: PollingMode, interval: float) -> None:
    """No interval is shorter than a second, nor longer than clocks can wait for."""
    assert source(polling_mode=mode).options.interval == interval


def test_only_auto_polls() -> None:
    """The runtime's poller runs for auto polling alone."""
    assert source().options.polls
    assert not source(polling_mode=PollingMode.lazy_load()).options.polls
    assert not source(polling_mode=PollingMode.manual_poll()).options.polls


@pytest.mark.parametrize("wrong", ["60", True, math.nan])
@pytest.mark.parametrize("option", ["connect_timeout_seconds", "read_timeout_seconds"])
def test_times_are_numbers(option: str, wrong: Any) -> None:
    """A time that is no number is refused by its name."""
    with pytest.raises(TypeError, match=option):
        source(**{option: wrong})


def test_a_refresh_has_the_time_of_both_timeouts() -> None:
    """All requests of one refresh share `connect_timeout + read_timeout`."""
    made = source(connect_timeout_seconds=3, read_timeout_seconds=4)
    assert made.limit(in_background=True) == 7


def test_a_polling_mode_is_one() -> None:
    """What is no polling mode is refused."""
    with pytest.raises(TypeError, match="polling_mode"):
        source(polling_mode="auto")
