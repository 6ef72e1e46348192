"""ConfigCat's page on flag overrides: every statement is a test."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from appconfig_provider import configcat as configcatclient
from appconfig_provider.configcat import (
    ConfigCatClient,
    LocalDictionaryDataSource,
    LocalFileDataSource,
    OverrideBehaviour,
    User,
)
from appconfig_provider.testing import ConfigCatEmulator
from tests.support.proxy import connect_proxy

from .configcat_page import COMPLEX_FILE, DICTIONARY, FILE_OVERRIDES, SIMPLE_FILE
from .running import ADDRESS, KEY, path_of, run, write
from .statements import says

SIMPLE: dict[str, bool | int | float | str] = {
    "enabledFeature": True,
    "disabledFeature": False,
    "intSetting": 5,
    "doubleSetting": 3.14,
    "stringSetting": "test",
}
"""The settings of the page's simple file, and of its dictionary."""
REMOTE = {"both": "remote", "remote": "remote"}
LOCAL = {"both": "local", "local": "local"}


def overridden(cdn: ConfigCatEmulator, behaviour: OverrideBehaviour) -> dict[str, Any]:
    """Return all values of a client that has settings of its own beside those of the server."""
    for key, value in REMOTE.items():
        cdn.set(key, value)
    local = LocalDictionaryDataSource(source=LOCAL, override_behaviour=behaviour)
    client = configcatclient.create_client_with_manual_poll(KEY, flag_overrides=local)
    client.force_refresh()
    return client.get_all_values()


@says(
    "With flag overrides you can overwrite the feature flags & settings downloaded",
    "Moreover, you can specify how the overrides should apply",
    "The following 3 behaviours are supported:",
)
def test_there_are_three_behaviours(cdn: ConfigCatEmulator) -> None:
    """Each behaviour gives another set of values, and there is no fourth one."""
    assert [one.name for one in OverrideBehaviour] == [
        "LocalOnly",
        "LocalOverRemote",
        "RemoteOverLocal",
    ]
    values = {json.dumps(overridden(cdn, one), sort_keys=True) for one in OverrideBehaviour}
    assert len(values) == 3


@says(
    "Local/Offline mode (OverrideBehaviour.LocalOnly):",
    "When evaluating values, the SDK will not use feature flags & settings",
)
def test_local_only(cdn: ConfigCatEmulator) -> None:
    """Only the local settings count, and the server is never asked."""
    assert overridden(cdn, OverrideBehaviour.LocalOnly) == LOCAL
    assert cdn.requests == []


@says(
    "Local over remote (OverrideBehaviour.LocalOverRemote):",
    "When evaluating values, the SDK will use all feature flags & settings that are downloaded",
    "If a feature flag or a setting is defined both in the downloaded and the local-override "
    "source then the local",
)
def test_local_over_remote(cdn: ConfigCatEmulator) -> None:
    """All settings count, and of two with one key the local one."""
    assert overridden(cdn, OverrideBehaviour.LocalOverRemote) == {**REMOTE, **LOCAL}


@says(
    "Remote over local (OverrideBehaviour.RemoteOverLocal):",
    "When evaluating values, the SDK will use all feature flags & settings that are downloaded",
    "If a feature flag or a setting is defined both in the downloaded and the local-override "
    "source then the downloaded",
)
def test_remote_over_local(cdn: ConfigCatEmulator) -> None:
    """All settings count, and of two with one key the downloaded one."""
    assert overridden(cdn, OverrideBehaviour.RemoteOverLocal) == {**LOCAL, **REMOTE}


@says("You can set up the SDK to load your feature flag & setting overrides from a file or a dic")
def test_a_file_and_a_dictionary_say_the_same(tmp_path: Path) -> None:
    """The same settings have the same values, wherever they come from."""
    file = write(tmp_path, SIMPLE_FILE)
    local = OverrideBehaviour.LocalOnly
    for source in (LocalFileDataSource(str(file), local), LocalDictionaryDataSource(SIMPLE, local)):
        with ConfigCatClient(KEY, flag_overrides=source) as client:
            assert client.get_all_values() == SIMPLE


@says("The SDK can be configured to load your feature flag & setting overrides from a file.")
def test_the_block_about_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The block reads the file that it names, below the folder of the program."""
    write(tmp_path, SIMPLE_FILE)
    monkeypatch.chdir(tmp_path)
    with run(FILE_OVERRIDES)["configcat_client"] as client:
        assert client.get_value("stringSetting", None) == "test"


@says("The SDK supports 2 types of JSON structures")
@pytest.mark.parametrize("text", [SIMPLE_FILE, COMPLEX_FILE], ids=["simple", "complex"])
def test_both_structures_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """The block reads either file as it is printed on the page."""
    write(tmp_path, text)
    monkeypatch.chdir(tmp_path)
    with run(FILE_OVERRIDES)["configcat_client"] as client:
        keys = list(SIMPLE) if text == SIMPLE_FILE else ["isFeatureEnabled"]
        assert client.get_all_keys() == keys


def test_the_simple_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each value has the type that it has in the file."""
    write(tmp_path, SIMPLE_FILE)
    monkeypatch.chdir(tmp_path)
    with run(FILE_OVERRIDES)["configcat_client"] as client:
        values = {key: client.get_value(key, None) for key in SIMPLE}
    assert values == SIMPLE
    assert {key: type(value) for key, value in values.items()} == {
        key: type(value) for key, value in SIMPLE.items()
    }


@says("It allows the usage of all features you can do on the ConfigCat Dashboard.")
def test_the_complex_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As printed, with comments: @example.com is on by the rule, others by 10 to 90 per cent."""
    write(tmp_path, COMPLEX_FILE)
    monkeypatch.chdir(tmp_path)
    key = "isFeatureEnabled"
    with run(FILE_OVERRIDES)["configcat_client"] as client:
        assert client.get_value(key, None) is False
        assert client.get_value(key, None, User("someone@example.com")) is True
        assert client.get_variation_id(key, None, User("someone@example.com")) == "bcfb84a7"
        on = 0
        for number in range(2000):
            hashed = hashlib.sha1(f"{key}{number}".encode()).hexdigest()[:7]
            expected = int(hashed, 16) % 100 < 10
            assert client.get_value(key, None, User(str(number))) is expected
            on += expected
        assert 150 < on < 250


@says("This is the same format that the SDK downloads from the ConfigCat CDN.")
def test_a_file_and_the_server_have_the_same_format(cdn: ConfigCatEmulator, tmp_path: Path) -> None:
    """One config, served and read from a file, evaluates to the same values and variations."""
    strict = "\n".join(line.split(" //")[0] for line in COMPLEX_FILE.splitlines())
    strict = "\n".join(line for line in strict.splitlines() if not line.strip().startswith("//"))
    strict = strict.replace("},\n  }", "}\n  }")
    cdn.load(json.loads(strict))
    file = write(tmp_path, COMPLEX_FILE)
    local = LocalFileDataSource(str(file), OverrideBehaviour.LocalOnly)
    served = configcatclient.create_client(KEY)
    with ConfigCatClient(KEY, flag_overrides=local) as read:
        for number in range(50):
            user = User(f"{number}@example.{'com' if number % 2 else 'org'}")
            values = [one.get_value("isFeatureEnabled", None, user) for one in (served, read)]
            assert values[0] is values[1]
            ids = [one.get_all_variation_ids(user) for one in (served, read)]
            assert ids[0] == ids[1]


@says("You can download your current config.json from ConfigCat's CDN and use it as a baseline.")
def test_a_downloaded_file_is_a_baseline(cdn: ConfigCatEmulator, tmp_path: Path) -> None:
    """What the server has, saved as a file, gives the values of the server."""
    for key, value in SIMPLE.items():
        cdn.set(key, value)
    file = write(tmp_path, httpx.get(cdn.base_url + path_of(), trust_env=False).text)
    local = LocalFileDataSource(str(file), OverrideBehaviour.LocalOnly)
    with ConfigCatClient(KEY, flag_overrides=local) as client:
        assert client.get_all_values() == configcatclient.create_client(KEY).get_all_values()
        assert client.get_all_values() == SIMPLE


@says(
    "The URL to your current config.json is based on your Data Governance settings:",
    "GLOBAL:",
    "EU:",
)
@pytest.mark.parametrize(
    ("governance", "host"),
    [("Global", "cdn-global.configcat.com"), ("EuOnly", "cdn-eu.configcat.com")],
)
def test_the_addresses_of_the_cdn(
    monkeypatch: pytest.MonkeyPatch, governance: str, host: str
) -> None:
    """Where no variable names another server, ConfigCat's own are asked, by https, for the file."""
    for variable in (ADDRESS, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)
    with ConfigCatEmulator(tls=True, hosts=[host]) as cdn, connect_proxy() as proxy:
        assert cdn.ca_file is not None
        monkeypatch.setenv("SSL_CERT_FILE", cdn.ca_file)
        proxy.ports[host] = int(cdn.base_url.rpartition(":")[2])
        cdn.set("key", governance)
        client = configcatclient.create_client_with_manual_poll(
            KEY,
            proxies={"https": proxy.url},
            data_governance=configcatclient.DataGovernance[governance],
        )
        client.force_refresh()
        assert client.get_value("key", None) == governance
        client.stop()
        assert proxy.lines == [f"CONNECT {host}:443 HTTP/1.1"]
        (request,) = cdn.requests
        assert request.target == path_of()
        assert request.headers["host"] == host


@says("You can set up the SDK to load your feature flag & setting overrides from a dictionary.")
def test_the_block_about_a_dictionary() -> None:
    """The block's client has the settings of the dictionary, each with its type."""
    with run(DICTIONARY)["configcat_client"] as client:
        assert client.get_all_values() == SIMPLE
        assert isinstance(client.get_value("doubleSetting", None), float)
