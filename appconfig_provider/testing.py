"""What an application's own tests need: a store to talk to, scripted trouble, a settable clock.

    with Emulator() as store:
        store.set("message", "hello")
        config = load(connection_string=store.connection_string)

The emulator answers on a free port of this machine and keeps everything in memory. It records the
requests it gets, calls back around each of them, and gives the answers a test scripts: a 429, a
503, a server that stays silent.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from appconfig_provider._drive.clock import current_clock
from appconfig_provider.emulator import (
    DEFAULT_ACCESS_KEY,
    AccessKey,
    Draft,
    Server,
    Setting,
    Store,
    create_app,
)

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send
    from typing_extensions import Self

__all__ = ["Clock", "Emulator", "FakeClock", "Hook", "RequestRecord", "Scripted"]

T = TypeVar("T")


class Clock(Protocol):
    """Where the emulator takes the time of day from."""

    def time(self) -> float:
        """Seconds since 1970."""
        ...


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


@dataclass(frozen=True, slots=True)
class Scripted:
    """An answer made up by a test.

    ``status`` None lets the store answer after all, only later. ``delay`` is in seconds; it holds
    up no other request and not the end of the emulator, so a long one is a silent server.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | str = b""
    delay: float = 0.0


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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()


class Emulator:
    """A store in memory on a free port of this machine, for the length of a ``with`` block.

    ``page_size`` is the number of settings on a page. ``clock`` decides which request dates are
    fresh and when a setting was modified; give it the :class:`FakeClock` of the client. ``port``
    asks for a certain port, to come back where an earlier emulator was. Every method may be
    called from any thread.

    A callback that raises makes the request fail with 500, and the ``with`` block raise its
    exception at the end.
    """

    def __init__(
        self,
        *,
        page_size: int = 100,
        port: int = 0,
        clock: Clock | None = None,
        access_keys: Sequence[AccessKey] = (DEFAULT_ACCESS_KEY,),
    ) -> None:
        now = time.time if clock is None else clock.time
        self._access_keys = access_keys
        self._script = _Script()
        self._store = Store(now=now)
        try:
            app = create_app(self._store, access_keys, page_size=page_size, now=now)
            self._server = Server(self._script.around(app), port=port)
        except BaseException:
            self._store.close()
            raise
        self.endpoint = self._server.endpoint

    @property
    def connection_string(self) -> str:
        """The connection string with the first access key."""
        key = self._access_keys[0]
        return f"Endpoint={self.endpoint};Id={key.id};Secret={key.secret}"

    def set(
        self,
        key: str,
        value: str | None,
        label: str | None = None,
        content_type: str | None = None,
        tags: Mapping[str, str | None] | None = None,
    ) -> Setting:
        """Write a setting and return it as stored.

        Raises:
            ValueError: the service would refuse it.
        """
        return self._store.put(Draft(key, label, value, content_type, tags or {}))

    def set_many(self, settings: Iterable[Draft] | Mapping[str, str | None]) -> int:
        """Write many settings at once, drafts or a mapping of keys to values; count the changes."""
        if isinstance(settings, Mapping):
            settings = [Draft(key, value=value) for key, value in settings.items()]
        return self._store.load(settings)

    def get(self, key: str, label: str | None = None) -> Setting | None:
        """The setting with this key and label, or None."""
        return self._store.get(key, label)

    def delete(self, key: str, label: str | None = None) -> Setting | None:
        """Remove a setting and return what it was, or None."""
        return self._store.delete(key, label)

    @property
    def requests(self) -> list[RequestRecord]:
        """The requests so far, in the order they came."""
        return self._script.records()

    def clear_requests(self) -> None:
        """Forget the recorded requests."""
        self._script.forget()

    def before_answer(self, callback: Callable[[RequestRecord], object]) -> Hook[object]:
        """Call back when a request has come, before the store looks at it.

        Callbacks run on a thread of their own, may write to the store and may block; the request
        waits for them.
        """
        return Hook(self._script.before, callback)

    def after_answer(self, callback: Callable[[RequestRecord], object]) -> Hook[object]:
        """Call back when the store has made its answer, before the answer is sent."""
        return Hook(self._script.after, callback)

    def respond(
        self, callback: Callable[[RequestRecord], Scripted | None]
    ) -> Hook[Scripted | None]:
        """Let a callback answer instead of the store; None leaves the request to the next one."""
        return Hook(self._script.responders, callback)

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def close(self) -> None:
        """Drop every connection, stop answering and forget the settings."""
        self._server.close()
        self._store.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        if error is None and self._script.trouble:
            raise self._script.trouble[0]


class FakeClock:
    """A clock that stands still until a test moves it; may be used from any thread.

    Providers that are loaded inside its ``with`` block live by it.

    ``time`` begins at the real time of day unless a number of seconds since 1970 is given.
    """

    def __init__(self, time_of_day: float | None = None) -> None:
        self._lock = threading.Lock()
        self._begin = time.time() if time_of_day is None else time_of_day
        self._passed = 0.0

    def monotonic(self) -> float:
        """Seconds since this clock was made."""
        with self._lock:
            return self._passed

    def time(self) -> float:
        """Seconds since 1970."""
        return self._begin + self.monotonic()

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ValueError: the number is negative; a clock does not go back.
        """
        if seconds < 0:
            raise ValueError("a clock does not go back")
        with self._lock:
            self._passed += seconds

    def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        self.advance(max(seconds, 0.0))

    async def asleep(self, seconds: float) -> None:
        """Let time pass at once, and let other tasks run."""
        self.advance(max(seconds, 0.0))
        await asyncio.sleep(0)

    def __enter__(self) -> Self:
        self._installed = current_clock.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        current_clock.reset(self._installed)


class _Script:
    """Recording and scripting around an application."""

    def __init__(self) -> None:
        self.before: list[Hook[object]] = []
        self.after: list[Hook[object]] = []
        self.responders: list[Hook[Scripted | None]] = []
        self.trouble: list[BaseException] = []
        self._records: dict[int, RequestRecord] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def records(self) -> list[RequestRecord]:
        with self._lock:
            return list(self._records.values())

    def forget(self) -> None:
        with self._lock:
            self._records.clear()

    def around(self, app: ASGIApp) -> ASGIApp:
        async def scripted(scope: Scope, receive: Receive, send: Send) -> None:
            record = self._arrived(scope)
            try:
                messages = await self._answer(app, record, scope, receive)
            except Exception as error:
                self.trouble.append(error)
                messages = _messages(Scripted(500, body=f"a callback raised {error!r}"))
            for message in messages:
                await send(message)

        return scripted

    async def _answer(
        self, app: ASGIApp, record: RequestRecord, scope: Scope, receive: Receive
    ) -> list[Message]:
        for hook in tuple(self.before):
            await asyncio.to_thread(hook.callback, record)
        answer = await self._scripted(record)
        if answer is not None:
            await asyncio.sleep(answer.delay)
        if answer is None or answer.status is None:
            messages = await _collect(app, scope, receive)
        else:
            messages = _messages(answer)
        record = self._answered(record, messages[0]["status"])
        for after in tuple(self.after):
            await asyncio.to_thread(after.callback, record)
        return messages

    async def _scripted(self, record: RequestRecord) -> Scripted | None:
        for hook in tuple(self.responders):
            answer = await asyncio.to_thread(hook.callback, record)
            if answer is not None:
                return answer
        return None

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


def _messages(answer: Scripted) -> list[Message]:
    body = answer.body.encode() if isinstance(answer.body, str) else answer.body
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in answer.headers.items()
    ]
    if answer.status not in (204, 304) and b"content-length" not in dict(headers):
        headers.append((b"content-length", str(len(body)).encode()))
    return [
        {"type": "http.response.start", "status": answer.status, "headers": headers},
        {"type": "http.response.body", "body": body},
    ]
