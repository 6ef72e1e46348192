"""What an error says about a connection: what happened, and what to do about it."""

from __future__ import annotations

import socket
import threading

import pytest

from appconfig_provider.errors import StartupTimeout
from appconfig_provider.testing import Emulator
from tests.support.faces import FACES, Loader
from tests.support.raw_server import raw_server, silent


def told(load: Loader, **keywords: object) -> str:
    """Return what `load()` says when it is given one attempt."""
    keywords = {"startup_timeout": 0, "retry_total": 0, **keywords}
    with pytest.raises(StartupTimeout) as caught, load(**keywords):
        pass
    return str(caught.value)


@pytest.mark.mended("a certificate that is not trusted was taken for an emulator that does not run")
def test_a_certificate_that_is_not_trusted_names_verify(load: Loader) -> None:
    """A store on this machine whose certificate nobody knows is reached by `verify=`."""
    with Emulator(tls=True) as store:
        text = told(load, connection_string=store.connection_string)
    assert "CERTIFICATE_VERIFY_FAILED" in text
    assert "verify='ca.pem'" in text
    assert "emulator" not in text


@pytest.mark.mended("a server without TLS was taken for an emulator that does not run")
def test_a_server_without_tls_is_told_so(load: Loader) -> None:
    """An https endpoint where nobody speaks TLS points to http."""
    with Emulator() as store:
        text = told(load, connection_string=store.connection_string.replace("http:", "https:"))
    assert "http://" in text
    assert "emulator" not in text


def test_nobody_there_asks_for_the_emulator(load: Loader) -> None:
    """Where nobody listens on this machine, the emulator may not have been started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    text = told(load, connection_string=f"Endpoint=http://127.0.0.1:{port};Id=id;Secret=c2VjcmV0")
    assert "is the emulator running?" in text


@pytest.mark.parametrize(
    "load", [FACES["sync"], pytest.param(FACES["aio"], marks=pytest.mark.mended("(ReadTimeout: )"))]
)
def test_an_error_without_words_is_told_by_its_name(load: Loader) -> None:
    """An error of the network that says nothing leaves no empty place behind its name."""
    with raw_server(silent) as connection_string:
        text = told(load, connection_string=connection_string, read_timeout=0.3)
    assert "()" not in text
    assert ": )" not in text


def test_words_of_a_server_stay_on_their_line(load: Loader) -> None:
    """What a server says instead of HTTP cannot write lines or orders into an error."""

    def babbling(connection: socket.socket, _: threading.Event) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 2\x1b[2J\x1b]0;x\x07\xe2\x80\xae OK\x0b\r\n\r\n")

    with raw_server(babbling) as connection_string:
        assert told(load, connection_string=connection_string).isprintable()
