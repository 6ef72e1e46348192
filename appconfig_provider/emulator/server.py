"""Running an ASGI application on a thread, fast to start and fast to stop.

uvicorn looks every tenth of a second whether it should stop, and then waits for its connections.
For hundreds of short-lived servers in a test run that is too slow, so the loop here waits for an
event instead, and stopping drops connections and cancels what is still being answered.

A server that is down still runs its loop. It holds its port by a socket that is bound and does not
listen: connections are refused, and the system gives the port to nobody who wants any free one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Coroutine
from functools import partial

import uvicorn
from starlette.types import ASGIApp

from appconfig_provider.emulator.access import Access
from appconfig_provider.emulator.endings import ended_well
from appconfig_provider.emulator.front import fronted
from appconfig_provider.emulator.hosts import Hosts, is_name
from appconfig_provider.emulator.origins import Origins
from appconfig_provider.emulator.protocol import protocol
from appconfig_provider.emulator.tls import Certificate

_log = logging.getLogger("appconfig_provider.emulator")
_IDLE_SECONDS = 120
#: As with many web servers: what is longer takes long to read, whoever sends it.
_MAX_HEAD_BYTES = 32 * 1024
_MAX_PORT = 65_535
_BACKLOG = 256
#: What "every address" is called by who asks on this machine.
_REACHABLE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound to it
#: How often the loop turns until a connection that was accepted has begun.
_ACCEPTING = 3


class Server:
    """An ASGI application on a port of this machine, served by a daemon thread.

    ``port`` 0 takes a free one; the port is known as soon as the server is made. With a certificate
    it speaks TLS and nothing else. Requests are served that name loopback, an IP address, ``host``
    or one of the hosts of ``access``, and of web pages those of its origins. Installs no signal
    handlers. Usable as a context manager; :meth:`close` drops every connection.

    Raises:
        OSError: the host and port cannot be had.
        ValueError: there is no such port, a host name or an origin is none, or an anonymous owner
            would be let in from other machines without ``anonymous_anywhere``.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        certificate: Certificate | None = None,
        access: Access | None = None,
    ) -> None:
        allowed = access or Access()
        hosts = Hosts((host, *allowed.hosts) if is_name(host) else allowed.hosts)
        front = fronted(app, hosts, Origins(allowed.origins))
        self._listener = _bind(host, port)
        try:
            allowed.check_address(self._listener.getsockname()[0])
            self._listener.listen(_BACKLOG)
        except BaseException:
            self._listener.close()
            raise
        self.port: int = self._listener.getsockname()[1]
        scheme = "http" if certificate is None else "https"
        #: The IP address it listens on; `endpoint` is where this machine reaches it.
        self.address: str = self._listener.getsockname()[0]
        named = _REACHABLE.get(self.address, host)
        self.endpoint = f"{scheme}://{f'[{named}]' if ':' in named else named}:{self.port}"
        self._uvicorn = _Uvicorn(ended_well(front), certificate, (host, self.port))
        self._switching = threading.Lock()
        self._failure: BaseException | None = None
        self._ended = threading.Event()
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
        with self._switching:
            if self._thread.is_alive():
                self._uvicorn.stop()
                self._thread.join()
            self._listener.close()

    def down(self, seconds: float | None = None) -> None:
        """Drop every connection and refuse new ones, for so many seconds or until :meth:`up`.

        A server that is down already stays so for the new time. Not to be called by what it serves:
        that awaits :meth:`go_down`.

        Raises:
            RuntimeError: the server does not run.
        """
        self._perform(partial(self._uvicorn.go_down, seconds))

    def up(self) -> None:
        """Answer again on the same port; does nothing when it is not down.

        Raises:
            RuntimeError: the server does not run.
            OSError: the port cannot be had again.
        """
        self._perform(self._uvicorn.come_up)

    async def go_down(self, seconds: float, asking: asyncio.BaseTransport) -> None:
        """The same as :meth:`down` for a request to this server; its own connection is spared."""
        await self._uvicorn.go_down(seconds, asking)

    def _perform(self, switch: Callable[[], Coroutine[object, object, None]]) -> None:
        with self._switching:  # the loop does not end before it has answered
            loop = self._uvicorn.loop
            if loop is None or not self._thread.is_alive():
                raise RuntimeError("the server does not run")
            asyncio.run_coroutine_threadsafe(switch(), loop).result()

    def wait(self, seconds: float) -> bool:
        """Wait until the server has ended, at most some seconds; tell whether it has."""
        # Not by join(): an exception in it makes Python before 3.13 take the thread for ended.
        return self._ended.wait(seconds)

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._uvicorn.serve([self._listener]))
        except BaseException as error:  # start() raises it where somebody sees it
            self._failure = error
        finally:
            self._uvicorn.ready.set()
            self._ended.set()


class _Uvicorn(uvicorn.Server):
    def __init__(
        self, app: ASGIApp, certificate: Certificate | None, address: tuple[str, int]
    ) -> None:
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http=protocol(lambda: self._refusing),
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,  # the application knows the time that its clients live by
            timeout_keep_alive=_IDLE_SECONDS,
            h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
            ssl_certfile=None if certificate is None else certificate.chain_file,
            ssl_keyfile=None if certificate is None else certificate.key_file,
        )
        super().__init__(config)
        self.ready = threading.Event()
        self.loop: asyncio.AbstractEventLoop | None = None
        self._address = address
        self._refusing = False
        self._stopping = asyncio.Event()
        self._switching = asyncio.Lock()
        self._held: socket.socket | None = None
        self._return: asyncio.Task[None] | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until :meth:`stop`; what uvicorn tells at INFO is nobody's news here."""
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        await self.startup(sockets)
        _log.debug("Serving on %s, port %d", *self._address)
        await self.main_loop()
        await self.shutdown(sockets)

    def stop(self) -> None:
        """End the server; may be called from any thread."""
        if self.loop is not None:
            with contextlib.suppress(RuntimeError):  # it ended by itself meanwhile
                self.loop.call_soon_threadsafe(self._stopping.set)

    async def go_down(
        self, seconds: float | None, spared: asyncio.BaseTransport | None = None
    ) -> None:
        """Refuse connections, for so many seconds or until :meth:`come_up`."""
        async with self._switching:
            self._stay()
            if not self._refusing:
                await self._drop(spared)
                with contextlib.suppress(OSError):  # somebody was quicker; come_up() tries again
                    self._held = _bind(*self._address)
            if seconds is not None:
                self._return = asyncio.create_task(self._come_up_after(seconds))

    async def come_up(self) -> None:
        """Accept connections again."""
        async with self._switching:
            self._stay()
            await self._listen()

    async def main_loop(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.ready.set()
        await self._stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        async with self._switching:
            self._stay()
            await self._drop()
            if self._held is not None:
                self._held.close()

    async def _come_up_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        async with self._switching:
            await self._listen()

    def _stay(self) -> None:
        """Forget about coming up by itself."""
        if self._return is not None:
            self._return.cancel()
            self._return = None

    async def _listen(self) -> None:
        if not self._refusing:
            return
        if self._held is None:
            self._held = _bind(*self._address)
        self._refusing = False
        try:
            await self.startup([self._held])
        except BaseException:
            self._refusing = True
            raise
        self._held = None

    async def _drop(self, spared: asyncio.BaseTransport | None = None) -> None:
        """Close the listener and every connection but one; cancel every request but this one."""
        self._refusing = True
        await self._stop_accepting()
        state = self.server_state
        dropped = {each for each in state.connections if each.transport is not spared}
        for connection in dropped:
            connection.transport.abort()
        while dropped & state.connections:  # noqa: ASYNC110
            await asyncio.sleep(0)  # they learn it one by one, and over TLS it takes longer
        tasks = state.tasks - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _stop_accepting(self) -> None:
        """Close the listener, without losing connections that it has accepted just now.

        asyncio forgets to close a connection that begins after its listener was closed.
        """
        loop = asyncio.get_running_loop()
        for listener in self.servers:
            for each in listener.sockets:
                with contextlib.suppress(NotImplementedError):  # Windows has no readers
                    loop.remove_reader(each.fileno())
        for _ in range(_ACCEPTING):
            await asyncio.sleep(0)
        for listener in self.servers:
            listener.close()


def _bind(host: str, port: int) -> socket.socket:
    """A socket on an address that does not listen yet."""
    if not 0 <= port <= _MAX_PORT:
        raise ValueError(f"a port is a number from 0 to {_MAX_PORT}, not {port}")
    (family, kind, protocol, _, address), *_ = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
    )
    # With the protocol named, asyncio sets TCP_NODELAY: without, every answer waits for an ACK.
    bound = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except BaseException:
        bound.close()
        raise
    return bound
