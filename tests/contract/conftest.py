"""Playing one script with the sync and with the async client."""

from __future__ import annotations

import asyncio

import pytest

from appconfig_provider.testing import Emulator

from .peers import Play, Script, peer


@pytest.fixture(params=["sync", "async"])
def play(request: pytest.FixtureRequest) -> Play:
    """Play a script with either client and a store with pages of three.

    The store lives by the clock of a test that asks for one.
    """
    timed = "clock" in request.fixturenames
    clock = request.getfixturevalue("clock") if timed else None

    def play_script(script: Script) -> None:
        async def run() -> None:
            with Emulator(page_size=3, clock=clock) as store:
                async with peer(store, request.param) as connected:
                    await script(store, connected)

        asyncio.run(run())

    return play_script
