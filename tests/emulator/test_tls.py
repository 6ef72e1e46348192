"""TLS and bearer tokens: what a client has to trust, and which tokens open the store."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from appconfig_provider.emulator.tls import local_certificate
from appconfig_provider.emulator.tokens import STORE_AUDIENCES, Tokens
from appconfig_provider.testing import Emulator, StaticCredential, Vault
from appconfig_provider.testing.credentials import unsigned_token

AUDIENCE = "https://appconfig.azure.com"


def ask(store: Emulator, token: str | None, host: str = "127.0.0.1") -> httpx.Response:
    """GET a listing with a token."""
    context = ssl.create_default_context(cafile=store.ca_file)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    endpoint = store.endpoint.replace("127.0.0.1", host)
    with httpx.Client(verify=context, trust_env=False) as client:
        return client.get(f"{endpoint}/kv", headers=headers)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_certificate(host: str) -> None:
    """The certificate holds for this machine's names under strict checks, trusted by its CA."""
    with Emulator(tls=True) as store:
        assert store.endpoint.startswith("https://127.0.0.1:")
        assert ask(store, unsigned_token(AUDIENCE), host).status_code == 200
        with httpx.Client(trust_env=False) as stranger, pytest.raises(httpx.ConnectError):
            stranger.get(f"{store.endpoint}/kv")


def test_one_certificate_for_a_process() -> None:
    """Servers of a process share a certificate; other host names get one of the same CA."""
    with Emulator(tls=True) as store, Vault() as vault:
        assert store.ca_file == vault.ca_file == local_certificate().ca_file
    assert local_certificate("example.test") != local_certificate()
    assert local_certificate("example.test").ca_file == local_certificate().ca_file
    with Emulator() as plain:
        assert plain.ca_file is None


def test_certificate_for_other_hosts() -> None:
    """The certificate holds for the names of `hosts`, which a proxy may lead here."""
    name = "store.example.test"
    with Emulator(tls=True, hosts=[name]) as store:
        context = ssl.create_default_context(cafile=store.ca_file)
        port = int(store.endpoint.rpartition(":")[2])
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            context.wrap_socket(plain, server_hostname=name) as secret,
        ):
            assert secret.version() is not None  # the handshake has compared the name


def test_files_go_with_the_process() -> None:
    """The files of a certificate are private and are gone when the process ends."""
    script = """
import os, stat
from appconfig_provider.emulator.tls import local_certificate
made = local_certificate()
assert os.name == "nt" or stat.S_IMODE(os.stat(os.path.dirname(made.key_file)).st_mode) == 0o700
if hasattr(os, "fork"):
    import atexit
    child = os.fork()
    if child == 0:
        atexit._run_exitfuncs()
        os._exit(0)
    os.waitpid(child, 0)
    assert os.path.exists(made.key_file)
print(made.key_file)
"""
    done = subprocess.run(
        (sys.executable, "-c", script), capture_output=True, text=True, check=True
    )
    assert not Path(done.stdout.strip()).parent.exists()


@pytest.mark.parametrize("audience", [*STORE_AUDIENCES, AUDIENCE + "/", AUDIENCE.upper()])
def test_audiences(audience: str) -> None:
    """A token for an audience of the service is accepted, in any case, with or without slash."""
    assert Tokens(STORE_AUDIENCES, (), time.time).accept(f"Bearer {unsigned_token(audience)}")


@pytest.mark.parametrize("ending", ["", "/"])
@pytest.mark.parametrize("kind", [Emulator, Vault])
def test_the_own_address_is_an_audience(kind: type[Emulator | Vault], ending: str) -> None:
    """A token for the very store or vault is accepted, with and without port; not another's."""
    server = Vault() if kind is Vault else Emulator(tls=True)
    target = "/secrets/s?api-version=7.4" if kind is Vault else "/kv"
    with server:
        port = port_of(server)
        found = {
            host: answer(server, target, f"https://{host}{ending}")
            for host in (f"localhost:{port}", "localhost", f"LOCALHOST:{port}")
        }
        assert set(found.values()) <= {200, 404}
        for audience in (f"http://localhost:{port}", "https://localhost:1", "https://", "https:"):
            assert answer(server, target, audience) == 401


def port_of(server: Emulator | Vault) -> str:
    """The port that a store or a vault listens on."""
    address = server.url if isinstance(server, Vault) else server.endpoint
    return address.rpartition(":")[2]


def answer(server: Emulator | Vault, target: str, audience: str) -> int:
    """The status of a request to localhost with a token for an audience."""
    trusted = ssl.create_default_context(cafile=server.ca_file)
    with httpx.Client(verify=trusted, trust_env=False) as client:
        headers = {"authorization": f"Bearer {unsigned_token(audience)}"}
        return client.get(
            f"https://localhost:{port_of(server)}{target}", headers=headers
        ).status_code


@pytest.mark.parametrize(
    "token",
    [
        "",
        "opaque",
        "a.b.c",
        "a.e30.c",
        "a.W10.c",
        "a." + "W" * 100_001 + ".c",
        "a.eyJhdWQiOjF9.c",
        "a.eyJhdWQiOlsxXX0.c",
        unsigned_token("https://vault.azure.net"),
        unsigned_token(AUDIENCE, lifetime=-1),
    ],
)
def test_refused_tokens(token: str) -> None:
    """A token for somebody else, out of time or made up is not accepted."""
    assert not Tokens(STORE_AUDIENCES, (), time.time).accept(f"Bearer {token}")
    assert not Tokens(STORE_AUDIENCES, (), time.time).accept(f"Basic {token}")


def test_challenge() -> None:
    """Over TLS the challenge offers both schemes and says when a token failed."""
    with Emulator(tls=True) as store:
        missing, wrong = ask(store, None), ask(store, "wrong")
        assert (missing.status_code, wrong.status_code) == (401, 401)
        assert missing.headers["www-authenticate"] == "HMAC-SHA256, Bearer"
        assert wrong.headers["www-authenticate"].startswith(
            'HMAC-SHA256, Bearer error="invalid_token"'
        )


def test_added_tokens() -> None:
    """A text the emulator was told of is a good token until it is taken back."""
    with Emulator(tls=True) as store:
        token = StaticCredential("opaque").get_token("any").token
        assert ask(store, token).status_code == 401
        store.tokens.add(token)
        assert ask(store, token).status_code == 200
        store.tokens.discard(token)
        assert ask(store, token).status_code == 401


def test_no_tokens_in_the_clear() -> None:
    """Without TLS no token is accepted."""
    with Emulator() as store:
        store.tokens.add("opaque")
        reply = ask(store, "opaque")
        assert (reply.status_code, reply.headers["www-authenticate"]) == (401, "HMAC-SHA256")


def test_tokens_may_write() -> None:
    """A token may do everything, without a hash of the body."""
    with Emulator(tls=True) as store:
        store.tokens.add("t")
        context = ssl.create_default_context(cafile=store.ca_file)
        headers = {"authorization": "Bearer t"}
        with httpx.Client(verify=context, trust_env=False, headers=headers) as client:
            assert client.put(f"{store.endpoint}/kv/k", json={"value": "v"}).status_code == 200
        kept = store.get("k")
        assert kept is not None
        assert kept.value == "v"
