"""What the servers of test_servers.py serve: what each worker's configurations hold, as JSON.

`POLLED` is followed by a poller, `MANUAL` by calls of `refresh()`, `LAZY` by reads; with APP_HOLD
there is `HELD`, whose single-flight flag is taken by a thread of the process that loads, until the
test ends.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from appconfig_provider import AzureAppConfigurationProvider, Polling, load

BEGAN = time.monotonic()


def loaded(**keywords: Any) -> AzureAppConfigurationProvider:
    """Load from the store of the test."""
    return load(
        connection_string=os.environ["APP_STORE"],
        refresh_on=["sentinel"],
        retry_total=0,
        read_timeout=60,
        **keywords,
    )


POLLED = loaded(polling=Polling.auto(interval=1))
MANUAL = loaded(refresh_interval=1, headers={"x-config": "manual"})
LAZY = loaded(polling=Polling.lazy(1), headers={"x-config": "manual"})
HELD = None
if os.environ.get("APP_HOLD"):
    HELD = loaded(refresh_interval=1, headers={"x-hold": "yes"})
    threading.Thread(target=HELD.refresh, args=(True,), daemon=True).start()
    # A thread that waits for the interpreter's lock while C forks would stop the child for good.
    time.sleep(0.5)

with Path(os.environ["APP_LOADS"]).open("a", encoding="utf-8") as file:
    print(json.dumps([os.getpid(), BEGAN, time.monotonic()]), file=file)


def reported() -> dict[str, object]:
    """Refresh as request handlers do, and tell what this worker knows."""
    if os.environ.get("APP_REFRESHES_POLLED"):
        POLLED.refresh()
    MANUAL.refresh()
    if HELD is not None:
        HELD.refresh(force=True)
    time.sleep(0.02)  # so that one worker alone does not serve everything
    configs = [one for one in (POLLED, MANUAL, LAZY, HELD) if one is not None]
    return {
        "pid": os.getpid(),
        "values": [one["k"] for one in configs],
        "errors": [str(one.status.last_error) for one in configs if one.status.last_error],
        "pollers": sum(one.name == "appconfig-provider" for one in threading.enumerate()),
    }


def application(_environ: object, start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer any request."""
    start_response("200 OK", [("content-type", "application/json")])
    return [json.dumps(reported()).encode()]
