"""Every kind of fault at every moment of a refresh: bounded, nothing lost, healed by itself."""

from __future__ import annotations

import time

import pytest

from appconfig_provider.errors import StartupTimeout
from appconfig_provider.testing import Emulator, FakeClock, RequestRecord, Scripted
from tests.support.adapter import Loader, load_aio
from tests.support.raw_server import dripping_headers, raw_server

FAULTS = {
    "throttled": Scripted(status=429, headers={"Retry-After": "3600"}),
    "failing": Scripted(status=500),
    "forbidden": Scripted(status=403),
    "cut": Scripted(cut_after=20),
    "silent": Scripted(delay=60),
    "dripping": Scripted(drip=0.05),
    "nonsense": Scripted(status=200, body=b"<html>sign in</html>"),
}
MOMENTS = {"sentinel": "/kv/sentinel", "data": "/kv?"}
BUDGET = 0.8
"""Seconds to connect plus seconds to wait; what a check may take."""


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_during_refresh_loses_nothing(
    load: Loader, store: Emulator, fault: str, moment: str
) -> None:
    """refresh() returns in time, the old generation stays, and the change is found afterwards."""
    store.set_many({"k": "v1", "sentinel": "1"})

    def trouble(record: RequestRecord) -> Scripted | None:
        return FAULTS[fault] if record.target.startswith(MOMENTS[moment]) else None

    with load(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        connect_timeout=BUDGET / 2,
        read_timeout=BUDGET / 2,
        startup_timeout=BUDGET,
        retry_total=0,
    ) as config:
        store.set_many({"k": "v2", "sentinel": "2"})
        store.clear_requests()
        began = time.monotonic()
        with store.respond(trouble):
            published = config.refresh(force=True)
        assert time.monotonic() - began < 2 * BUDGET + 0.5
        assert published is False
        assert config.snapshot["k"] == "v1"
        assert config.status.last_error is not None
        assert len(store.requests) == (1 if moment == "sentinel" else 2)
        config.refresh(force=True)
        assert config.snapshot["k"] == "v2"
        assert config.status.last_error is None


def test_a_stale_sentinel_does_not_roll_back(load: Loader) -> None:
    """A replica that lags behind shows an older sentinel; the newer configuration stays."""
    with FakeClock() as clock, Emulator(clock=clock) as store:
        store.set_many({"k": "v1", "sentinel": "1"})
        store.remember()
        clock.advance(1)  # the service dates by whole seconds
        store.set_many({"k": "v2", "sentinel": "2"})
        with load(connection_string=store.connection_string, refresh_on=["sentinel"]) as config:
            with store.respond(lambda _: Scripted(stale=True)):
                assert config.refresh(force=True) is False
            assert config.snapshot["k"] == "v2"
            assert config.status.last_error is None


def test_aio_is_bounded_even_when_headers_drip() -> None:
    """In asyncio one limit holds for a whole request, headers that never end included."""
    with raw_server(dripping_headers) as connection_string:
        began = time.monotonic()
        with (
            pytest.raises(StartupTimeout),
            load_aio(connection_string=connection_string, startup_timeout=0.6),
        ):
            pass
        assert time.monotonic() - began < 1.2
