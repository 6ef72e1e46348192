"""A TCP relay in front of a store, which notes on which connection each request came, and when."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import dataclass, field


@dataclass
class Connection:
    """A connection of a client."""

    opened: float
    manual: bool = False
    """True when it is one of a configuration that only calls of `refresh()` refresh."""
    requests: list[float] = field(default_factory=list)


class Relay:
    """Passes on what comes; moments are those of the monotonic clock, which processes share."""

    def __init__(self, port: int) -> None:
        self._to = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections: list[Connection] = []
        self._ending = False
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *_: object) -> None:
        self._ending = True
        with socket.create_connection(("127.0.0.1", self.port)):
            self._threads[0].join()
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for one in (self._listener, *self._sockets):
            one.close()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            self._sockets.append(client)
            if self._ending:
                return
            store = socket.create_connection(self._to)
            self._sockets.append(store)
            note = Connection(time.monotonic())
            self.connections.append(note)
            for source, target, notes in ((client, store, note), (store, client, None)):
                thread = threading.Thread(
                    target=self._pass_on, args=(source, target, notes), daemon=True
                )
                thread.start()
                self._threads.append(thread)

    def _pass_on(
        self, source: socket.socket, target: socket.socket, note: Connection | None
    ) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if note is not None and data.startswith(b"GET "):
                    note.manual = b"x-config: manual" in data
                    note.requests.append(time.monotonic())
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
