"""Running an ASGI application on a thread, fast to start and fast to stop.

uvicorn looks every tenth of a second whether it should stop, and then waits for its connections.
For hundreds of short-lived servers in a test run that is too slow, so the loop here waits for an
event instead, and stopping drops connections and cancels what is still being answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from types import TracebackType

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from appconfig_provider.emulator.tls import Certificate

_IDLE_SECONDS = 120
_DATE_SECONDS = 1.0
_MAX_PORT = 65_535


class Server:
    """An ASGI application on a port of this machine, served by a daemon thread.

    ``port`` 0 takes a free one; the port is known as soon as the server is made. With a certificate
    it speaks TLS and nothing else. Installs no signal handlers. Usable as a context manager;
    :meth:`close` drops every connection.

    Raises:
        OSError: the host and port cannot be had.
        ValueError: there is no such port.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        certificate: Certificate | None = None,
    ) -> None:
        self._listener = _listen(host, port)
        self.port: int = self._listener.getsockname()[1]
        scheme = "http" if certificate is None else "https"
        self.endpoint = f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"
        self._uvicorn = _Uvicorn(app, certificate)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(
            target=self._run, name=f"appconfig-emulator-{self.port}", daemon=True
        )

    def start(self) -> None:
        """Begin to answer; returns when requests are accepted."""
        self._thread.start()
        self._uvicorn.ready.wait()
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Stop answering and wait for the thread; does nothing the second time."""
        if self._thread.is_alive():
            self._uvicorn.stop()
            self._thread.join()
        self._listener.close()

    def wait(self, seconds: float) -> bool:
        """Wait until the server has ended, at most some seconds; tell whether it has."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._uvicorn.serve([self._listener]))
        except BaseException as error:  # start() raises it where somebody sees it
            self._failure = error
        finally:
            self._uvicorn.ready.set()


class _Protocol(H11Protocol):
    """Tells the application its connection, for the tests that want it dropped."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)  # type: ignore[arg-type]


class _Uvicorn(uvicorn.Server):
    def __init__(self, app: ASGIApp, certificate: Certificate | None) -> None:
        config = uvicorn.Config(
            _ended_quietly(app),
            loop="asyncio",
            http=_Protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_IDLE_SECONDS,
            ssl_certfile=None if certificate is None else certificate.chain_file,
            ssl_keyfile=None if certificate is None else certificate.key_file,
        )
        super().__init__(config)
        self.ready = threading.Event()
        self._stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def stop(self) -> None:
        """End the server; may be called from any thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it ended by itself meanwhile
                self._loop.call_soon_threadsafe(self._stopping.set)

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self.on_tick(0)
        self.ready.set()
        while not self._stopping.is_set():
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _DATE_SECONDS)
            await self.on_tick(0)  # renews the Date header

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        for listener in self.servers:
            listener.close()
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0)  # the connections learn that they are gone
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _ended_quietly(app: ASGIApp) -> ASGIApp:
    """The same application, whose cancelled requests end without a traceback in the log."""

    async def ended_quietly(scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await app(scope, receive, send)

    return ended_quietly


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= _MAX_PORT:
        raise ValueError(f"a port is a number from 0 to {_MAX_PORT}, not {port}")
    (family, kind, protocol, _, address), *_ = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
    )
    # With the protocol named, asyncio sets TCP_NODELAY: without, every answer waits for an ACK.
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(256)
    except BaseException:
        listener.close()
        raise
    return listener
