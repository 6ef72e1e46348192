"""Loads, uses up every file descriptor, refreshes, frees them, and refreshes again."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import sys
from typing import Any

import appconfig_provider
import appconfig_provider.aio

logging.disable()
where, mode, proxy = sys.argv[1:]
reported: list[Exception] = []


def use_up() -> list[int]:
    """Open files until none can be opened."""
    held: list[int] = []
    try:
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return held


async def main() -> None:
    """Do it with the sync provider, or with the aio one."""
    keywords: dict[str, Any] = {
        "connection_string": where,
        "refresh_on": ["sentinel"],
        "on_refresh_error": reported.append,
        "proxy": proxy,
    }
    if mode == "aio":
        config: Any = await appconfig_provider.aio.load(**keywords)
    else:
        config = appconfig_provider.load(**keywords)

    async def refresh() -> bool:
        done = config.refresh(force=True)
        return bool(await done) if mode == "aio" else done

    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    held = use_up()
    print(await refresh())
    print("reported" if reported else "silent")
    for one in held:
        os.close(one)
    print(await refresh())
    print("healed" if config.status.last_error is None else config.status.last_error)
    closed = config.close()
    if mode == "aio":
        await closed


asyncio.run(main())
