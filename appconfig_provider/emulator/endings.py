"""How an answer ends: whole, and with a connection that is either kept or said to close.

An application that raises would make uvicorn close a connection that nobody was told about, and so
would one that answers a request without reading its body and then closes: the bytes that were not
read make the system reset the connection, and the client may lose the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection, Iterable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from appconfig_provider.emulator.answers import response
from appconfig_provider.emulator.wire import problem

_log = logging.getLogger("appconfig_provider.emulator")
_CLOSE: Final = (b"connection", b"close")
_FRAMING: Final = frozenset({b"content-length", b"expect", b"transfer-encoding"})
#: How long the rest of a body is read before a connection is closed.
LINGER_SECONDS: Final = 1.0
_FAILED: Final = problem(500, "server-error", "The emulator failed; its log tells why").answer


def ended_well(app: ASGIApp) -> ASGIApp:
    """The application whose answers are whole; a request that was cancelled has none."""

    async def ended(scope: Scope, receive: Receive, send: Send) -> None:
        exchange = _Exchange(scope, receive, send)
        try:
            await app(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError:
            return
        except Exception:
            if exchange.started and not exchange.complete:
                raise  # uvicorn logs it and cuts the connection: there is no other way to tell
            _log.exception("A request failed")
            if not exchange.started:
                await response(_FAILED)(scope, exchange.receive, exchange.send)

    return ended


class _Exchange:
    """A request and its answer, on their way between the application and uvicorn."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        sent = {name: value.lower() for name, value in scope["headers"] if name in _FRAMING}
        length = sent.get(b"content-length", b"").strip(b"0")
        self._unread = bool(length) or b"transfer-encoding" in sent
        self._waits = self._unread and sent.get(b"expect") == b"100-continue"
        self._closes = scope["http_version"] == "1.0" or _says_close(scope["headers"])
        self.started = False
        self.complete = False

    async def receive(self) -> Message:
        """The next part of the request, and with it leave to send the body."""
        self._waits = False
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self._unread = False
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer, and read what is left of the request before a close."""
        if message["type"] == "http.response.start":
            message = self._start(message)
        elif not message.get("more_body", False):
            if self._unread and self._closes:
                await self._send({**message, "more_body": True})
                await self._linger()
                message = {"type": "http.response.body"}
            self.complete = True
        await self._send(message)

    def _start(self, message: Message) -> Message:
        self.started = True
        headers: Collection[tuple[bytes, bytes]] = message.get("headers", ())
        if self._waits and not self._closes:
            # Whether the body still comes after this answer is for the client to choose, so what
            # comes next on this connection cannot be told from it.
            headers = [*headers, _CLOSE]
        self._closes = self._closes or _says_close(headers)
        return {**message, "headers": headers}

    async def _linger(self) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._read_all(), LINGER_SECONDS)

    async def _read_all(self) -> None:
        while self._unread:
            await self.receive()


def _says_close(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(
        name == b"connection" and b"close" in [each.strip() for each in value.lower().split(b",")]
        for name, value in headers
    )
