"""A server in a ``with`` block that a test watches, and tells what to answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeVar

from starlette.applications import Starlette
from typing_extensions import Self

from appconfig_provider.emulator import Access, Server
from appconfig_provider.emulator.scripting import Hook, RequestRecord, Script, Scripted
from appconfig_provider.emulator.tls import local_certificate

T = TypeVar("T")


class Fault:
    """Something that goes wrong at an endpoint, from the time when this is made.

    It is over after :meth:`end`, and after ``up()`` of its endpoint. A ``with`` block of it is left
    alone by ``up()``, and is over at its end.
    """

    def __init__(self, end: Callable[[], object]) -> None:
        self._ends = [end]
        self.is_block = False

    def end(self) -> None:
        """Let it go right again; does nothing the second time."""
        try:
            end = self._ends.pop()  # of several threads one gets it
        except IndexError:
            return
        end()

    def __enter__(self) -> Fault:
        self.is_block = True
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


class ScriptedServer:
    """A server on a free port of this machine that a test watches and tells what to answer.

    Every method may be called from any thread. A callback that raises makes the request fail with
    500, and the ``with`` block raise its exception at the end.
    """

    _authority: ClassVar[str | None] = None
    """What signed the certificates of this process, once one was needed."""

    def __init__(
        self, app: Starlette, script: Script, port: int, *, tls: bool, access: Access
    ) -> None:
        certificate = local_certificate(*access.hosts) if tls else None
        self._script = script
        self._faults: list[Fault] = []
        self._server = Server(script.around(app), port=port, certificate=certificate, access=access)
        self.ca_file = None if certificate is None else certificate.ca_file
        if certificate is not None:
            ScriptedServer._authority = certificate.ca_file

    @property
    def requests(self) -> list[RequestRecord]:
        """The requests so far, in the order they came."""
        return self._script.records()

    def clear_requests(self) -> None:
        """Forget the recorded requests."""
        self._script.forget()

    def before_answer(self, callback: Callable[[RequestRecord], object]) -> Hook[object]:
        """Call back when a request has come, before it is looked at.

        Callbacks run on a thread of their own, may write to the store and may block; the request
        waits for them.
        """
        return Hook(self._script.before, callback)

    def after_answer(self, callback: Callable[[RequestRecord], object]) -> Hook[object]:
        """Call back when the answer is made, before it is sent."""
        return Hook(self._script.after, callback)

    def respond(
        self, callback: Callable[[RequestRecord], Scripted | None]
    ) -> Hook[Scripted | None]:
        """Let a callback answer instead; None leaves the request to the next one.

        Raises:
            TypeError: it cannot be called; `lambda request: Scripted(status=503)` can.
        """
        if not callable(callback):
            raise TypeError("respond() takes a function: lambda request: Scripted(status=503)")
        return Hook(self._script.responders, callback)

    def down(self) -> Fault:
        """Drop every connection and refuse new ones, like a host that is gone, until :meth:`up`.

        As a ``with`` block it is down until the block ends. The port is given to nobody who asks
        for any free one. Does nothing when it is down already.

        Raises:
            RuntimeError: the server does not run; this is for inside its ``with`` block.
        """
        self._server.down()
        return Fault(self._server.up)

    def slow(self, seconds: float) -> Fault:
        """Give every answer so many seconds later, until :meth:`up`.

        As a ``with`` block it is slow until the block ends. Several add up. The request is looked
        at when the seconds have passed; neither other requests nor the end wait.

        Raises:
            ValueError: the number is negative.
        """
        if not seconds >= 0:
            raise ValueError("an answer does not come before its request")
        return self._fault(self._script.delays, seconds)

    def up(self) -> None:
        """Answer again, at the same endpoint and at once; does nothing when nothing is wrong.

        It ends :meth:`down` and every other fault of this endpoint that is no ``with`` block.
        Scripted answers stay.

        Raises:
            RuntimeError: the server does not run.
            OSError: somebody else serves on the port now.
        """
        self._server.up()
        plain = [fault for fault in self._faults if not fault.is_block]
        for fault in plain:
            fault.end()

    def _fault(self, causes: list[T], cause: T) -> Fault:
        """A fault for as long as its cause is among those of its kind."""

        def end() -> None:
            causes.remove(cause)
            self._faults.remove(fault)

        causes.append(cause)
        fault = Fault(end)
        self._faults.append(fault)
        return fault

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def close(self) -> None:
        """Drop every connection, stop answering and forget everything."""
        self._server.close()
        self._script.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close()
        if kind is None:
            self.raise_trouble()

    def raise_trouble(self) -> None:
        """Raise what a callback raised first, if one did."""
        if self._script.trouble:
            raise self._script.trouble[0]
