"""The HTTP protocol of a connection, as uvicorn and h11 speak it, with some things set right."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from appconfig_provider.emulator.endings import LINGER_SECONDS
from appconfig_provider.emulator.wire import problem

_MALFORMED: Final = problem(
    400, "malformed-request", "The request is not HTTP/1.1, or its head is longer than 32 KB"
).answer


def protocol(refusing: Callable[[], bool]) -> type[H11Protocol]:
    """The protocol class of a server; ``refusing`` tells that no connection may begin."""

    class Protocol(_Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            # For those who want their connection dropped.
            self.app_state = {**self.app_state, "transport": transport}
            super().connection_made(transport)  # type: ignore[arg-type]
            if refusing():  # it was on its way when the listener was closed
                self.transport.abort()

    return Protocol


class _Protocol(H11Protocol):
    """Gives an answer that arrives to a malformed request, and to a client that sends no more."""

    _lingering = False

    def data_received(self, data: bytes) -> None:
        if not self._lingering:
            super().data_received(data)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the connection until a request that came as a whole is answered.

        A client may close its side as soon as it has asked. If the other side were closed then, an
        answer that is not written yet would be lost. Over TLS asyncio closes both together.
        """
        if self.cycle is None:
            return False
        over_tls = self.transport.get_extra_info("ssl_object") is not None
        if over_tls or self.cycle.more_body or self.cycle.response_complete:
            return False
        self.cycle.keep_alive = False
        return True

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: an offer of HTTP/2 or WebSocket is declined by the answer."""

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the problem document says more
        """Answer, if nothing was answered yet, and read on for a while before closing.

        Bytes that are not read when a connection is closed make the system reset it, and the client
        may lose the answer.
        """
        self._lingering = True
        self._unset_keepalive_if_required()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._write_malformed()
        if self.cycle is not None:  # what is being made for this request is for nobody
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _write_malformed(self) -> None:
        body = _MALFORMED.body
        headers = [*_MALFORMED.headers, ("Content-Length", f"{len(body)}"), ("Connection", "close")]
        events: list[Any] = [
            h11.Response(status_code=_MALFORMED.status, reason=b"Bad Request", headers=headers),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ]
        for event in events:
            self.transport.write(self.conn.send(event) or b"")
