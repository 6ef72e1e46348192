"""What the emulator says in the log of the program that runs it: nothing, until something fails."""

from __future__ import annotations

import logging

import pytest

from appconfig_provider.emulator import Server
from appconfig_provider.testing import Emulator, Vault

from .raw import Raw
from .test_kept_connections import client, raising


def messages(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """The messages from a level on."""
    return [record.getMessage() for record in caplog.records if record.levelno >= level]


def test_a_start_is_quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Starting, answering, going down and ending say nothing at INFO; DEBUG tells the address."""
    caplog.set_level(logging.DEBUG)
    with Emulator(replicas=1) as store, Vault(), Raw(store.endpoint) as raw:
        assert raw.get("/kv").status == 200
        store.down()
        store.up()
    assert messages(caplog, logging.INFO) == []
    assert any(
        store.endpoint.rpartition(":")[2] in line for line in messages(caplog, logging.DEBUG)
    )


def test_an_upgrade_is_quiet(caplog: pytest.LogCaptureFixture) -> None:
    """A client that offers HTTP/2, as Java's does each time, is answered without a word."""
    with Emulator() as store, Raw(store.endpoint) as raw:
        offer = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AA"}
        assert raw.send("GET", "/kv", offer).status == 200
    assert messages(caplog, logging.INFO) == []


def test_a_failure_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    """A failure of the emulator itself is an error in the log, with its exception."""
    with Server(raising) as server, client(server.endpoint) as asking:
        asking.send("GET /kv")
        assert asking.answer().status == 500
    (record,) = [record for record in caplog.records if record.levelno >= logging.INFO]
    assert (record.name, record.levelno) == ("appconfig_provider.emulator", logging.ERROR)
    assert record.exc_info is not None
