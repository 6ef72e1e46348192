"""A proxy that leads host names of the cloud to servers on this machine."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Proxy:
    """Where each host name leads, and what was asked for, in order."""

    url: str
    ports: dict[str, int] = field(default_factory=dict)
    """By host name; any other host is answered 502."""
    wanted: list[str] = field(default_factory=list)
    """Hosts that were to be connected to."""
    lines: list[str] = field(default_factory=list)
    """Request lines, as clients sent them."""
    credentials: str | None = None
    """What `Proxy-Authorization` has to be; who sends something else is answered 407."""

    def serve(self, client: socket.socket) -> None:
        """Lead a client to the host it names, or tell it that there is none."""
        head = b""
        while b"\r\n\r\n" not in head:
            more = client.recv(65_536)
            if not more:
                return
            head += more
        line, _, rest = head.partition(b"\r\n")
        self.lines.append(line.decode())
        method, target, version = line.split()
        if self.credentials is not None and self.credentials not in _authorization(rest):
            refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\n"
            client.sendall(refusal + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
            return
        if method == b"CONNECT":
            host, port = target.decode().rsplit(":", 1)
            opened, first = b"HTTP/1.1 200 OK\r\n\r\n", b""
        else:
            parts = urlsplit(target.decode())
            host, port = parts.hostname or "", str(parts.port)
            path = target.split(b"/", 3)[3]
            first = b"%b /%b %b\r\nConnection: close\r\n%b" % (method, path, version, rest)
            opened = b""
        self._lead(client, (host, int(port)), opened, first)

    def _lead(
        self, client: socket.socket, address: tuple[str, int], opened: bytes, first: bytes
    ) -> None:
        host, port = address
        self.wanted.append(host)
        try:
            here = port if host == "127.0.0.1" else self.ports[host]
            server = socket.create_connection(("127.0.0.1", here))
        except (KeyError, OSError):
            client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        with server:
            client.sendall(opened)
            server.sendall(first)
            pump(client, server)


def _authorization(head: bytes) -> list[str]:
    """Return what a client says to a proxy of itself."""
    lines = [line.partition(":") for line in head.decode("latin-1").split("\r\n")]
    return [value.strip() for name, _, value in lines if name.lower() == "proxy-authorization"]


def pump(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until one side hangs up."""
    while True:
        unread = [
            each for each in (one, other) if isinstance(each, ssl.SSLSocket) and each.pending()
        ]
        for source in unread or select.select([one, other], [], [])[0]:
            content = source.recv(65_536)
            if not content:
                return
            (other if source is one else one).sendall(content)


@contextmanager
def connect_proxy(
    tls: ssl.SSLContext | None = None, *, port: int = 0, credentials: str | None = None
) -> Iterator[Proxy]:
    """Run a proxy on loopback, one that is spoken to by TLS if there is a context."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        where = "https://localhost" if tls else "http://127.0.0.1"
        proxy = Proxy(f"{where}:{listener.getsockname()[1]}", credentials=credentials)
        clients: list[socket.socket] = []
        threads: list[threading.Thread] = []

        def serve(client: socket.socket) -> None:
            with client, suppress(OSError):  # either side may hang up at any moment
                if tls is None:
                    proxy.serve(client)
                    return
                with tls.wrap_socket(client, server_side=True) as secret:
                    proxy.serve(secret)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    clients.append(client)
                    threads.append(threading.Thread(target=serve, args=(client,)))
                    threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield proxy
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for client in clients:
                with suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()
