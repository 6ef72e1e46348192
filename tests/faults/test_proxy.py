"""A proxy between the program and its store: it learns what it must, and nothing is changed."""

from __future__ import annotations

import pytest

from appconfig_provider import WatchKey
from appconfig_provider.testing import Emulator
from tests.support.adapter import Loader
from tests.support.contoso import MAIN, contoso
from tests.support.hostile_scenes import scene
from tests.support.proxy import connect_proxy

ODD = ["a/../b", "./c", "x?y#z", "ü &+"]
"""Keys that an HTTP library may feel tempted to tidy up on their way; they are signed as sent."""


def test_a_proxy_gets_the_host_and_not_the_request(load: Loader) -> None:
    """For an https store, the proxy is asked to connect to its host; the rest stays inside TLS."""
    with contoso() as scene, load(**scene.keywords()) as config:
        assert config.snapshot["k"] == "v1"
        assert config.refresh(force=True) is False
        assert config.status.last_error is None
        assert set(scene.proxy.lines) == {f"CONNECT {MAIN}:443 HTTP/1.1"}
        assert len(scene.store.requests) >= 4


def test_a_proxy_gets_the_whole_address_of_a_plain_store(load: Loader, store: Emulator) -> None:
    """For an http store, every request line that a proxy gets is in the absolute form."""
    store.set("k", "v1")
    with (
        connect_proxy() as proxy,
        load(
            connection_string=store.connection_string, proxy=proxy.url, startup_timeout=0
        ) as config,
    ):
        assert config.snapshot["k"] == "v1"
    assert proxy.lines
    assert all(line.startswith(f"GET {store.endpoint}/kv") for line in proxy.lines)


@pytest.mark.parametrize("plain", [True, False])
def test_odd_keys_pass_a_proxy_as_they_are(load: Loader, plain: bool) -> None:
    """Whatever is in a key, it is watched under that very name behind a proxy, too."""
    with contoso() as scene, Emulator(clock=scene.clock) as other:
        store = other if plain else scene.store
        store.set_many(dict.fromkeys(ODD, "v1"))
        where = {"connection_string": store.connection_string} if plain else {}
        keywords = scene.keywords(refresh_on=[WatchKey(key) for key in ODD]) | where
        with load(**keywords) as config:
            for key in ODD:
                store.set(key, "v2")
                assert config.refresh(force=True), key
                assert config.snapshot[key] == "v2"


@pytest.mark.parametrize("way", ["TLS by HTTP proxy", "TLS by https proxy", "SOCKS proxy"])
def test_a_store_is_read_and_followed_through_a_proxy(load: Loader, way: str) -> None:
    """A proxy that is reached by TLS carries the TLS of the store inside of it."""
    with scene(way) as here:
        patient = {"replicas": [], "connect_timeout": 10, "read_timeout": 10, "startup_timeout": 40}
        with load(**here.keywords | patient) as config:
            assert set(config.snapshot.values()) == {"v1"}
            here.publish("v2")
            assert config.refresh(force=True)
            assert set(config.snapshot.values()) == {"v2"}
