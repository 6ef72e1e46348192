"""Load after gevent has patched what our modules had imported; run by test_gevent.py.

Prints the longest time that a greenlet was kept from running, and what the poller, or a read,
brought.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import appconfig_provider
import appconfig_provider._io.exchanges
import appconfig_provider._io.sync
import appconfig_provider._live.polling


def main(connection_string: str, polling: str) -> None:
    import gevent
    from gevent import monkey

    monkey.patch_all()
    gaps: list[float] = []

    def tick() -> None:
        last = time.monotonic()
        while True:
            time.sleep(0.01)
            now = time.monotonic()
            gaps.append(now - last)
            last = now

    def resolve(_address: str) -> str:
        time.sleep(0.3)
        return "resolved"

    keywords: dict[str, Any] = {"secret_resolver": resolve, "refresh_on": ["sentinel", "other"]}
    ticking = gevent.spawn(tick)
    config = appconfig_provider.load(
        connection_string=connection_string,
        polling=getattr(appconfig_provider.Polling, polling)(1),
        **keywords,
    )
    print("loaded", flush=True)
    end = time.monotonic() + 20
    while config["k"] != "v2" and time.monotonic() < end:
        time.sleep(0.05)
    ticking.kill()
    config.close()
    print(json.dumps({"k": config["k"], "longest": max(gaps), "ticks": len(gaps)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
