"""`appconfig_provider.aio` runs on asyncio, and says so where something else runs."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from appconfig_provider import aio
from appconfig_provider.testing import Emulator

SAYS = "needs asyncio"


def by_hand(function: Callable[[], Any]) -> object:
    """Run a coroutine as a loop of another library does."""
    job = function()
    try:
        job.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("it waits for something")


def by_trio(function: Callable[[], Any]) -> object:
    """Run a coroutine with trio."""
    trio: Any = pytest.importorskip("trio")
    return trio.run(function)


@pytest.mark.parametrize("run", [by_hand, by_trio])
def test_load_says_at_once_that_it_needs_asyncio(
    run: Callable[[Callable[[], Any]], object], store: Emulator
) -> None:
    """`load()` fails with a text that says what to do, and nothing else is to be heard."""

    async def load() -> None:
        await aio.load(connection_string=store.connection_string)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeError, match=SAYS):
            run(load)
    assert not store.requests


@pytest.mark.parametrize("run", [by_hand, by_trio])
def test_refresh_says_that_it_needs_asyncio(
    run: Callable[[Callable[[], Any]], object], store: Emulator
) -> None:
    """So does `refresh()` of a provider that asyncio loaded; under asyncio it goes on working."""
    store.set_many({"k": "v1", "sentinel": "1"})

    async def main() -> None:
        keywords: Any = {"connection_string": store.connection_string, "refresh_on": ["sentinel"]}
        async with await aio.load(**keywords) as config:

            async def refresh() -> None:
                await config.refresh(force=True)

            def elsewhere() -> None:
                with pytest.raises(RuntimeError, match=SAYS):
                    run(refresh)

            await asyncio.to_thread(elsewhere)
            store.set_many({"k": "v2", "sentinel": "2"})
            assert await config.refresh(force=True)
            assert config["k"] == "v2"

    asyncio.run(main())


def test_aio_close_under_another_loop() -> None:
    """close() works under another loop than the one that loaded."""
    with Emulator() as store, warnings.catch_warnings():
        # asyncio cannot close what belongs to a loop that is gone; the collector does.
        warnings.simplefilter("ignore", ResourceWarning)
        config = asyncio.run(aio.load(connection_string=store.connection_string))
        asyncio.run(config.close())
        gc.collect()
