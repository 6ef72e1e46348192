"""What goes over the wire, byte by byte, and which answers are understood."""

from __future__ import annotations

import base64
import gzip
import hashlib
import itertools
import re
import ssl
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from appconfig_provider import __version__
from appconfig_provider._fetch.failures import RequestFailed
from appconfig_provider._io import connections
from appconfig_provider._io.network import trusted_context
from appconfig_provider.cli.store import RemoteStore
from appconfig_provider.emulator.tls import local_certificate
from appconfig_provider.errors import StartupTimeout
from appconfig_provider.testing import Emulator
from tests.support.adapter import Loader
from tests.support.conversation import HANG_UP, KEY, LEAVE, PAGE, answer, conversing

AGENT = f"appconfig-provider/{__version__} Python/{'.'.join(map(str, sys.version_info[:3]))}"
NO_BODY = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
SIGNED = "HMAC-SHA256 Credential=id&SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=..."
SENTINEL = "/kv/s?api-version=2024-09-01"
WRITTEN = "/kv/s?api-version=2026-04-01"
"""Only this version keeps descriptions."""
FIRST_PAGE = "/kv?api-version=2024-09-01&key=%2A&label=%00"
NOT_MODIFIED = b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nContent-Length: 512\r\n\r\n'
"""RFC 9110 lets it tell the length of a body that it does not have."""


def expected(line: str, host: str, *more: str, content: str = NO_BODY) -> list[str]:
    """Return the lines of a request, without those that differ from time to time."""
    return [
        line,
        f"host: {host}",
        f"user-agent: {AGENT}",
        "accept: */*",
        *more,
        "x-ms-date: ...",
        f"x-ms-content-sha256: {content}",
        f"authorization: {SIGNED}",
        "",
        "",
    ]


def host_of(connection_string: str) -> str:
    """Return host and port of an endpoint."""
    found = re.search(r"Endpoint=https?://([^;]+)", connection_string)
    assert found is not None
    return found[1]


# What is sent


def test_every_byte_of_a_request_is_known(load: Loader) -> None:
    """A request has these headers in this order and no others; no encoding is asked for."""
    answers = [answer(KEY, "Sync-Token: a=b;sn=1"), answer(PAGE), NOT_MODIFIED, NOT_MODIFIED]
    with conversing(*answers) as (connection_string, conversation):
        with load(
            connection_string=connection_string, refresh_on=["s"], headers={"X-Team": "payments"}
        ) as config:
            config.refresh(force=True)
        host = host_of(connection_string)
    starting = ("x-team: payments", "correlation-context: RequestType=Startup")
    watching = ("x-team: payments", "correlation-context: RequestType=Watch")
    assert [heard.lines for heard in conversation.heard] == [
        expected(f"GET {SENTINEL} HTTP/1.1", host, *starting),
        expected(f"GET {FIRST_PAGE} HTTP/1.1", host, *starting, "sync-token: a=b"),
        expected(
            f"GET {SENTINEL} HTTP/1.1", host, *starting, "sync-token: a=b", 'if-none-match: "1"'
        ),
        expected(
            f"GET {SENTINEL} HTTP/1.1", host, *watching, "sync-token: a=b", 'if-none-match: "1"'
        ),
    ]
    assert {heard.connection for heard in conversation.heard} == {1}


def test_a_programs_own_correlation_context_is_the_only_one(load: Loader) -> None:
    """Who sends a Correlation-Context of their own sends that one, once."""
    with (
        conversing(answer(PAGE)) as (connection_string, conversation),
        load(connection_string=connection_string, headers={"Correlation-Context": "mine"}),
    ):
        pass
    (heard,) = conversation.heard
    reported = [line for line in heard.lines if line.startswith("correlation-context")]
    assert reported == ["correlation-context: mine"]


def test_every_byte_of_a_write_is_known() -> None:
    """A write ends with the length of its body, and the body; a deletion has neither."""
    with conversing(answer(KEY), answer(KEY), answer(KEY)) as (connection_string, conversation):
        with RemoteStore(connection_string) as store:
            store.put("s", None, "new")
            store.delete("s", None)
        host = host_of(connection_string)
    _, put, delete = conversation.heard
    body = '{"content_type": null, "tags": {}, "description": null, "value": "new"}'
    whole = expected(
        f"PUT {WRITTEN} HTTP/1.1",
        host,
        "content-type: application/vnd.microsoft.appconfig.kv+json",
        'if-match: "1"',
        content=base64.b64encode(hashlib.sha256(body.encode()).digest()).decode(),
    )
    assert put.lines == [*whole[:-2], f"Content-Length: {len(body)}", "", body]
    assert delete.lines == expected(f"DELETE {SENTINEL} HTTP/1.1", host)


@pytest.mark.parametrize(
    ("named", "reported"),
    [("", []), ("us%40er:p%3Aw@", ["dXNAZXI6cDp3"]), ("user@", ["dXNlcjo="])],
)
def test_a_proxy_gets_who_asks_and_the_whole_address(
    load: Loader, named: str, reported: list[str]
) -> None:
    """A plain store is asked through a proxy by its whole address, with the proxy's credentials."""
    with conversing(answer(PAGE)) as (connection_string, conversation):
        proxy = f"http://{named}{host_of(connection_string)}"
        where = "Endpoint=http://store.example:81;Id=id;Secret=c2VjcmV0"
        with load(connection_string=where, proxy=proxy):
            pass
    (heard,) = conversation.heard
    whole = expected(
        f"GET http://store.example:81{FIRST_PAGE} HTTP/1.1",
        "store.example:81",
        "correlation-context: RequestType=Startup",
    )
    assert heard.lines == [
        *whole[:2],
        *(f"Proxy-Authorization: Basic {one}" for one in reported),
        *whole[2:],
    ]


def test_a_proxy_that_refuses_is_reported(load: Loader) -> None:
    """Before TLS a proxy hears who asks and for which host; what it answers is in the error."""
    refusal = answer(status="407 Proxy Authentication Required")
    with conversing(refusal, HANG_UP) as (connection_string, conversation):
        proxy = f"http://user:secret@{host_of(connection_string)}"
        where = "Endpoint=https://store.example;Id=id;Secret=c2VjcmV0"
        with (
            pytest.raises(StartupTimeout, match=r"no connection \(ProxyError: 407") as raised,
            load(connection_string=where, proxy=proxy, startup_timeout=0),
        ):
            pass
    assert "secret" not in str(raised.value)
    (heard,) = conversation.heard
    assert heard.lines == [
        "CONNECT store.example:443 HTTP/1.1",
        "Host: store.example:443",
        "Accept: */*",
        "Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=",
        "",
        "",
    ]


@pytest.mark.parametrize("proxy", ["http://host:port", "http://host:99999", "http://user:secret@"])
def test_a_proxy_that_has_no_place_is_refused_without_its_password(
    load: Loader, proxy: str
) -> None:
    """A proxy whose address makes no sense is a ValueError that repeats nothing of it."""
    where = "Endpoint=http://store.example;Id=id;Secret=c2VjcmV0"
    with (
        pytest.raises(ValueError, match=r"^proxy must read http://host:port$") as raised,
        load(connection_string=where, proxy=proxy, startup_timeout=0),
    ):
        pass
    assert "secret" not in str(raised.value)


def test_a_socks_proxy_says_what_it_needs(load: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package for SOCKS the error names what to install."""
    monkeypatch.setitem(sys.modules, "socksio", None)
    where = "Endpoint=http://store.example;Id=id;Secret=c2VjcmV0"
    with (
        pytest.raises(ImportError, match=r'pip install "httpcore\[socks\]"'),
        load(connection_string=where, proxy="socks5://127.0.0.1:1", startup_timeout=0),
    ):
        pass


def test_the_environment_names_a_proxy_and_its_exceptions(
    load: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`http_proxy` leads to stores elsewhere, except to those that `no_proxy` names."""
    with conversing(answer(PAGE)) as (connection_string, conversation):
        port = host_of(connection_string).partition(":")[2]
        # An address of this machine where nobody listens, and that is not its usual one.
        where = f"Endpoint=http://127.0.0.2:{port};Id=id;Secret=c2VjcmV0"
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{port}")
        with load(connection_string=where, startup_timeout=0):
            pass
        monkeypatch.setenv("no_proxy", "store.example,127.0.0.2")
        with (
            pytest.raises(StartupTimeout, match="no connection"),
            load(connection_string=where, startup_timeout=0),
        ):
            pass
    (heard,) = conversation.heard
    assert heard.lines[0] == f"GET http://127.0.0.2:{port}{FIRST_PAGE} HTTP/1.1"


def test_the_environments_proxy_is_not_for_this_machine(
    load: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy of the environment cannot reach a store on loopback and is not asked to."""
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with (
        conversing(answer(PAGE)) as (connection_string, _),
        load(connection_string=connection_string, startup_timeout=0) as config,
    ):
        assert config.snapshot["k"] == "v"


def trusting(kind: str, ca_file: str, monkeypatch: pytest.MonkeyPatch) -> object:
    """Return what to pass as `verify` so that a certificate is trusted by a kind of trust."""
    if kind == "environment":
        monkeypatch.setenv("SSL_CERT_FILE", ca_file)
        return True
    context = ssl.create_default_context(cafile=ca_file)
    return {"file": ca_file, "context": context, "nothing": False}[kind]


@pytest.mark.parametrize("kind", ["file", "context", "nothing", "environment"])
def test_every_kind_of_trust_works(
    load: Loader, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`verify` takes a CA file, a context or False; True asks `SSL_CERT_FILE` first."""
    trusted_context.cache_clear()
    certificate = local_certificate()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate.chain_file, certificate.key_file)
    verify = trusting(kind, certificate.ca_file, monkeypatch)
    try:
        with (
            conversing(answer(PAGE), tls=tls) as (connection_string, _),
            load(connection_string=connection_string, verify=verify, startup_timeout=0) as config,
        ):
            assert config.snapshot["k"] == "v"
    finally:
        trusted_context.cache_clear()  # what this environment trusts is nothing to other tests


def test_a_folder_of_certificates_may_hold_none(load: Loader, tmp_path: Path) -> None:
    """`verify` takes a folder, too; what is not in it is not trusted."""
    certificate = local_certificate()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate.chain_file, certificate.key_file)
    with (
        conversing(tls=tls) as (connection_string, _),
        pytest.raises(StartupTimeout, match="CERTIFICATE_VERIFY_FAILED"),
        load(connection_string=connection_string, verify=str(tmp_path), startup_timeout=0),
    ):
        pass


def test_tls_carries_the_same_bytes(load: Loader) -> None:
    """Inside TLS a request looks as outside; HTTP/1.1 is agreed on even where HTTP/2 is offered."""
    certificate = local_certificate()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate.chain_file, certificate.key_file)
    tls.set_alpn_protocols(["h2", "http/1.1"])
    with conversing(answer(PAGE), tls=tls) as (connection_string, conversation):
        with load(connection_string=connection_string, verify=certificate.ca_file):
            pass
        host = host_of(connection_string)
    (heard,) = conversation.heard
    startup = "correlation-context: RequestType=Startup"
    assert heard.lines == expected(f"GET {FIRST_PAGE} HTTP/1.1", host, startup)
    assert conversation.protocols == ["http/1.1"]


def test_an_etag_goes_back_as_it_came(load: Loader) -> None:
    """An ETag is never looked into: whatever bytes it has, the same ones are sent."""
    odd = answer(KEY).replace(b'ETag: "1"', b'ETag: "\xe4\xff"')
    with (
        conversing(odd, answer(PAGE), NOT_MODIFIED) as (connection_string, conversation),
        load(connection_string=connection_string, refresh_on=["s"]),
    ):
        pass
    assert b'\r\nif-none-match: "\xe4\xff"\r\n' in conversation.heard[-1].request


# Connections


def test_a_connection_that_was_closed_meanwhile_is_replaced(load: Loader) -> None:
    """A server may close an idle connection at any time; the next refresh opens another one."""
    load_answers = [answer(KEY), answer(PAGE), NOT_MODIFIED, HANG_UP]
    with (
        conversing(*load_answers, NOT_MODIFIED, HANG_UP, NOT_MODIFIED) as (where, conversation),
        load(connection_string=where, refresh_on=["s"], retry_total=0) as config,
    ):
        for _ in range(2):
            assert conversation.hung_up.acquire(timeout=10)
            config.refresh(force=True)
            assert config.status.last_error is None
    assert [heard.connection for heard in conversation.heard] == [1, 1, 1, 2, 3]


def test_a_connection_that_ends_as_the_request_comes_is_no_outage(load: Loader) -> None:
    """A kept connection may be closed just then; the question is put once more, on a new one."""
    load_answers = [answer(KEY), answer(PAGE), NOT_MODIFIED]
    with (
        conversing(*load_answers, LEAVE, NOT_MODIFIED) as (where, conversation),
        load(connection_string=where, refresh_on=["s"], retry_total=0) as config,
    ):
        config.refresh(force=True)
        assert config.status.last_error is None
    assert [heard.connection for heard in conversation.heard] == [1, 1, 1, 1, 2]


def test_a_new_connection_that_ends_without_an_answer_is_an_outage(load: Loader) -> None:
    """The question is put once more, not again and again, and nowhere else."""
    load_answers = [answer(KEY), answer(PAGE), NOT_MODIFIED]
    with (
        conversing(*load_answers, LEAVE, LEAVE, NOT_MODIFIED) as (where, conversation),
        load(connection_string=where, refresh_on=["s"], retry_total=0) as config,
    ):
        config.refresh(force=True)
        assert "the answer did not come" in str(config.status.last_error)
    assert [heard.connection for heard in conversation.heard] == [1, 1, 1, 1, 2]


def test_a_write_is_never_sent_twice() -> None:
    """What changes the store is not repeated, for nobody knows whether it was done."""
    with (
        conversing(answer(KEY), LEAVE) as (where, conversation),
        RemoteStore(where) as store,
        pytest.raises(RequestFailed, match="the answer did not come"),
    ):
        store.put("s", None, "new")
    assert [heard.request[:3] for heard in conversation.heard] == [b"GET", b"PUT"]


def test_a_host_name_that_is_none_counts_as_unreachable(load: Loader, store: Emulator) -> None:
    """An endpoint whose name DNS cannot be asked for keeps no other from being tried."""
    key = store.connection_string.partition(";")[2]
    with load(
        connection_string=f"Endpoint=http://{'a' * 64}.example;{key}",
        replicas=[store.connection_string],
        replica_discovery_enabled=False,
    ) as config:
        assert config.status.endpoint == store.endpoint


def test_an_announced_end_of_a_connection_is_believed(load: Loader) -> None:
    """After `Connection: close` nothing more is sent over that connection, closed yet or not."""
    last = answer(PAGE, "Connection: close")
    with (
        conversing(answer(KEY), last, NOT_MODIFIED) as (connection_string, conversation),
        load(connection_string=connection_string, refresh_on=["s"]),
    ):
        pass
    assert [heard.connection for heard in conversation.heard] == [1, 1, 2]


def test_a_connection_that_idled_too_long_is_replaced(
    load: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An idle connection is used until its time is over, and not once more."""
    answers = [answer(KEY), answer(PAGE), NOT_MODIFIED, HANG_UP, *[NOT_MODIFIED] * 3]
    with (
        conversing(*answers) as (connection_string, conversation),
        load(connection_string=connection_string, refresh_on=["s"]) as config,
    ):
        assert conversation.hung_up.acquire(timeout=10)
        hourly = itertools.count(time.monotonic(), 3600)
        monkeypatch.setattr(connections, "monotonic", lambda: next(hourly))
        for _ in range(3):
            config.refresh(force=True)
            assert config.status.last_error is None
    assert [heard.connection for heard in conversation.heard] == [1, 1, 1, 2, 3, 4]


# What is understood


def test_answers_without_a_body_leave_the_connection_usable(load: Loader) -> None:
    """HEAD and 304 have no body, whatever their length says; the connection goes on serving."""
    date = "Date: Wed, 20 Nov 2024 10:00:00 GMT"
    head = answer(b"x" * 512, date).removesuffix(b"x" * 512)
    page = answer(PAGE, "Memento-Datetime: Wed, 20 Nov 2024 10:00:00 GMT")
    answers = (answer(KEY), head, page, NOT_MODIFIED, NOT_MODIFIED)
    with (
        conversing(*answers) as (connection_string, conversation),
        load(
            connection_string=connection_string, refresh_on=["s"], consistency="point_in_time"
        ) as config,
    ):
        config.refresh(force=True)
        assert config.snapshot["k"] == "v"
        assert config.status.last_error is None
    methods = [heard.text.partition(" ")[0] for heard in conversation.heard]
    assert methods == ["GET", "HEAD", "GET", "GET", "GET"]
    assert {heard.connection for heard in conversation.heard} == {1}


def chunked(body: bytes, *headers: str) -> bytes:
    """Return an answer in chunks of a few bytes, after another one that only announces it."""
    lines = ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", 'ETag: "1"', *headers]
    parts = [body[at : at + 7] for at in range(0, len(body), 7)]
    reported = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    early = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    return early + "\r\n".join(lines).encode() + b"\r\n\r\n" + reported + b"0\r\n\r\n"


def test_chunks_are_put_together(load: Loader) -> None:
    """A body may come in chunks, after an answer that only announces it."""
    with (
        conversing(chunked(KEY), chunked(PAGE), NOT_MODIFIED) as (where, conversation),
        load(connection_string=where, refresh_on=["s"]) as config,
    ):
        assert config.snapshot["k"] == "v"
    assert {heard.connection for heard in conversation.heard} == {1}


def test_headers_that_stand_twice_both_count(load: Loader) -> None:
    """Two sync tokens in two headers, however these are written, both come back."""
    first = answer(KEY, "SYNC-TOKEN: a=b;sn=1", "Sync-Token: c=d;sn=1")
    with (
        conversing(first, answer(PAGE), NOT_MODIFIED) as (connection_string, conversation),
        load(connection_string=connection_string, refresh_on=["s"]),
    ):
        pass
    assert "sync-token: a=b,c=d" in conversation.heard[1].lines


def deflated(body: bytes) -> bytes:
    """Return a body deflated without the header of zlib, as some servers do."""
    packing = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packing.compress(body) + packing.flush()


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(PAGE)),
        ("GZIP", gzip.compress(PAGE)),
        ("deflate", zlib.compress(PAGE)),
        ("deflate", deflated(PAGE)),
        ("identity", PAGE),
    ],
    ids=["gzip", "capitals", "zlib", "deflate", "identity"],
)
@pytest.mark.parametrize("dealt", [answer, chunked])
def test_packed_answers_are_unpacked(
    load: Loader, coding: str, packed: bytes, dealt: Callable[..., bytes]
) -> None:
    """What a program asked for with its own `accept-encoding` is understood."""
    with (
        conversing(dealt(packed, f"Content-Encoding: {coding}")) as (connection_string, heard),
        load(connection_string=connection_string, headers={"accept-encoding": "gzip"}) as config,
    ):
        assert config.snapshot["k"] == "v"
    assert "accept-encoding: gzip" in heard.heard[0].lines


@pytest.mark.parametrize(
    ("body", "mistake"),
    [
        (PAGE, r"the answer did not come \(DecodingError: "),
        (gzip.compress(b" " * (8 * 1024 * 1024 + 1)), "an answer passed 8388608 bytes"),
    ],
    ids=["not packed", "boundless"],
)
def test_an_answer_that_cannot_be_unpacked_is_reported(
    load: Loader, body: bytes, mistake: str
) -> None:
    """What is not packed as it says, or grows beyond measure, is no answer."""
    with (
        conversing(answer(body, "Content-Encoding: gzip")) as (connection_string, _),
        pytest.raises(StartupTimeout, match=mistake),
        load(connection_string=connection_string, startup_timeout=0),
    ):
        pass
