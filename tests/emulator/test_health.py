"""The health address: a server that runs says so, to everybody who may reach it."""

from __future__ import annotations

import pytest

from appconfig_provider.testing import Emulator, Vault

from .test_hosts import answer, asking


@pytest.mark.parametrize("tls", [False, True])
def test_health(tls: bool) -> None:
    """It needs no credentials, is not recorded, and is at every endpoint and every vault."""
    with Emulator(tls=tls, replicas=1) as store, Vault() as vault:
        ca_file = vault.ca_file if tls else None
        places = [(store.endpoint, ca_file), (store.replicas[0].endpoint, ca_file)]
        for endpoint, trusted in [*places, (vault.url, vault.ca_file)]:
            status, got = answer(endpoint, asking("localhost", target="/_health"), trusted)
            assert status == 200
            assert got.endswith(b'\r\n\r\n{"status":"ok"}')
            assert answer(endpoint, asking("::", target="/_health"), trusted)[0] == 403
        assert store.requests == store.replicas[0].requests == vault.requests == []


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("PUT", 405), ("DELETE", 405)])
def test_health_is_read(store: Emulator, method: str, status: int) -> None:
    """It can only be read."""
    found, got = answer(store.endpoint, asking("localhost", method, "/_health"))
    assert found == status
    assert b"status" not in got.partition(b"\r\n\r\n")[2]


def test_health_beside_faults(store: Emulator) -> None:
    """A server that answers badly on purpose still runs; one that is down does not."""
    with store.slow(30):
        assert answer(store.endpoint, asking("localhost", target="/_health"))[0] == 200
    store.down()
    with pytest.raises(ConnectionRefusedError):
        answer(store.endpoint, asking("localhost", target="/_health"))
