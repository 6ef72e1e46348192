"""A server that says exactly what a test tells it to, byte by byte, and no more."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

Behaviour = Callable[[socket.socket, threading.Event], None]


@contextmanager
def raw_server(behave: Behaviour) -> Iterator[str]:
    """Accept connections on loopback and hand each to `behave`; yield a connection string."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with connection:
            try:
                behave(connection, over)
            except OSError:
                return  # the client hung up, as it should

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=serve, args=(connection,)))
            threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield f"Endpoint=http://127.0.0.1:{listener.getsockname()[1]};Id=id;Secret=c2VjcmV0"
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        for thread in threads:
            thread.join()


def silent(connection: socket.socket, over: threading.Event) -> None:
    """Read the request and say nothing."""
    connection.recv(65_536)
    over.wait()


def cut_off(connection: socket.socket, over: threading.Event) -> None:
    """Promise a body, send half of it, hang up."""
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"{" * 50)


def dripping(connection: socket.socket, over: threading.Event) -> None:
    """Send a long body one byte at a time: never silent for long, never done."""
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not over.wait(0.02):
        connection.sendall(b" ")


def hanging_up(connection: socket.socket, over: threading.Event) -> None:
    """Read the request and close."""
    connection.recv(65_536)


def babbling(connection: socket.socket, over: threading.Event) -> None:
    """Answer with something that is not HTTP."""
    connection.recv(65_536)
    connection.sendall(b"220 mail.example ESMTP\r\n")


def dripping_headers(connection: socket.socket, over: threading.Event) -> None:
    """Begin an answer whose headers never end."""
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not over.wait(0.02):
        connection.sendall(b"x")


@contextmanager
def full_server() -> Iterator[str]:
    """Take no connection: those that wait fill the queue; yield the address."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # nobody accepts them, so that there is no place for another one
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(full.getsockname())
        yield f"http://127.0.0.1:{full.getsockname()[1]}"
