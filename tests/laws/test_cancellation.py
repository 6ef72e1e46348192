"""Law 11, asyncio: a cancelled refresh leaves a whole generation and a free flag."""

from __future__ import annotations

import asyncio

from appconfig_provider import ChangeSet
from appconfig_provider.aio import AzureAppConfigurationProvider, load
from appconfig_provider.testing import Emulator


async def _script(store: Emulator, step: int) -> bool:
    calls: list[ChangeSet] = []

    async def changed(changes: ChangeSet) -> None:
        await asyncio.sleep(0)
        calls.append(changes)

    store.set_many({"host": "old", "port": "old", "sentinel": "1"})
    config = await load(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        on_refresh_success=changed,
    )
    async with config:
        store.set_many({"host": "new", "port": "new", "sentinel": "2"})
        cancelled = await _cancelled_refresh(config, step)
        snapshot = config.snapshot
        assert snapshot["host"] == snapshot["port"]
        assert snapshot.version == (1 if snapshot["host"] == "old" else 2)
        sent = config.status.requests_sent
        await config.refresh(force=True)
        assert config.status.requests_sent > sent, "the flag is held"
        assert config["host"] == config["port"] == "new"
    return cancelled


async def _cancelled_refresh(config: AzureAppConfigurationProvider, step: int) -> bool:
    """Cancel a refresh after so many turns of the event loop."""
    task = asyncio.ensure_future(config.refresh(force=True))
    for _ in range(step):
        await asyncio.sleep(0)
        if task.done():
            break
    cancelled = task.cancel()
    await asyncio.wait([task])
    return cancelled


def test_cancelling_a_refresh_anywhere_leaves_old_or_new() -> None:
    """Cancelled after any number of loop turns: old or new generation, whole, and a free flag."""
    with Emulator(page_size=2) as store:
        step = 0
        while asyncio.run(_script(store, step)):
            step += 1
    assert step > 10


def test_a_cancelled_load_leaves_no_connection_open() -> None:
    """Cancelling load() closes what it opened (an open socket would be a ResourceWarning here)."""

    async def script(store: Emulator, turns: int) -> bool:
        task = asyncio.ensure_future(load(connection_string=store.connection_string))
        for _ in range(turns):
            await asyncio.sleep(0)
        cancelled = task.cancel()
        await asyncio.wait([task])
        if not cancelled:
            await task.result().close()
        return cancelled

    with Emulator() as store:
        turns = 0
        while asyncio.run(script(store, turns)):
            turns += 1
    assert turns > 4
