"""A thread for one call of a function that would stop the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from threading import Thread

from appconfig_provider._plan import Failure


async def on_thread(function: Callable[..., object], arguments: tuple[object, ...]) -> object:
    """Call a function on a thread of its own; return or raise what it does.

    The thread sees the context variables of the caller. When the caller is cancelled the thread is
    abandoned: it ends when the function returns, nobody hears of its answer, and the end of the
    process does not wait for it. Where no thread can be started the function is called here.
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
        with suppress(RuntimeError):  # the loop was closed, and with it everybody who waited
            loop.call_soon_threadsafe(settle, outcome)

    try:
        Thread(target=work, name="appconfig-resolver", daemon=True).start()
    except RuntimeError:
        return function(*arguments)
    outcome = await answered
    if isinstance(outcome, Failure):
        raise outcome.error
    return outcome
