"""What the threads of one driver share: the count of requests, and the idle connections."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import pytest

from appconfig_provider._io import connections
from appconfig_provider._io.clock import clock_in_force
from appconfig_provider._io.connections import Connections
from appconfig_provider._io.network import Network
from appconfig_provider._io.sync import SyncDriver
from appconfig_provider._plan import Request, Send, gather, perform
from appconfig_provider.testing import Emulator

SENDERS = 16


class _Slow(int):
    """A number that lets other threads run while something is added to it."""

    def __add__(self, more: int) -> _Slow:
        for _ in range(50):
            time.sleep(0)
        return _Slow(int(self) + more)


class _SlowCounts(dict[int, int]):
    """Counts that are such numbers."""

    def get(self, thread: int, default: int = 0) -> int:  # type: ignore[override]  # as it is used
        return _Slow(super().get(thread, default))


def test_requests_sent_side_by_side_are_all_counted(store: Emulator) -> None:
    """However many threads send at once, `requests_sent` counts each request."""
    clock = clock_in_force()
    driver = SyncDriver(lambda: Network(10.0, 10.0, 60.0, None, verify=True), clock, None)
    driver._counts = _SlowCounts()  # noqa: SLF001 - else threads hardly ever meet there
    request = Request("GET", store.endpoint, "/kv?api-version=2023-11-01")
    send = Send(request, None, clock.monotonic() + 60)
    driver.run(gather(*[perform(send) for _ in range(SENDERS)]))
    driver.close()
    assert driver.sent == len(store.requests) == SENDERS


def test_closing_goes_on_when_others_take_the_last_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever closes gets what is left, also while other threads take connections."""
    closed: list[str] = []

    class Named:
        closed = left_over = False

        def __init__(self, name: str) -> None:
            self.name = name

        def close(self) -> None:
            closed.append(self.name)

    class TakenMeanwhile(deque[object]):
        def pop(self) -> object:  # type: ignore[override]  # as deque's, which has no index to give
            self.clear()
            return super().pop()

    kept: Any = Connections()
    with monkeypatch.context() as contested:
        contested.setattr(connections, "deque", TakenMeanwhile)
        kept.keep("http://contested", Named("taken"))
    kept.keep("http://quiet", Named("left"))
    kept.close()
    assert closed == ["left"]
