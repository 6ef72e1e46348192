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
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Protocol

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
from appconfig_provider.emulator.scripting import Hook, RequestRecord, Script, Scripted

__all__ = [
    "Clock",
    "Draft",
    "Emulator",
    "FakeClock",
    "Hook",
    "RequestRecord",
    "Scripted",
    "Setting",
]


class Clock(Protocol):
    """Where the emulator takes the time of day from."""

    def time(self) -> float:
        """Seconds since 1970."""
        ...


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
        self._script = Script()
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

    def set_many(
        self, settings: Mapping[str, str | None] | Iterable[Draft | tuple[str, str | None]]
    ) -> int:
        """Write many settings at once and count the changes.

        Takes a mapping of keys to values, or an iterable of such pairs and of drafts.
        """
        given = settings.items() if isinstance(settings, Mapping) else settings
        drafts = (
            item if isinstance(item, Draft) else Draft(item[0], value=item[1]) for item in given
        )
        return self._store.load(drafts)

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
        self._script.close()
        self._store.close()

    def __enter__(self) -> Emulator:
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

    def __enter__(self) -> FakeClock:
        self._installed = current_clock.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        current_clock.reset(self._installed)
