"""Callbacks that a refresh could not finish are called by the next one."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

import appconfig_provider
import appconfig_provider.aio
from appconfig_provider.testing import Emulator
from tests.support.content import publish


def test_after_a_cancelled_callback_the_others_are_called_by_the_next_refresh(
    store: Emulator,
) -> None:
    """Cancelling a refresh in a callback keeps its change for those that come after it."""
    calls: list[Any] = []

    async def slow(_changes: object) -> None:
        await asyncio.sleep(30)

    async def main() -> None:
        publish(store, "1")
        async with await appconfig_provider.aio.load(
            connection_string=store.connection_string,
            refresh_on=["sentinel"],
            on_refresh_success=[slow, lambda changes: calls.append(changes.changed)],
        ) as config:
            publish(store, "2")
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(config.refresh(force=True), 0.5)
            assert (config["k"], calls) == ("2", [])
            await config.refresh()
            await config.refresh()

    asyncio.run(main())
    assert calls == [("k", "sentinel")]


def test_after_an_interrupted_callback_the_others_are_called_by_the_next_refresh(
    store: Emulator,
) -> None:
    """Ctrl-C in a callback keeps the change for those that come after it."""
    calls: list[Any] = []

    def interrupted(_changes: object) -> None:
        raise KeyboardInterrupt

    publish(store, "1")
    with appconfig_provider.load(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        on_refresh_success=[interrupted, lambda changes: calls.append(changes.changed)],
    ) as config:
        publish(store, "2")
        with pytest.raises(KeyboardInterrupt):
            config.refresh(force=True)
        assert (config["k"], calls) == ("2", [])
        config.refresh()
        config.refresh()
    assert calls == [("k", "sentinel")]
