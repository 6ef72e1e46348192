"""Requests and their answers over connections of httpcore, with blocking calls.

A module of its own, so that `sync` imports without httpcore, which takes longer to import than all
of this package.
"""

from __future__ import annotations

from typing import TypeAlias

import httpcore

from appconfig_provider._io.answers import Answer
from appconfig_provider._io.connections import Connection, ConnectionKinds, Connections
from appconfig_provider._io.http import (
    CONNECTION_ENDED,
    NoAnswer,
    failure,
    may_repeat,
    time_left,
    to_httpcore,
)
from appconfig_provider._io.network import Network
from appconfig_provider._io.streams import Backend, Unsolicited
from appconfig_provider._plan import Response, Send
from appconfig_provider.protocols import Clock

Http: TypeAlias = "httpcore.HTTPConnection | httpcore.ConnectionPool"

_KINDS: ConnectionKinds[Http, Backend] = ConnectionKinds(
    httpcore.HTTPConnection, httpcore.HTTPProxy, httpcore.SOCKSProxy, Backend
)


class Exchanges:
    """Sends requests; may be used from several threads at once."""

    def __init__(self, network: Network, clock: Clock) -> None:
        self._network = network.as_of_now()
        self._clock = clock
        self.connections: Connections[Http, Backend] = Connections()

    def send(self, effect: Send) -> Response:
        """Send a request and read its answer.

        Raises:
            RequestFailed: no usable answer came.
        """
        return self._send(effect, anew=False)

    def close(self) -> None:
        """Close the idle connections, and end the requests of the others, which close theirs."""
        self.connections.close()
        for connection in self.connections.in_use():
            connection.backend.interrupt()

    def _send(self, effect: Send, *, anew: bool) -> Response:
        request = to_httpcore(effect, self._clock, self._network)
        origin = effect.request.origin
        idle = None if anew else self.connections.take(origin)
        connection = idle or self.connections.add(_KINDS.open(self._network, origin))
        try:
            if self.connections.closed:  # maybe since `close` has gone through the connections
                connection.backend.interrupt()
            connection.backend.begin(time_left(effect, self._clock))
            answer = self._exchange(connection, request, effect)
        except BaseException as error:
            # The rest of the answer may still come on this connection: never use it again.
            self.connections.drop(connection)
            if isinstance(error, Unsolicited):
                self.connections.distrust(origin)
            if idle is not None and may_repeat(effect, error):
                return self._send(effect, anew=True)
            if isinstance(error, Exception):
                connected = connection.backend.connected
                raise failure(effect, error, self._network, connected=connected) from error
            raise
        self.connections.keep(origin, connection)
        return answer

    def _exchange(
        self, connection: Connection[Http, Backend], request: httpcore.Request, effect: Send
    ) -> Response:
        try:
            coming = connection.http.handle_request(request)
        except CONNECTION_ENDED as error:
            raise NoAnswer from error
        try:
            answer = Answer(effect, self._clock, coming)
            for chunk in coming.iter_stream():
                answer.add(chunk)
        finally:
            coming.close()
        return answer.whole()
