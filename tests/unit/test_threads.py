"""What the threads of one driver share: the count of requests, and the idle connections."""

from __future__ import annotations

import time
from collections import deque

from appconfig_provider._drive.clock import clock_in_force
from appconfig_provider._drive.http import Lanes
from appconfig_provider._drive.sync import SyncDriver
from appconfig_provider._plan import Request, Send, ask, together
from appconfig_provider.options import Options
from appconfig_provider.testing import Emulator

SENDERS = 16


class _Slow(int):
    """A number that lets other threads run while something is added to it."""

    def __add__(self, more: int) -> _Slow:
        for _ in range(50):
            time.sleep(0)
        return _Slow(int(self) + more)


def test_requests_sent_side_by_side_are_all_counted(store: Emulator) -> None:
    """However many threads send at once, `requests_sent` counts each request."""
    clock = clock_in_force()
    driver = SyncDriver(Options(connection_string=store.connection_string), clock, None)
    driver.sent = _Slow(0)
    request = Request("GET", store.endpoint, "/kv?api-version=2023-11-01")
    send = Send(request, None, clock.monotonic() + 60)
    driver.run(together([ask(send) for _ in range(SENDERS)]))
    driver.close()
    assert driver.sent == len(store.requests) == SENDERS


class _TakenMeanwhile(deque[str]):
    """Idle lanes that other threads take while this one reaches for them."""

    def pop(self) -> str:  # type: ignore[override]  # as deque's, which has no index to give
        self.clear()
        return super().pop()


def test_draining_goes_on_when_others_take_the_last_lane() -> None:
    """Whoever drains gets what is left, also when another thread is quicker at one origin."""
    lanes: Lanes[str] = Lanes()
    lanes._idle["http://contested"] = _TakenMeanwhile(["taken"])
    lanes.give_back("http://quiet", "left")
    assert lanes.drain() == ["left"]
