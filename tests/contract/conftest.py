"""Playing one script with the sync and with the async client."""

from __future__ import annotations

import asyncio

import pytest

from appconfig_provider.testing import Emulator

from .peers import Play, Script, peer


@pytest.fixture(params=["sync", "async"])
def play(request: pytest.FixtureRequest) -> Play:
    """Play a script with either client and a store with pages of three."""

    def play_script(script: Script) -> None:
        async def run() -> None:
            with Emulator(page_size=3) as store:
                async with peer(store, request.param) as connected:
                    await script(store, connected)

        asyncio.run(run())

    return play_script
