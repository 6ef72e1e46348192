"""ConfigCat's own SDK, which reads config_v6.json, against the local CDN."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest

from appconfig_provider.testing import ConfigCatEmulator, Scripted

#: Annotated in part, which mypy does not let a typed program use.
configcatclient: Any = import_module("configcatclient")
configfetcher: Any = import_module("configcatclient.configfetcher")
Hooks: Any = import_module("configcatclient.configcatoptions").Hooks
PollingMode: Any = import_module("configcatclient.pollingmode").PollingMode
User: Any = import_module("configcatclient.user").User

OLD_KEY = ConfigCatEmulator.sdk_key
NEW_KEY = "configcat-sdk-1/local-emulator-sdk-key/appconfig-provider-cdn"
PROXY_KEY = "configcat-proxy/any-text"

#: A rule with a segment, a rule with a prerequisite, and percentages.
RULES: dict[str, Any] = {
    "p": {"u": "https://cdn-eu.configcat.com", "r": 2, "s": "salt"},
    "s": [{"n": "Ours", "r": [{"a": "Email", "c": 32, "l": ["@example.com"]}]}],
    "f": {
        "plan": {
            "t": 1,
            "v": {"s": "free"},
            "i": "p0",
            "r": [{"c": [{"s": {"s": 0, "c": 0}}], "s": {"v": {"s": "staff"}, "i": "p1"}}],
        },
        "beta": {
            "t": 0,
            "v": {"b": False},
            "i": "b0",
            "r": [
                {
                    "c": [{"p": {"f": "plan", "c": 0, "v": {"s": "staff"}}}],
                    "s": {"v": {"b": True}, "i": "b1"},
                }
            ],
        },
        "string75Cat0Dog25Falcon0Horse": {
            "t": 1,
            "v": {"s": "Chicken"},
            "i": "s0",
            "p": [
                {"p": 75, "v": {"s": "Cat"}, "i": "s1"},
                {"p": 25, "v": {"s": "Falcon"}, "i": "s2"},
            ],
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
def connect(cdn: ConfigCatEmulator) -> Iterator[Connect]:
    """Make the client of a key, which asks when it is told to; all are closed at the end."""

    def connected(sdk_key: str = OLD_KEY, base_url: str | None = cdn.base_url) -> Any:
        mode = PollingMode.manual_poll()
        options = configcatclient.ConfigCatOptions(base_url=base_url, polling_mode=mode)
        return configcatclient.get(sdk_key, options)

    yield connected
    configcatclient.close_all()


def statuses(cdn: ConfigCatEmulator) -> list[int | None]:
    """Return the statuses of the answers so far."""
    return [record.status for record in cdn.requests]


@pytest.mark.parametrize("sdk_key", [OLD_KEY, NEW_KEY, PROXY_KEY])
def test_every_kind_of_key(cdn: ConfigCatEmulator, connect: Connect, sdk_key: str) -> None:
    """Keys of each form get the config by the path that the SDK asks for."""
    client = connect(sdk_key)
    assert client.force_refresh().is_success
    assert client.get_value("flag", False) is True
    (record,) = cdn.requests
    assert record.path == f"/configuration-files/{sdk_key}/config_v6.json"
    assert record.headers["x-configcat-useragent"] == "ConfigCat-Python/m-10.0.1"


@pytest.mark.parametrize("value", [True, False, "text", "", 5, -1, 3.14, 2.0])
def test_simple_values(cdn: ConfigCatEmulator, connect: Connect, value: bool | str | float) -> None:
    """The SDK reads simple values as they were set, each with its own variation id."""
    cdn.set("k", value)
    client = connect()
    client.force_refresh()
    details = client.get_value_details("k", type(value)())
    assert (details.value, type(details.value)) == (value, type(value))
    assert not details.is_default_value
    assert client.get_key_and_value(details.variation_id) == ("k", value)


def test_an_unchanged_config_is_a_304(cdn: ConfigCatEmulator, connect: Connect) -> None:
    """With the ETag of its last answer the SDK gets 304, and after a change the new config."""
    client = connect()
    for _ in range(2):
        assert client.force_refresh().is_success
    cdn.set("flag", False)
    assert client.force_refresh().is_success
    assert statuses(cdn) == [200, 304, 200]
    assert client.get_value("flag", True) is False


def test_rules(cdn: ConfigCatEmulator, connect: Connect) -> None:
    """Segments, prerequisites and percentages of a whole config are evaluated by the SDK."""
    cdn.load(RULES)
    client = connect()
    client.force_refresh()
    ours, other = User("12345", email="jane@example.com"), User("12345", email="jane@b.com")
    assert [client.get_value("plan", "", user) for user in (ours, other)] == ["staff", "free"]
    assert [client.get_value("beta", False, user) for user in (ours, other)] == [True, False]
    assert client.get_value("string75Cat0Dog25Falcon0Horse", "", ours) == "Cat"
    assert len(cdn.requests) == 1  # the address in its "p" is not followed


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the numbers of the SDK's messages; its own result tells of no failed request."""
    messages = [record.getMessage() for record in caplog.records]
    return [message[1:5] for message in messages if message.startswith("[")]


def test_failures_and_recovery(
    cdn: ConfigCatEmulator, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
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
    assert events(caplog) == ["1101", "1103", "1103"]
    assert client.get_value("flag", False) is True
    assert client.force_refresh().is_success
    assert client.get_value("flag", True) is False
    assert statuses(cdn) == [200, 500, 200, 200]


@pytest.mark.parametrize("unknown", ["key", "file"])
def test_what_is_not_served(
    cdn: ConfigCatEmulator, connect: Connect, caplog: pytest.LogCaptureFixture, unknown: str
) -> None:
    """A key without a config, and a config without a v6 file, are a 404 that the SDK reports."""
    if unknown == "key":
        cdn.unload()
    else:
        cdn.load({"f": {"k": {"v": 1}}})
    client = connect()
    client.force_refresh()
    assert events(caplog) == ["1101"]
    assert statuses(cdn) == [404]
    assert client.get_value("flag", None) is None


def test_the_poller_sees_a_change(cdn: ConfigCatEmulator) -> None:
    """A client that polls tells its hook of the config that was set meanwhile."""
    seen: list[object] = []
    hooks = Hooks(on_config_changed=lambda config: seen.append(sorted(config)))
    mode = PollingMode.auto_poll(poll_interval_seconds=60)
    options = configcatclient.ConfigCatOptions(cdn.base_url, mode, hooks=hooks)
    client = configcatclient.get(OLD_KEY, options)
    try:
        assert client.get_value("flag", False) is True
        cdn.set("more", 1)
        client.force_refresh()
        assert client.get_value("more", 0) == 1
        assert seen == [["flag"], ["flag", "more"]]
    finally:
        client.close()


@pytest.fixture
def european() -> Iterator[ConfigCatEmulator]:
    """A second CDN, with another value."""
    with ConfigCatEmulator() as emulator:
        emulator.set("flag", False)
        yield emulator


@pytest.mark.parametrize(
    ("mode", "asked", "warned"), [(0, (1, 1), False), (1, (1, 2), True), (2, (1, 2), False)]
)
def test_redirects_of_the_cdn(
    cdn: ConfigCatEmulator,
    european: ConfigCatEmulator,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    mode: Any,
    asked: tuple[int, int],
    warned: bool,
) -> None:
    """From the address of the CDN each mode is followed: next time, with a warning, or at once."""
    monkeypatch.setattr(configfetcher, "BASE_URL_GLOBAL", cdn.base_url)
    cdn.redirect(european.base_url, mode)
    european.redirect(european.base_url, 0)
    client = connect(base_url=None)
    with caplog.at_level(logging.WARNING):
        client.force_refresh()
        assert client.get_value("flag", None) is (mode == 0)
        client.force_refresh()
    assert client.get_value("flag", None) is False
    assert (len(cdn.requests), len(european.requests)) == asked
    assert any("dataGovernance" in record.getMessage() for record in caplog.records) is warned


@pytest.mark.parametrize(("mode", "asked"), [(0, (2, 0)), (1, (2, 0)), (2, (1, 2))])
def test_redirects_of_a_custom_address(
    cdn: ConfigCatEmulator,
    european: ConfigCatEmulator,
    connect: Connect,
    mode: Any,
    asked: tuple[int, int],
) -> None:
    """From a custom address only a forced redirect is followed."""
    cdn.redirect(european.base_url, mode)
    client = connect()
    client.force_refresh()
    client.force_refresh()
    assert client.get_value("flag", None) is (mode != 2)
    assert (len(cdn.requests), len(european.requests)) == asked


def test_redirects_in_a_circle(
    cdn: ConfigCatEmulator, european: ConfigCatEmulator, connect: Connect
) -> None:
    """Two addresses that redirect to each other end after three requests."""
    cdn.redirect(european.base_url, 2)
    european.redirect(cdn.base_url, 2)
    assert connect().force_refresh().is_success
    assert (len(cdn.requests), len(european.requests)) == (2, 1)


def test_over_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK reads over https, where it is told which CA to trust."""
    with ConfigCatEmulator(tls=True) as cdn:
        cdn.set("flag", True)
        assert cdn.ca_file is not None
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", cdn.ca_file)
        mode = PollingMode.manual_poll()
        options = configcatclient.ConfigCatOptions(base_url=cdn.base_url, polling_mode=mode)
        client = configcatclient.get(OLD_KEY, options)
        try:
            assert client.force_refresh().is_success
            assert client.get_value("flag", False) is True
        finally:
            client.close()
