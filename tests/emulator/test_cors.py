"""Web pages: none of another origin gets in, but those that were named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing

import pytest

from appconfig_provider.emulator import Access, Server, Store, create_app
from appconfig_provider.emulator.control import Control
from appconfig_provider.emulator.origins import Origins
from appconfig_provider.testing import Emulator, Scripted, Vault

from .raw import JSON, Raw, Reply
from .test_hosts import answer, asking
from .test_process import run

PAGE = "http://localhost:3000"
FOREIGN = [
    "http://evil.test",
    "https://localhost:3000",
    "http://localhost:3001",
    "http://localhost",
    "http://127.0.0.1:3000",
    "http://LOCALHOST:3000",
    "http://localhost:3000/",
    "http://localhost:3000.evil.test",
    "http://localhost:3000 http://evil.test",
    "null",
    "",
    "*",
]
#: What the official JavaScript client asks for, before it writes a setting.
WANTED = (
    "accept,authorization,content-type,if-match,if-none-match,sync-token,traceparent,"
    "x-ms-client-request-id,x-ms-content-sha256,x-ms-date,x-ms-return-client-request-id,x-ms-useragent"
)


@pytest.fixture
def store() -> Iterator[Emulator]:
    """A store that the pages of one origin may use, and anybody without credentials."""
    with Emulator(anonymous="owner", origins=[PAGE], page_size=3) as emulator:
        emulator.set("k", "v")
        yield emulator


@pytest.fixture
def raw(store: Emulator) -> Iterator[Raw]:
    """A connection to the store."""
    with Raw(store.endpoint) as connection:
        yield connection


def page(
    raw: Raw, origin: str | None, method: str = "GET", target: str = "/kv/k", **more: str
) -> Reply:
    """The answer that the browser of a page gets; a PUT writes a setting."""
    headers: Mapping[str, str] = {n.replace("_", "-"): v for n, v in more.items()}
    given = {} if origin is None else {"origin": origin}
    body = b'{"value":"w"}' if method in ("PUT", "POST") else b""
    return raw.send_unsigned(method, target, {"host": raw.host, **JSON, **given, **headers}, body)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_preflight(raw: Raw, store: Emulator, method: str) -> None:
    """The browser of a named page gets leave for every method and header of the clients."""
    asked = {
        "access_control_request_method": method,
        "access_control_request_headers": WANTED,
    }
    for target in ("/kv/k", "/kv", "/snapshots/s", "/locks/k", "/_health"):
        reply = page(raw, PAGE, "OPTIONS", target, **asked)
        assert (reply.status, reply.body) == (204, b"")
        assert reply.headers["access-control-allow-origin"] == PAGE
        assert method in reply.headers["access-control-allow-methods"].split(", ")
        assert reply.headers["access-control-allow-headers"] == WANTED
        assert int(reply.headers["access-control-max-age"]) > 0
        assert "Origin" in reply.headers["vary"]
        assert "access-control-allow-credentials" not in reply.headers
    assert store.requests == []


def test_answers_can_be_read(raw: Raw, store: Emulator) -> None:
    """A named page reads every kind of answer, with the headers that clients need."""
    etag = page(raw, PAGE).headers["etag"]
    replies = [
        page(raw, PAGE),
        page(raw, PAGE, if_none_match=etag),
        page(raw, PAGE, "PUT", if_match=etag),
        page(raw, PAGE, target="/kv?after=%"),
        page(raw, PAGE, target="/nothing"),
        page(raw, PAGE, "POST"),
        page(raw, PAGE, authorization="Basic x"),
        page(raw, PAGE, "OPTIONS"),
        page(raw, PAGE, target="/_health"),
    ]
    assert {reply.status for reply in replies} >= {200, 304, 404, 405, 401}
    with store.respond(lambda _: Scripted(503, {"Retry-After": "1"})):
        replies.append(page(raw, PAGE))
    for reply in replies:
        assert reply.headers["access-control-allow-origin"] == PAGE
        assert reply.headers["vary"] == "Origin"
        exposed = reply.headers["access-control-expose-headers"].lower().split(", ")
        assert {"etag", "link", "sync-token", "operation-location"} <= set(exposed)
        assert {"x-ms-request-id", "retry-after", "retry-after-ms"} <= set(exposed)
    kept = store.get("k")
    assert kept is not None
    assert kept.value == "w"


def test_without_a_page(raw: Raw) -> None:
    """A program gets no word about origins but that answers differ by them."""
    reply = page(raw, None)
    assert reply.status == 200
    assert reply.headers["vary"] == "Origin"
    assert not [name for name in reply.headers if name.startswith("access-control")]


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE", "OPTIONS"])
def test_other_pages(raw: Raw, store: Emulator, origin: str, method: str) -> None:
    """A page of any other origin is refused, told the option, and changes nothing."""
    reply = page(raw, origin, method, access_control_request_method="PUT")
    assert reply.status == 403
    assert b"--cors" in reply.body
    assert not [name for name in reply.headers if name.startswith("access-control")]
    kept = store.get("k")
    assert kept is not None
    assert kept.value == "v"
    assert store.requests == []


def test_two_origins(store: Emulator) -> None:
    """Two Origin headers have to be let in both."""
    endpoint = store.endpoint
    more = "Origin: {}\r\nOrigin: {}\r\n"
    assert answer(endpoint, asking("localhost", more=more.format(PAGE, PAGE)))[0] == 200
    assert answer(endpoint, asking("localhost", more=more.format(PAGE, "http://evil")))[0] == 403


@pytest.mark.parametrize("origin", [PAGE, "http://evil.test", "null"])
@pytest.mark.parametrize("tls", [False, True])
def test_no_page_by_default(origin: str, tls: bool) -> None:
    """Without the option no page of another origin reads or writes, whatever it knows."""
    with Emulator(anonymous="owner", tls=tls) as store:
        request = asking("localhost", "PUT", "/kv/k", f"Origin: {origin}\r\nContent-Length: 0\r\n")
        status, got = answer(store.endpoint, request, store.ca_file)
        assert status == 403
        assert b"access-control" not in got.lower()
        assert store.get("k") is None


def test_a_page_of_its_own(raw: Raw) -> None:
    """A page that the store itself has shown may ask, under the name it was asked by."""
    port = raw.host.rpartition(":")[2]
    assert page(raw, f"http://{raw.host}", "PUT").status == 200
    own = {"host": f"LocalHost:{port}", "origin": f"http://localhost:{port}"}
    assert raw.send_unsigned("GET", "/kv", own).status == 200
    assert raw.send_unsigned("GET", "/kv", {**own, "host": raw.host}).status == 403
    assert (
        raw.send_unsigned("GET", "/kv", {**own, "origin": f"https://localhost:{port}"}).status
        == 403
    )


@pytest.mark.parametrize(
    ("method", "site", "mode", "status"),
    [
        ("GET", "cross-site", "navigate", 200),
        ("HEAD", "same-site", "navigate", 200),
        ("GET", "cross-site", "no-cors", 403),
        ("GET", "same-site", "no-cors", 403),
        ("GET", "Cross-Site", "", 403),
        ("GET", "new-value", "no-cors", 403),
        ("PUT", "cross-site", "navigate", 403),
        ("POST", "cross-site", "navigate", 403),
        ("DELETE", "same-site", "cors", 403),
        ("GET", "same-origin", "cors", 200),
        ("GET", "none", "navigate", 200),
        ("PUT", "same-origin", "cors", 200),
    ],
)
def test_pages_that_hide_their_origin(
    raw: Raw, store: Emulator, method: str, site: str, mode: str, status: int
) -> None:
    """Without an Origin the browser's word about the site counts; a link may be followed."""
    assert page(raw, None, method, sec_fetch_site=site, sec_fetch_mode=mode).status == status
    assert len(store.requests) == (status == 200)


def test_null_cannot_be_named() -> None:
    """The origin ``null``, which any page can get in a sandbox, is never let in."""
    with pytest.raises(ValueError, match="'null' is not an origin"):
        Emulator(origins=["null"])


@pytest.mark.parametrize(("given", "shown"), [
    ("http://evil.test", "http://evil.test"),
    ("x" * 2000, "x" * 97 + "..."),
    ('<"\xe4>', '<"\\xe4>'),
])  # fmt: skip
def test_the_refused_origin_is_named(raw: Raw, given: str, shown: str) -> None:
    """A refusal names the origin as a line of ASCII of bounded length."""
    reply = page(raw, given)
    assert reply.status == 403
    assert reply.json["title"] == f"A web page of another origin sent this request: '{shown}'"


def test_a_page_that_hides_its_origin_is_not_named(raw: Raw) -> None:
    """Where no origin was told the refusal has none to name."""
    reply = page(raw, None, sec_fetch_site="cross-site")
    assert reply.json["title"] == "A web page of another origin sent this request"


def test_never_the_control() -> None:
    """No page sets faults, not even one that may use the store, and none can read them."""
    access = Access(anonymous="owner", origins=[PAGE])
    with closing(Store()) as data, closing(Control()) as control:
        app = control.around(data, lambda each: create_app(each, access))
        with Server(app, access=access) as server, Raw(server.endpoint) as raw:
            assert page(raw, PAGE, target="/kv").status == 200
            for target in ("/_control", "/_control/0", "/%5Fcontrol"):
                for method in ("GET", "PUT", "DELETE", "OPTIONS"):
                    asked = {"access_control_request_method": "PUT"}
                    reply = page(raw, PAGE, method, target, **asked)
                    assert reply.status == 403
                    assert "access-control-allow-origin" not in reply.headers
            hidden = page(
                raw,
                None,
                target="/_control",
                sec_fetch_site="cross-site",
                sec_fetch_mode="navigate",
            )
            assert hidden.status == 403
            own = page(raw, f"http://{raw.host}", target="/_control")
            assert (own.status, own.json["status"]) == (200, None)


def test_the_vault_is_no_page_s() -> None:
    """Pages do not reach a vault either."""
    with Vault() as vault:
        request = asking("localhost", target="/secrets/x", more=f"Origin: {PAGE}\r\n")
        assert answer(vault.url, request, vault.ca_file)[0] == 403


@pytest.mark.parametrize(
    "origin",
    ["", "*", "localhost:3000", "http://", "http://a/", "http://A", "http://a:80", "https://a:443",
     "http://a b", "http://u@a", "http://a,http://b", "http://a/path", "NULL", "null"],
)  # fmt: skip
def test_origins_are_checked(capsys: pytest.CaptureFixture[str], origin: str) -> None:
    """What no browser sends as an origin is refused at the start; so is the one for all."""
    with pytest.raises(ValueError, match="is not an origin as browsers send it"):
        Origins([origin])
    code, line = run(capsys, "--port", "0", "--cors", origin)
    assert code == 2
    assert "http://localhost:3000" in line


@pytest.mark.parametrize(
    "origin", ["http://a", "https://a.b:8443", "http://[::1]:3000", "x-y://ab"]
)
def test_good_origins(origin: str) -> None:
    """Every scheme, name and address is taken as it is sent."""
    assert origin in Origins([origin])
