"""A SOCKS5 proxy that leads host names to servers on this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.support.proxy import pump
from tests.support.raw_server import raw_server

Reply = Callable[[socket.socket, threading.Event, bytes], None]
"""Sends one reply of the proxy; a test may send it badly."""


def at_once(client: socket.socket, _over: threading.Event, reply: bytes) -> None:
    """Send a reply as it should be."""
    client.sendall(reply)


@dataclass
class Socks:
    """Where the proxy is, and how it replies."""

    url: str = ""
    reply: Reply = at_once
    ports: dict[str, int] = field(default_factory=dict)
    """By host name, where it is not `127.0.0.1` and leads to the port that was asked for."""

    def serve(self, client: socket.socket, over: threading.Event) -> None:
        """Agree on no authentication, connect to the host that is named, carry bytes."""
        if not client.recv(1024):
            return
        self.reply(client, over, b"\x05\x00")
        wanted = client.recv(1024)
        if not wanted:
            return
        host, port = _address(wanted)
        with socket.create_connection(("127.0.0.1", self.ports.get(host, port))) as server:
            self.reply(client, over, b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
            pump(client, server)


def _address(wanted: bytes) -> tuple[str, int]:
    port = int.from_bytes(wanted[-2:], "big")
    if wanted[3] == 1:
        return socket.inet_ntoa(wanted[4:8]), port
    return wanted[5:-2].decode(), port


@contextmanager
def socks_proxy() -> Iterator[Socks]:
    """Run the proxy on loopback."""
    proxy = Socks()
    with raw_server(proxy.serve) as where:
        proxy.url = "socks5://" + where.partition("://")[2].partition(";")[0]
        yield proxy
