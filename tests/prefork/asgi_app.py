"""The same for a server of asyncio: `MANUAL` is loaded at import, the others in each worker."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

from appconfig_provider import Polling, aio, load

KEYWORDS: dict[str, Any] = {
    "connection_string": os.environ["APP_STORE"],
    "refresh_on": ["sentinel"],
    "retry_total": 0,
}
BEGAN = time.monotonic()
MANUAL = load(**KEYWORDS, refresh_interval=1, headers={"x-config": "manual"})
with Path(os.environ["APP_LOADS"]).open("a", encoding="utf-8") as file:
    print(json.dumps([os.getpid(), BEGAN, time.monotonic()]), file=file)
own: dict[str, Any] = {}


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer any request."""
    if scope["type"] == "lifespan":
        await receive()
        own["polled"] = await aio.load(**KEYWORDS, polling=Polling.auto(interval=1))
        own["lazy"] = await aio.load(**KEYWORDS, polling=Polling.lazy(1))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await own["polled"].close()
        await own["lazy"].close()
        MANUAL.close()
        await send({"type": "lifespan.shutdown.complete"})
        return
    configs = (own["polled"], own["lazy"], MANUAL)
    await asyncio.to_thread(MANUAL.refresh)
    time.sleep(0.02)  # noqa: ASYNC251 - so that one worker alone does not serve everything
    body = {
        "pid": os.getpid(),
        "values": [one["k"] for one in configs],
        "errors": [str(one.status.last_error) for one in configs if one.status.last_error],
        "pollers": 1,
    }
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
