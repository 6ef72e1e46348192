"""ConfigCat's page on all keys, all values and proxies: every statement is a test."""

from __future__ import annotations

import base64
import socket
from typing import Any

import pytest

from appconfig_provider import configcat as configcatclient
from appconfig_provider.configcat import HTTPProxyAuth, User
from appconfig_provider.testing import ConfigCatEmulator
from tests.support.proxy import connect_proxy

from .configcat_page import ALL_KEYS, ALL_VALUES, PROXY
from .running import ADDRESS, KEY, path_of, run
from .statements import says

UUID = "435170f4-8a8b-4b67-a723-505ac7cdea92"
CDN = "cdn-global.configcat.com"
PAGE_PORT = 8080
"""Where the page's proxy is."""


@says("You can query the keys from your configuration in the SDK with the get_all_keys() method.")
def test_all_keys(cdn: ConfigCatEmulator) -> None:
    """The block gets every key, in the order of the file."""
    for key in ("zebra", "ape", "mouse"):
        cdn.set(key, key)
    assert run(ALL_KEYS)["keys"] == ["zebra", "ape", "mouse"]


@says("Evaluates and returns the values of all feature flags and settings.")
def test_all_values(cdn: ConfigCatEmulator) -> None:
    """The block gets the value of each setting for its user."""
    rules = [{"o": 0, "a": "Identifier", "t": 0, "c": UUID, "v": "yours", "i": "b"}]
    targeted = {"v": "everybody's", "i": "a", "t": 1, "p": [], "r": rules}
    plain = {"v": 5, "i": "c", "t": 2, "p": [], "r": []}
    cdn.load({"f": {"targeted": targeted, "plain": plain}})
    assert run(ALL_VALUES)["all_values"] == {"targeted": "yours", "plain": 5}


@says("Passing a User Object is optional.")
def test_all_values_for_nobody(cdn: ConfigCatEmulator) -> None:
    """Without a user each setting has the value that is for everybody."""
    cdn.set("one", 1)
    cdn.set("two", "zwei")
    client = configcatclient.create_client(KEY)
    assert client.get_all_values() == {"one": 1, "two": "zwei"}
    assert client.get_all_values(User(UUID)) == {"one": 1, "two": "zwei"}


def taken(port: int) -> bool:
    """Tell whether somebody listens on a port of this machine already."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


@says("Provide your own network credentials (username/password), and proxy server settings")
def test_a_proxy_and_credentials_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The block asks the CDN through the proxy, which alone sees the credentials."""
    for variable in (ADDRESS, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)
    port = 0 if taken(PAGE_PORT) else PAGE_PORT
    wanted = "Basic " + base64.b64encode(b"user:password").decode()
    with (
        ConfigCatEmulator(tls=True, hosts=[CDN]) as cdn,
        connect_proxy(port=port, credentials=wanted) as proxy,
    ):
        assert cdn.ca_file is not None
        monkeypatch.setenv("SSL_CERT_FILE", cdn.ca_file)
        proxy.ports[CDN] = int(cdn.base_url.rpartition(":")[2])
        cdn.set("key", "behind the proxy")
        program = PROXY.replace("127.0.0.1:8080", proxy.url.removeprefix("http://"))
        assert (program == PROXY) == (port == PAGE_PORT)
        client = run(program)["configcat_client"]
        assert client.get_value("key", None) == "behind the proxy"
        client.stop()
        assert proxy.lines == [f"CONNECT {CDN}:443 HTTP/1.1"]
        (request,) = cdn.requests
        assert request.target == path_of()
        assert "proxy-authorization" not in request.headers
        assert "authorization" not in request.headers


def test_wrong_credentials_are_not_shown(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A proxy that refuses is reported, with neither the password nor the SDK key."""
    for variable in (ADDRESS, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)
    with connect_proxy(credentials="Basic other") as proxy:
        client = configcatclient.create_client_with_manual_poll(
            "secret-key", proxies={"https": proxy.url}, proxy_auth=HTTPProxyAuth("user", "p4ss")
        )
        result = client.force_refresh()
        client.stop()
    assert not result.is_success
    shown = f"{result}{caplog.text}{client!r}"
    for secret in ("p4ss", "secret-key", base64.b64encode(b"user:p4ss").decode()):
        assert secret not in shown


@pytest.mark.parametrize("where", ["ours", "theirs"])
def test_credentials_are_any_object_with_both(where: str) -> None:
    """ConfigCat's users have them from `requests`; who leaves it has ours, which shows nothing."""
    auth: Any = HTTPProxyAuth
    if where == "theirs":
        auth = pytest.importorskip("requests.auth").HTTPProxyAuth
    made = auth("user", "p4ss")
    assert (made.username, made.password) == ("user", "p4ss")
    assert made == auth("user", "p4ss")
    assert made != auth("user", "other")
    assert "p4ss" not in repr(made)
