"""A server of one document, and what loads it with threads and with asyncio."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

from appconfig_provider._io.aio import AsyncDriver
from appconfig_provider._io.network import Network
from appconfig_provider._io.sync import SyncDriver
from appconfig_provider._live.document import Document
from appconfig_provider._live.lazy import LazyConfiguration
from appconfig_provider._live.polling import TaskPoller, ThreadPoller
from appconfig_provider._live.source import LiveOptions
from appconfig_provider._live.tasks import AsyncProvider
from appconfig_provider._live.threads import ThreadedProvider
from appconfig_provider.testing import FakeClock
from tests.live.address import Address
from tests.support.adapter import Called, loop_on_thread

INTERVAL = 30.0


class Web:
    """A server of one JSON document, with an ETag."""

    def __init__(self) -> None:
        self.content: dict[str, Any] = {"color": "red"}
        self.status = 200
        self.asked = 0
        self.answers = Event()
        """Cleared to keep requests waiting for their answers."""
        self.answers.set()
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                web.asked += 1
                web.answers.wait(20)
                body = json.dumps(web.content).encode()
                etag = f'"{web.content}"'.replace(" ", "")
                known = self.headers.get("If-None-Match") == etag
                status = 304 if known and web.status == 200 else web.status
                self.send_response(status)
                self.send_header("ETag", etag)
                if status != 304:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if status != 304:
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def serving() -> Iterator[Web]:
    """Yield a running server."""
    web = Web()
    thread = Thread(target=web.server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield web
    finally:
        web.answers.set()
        web.server.shutdown()
        thread.join()
        web.server.server_close()


def network() -> Network:
    return Network(5.0, 5.0, 60.0, None, verify=True)


class LazyThreads(
    LazyConfiguration[Document, Any, SyncDriver, ThreadPoller], ThreadedProvider[Document, Any]
):
    """A provider for threads that is kept fresh by reads."""

    __slots__ = ()


class LazyTasks(
    LazyConfiguration[Document, Any, AsyncDriver, TaskPoller], AsyncProvider[Document, Any]
):
    """The same for asyncio."""

    __slots__ = ()


@contextmanager
def threaded(source: Address, *, lazy: bool = False) -> Iterator[Called[Any]]:
    """Load with threads."""
    driver = SyncDriver(network, source.options.clock, None)
    kind = LazyThreads if lazy else ThreadedProvider[Document, Any]
    with kind(source, driver, driver.run(source.first())) as live:
        yield Called(live)


@contextmanager
def awaited(source: Address, *, lazy: bool = False) -> Iterator[Called[Any]]:
    """Load with asyncio, on a loop that runs on a thread."""

    async def begin() -> AsyncProvider[Document, Any]:
        driver = AsyncDriver(network(), source.options.clock, None)
        kind = LazyTasks if lazy else AsyncProvider[Document, Any]
        return kind(source, driver, await driver.run(source.first()))

    with loop_on_thread() as wait:
        live = Called(wait(begin()), wait)
        yield live
        live.close()


def options(clock: FakeClock, **more: Any) -> LiveOptions:
    return LiveOptions(clock=clock, random=lambda: 0.0, interval=INTERVAL, **more)


def eventually(true: Callable[[], object]) -> None:
    """Wait until something is true that a thread of its own brings about."""
    for _ in range(1000):
        if true():
            break
        time.sleep(0.01)
    assert true()
