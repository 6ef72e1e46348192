"""What an error says about a connection: what happened, and what to do about it."""

from __future__ import annotations

import socket
import threading
from contextlib import closing

import pytest

from appconfig_provider.emulator import Server, Store, create_app, local_certificate
from appconfig_provider.errors import KeyVaultReferenceError, StartupTimeout
from appconfig_provider.testing import Emulator, StaticCredential
from tests.support.adapter import LOADERS, Loader
from tests.support.proxy import connect_proxy
from tests.support.raw_server import (
    Behaviour,
    dripping,
    dripping_headers,
    full_server,
    hanging_up,
    raw_server,
    silent,
)


def message_of(load: Loader, **keywords: object) -> str:
    """Return what `load()` says when it is given one attempt."""
    keywords = {"startup_timeout": 0, "retry_total": 0, **keywords}
    with pytest.raises(StartupTimeout) as caught, load(**keywords):
        pass
    return str(caught.value)


def test_a_certificate_that_is_not_trusted_names_verify(load: Loader) -> None:
    """A store on this machine whose certificate nobody knows is reached by `verify=`."""
    with Emulator(tls=True) as store:
        text = message_of(load, connection_string=store.connection_string)
    assert "CERTIFICATE_VERIFY_FAILED" in text
    assert "verify='ca.pem'" in text
    assert "emulator" not in text


def test_a_certificate_of_another_name_names_the_name(load: Loader) -> None:
    """A certificate that is trusted but not for this address: another CA file would not help."""
    certificate = local_certificate()
    with (
        closing(Store()) as data,
        Server(create_app(data), host="127.0.0.2", certificate=certificate) as server,
    ):
        text = message_of(
            load,
            connection_string=f"Endpoint={server.endpoint};Id=id;Secret=c2VjcmV0",
            verify=certificate.ca_file,
        )
    assert "use a name that the certificate holds for" in text
    assert "--allow-host" in text
    assert "verify=" not in text


def test_a_server_without_tls_is_reported_as_that(load: Loader) -> None:
    """An https endpoint where nobody speaks TLS points to http."""
    with Emulator() as store:
        text = message_of(
            load, connection_string=store.connection_string.replace("http:", "https:")
        )
    assert "http://" in text
    assert "emulator" not in text


def test_nobody_there_asks_for_the_emulator(load: Loader) -> None:
    """Where nobody listens on this machine, the emulator may not have been started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    text = message_of(
        load, connection_string=f"Endpoint=http://127.0.0.1:{port};Id=id;Secret=c2VjcmV0"
    )
    assert "is the emulator running?" in text


@pytest.mark.parametrize("load", [LOADERS["sync"], LOADERS["aio"]])
def test_an_error_without_words_is_reported_by_its_name(load: Loader) -> None:
    """An error of the network that says nothing leaves no empty place behind its name."""
    with raw_server(silent) as connection_string:
        text = message_of(load, connection_string=connection_string, read_timeout=0.3)
    assert "()" not in text
    assert ": )" not in text


def test_words_of_a_server_stay_on_their_line(load: Loader) -> None:
    """What a server says instead of HTTP cannot write lines or orders into an error."""

    def babbling(connection: socket.socket, _: threading.Event) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 2\x1b[2J\x1b]0;x\x07\xe2\x80\xae OK\x0b\r\n\r\n")

    with raw_server(babbling) as connection_string:
        assert message_of(load, connection_string=connection_string).isprintable()


ELSEWHERE = "Endpoint=http://store.example;Id=id;Secret=c2VjcmV0"


def test_a_vault_is_no_emulator(load: Loader) -> None:
    """Where a vault on this machine does not answer, nobody asks for the emulator."""
    with Emulator() as store:
        gone = f"https://127.0.0.1:{free_port()}"
        store.set_secret("password", f"{gone}/secrets/db")
        with (
            pytest.raises(KeyVaultReferenceError) as caught,
            load(
                connection_string=store.connection_string,
                keyvault_client_configs={gone: {"credential": StaticCredential()}},
                startup_timeout=0,
            ),
        ):
            pass
    assert gone in str(caught.value)
    assert "emulator" not in str(caught.value)


def free_port() -> int:
    """Return a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.mark.parametrize("where", ["store.example", "127.0.0.1:9"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_there_is_named(load: Loader, scheme: str, where: str) -> None:
    """A proxy that cannot be reached is named without user and password, and no emulator is."""
    port = free_port()
    text = message_of(
        load,
        connection_string=f"Endpoint={scheme}://{where};Id=id;Secret=c2VjcmV0",
        proxy=f"http://somebody:hunter2@127.0.0.1:{port}",
    )
    assert f"by the proxy http://127.0.0.1:{port}" in text
    assert "emulator" not in text
    assert "hunter2" not in text
    assert "somebody" not in text


def test_a_proxy_of_the_environment_is_named(load: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody who set `http_proxy` long ago thinks of it: the error does."""
    port = free_port()
    monkeypatch.setenv("http_proxy", f"http://somebody:hunter2@127.0.0.1:{port}")
    text = message_of(load, connection_string=ELSEWHERE)
    assert f"by the proxy http://127.0.0.1:{port}" in text
    assert "hunter2" not in text


def test_a_silent_proxy_is_named(load: Loader) -> None:
    """A proxy that takes the connection and says nothing is named, too."""
    with raw_server(silent) as connection_string:
        proxy = connection_string.split("=", 1)[1].split(";")[0]
        text = message_of(load, connection_string=ELSEWHERE, proxy=proxy, read_timeout=0.3)
    assert f"by the proxy {proxy}" in text


def test_a_proxy_that_refuses_is_named(load: Loader) -> None:
    """A proxy that knows no way to the store is named with what it answered."""
    with connect_proxy() as proxy:
        text = message_of(
            load, connection_string=ELSEWHERE.replace("http:", "https:"), proxy=proxy.url
        )
    assert "502" in text
    assert f"by the proxy {proxy.url}" in text


@pytest.mark.parametrize(
    "behave",
    [silent, dripping_headers, dripping],
)
def test_silence_is_reported_once_and_as_what_it_is(load: Loader, behave: Behaviour) -> None:
    """A store that takes the connection and does not answer is told so, with the budget, once."""
    with (
        raw_server(behave) as connection_string,
        pytest.raises(StartupTimeout) as caught,
        load(connection_string=connection_string, startup_timeout=0.8),
    ):
        pass
    text = str(caught.value)
    assert text.startswith("no usable answer within startup_timeout=0.8 s: http://127.0.0.1:")
    assert text.count("startup_timeout") == 1
    assert "used up" not in text
    assert "answer to GET /kv" in text


def test_a_connect_that_does_not_end_is_reported_as_that(load: Loader) -> None:
    """A server that takes no connection is not said to have been connected to."""
    with (
        full_server() as address,
        pytest.raises(StartupTimeout) as caught,
        load(connection_string=f"Endpoint={address};Id=id;Secret=c2VjcmV0", startup_timeout=0.8),
    ):
        pass
    assert "the connection for GET /kv was not made in time" in str(caught.value)
    assert str(caught.value).count("startup_timeout") == 1


def test_plain_http_to_a_store_of_tls_names_https(load: Loader) -> None:
    """An http endpoint that hangs up before it answers may be one of TLS."""
    with Emulator(tls=True) as store:
        text = message_of(
            load, connection_string=store.connection_string.replace("https:", "http:")
        )
    assert "does it need https://?" in text
    with raw_server(hanging_up) as connection_string:
        assert "does it need https://?" in message_of(load, connection_string=connection_string)
