"""Runs one blocking function on a thread of its own, so that the event loop goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from threading import Thread

from appconfig_provider._plan import Failure


async def on_thread(function: Callable[..., object], arguments: tuple[object, ...]) -> object:
    """Call a function on a thread of its own; return what it returns, or raise what it raises.

    The thread has the caller's context variables. When the caller is cancelled, the thread goes on
    until the function returns; its result is dropped, and the end of the process does not wait for
    it. If no thread can be started, the function is called on this one.
    """
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[object] = loop.create_future()
    context = copy_context()

    def settle(outcome: object) -> None:
        if not answered.done():
            answered.set_result(outcome)

    def work() -> None:
        try:
            outcome = context.run(function, *arguments)
        except BaseException as error:  # raised again where the caller waits
            outcome = Failure(error)
        with suppress(RuntimeError):  # the loop was closed, so nobody waits any more
            loop.call_soon_threadsafe(settle, outcome)

    try:
        Thread(target=work, name="appconfig-blocking", daemon=True).start()
    except RuntimeError:
        return function(*arguments)
    outcome = await answered
    if isinstance(outcome, Failure):
        raise outcome.error
    return outcome


def running_loop() -> asyncio.AbstractEventLoop:
    """Return the loop of asyncio that this task runs on.

    Raises:
        RuntimeError: there is none; the text says what to do.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "appconfig_provider.aio needs asyncio, and no event loop of asyncio runs here. Under "
            "trio call appconfig_provider.load() and refresh() by trio.to_thread.run_sync()"
        ) from None
