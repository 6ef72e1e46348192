"""Recording requests, calling back around them, and answering in the store's place.

A :class:`Script` goes around an application and knows nothing of settings. Callbacks run on
threads of their own: they may write to the store, send requests themselves and block, without
holding up the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from appconfig_provider.emulator.wire import problem

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

T = TypeVar("T")
_log = logging.getLogger("appconfig_provider.emulator")
_CALLBACKS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """A request the emulator got; header names are lower-case.

    ``index`` counts requests from 0, also over :meth:`Emulator.clear_requests`; ``target`` is path
    and query as they were sent; ``status`` is None until the answer is known.
    """

    index: int
    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    status: int | None = None

    @property
    def path(self) -> str:
        """The target without its query, still percent-encoded."""
        return self.target.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Scripted:
    """An answer made up by a test.

    ``status`` None lets the store answer after all, only later or in a bad way. An answer with a
    status has the headers that all answers have, such as ``Date`` and ``Sync-Token``, unless
    ``headers`` has them; None leaves one out. ``delay`` is in
    seconds; it holds up no other request and not the end of the emulator, so a long one is a silent
    server. ``cut_after`` drops the connection after so many bytes of the body, and ``drip`` sends
    the body byte by byte with a pause of so many seconds after each. ``stale`` answers a read
    from the state that was remembered last.

    Raises:
        ValueError: a number is negative, or both a status and a stale answer are asked for.
    """

    status: int | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)
    body: bytes | str = b""
    delay: float = 0.0
    cut_after: int | None = None
    drip: float = 0.0
    stale: bool = False

    def __post_init__(self) -> None:
        if min(self.delay, self.drip, self.cut_after or 0) < 0:
            raise ValueError("'delay', 'drip' and 'cut_after' are not negative")
        if self.stale and self.status is not None:
            raise ValueError("a stale answer is the store's; it has no status of its own")


class Hook(Generic[T]):
    """A registered callback; :meth:`remove` or the end of its ``with`` block takes it away."""

    def __init__(self, hooks: list[Hook[T]], callback: Callable[[RequestRecord], T]) -> None:
        self._hooks = hooks
        self.callback = callback
        hooks.append(self)

    def remove(self) -> None:
        """Take the callback away; does nothing the second time."""
        with contextlib.suppress(ValueError):
            self._hooks.remove(self)

    def __enter__(self) -> Hook[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


Behind: TypeAlias = "Callable[[RequestRecord], Starlette | None]"


class Script:
    """What a test wants to see of requests and to change in their answers.

    ``before`` and ``after`` are called around an answer, ``responders`` may give it; ``trouble``
    collects what callbacks, or the application, raised. ``remembered`` is the application over an
    older state, for answers that are asked to be stale. ``behind`` tells of each read which
    application over an older state answers it, None being the present one; the last of them counts.
    The sum of ``delays``, in seconds, passes before each answer. ``recording`` keeps a record of
    each request, and what was raised; without it that is logged.
    """

    def __init__(self, *, recording: bool = True) -> None:
        self.remembered: Starlette | None = None
        self.behind: list[Behind] = []
        self.delays: list[float] = []
        self._recording = recording
        self.before: list[Hook[object]] = []
        self.after: list[Hook[object]] = []
        self.responders: list[Hook[Scripted | None]] = []
        self.trouble: list[BaseException] = []
        self._records: dict[int, RequestRecord] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(_CALLBACKS_AT_ONCE, "appconfig-emulator-callback")

    def close(self) -> None:
        """Call nothing back any more; callbacks that are running are left alone."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def records(self) -> list[RequestRecord]:
        """The requests so far, in the order they came."""
        with self._lock:
            return list(self._records.values())

    def forget(self) -> None:
        """Forget the recorded requests."""
        with self._lock:
            self._records.clear()

    def around(self, app: Starlette) -> ASGIApp:
        """The application as the test wants it.

        Its ``state.common_headers`` gives the headers of any answer to a request's headers.
        """

        async def scripted(scope: Scope, receive: Receive, send: Send) -> None:
            record = self._arrived(scope)
            fault = None
            try:
                fault = await self._scripted(record)
                messages = await self._answer(app, record, fault, scope, receive)
            except Exception as error:
                self._failed(error)
                title = "The emulator or a callback failed"
                told = problem(500, "server-error", title, detail=repr(error)).answer
                broken = Scripted(told.status, dict(told.headers), told.body)
                messages = _messages(broken, app.state.common_headers(record.headers))
            if fault is None or (fault.cut_after is None and not fault.drip):
                for message in messages:
                    await send(message)
            else:
                await _deliver_badly(messages, fault, scope, receive, send)

        return scripted

    async def _answer(
        self,
        app: Starlette,
        record: RequestRecord,
        answer: Scripted | None,
        scope: Scope,
        receive: Receive,
    ) -> list[Message]:
        delay = sum(self.delays, 0.0 if answer is None else answer.delay)
        if delay:
            await asyncio.sleep(delay)
        source = self._source(app, record, stale=answer is not None and answer.stale)
        if answer is None or answer.status is None:
            messages = await _collect(source, scope, receive)
        else:
            messages = _messages(answer, source.state.common_headers(record.headers))
        record = self._answered(record, messages[0]["status"])
        for after in tuple(self.after):
            await self._call(after, record)
        return messages

    def _failed(self, error: Exception) -> None:
        if self._recording:
            self.trouble.append(error)
        else:
            _log.exception("A request failed")

    def _source(self, app: Starlette, record: RequestRecord, *, stale: bool) -> Starlette:
        """The application that answers: writes always reach the present state."""
        if record.method not in ("GET", "HEAD"):
            return app
        if not stale:
            older = self.behind[-1](record) if self.behind else None
            return older or app
        if self.remembered is None:
            raise LookupError("there is no older state; call remember() before a stale answer")
        return self.remembered

    async def _scripted(self, record: RequestRecord) -> Scripted | None:
        for before in tuple(self.before):
            await self._call(before, record)
        for hook in tuple(self.responders):
            answer = await self._call(hook, record)
            if answer is not None:
                return answer
        return None

    async def _call(self, hook: Hook[T], record: RequestRecord) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, hook.callback, record)

    def _arrived(self, scope: Scope) -> RequestRecord:
        query = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        with self._lock:
            record = RequestRecord(
                next(self._numbers),
                scope["method"],
                target.decode("ascii"),
                MappingProxyType(headers),
            )
            if self._recording:
                self._records[record.index] = record
        return record

    def _answered(self, record: RequestRecord, status: int) -> RequestRecord:
        record = replace(record, status=status)
        with self._lock:
            if record.index in self._records:
                self._records[record.index] = record
        return record


async def _collect(app: ASGIApp, scope: Scope, receive: Receive) -> list[Message]:
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, keep)
    return messages


async def _deliver_badly(
    messages: list[Message], fault: Scripted, scope: Scope, receive: Receive, send: Send
) -> None:
    """Send an answer drop by drop, or not to its end."""
    body = b"".join(message.get("body", b"") for message in messages[1:])
    if scope["method"] == "HEAD":
        body = b""
    await send(messages[0])
    for piece in _pieces(body[: fault.cut_after], 1 if fault.drip else len(body)):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        await asyncio.sleep(fault.drip)
    if fault.cut_after is None:
        await send({"type": "http.response.body"})
    else:
        await _cut(scope["state"]["transport"], receive)


def _pieces(body: bytes, size: int) -> Iterator[bytes]:
    return (body[start : start + size] for start in range(0, len(body), max(size, 1)))


async def _cut(transport: asyncio.Transport, receive: Receive) -> None:
    """Drop a connection once what was written is on its way, and wait until it is gone."""
    while transport.get_write_buffer_size() and not transport.is_closing():  # noqa: ASYNC110
        await asyncio.sleep(0.001)  # a transport tells nobody when its buffer is empty
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


def _messages(answer: Scripted, common: Mapping[str, str]) -> list[Message]:
    body = answer.body.encode() if isinstance(answer.body, str) else answer.body
    length = {} if answer.status in (204, 304) else {"content-length": str(len(body))}
    given = {name.lower(): value for name, value in answer.headers.items()}
    named = {**length, **{name.lower(): value for name, value in common.items()}, **given}
    headers = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in named.items()
        if value is not None
    ]
    return [
        {"type": "http.response.start", "status": answer.status, "headers": headers},
        {"type": "http.response.body", "body": body},
    ]
