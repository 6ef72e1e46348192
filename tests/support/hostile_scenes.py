"""A hostile endpoint beside a healthy one of the same store, reached in every way there is."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from appconfig_provider.emulator.tls import local_certificate
from appconfig_provider.testing import Emulator
from tests.support.hostile import Hostile, hostile
from tests.support.proxy import connect_proxy
from tests.support.socks import socks_proxy

LIMIT = 0.3
"""Seconds for a connect and for a read; a check has both."""
ALLOWED = 4 * LIMIT
"""Seconds for `load()`."""
PAGES = 4


@dataclass
class Scene:
    """A hostile endpoint, and a healthy one of the same store."""

    store: Emulator
    server: Hostile
    pages: int
    keywords: dict[str, Any] = field(default_factory=dict)

    def publish(self, value: str) -> None:
        """Write a new value into every setting, and then the sentinel."""
        self.store.set_many({f"k{number}": value for number in range(self.pages)})
        self.store.set("sentinel", value)


def server_context() -> ssl.SSLContext:
    """Return what a server on this machine speaks TLS with."""
    certificate = local_certificate()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain_file, certificate.key_file)
    return context


Way = Callable[[ExitStack, int], "tuple[Hostile, str, dict[str, Any]]"]


def _direct(undo: ExitStack, upstream: int) -> tuple[Hostile, str, dict[str, Any]]:
    server = undo.enter_context(hostile(upstream))
    return server, f"http://127.0.0.1:{server.port}", {}


def _tls(undo: ExitStack, upstream: int) -> tuple[Hostile, str, dict[str, Any]]:
    server = undo.enter_context(hostile(upstream, server_context()))
    return server, f"https://localhost:{server.port}", {"verify": local_certificate().ca_file}


def _http_proxy(undo: ExitStack, upstream: int) -> tuple[Hostile, str, dict[str, Any]]:
    server, where, more = _direct(undo, upstream)
    return server, where, {**more, "proxy": undo.enter_context(connect_proxy()).url}


def _tls_by_http_proxy(undo: ExitStack, upstream: int) -> tuple[Hostile, str, dict[str, Any]]:
    server, where, more = _tls(undo, upstream)
    proxy = undo.enter_context(connect_proxy())
    proxy.ports["localhost"] = server.port
    return server, where, {**more, "proxy": proxy.url}


def _tls_by_https_proxy(undo: ExitStack, upstream: int) -> tuple[Hostile, str, dict[str, Any]]:
    server, where, more = _tls(undo, upstream)
    proxy = undo.enter_context(connect_proxy(server_context()))
    proxy.ports["localhost"] = server.port
    return server, where, {**more, "proxy": proxy.url}


def _socks_proxy(undo: ExitStack, upstream: int) -> tuple[Hostile, str, dict[str, Any]]:
    server, where, more = _direct(undo, upstream)
    return server, where, {**more, "proxy": undo.enter_context(socks_proxy()).url}


WAYS: dict[str, Way] = {
    "direct": _direct,
    "TLS": _tls,
    "HTTP proxy": _http_proxy,
    "TLS by HTTP proxy": _tls_by_http_proxy,
    "TLS by https proxy": _tls_by_https_proxy,
    "SOCKS proxy": _socks_proxy,
}


@contextmanager
def scene(way: str, pages: int = PAGES) -> Iterator[Scene]:
    """Run a store with pages of one setting, and a hostile endpoint of it."""
    with Emulator(page_size=1) as store, ExitStack() as undo:
        port = int(re.findall(r":(\d+)$", store.endpoint)[0])
        server, where, more = WAYS[way](undo, port)
        secret = store.connection_string.partition(";")[2]
        keywords = {
            "connection_string": f"Endpoint={where};{secret}",
            "replicas": [store.connection_string],
            "refresh_on": ["sentinel"],
            "connect_timeout": LIMIT,
            "read_timeout": LIMIT,
            "startup_timeout": ALLOWED,
            **more,
        }
        made = Scene(store, server, pages, keywords)
        made.publish("v1")
        yield made
