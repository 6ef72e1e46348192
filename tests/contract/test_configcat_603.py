"""ConfigCat's SDK 6.0.3, which reads config_v5.json, against the local CDN."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest

from appconfig_provider.testing import ConfigCatEmulator, Scripted
from tests.support.configcat603 import NAME, OUTDATED, configcat603

pytestmark = [OUTDATED, pytest.mark.heavy]

#: Rules and percentages as the page about the SDK shows them.
RULES: dict[str, Any] = {
    "p": {"u": "https://cdn-eu.configcat.com", "r": 2},
    "f": {
        "isFeatureEnabled": {
            "v": False,
            "i": "430bded3",
            "t": 0,
            "p": [
                {"o": 0, "v": True, "p": 10, "i": "bcfb84a7"},
                {"o": 1, "v": False, "p": 90, "i": "bddac6ae"},
            ],
            "r": [
                {"o": 0, "a": "Identifier", "t": 2, "c": "@example.com", "v": True, "i": "bcfb84a8"}
            ],
        },
        "version": {
            "v": "old",
            "i": "0",
            "t": 1,
            "p": [],
            "r": [{"o": 0, "a": "Version", "t": 8, "c": "1.9.0", "v": "new", "i": "1"}],
        },
    },
}

Connect = Callable[..., Any]


@pytest.fixture
def cdn() -> Iterator[ConfigCatEmulator]:
    """A CDN with one flag."""
    with ConfigCatEmulator() as emulator:
        emulator.set("flag", True)
        yield emulator


@pytest.fixture
def sdk() -> Any:
    """The package of 6.0.3."""
    return configcat603()


@pytest.fixture
def connect(sdk: Any, cdn: ConfigCatEmulator) -> Connect:
    """Make the client of a key, which asks when it is told to."""

    def connected(sdk_key: str = cdn.sdk_key, base_url: str | None = cdn.base_url) -> Any:
        return sdk.create_client_with_manual_poll(sdk_key, base_url=base_url)

    return connected


def statuses(cdn: ConfigCatEmulator) -> list[int | None]:
    """Return the statuses of the answers so far."""
    return [record.status for record in cdn.requests]


@pytest.mark.parametrize("value", [True, False, "text", "", 5, -1, 3.14, 2.0])
def test_simple_values(cdn: ConfigCatEmulator, connect: Connect, value: bool | str | float) -> None:
    """The SDK reads simple values as they were set, each with its own variation id."""
    cdn.set("k", value)
    client = connect()
    client.force_refresh()
    found = client.get_value("k", None)
    assert (found, type(found)) == (value, type(value))
    assert client.get_key_and_value(client.get_variation_id("k", None)) == ("k", value)
    (record,) = cdn.requests
    assert record.path == f"/configuration-files/{cdn.sdk_key}/config_v5.json"
    assert record.headers["user-agent"] == "ConfigCat-Python/m-6.0.3"


@pytest.mark.parametrize(
    ("sdk_key", "path"),
    [
        ("any text", "/configuration-files/any%20text/config_v5.json"),
        ("#YOUR-SDK-KEY#", "/configuration-files/"),
    ],
)
def test_odd_keys(cdn: ConfigCatEmulator, connect: Connect, sdk_key: str, path: str) -> None:
    """The SDK sends a blank encoded; what follows `#` it does not send, so that gets 404."""
    client = connect(sdk_key)
    client.force_refresh()
    assert [record.path for record in cdn.requests] == [path]
    assert client.get_value("flag", None) is (None if "#" in sdk_key else True)


def test_an_unchanged_config_is_a_304(cdn: ConfigCatEmulator, connect: Connect) -> None:
    """With the ETag of its last answer the SDK gets 304, and after a change the new config."""
    client = connect()
    client.force_refresh()
    client.force_refresh()
    cdn.set("flag", False)
    client.force_refresh()
    assert statuses(cdn) == [200, 304, 200]
    assert client.get_value("flag", None) is False


def test_rules(cdn: ConfigCatEmulator, connect: Connect) -> None:
    """Rules and percentages of a whole config are evaluated by the SDK."""
    cdn.load(RULES)
    client = connect()
    client.force_refresh()
    user = import_module(f"{NAME}.user").User
    assert client.get_value("isFeatureEnabled", None, user("jane@example.com")) is True
    served = [client.get_value("isFeatureEnabled", None, user(str(n))) for n in range(1_000)]
    assert 70 < sum(served) < 130
    versions = [user("x", custom={"Version": each}) for each in ("1.10.0", "1.9.0")]
    assert [client.get_value("version", "", each) for each in versions] == ["new", "old"]
    assert len(cdn.requests) == 1  # the address in its "p" is not followed


def test_failures_and_recovery(cdn: ConfigCatEmulator, connect: Connect) -> None:
    """After a 500, a torn answer and a time without server the SDK gets what was set meanwhile."""
    client = connect()
    client.force_refresh()
    cdn.set("flag", False)
    with cdn.fail(500):
        client.force_refresh()
    with cdn.respond(lambda _: Scripted(cut_after=5)):
        client.force_refresh()
    with cdn.down():
        client.force_refresh()
    assert client.get_value("flag", None) is True
    client.force_refresh()
    assert client.get_value("flag", None) is False
    assert statuses(cdn) == [200, 500, 200, 200]


def test_new_keys_have_no_v5_file(cdn: ConfigCatEmulator, connect: Connect) -> None:
    """The SDK finds nothing by a key that only newer SDKs know, and nothing where v6 is alone."""
    connect("configcat-sdk-1/a/b").force_refresh()
    cdn.load({"f": {"k": {"t": 0, "v": {"b": True}}}})
    connect().force_refresh()
    assert statuses(cdn) == [404, 404]


def test_a_lazy_client(sdk: Any, cdn: ConfigCatEmulator) -> None:
    """A lazy client asks at its first read, and then not before its time."""
    client = sdk.create_client_with_lazy_load(cdn.sdk_key, base_url=cdn.base_url)
    assert [client.get_value("flag", None) for _ in range(3)] == [True] * 3
    assert statuses(cdn) == [200]


@pytest.mark.parametrize(
    ("mode", "asked", "warned"), [(0, (1, 1), False), (1, (1, 2), True), (2, (1, 2), False)]
)
def test_redirects_of_the_cdn(
    cdn: ConfigCatEmulator,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    mode: Any,
    asked: tuple[int, int],
    warned: bool,
) -> None:
    """From the address of the CDN each mode is followed: next time, with a warning, or at once."""
    fetcher = import_module(f"{NAME}.configfetcher")
    monkeypatch.setattr(fetcher, "BASE_URL_GLOBAL", cdn.base_url)
    with ConfigCatEmulator() as european, caplog.at_level(logging.WARNING):
        european.set("flag", False)
        cdn.redirect(european.base_url, mode)
        european.redirect(european.base_url, 0)
        client = connect(base_url=None)
        client.force_refresh()
        assert client.get_value("flag", None) is (mode == 0)
        client.force_refresh()
        assert client.get_value("flag", None) is False
        assert (len(cdn.requests), len(european.requests)) == asked
    messages = [record.getMessage() for record in caplog.records]
    assert any("data_governance" in each for each in messages) is warned
