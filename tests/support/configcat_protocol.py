"""ConfigCat's source for the runner of the published scenarios, `run_protocol.py`."""

from __future__ import annotations

from collections.abc import Callable

from appconfig_provider._io.clock import SystemClock
from appconfig_provider._io.sync import SyncDriver
from appconfig_provider.configcat.configcatoptions import ConfigCatOptions
from appconfig_provider.configcat.connecting import BASE_URL, Surroundings, network_of, source_of
from appconfig_provider.configcat.datagovernance import DataGovernance
from appconfig_provider.configcat.fetching.entries import Entry, to_payload
from appconfig_provider.configcat.keys import VERSION_6, cache_key_of
from appconfig_provider.configcat.pollingmode import PollingMode
from tests.support.configcat_source import KEY


def fetch_twice(
    global_url: str, eu_url: str, governance: str, base_url: str | None, mark: Callable[[], None]
) -> None:
    """Ask the servers twice, as one client does."""
    options = ConfigCatOptions(
        base_url=base_url,
        polling_mode=PollingMode.manual_poll(),
        data_governance=DataGovernance[governance],
    )
    clock = SystemClock()
    stand_in = {BASE_URL: f"{global_url},{eu_url}"}
    source = source_of(KEY, options, Surroundings(clock=clock, environment=stand_in), newest=True)
    driver, state = SyncDriver(network_of(options), clock, None), source.first()
    for _ in range(2):
        state = driver.run(source.next(state, force=True, in_background=False)).state
        mark()
    driver.close()


def cache_key(sdk_key: str) -> str:
    """Return the key of a shared cache."""
    return cache_key_of(sdk_key, VERSION_6)


def serialize(fetch_time: float, etag: str, json_text: str) -> str:
    """Return the text of a shared cache."""
    return to_payload(Entry(json_text, etag, fetch_time, VERSION_6))
