"""What the servers of test_servers.py serve for ConfigCat: what a worker's client reads, as JSON.

The client is made when the application is loaded, with some servers before they fork.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from appconfig_provider import configcat

BEGAN = time.monotonic()
FAILURES: list[str] = []
CLIENT = configcat.ConfigCatClient.of(
    os.environ["APP_SDK_KEY"],
    configcat.ConfigCatOptions(
        base_url=os.environ["APP_STORE"].rstrip(";"),
        polling_mode=configcat.PollingMode.auto_poll(poll_interval_seconds=1),
        hooks=configcat.Hooks(on_error=FAILURES.append),
    ),
)
CLIENT.get_value("k", None)

with Path(os.environ["APP_LOADS"]).open("a", encoding="utf-8") as file:
    print(json.dumps([os.getpid(), BEGAN, time.monotonic()]), file=file)


def application(_environ: object, start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer any request by what this worker reads."""
    time.sleep(0.02)  # so that one worker alone does not serve everything
    answer = {
        "pid": os.getpid(),
        "values": [CLIENT.get_value("k", None), CLIENT.snapshot().get_value("k", None)],
        "errors": FAILURES,
        "pollers": sum(one.name == "appconfig-provider" for one in threading.enumerate()),
    }
    start_response("200 OK", [("content-type", "application/json")])
    return [json.dumps(answer).encode()]
