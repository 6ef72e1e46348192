"""An exception may end a refresh at any line of the code that does the I/O, too.

As in `test_interrupted`, with real connections: whatever line of `_drive` an exception comes at,
the next refresh serves the newest generation, whole, and no socket stays open behind the provider.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import warnings
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import appconfig_provider
import appconfig_provider.aio
from appconfig_provider.testing import Emulator

DRIVE = str(Path(appconfig_provider.__file__).parent / "_io")

pytestmark = [pytest.mark.heavy, pytest.mark.unmeasured]


class Interrupt(BaseException):
    """What a handler of a signal raises, as `KeyboardInterrupt`."""


class Subject:
    """A provider of a store on this machine, with pages of one setting."""

    def __init__(self, mode: str, store: Emulator) -> None:
        self.store, self.version = store, 1
        self.loop = asyncio.new_event_loop()
        load: Any = appconfig_provider.load if mode == "sync" else appconfig_provider.aio.load
        self.publish()
        self.config = self.wait(
            load(connection_string=store.connection_string, refresh_on=["sentinel", "other"])
        )

    def publish(self) -> None:
        """Write a new value into every setting."""
        self.version += 1
        self.store.set_many(dict.fromkeys(("a", "b", "sentinel"), str(self.version)))

    def wait(self, answer: Any) -> Any:
        """Await what is to be awaited."""
        return self.loop.run_until_complete(answer) if isinstance(answer, Coroutine) else answer

    def refresh(self) -> None:
        """Refresh after a deployment."""
        self.publish()
        self.wait(self.config.refresh(force=True))

    def judge(self) -> None:
        """See that this thread and another one serve the newest generation."""
        self.wait(self.config.refresh(force=True))
        self._serves_the_newest("this thread")
        self.publish()
        thread = threading.Thread(target=lambda: self.wait(self.config.refresh(force=True)))
        thread.start()
        thread.join(10)
        self._serves_the_newest("another thread")

    def _serves_the_newest(self, who: str) -> None:
        assert set(self.config.snapshot.values()) == {str(self.version)}, f"{who} cannot refresh"


@contextmanager
def subject_of(mode: str, store: Emulator) -> Iterator[Subject]:
    """Give a provider; close it, and its loop."""
    subject = Subject(mode, store)
    try:
        yield subject
    finally:
        subject.wait(subject.config.close())
        subject.loop.close()


class Tracer:
    """Notes the lines that this thread passes, or raises at one of them."""

    def __init__(self, at: tuple[str, int] | None = None) -> None:
        self.lines: dict[tuple[str, int], None] = {}
        self._at = at

    def __call__(self, frame: FrameType, event: str, _: object) -> Any:
        """Be told of a call, and of its lines."""
        name = frame.f_code.co_filename
        if not name.startswith(DRIVE):
            return None
        if event == "line":
            place = (name, frame.f_lineno)
            self.lines[place] = None
            if place == self._at:
                self._at = None
                raise Interrupt
        return self

    def run(self, subject: Subject) -> bool:
        """Refresh under this tracer; return True when that was interrupted."""
        before = sys.gettrace()
        sys.settrace(self)
        try:
            subject.refresh()
        except Interrupt:
            return True
        finally:
            sys.settrace(before)
        return False


@pytest.mark.parametrize("mode", ["sync", "aio"])
def test_a_refresh_may_be_broken_off_at_every_line_of_the_io(mode: str) -> None:
    """Whatever line an exception comes at, everybody can refresh, and no socket is left open."""
    with Emulator(page_size=1) as store, warnings.catch_warnings(record=True) as reported:
        warnings.simplefilter("always")
        with subject_of(mode, store) as subject:
            tracer = Tracer()
            tracer.run(subject)
        reached = 0
        with subject_of(mode, store) as subject:
            for place in tracer.lines:
                reached += Tracer(place).run(subject)
                try:
                    subject.judge()
                except AssertionError as failed:
                    raise AssertionError(f"interrupted at {place}: {failed}") from None
        gc.collect()
    assert reached > 50
    assert [str(one.message) for one in reported if one.category is ResourceWarning] == []
