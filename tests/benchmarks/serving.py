"""The benchmark's server, in a process of its own: `python -m tests.benchmarks.serving N`.

It holds N settings and a few sentinels, says its connection string, and serves until it is ended.
Every answer waits for the round trip that was set; a connection that waits holds up no other. A PUT
of `/_control` takes a JSON object: `delay` in seconds and `set` with new values. Each answer of it
tells what was served so far.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from appconfig_provider.emulator import DEFAULT_ACCESS_KEY
from appconfig_provider.emulator.model import Draft
from appconfig_provider.emulator.store import Store

from .answers import Answers

CONTROL = "/_control"
SENTINELS = ("sentinel", *(f"watched-{number}" for number in range(1, 6)))
AREAS = 7

_END = b"\r\n\r\n"
_CONDITION = b"\r\nif-none-match:"
_LENGTH = b"\r\ncontent-length:"


def key_of(number: int) -> str:
    """Return the key of a numbered setting; the settings are spread over seven areas."""
    return f"app/service-{number % AREAS}/key-{number:05}"


class Service:
    """What all connections share: the answers, the delay and the count of what was served."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.delay = 0.0
        self.served = 0

    def control(self, body: bytes) -> bytes:
        """Do what a request to the control route asks, and return its answer."""
        asked: dict[str, Any] = json.loads(body or b"{}")
        self.delay = asked.get("delay", self.delay)
        if "set" in asked:
            self.answers.change(asked["set"])
        body = json.dumps(
            {"served": self.served, "known": self.answers.known, "cpu": time.process_time()}
        ).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


class Connection(asyncio.Protocol):
    """One client's connection; a client sends its next request after the answer to the last."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer the requests that are complete."""
        self._received += data
        while (end := self._received.find(_END)) >= 0:
            head, rest = self._received[:end], self._received[end + len(_END) :]
            length = int(_field(head, _LENGTH) or 0)
            if len(rest) < length:
                return
            self._received = rest[length:]
            self._answer(head, rest[:length])

    def _answer(self, head: bytes, body: bytes) -> None:
        service = self._service
        method, target, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ", 2)
        if target == CONTROL:
            self._transport.write(service.control(body))
            return
        if method != "GET":
            self._transport.abort()
            raise ValueError(f"{method} {target}: only reads are served")
        answer = service.answers.answer(target, _field(head, _CONDITION))
        service.served += 1
        if service.delay:
            asyncio.get_running_loop().call_later(service.delay, self._transport.write, answer)
        else:
            self._transport.write(answer)


def _field(head: bytes, name: bytes) -> str | None:
    """Return a header's text; `name` begins with the line break and ends with the colon."""
    begin = head.lower().find(name)
    if begin < 0:
        return None
    return head[begin + len(name) :].partition(b"\r\n")[0].decode("latin-1").strip()


async def serve(settings: int) -> None:
    """Serve until the process is ended."""
    store = Store()
    texts = {key_of(number): f"value {number} of the benchmark" for number in range(settings)}
    texts |= dict.fromkeys(SENTINELS, "0")
    store.load([Draft(key=key, value=value) for key, value in texts.items()])
    service = Service(Answers(store))
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(service), "127.0.0.1", 0, backlog=1024
    )
    port = server.sockets[0].getsockname()[1]
    key = DEFAULT_ACCESS_KEY
    print(f"Endpoint=http://127.0.0.1:{port};Id={key.id};Secret={key.secret}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
