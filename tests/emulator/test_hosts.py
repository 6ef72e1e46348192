"""Which host names are served: a web page that points its own name here is not."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, closing
from ipaddress import ip_address
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appconfig_provider.emulator import Access, Server, Store, create_app
from appconfig_provider.emulator.control import Control
from appconfig_provider.emulator.hosts import Hosts
from appconfig_provider.testing import Emulator, Vault

from .test_process import run

SERVED = [
    "localhost",
    "LocalHost",
    "localhost.",
    "localhost:8483",
    "store.localhost",
    "a.b_c.localhost:1",
    "127.0.0.1",
    "127.0.0.1:65535",
    "192.168.1.7:80",
    "8.8.8.8",
    "[::1]",
    "[::1]:8483",
    "[FE80::1]",
    "[::ffff:127.0.0.1]",
    "given.test",
    "GIVEN.test.:8483",
    "app_config",
    "app_config:8483",
]
REFUSED = [
    "",
    ":8483",
    ".",
    "evil.test",
    "evil.test:8483",
    "localhost.evil.test",
    "evil-localhost",
    "xlocalhost",
    ".localhost",
    "a..localhost",
    "localhost..",
    "-.localhost",
    "127.0.0.1.evil.test",
    "127.0.0.1.",
    "127.1",
    "127.0.0.01",
    "0177.0.0.1",
    "0x7f.0.0.1",
    "0x7f000001",
    "2130706433",
    "256.0.0.1",
    "::1",
    "[::1",
    "[::1]x",
    "[::1]:",
    "[evil.test]",
    "[::1%eth0]",
    "[fe80::1%25eth0]",
    "user@localhost",
    "localhost@evil.test",
    "localhost:8483@evil.test",
    "localhost,evil.test",
    "localhost evil.test",
    "localhost/evil",
    "localhost:http",
    "localhost:123456",
    "local\u00adhost",
    "loc\u00e4lhost",
    "notgiven.test",
    "x.given.test",
]


@pytest.mark.parametrize("host", SERVED)
def test_served_hosts(host: str) -> None:
    """Loopback names, IP addresses and given names are served, in any case, with any port."""
    assert Hosts(["given.test", "App_Config."]).serve(host.encode())


@pytest.mark.parametrize("host", REFUSED)
def test_refused_hosts(host: str) -> None:
    """Every other name is refused, and every form that a browser would not send."""
    assert not Hosts(["given.test", "app_config"]).serve(host.encode("latin-1"))


ODD_HOSTS = st.one_of(
    st.binary(max_size=300),
    st.text(alphabet="localhst.:[]0127f@-_ /,%", max_size=40).map(str.encode),
    st.lists(st.sampled_from([b"localhost", b".", b":", b"evil", b"127.0.0.1", b"@", b"["])).map(
        b"".join
    ),
)


@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(ODD_HOSTS)
def test_any_bytes(authority: bytes) -> None:
    """Whatever bytes name a host, what is served is loopback or an address to a browser, too."""
    if Hosts().serve(authority):
        host = (urlsplit(f"http://{authority.decode('ascii')}/").hostname or "").removesuffix(".")
        if host != "localhost" and not host.endswith(".localhost"):
            ip_address(host)


@pytest.mark.parametrize(
    "name", ["", ".", "a b", "http://a", "a:1", "a/b", "*", "*.a", "a..b", "127.1", "1", "ä"]
)
def test_names_are_checked(name: str) -> None:
    """What is no host name is a ValueError that shows it."""
    with pytest.raises(ValueError, match="is not the name of a host"):
        Hosts([name])


def answer(endpoint: str, request: str, ca_file: str | None = None) -> tuple[int, bytes]:
    """Status and whole answer of a request that is sent letter by letter as given."""
    host, port = endpoint.rpartition("/")[2].rsplit(":", 1)
    with ExitStack() as stack:
        connection = stack.enter_context(socket.create_connection((host, int(port)), timeout=10))
        if ca_file is not None:
            context = ssl.create_default_context(cafile=ca_file)
            connection = stack.enter_context(context.wrap_socket(connection, server_hostname=host))
        connection.sendall(request.encode("latin-1"))
        got = b""
        while piece := connection.recv(65536):
            got += piece
    return int(got.split(b" ", 2)[1]), got


def asking(host: str | None, method: str = "GET", target: str = "/kv", more: str = "") -> str:
    """A request that ends its connection, with this Host header or none."""
    named = "" if host is None else f"Host: {host}\r\n"
    return f"{method} {target} HTTP/1.1\r\n{named}Connection: close\r\n{more}\r\n"


TARGETS = [
    "/kv",
    "/kv/k",
    "/keys",
    "/operations",
    "/",
    "/nothing",
    "/_control",
    "/_control/0",
    "//x",
]


@pytest.fixture
def controlled() -> Iterator[str]:
    """The endpoint of a store that anybody may write to and set faults of."""
    with closing(Store()) as store, closing(Control()) as control:
        access = Access(anonymous="owner", hosts=["given.test"])
        app = control.around(store, lambda data: create_app(data, access))
        with Server(app, access=access) as server:
            control.server = server
            yield server.endpoint


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "POST"])
def test_refused_before_all_else(controlled: str, method: str, target: str) -> None:
    """Whatever is asked for: a name that is not served is told the option, and is named."""
    status, got = answer(controlled, asking("evil.test", method, target))
    assert status == 403
    assert b"--allow-host" in got
    assert b"is not served here: 'evil.test'" in got


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("evil.test:8483", "evil.test:8483"),
        ("x" * 2000, "x" * 97 + "..."),
        ('<"\xe4>', '<"\\xe4>'),
        ("", ""),
    ],
)
def test_the_refused_host_is_named(controlled: str, host: str, shown: str) -> None:
    """A refusal names the host as a line of ASCII of bounded length."""
    _, got = answer(controlled, asking(host))
    title = json.loads(got.partition(b"\r\n\r\n")[2])["title"]
    assert title == f"The host of this request is not served here: '{shown}'"


@pytest.mark.parametrize("host", ["given.test", "localhost", "127.0.0.1:1", "[::1]:8483"])
def test_given_names_reach_everything(controlled: str, host: str) -> None:
    """A name that is served reaches the store and its control."""
    assert answer(controlled, asking(host))[0] == 200
    assert answer(controlled, asking(host, target="/_control"))[0] == 200
    assert answer(controlled, asking(host, target="/nothing"))[0] == 404


def test_nothing_happens_for_a_refused_host(controlled: str) -> None:
    """A refused request sets no fault and writes nothing."""
    length = "Content-Type: application/json\r\nContent-Length: {}\r\n"
    fault, write = '{"status":503}', '{"value":"v"}'
    more = length.format(len(fault))
    assert answer(controlled, asking("evil.test", "PUT", "/_control", more) + fault)[0] == 403
    more = length.format(len(write))
    assert answer(controlled, asking("evil.test", "PUT", "/kv/k", more) + write)[0] == 403
    assert answer(controlled, asking("localhost", target="/kv/k"))[0] == 404


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        ("http://evil.test/kv", "localhost", 403),
        ("http://evil.test/_control", "localhost", 403),
        ("http://localhost/kv", "evil.test", 403),
        ("http://user@localhost/kv", "localhost", 403),
        ("http://evil.test?x=/", "localhost", 403),
        ("evil.test:80", "localhost", 403),
        ("HTTP:evil.test", "localhost", 403),
        ("http://localhost/kv", "localhost", 404),
        ("*", "localhost", 404),
        ("*", "evil.test", 403),
    ],
)
def test_a_whole_address_as_target(controlled: str, target: str, host: str, status: int) -> None:
    """The host in a target that is a whole address has to be served, as the header's has."""
    assert answer(controlled, asking(host, target=target))[0] == status


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (asking(None), 400),
        (asking("localhost", more="Host: localhost\r\n"), 400),
        (asking("localhost", more="Host: evil.test\r\n"), 400),
        (asking("evil.test", more="host: localhost\r\n"), 400),
        (asking(""), 403),
        ("GET /kv HTTP/1.0\r\n\r\n", 403),
        ("GET /kv HTTP/1.0\r\nHost: evil.test\r\n\r\n", 403),
        ("GET /kv HTTP/1.0\r\nHost: localhost\r\n\r\n", 200),
        (asking("evil.test", more="X-Forwarded-Host: localhost\r\n"), 403),
        (asking("evil.test", more="Forwarded: host=localhost\r\n"), 403),
        (asking("localhost", more="X-Forwarded-Host: evil.test\r\n"), 200),
    ],
)
def test_one_host(controlled: str, request_text: str, status: int) -> None:
    """A request names exactly one host, in the header of that name and in no other."""
    assert answer(controlled, request_text)[0] == status


@pytest.mark.parametrize("tls", [False, True])
def test_every_server_of_the_tests(tls: bool) -> None:
    """The emulator of tests, its replicas and the vault keep to the rule and record no refusal."""
    with Emulator(replicas=1, tls=tls, anonymous="owner") as store, Vault() as vault:
        for endpoint in (store.endpoint, store.replicas[0].endpoint):
            assert answer(endpoint, asking("evil.test"), store.ca_file)[0] == 403
            assert answer(endpoint, asking("localhost"), store.ca_file)[0] == 200
        assert answer(vault.url, asking("evil.test", target="/secrets/x"), vault.ca_file)[0] == 403
        assert answer(vault.url, asking("localhost", target="/secrets/x"), vault.ca_file)[0] == 401
        assert len(store.requests) == len(store.replicas[0].requests) == len(vault.requests) == 1


def test_names_given_to_the_tests() -> None:
    """Tests whose clients use another name give it to the emulator, its replicas and the vault."""
    with Emulator(replicas=1, hosts=["given.test"]) as store, Vault(hosts=["given.test"]) as vault:
        for endpoint in (store.endpoint, store.replicas[0].endpoint):
            assert answer(endpoint, asking("given.test:1"))[0] == 401
        given = asking("given.test", target="/secrets/x")
        assert answer(vault.url, given, vault.ca_file)[0] == 401


def test_the_bound_name_is_served() -> None:
    """A name to listen on is a name to be asked by."""
    with closing(Store()) as store, Server(create_app(store), host="localhost") as server:
        assert server.endpoint.startswith("http://localhost:")
        assert answer(server.endpoint, asking("localhost"))[0] == 401


def test_bad_name_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is none ends the command with 2 and one line."""
    code, line = run(capsys, "--port", "0", "--allow-host", "http://a")
    assert code == 2
    assert "'http://a' is not the name of a host" in line
