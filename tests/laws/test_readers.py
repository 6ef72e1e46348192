"""Law 2: readers take no lock, and never see anything but one whole generation."""

from __future__ import annotations

import threading
from typing import cast

import pytest
from pydantic import BaseModel

from appconfig_provider import AzureAppConfigurationProvider
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.startup import start
from appconfig_provider._io.sync import SyncDriver
from appconfig_provider._plan import Request, Response
from appconfig_provider.testing import FakeClock
from tests.support.scripted import CONNECTION, ScriptedDriver, context_for, page, setting, single

pytestmark = pytest.mark.unmeasured

SWAPS = 1_000
READERS = 8
KEYS = [f"k{number}" for number in range(20)]


class Publisher:
    """A store whose every setting holds the number of its version."""

    version = 1

    def __call__(self, request: Request) -> Response:
        text = str(self.version)
        if request.target.startswith("/kv/sentinel"):
            return single(setting("sentinel", text, etag=f"s{text}"))
        return page([setting(key, text) for key in KEYS], etag=f"p{text}")


@pytest.fixture
def publisher() -> Publisher:
    """Give a store to publish to."""
    return Publisher()


@pytest.fixture
def config(publisher: Publisher) -> AzureAppConfigurationProvider:
    """Give a provider over a driver without sockets, so that a thousand swaps take a second."""
    options = Keywords(connection_string=CONNECTION, refresh_on=["sentinel"]).checked()
    driver = ScriptedDriver(publisher, FakeClock())
    context = context_for(driver.clock, options)
    state = driver.run(start(context))
    return AzureAppConfigurationProvider(context, cast("SyncDriver", driver), state)


@pytest.mark.heavy
def test_readers_never_see_two_generations(
    config: AzureAppConfigurationProvider, publisher: Publisher
) -> None:
    """Eight threads read while a thousand generations are swapped in; none sees a mixture."""
    done = threading.Event()
    wrong: list[object] = []
    reads = [0] * READERS

    def reading(number: int) -> None:
        try:
            while not done.is_set():
                wholes = (config.snapshot.values(), config.values(), dict(config.items()).values())
                wrong.extend(whole for whole in wholes if len(set(map(str, whole))) != 1)
                assert config["k0"] is not None
                assert config.get("absent") is None
                reads[number] += 1
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=reading, args=(number,)) for number in range(READERS)]
    for thread in threads:
        thread.start()
    for version in range(2, SWAPS + 2):
        publisher.version = version
        assert config.refresh(force=True)
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert min(reads) > 0
    assert config.snapshot.version == SWAPS + 1


def test_an_iterator_keeps_its_generation(
    config: AzureAppConfigurationProvider, publisher: Publisher
) -> None:
    """Iterators and views that began before a swap finish with the generation they began on."""
    items, keys, values = iter(config.items()), config.keys(), config.values()
    first = next(items)
    snapshot = config.snapshot
    publisher.version = 2
    assert config.refresh(force=True)
    assert {value for _, value in (first, *items)} == {"1"}
    assert set(values) == {"1"}
    assert list(keys) == KEYS
    assert set(snapshot.values()) == {"1"}
    assert set(config.values()) == {"2"}


def test_a_mapping_answers_like_the_dict_it_shows(config: AzureAppConfigurationProvider) -> None:
    """Every Mapping method agrees with a plain dict of the same generation."""
    plain = dict(config.snapshot)
    assert config == plain
    assert config == config  # noqa: PLR0124 - equality with itself is what is tested
    assert config != {**plain, "k0": "else"}
    assert config != 3
    assert len(config) == len(plain)
    assert list(config) == list(plain)
    assert "k0" in config
    assert "absent" not in config
    assert config.get("absent", 7) == 7
    with pytest.raises(KeyError, match="absent"):
        config["absent"]
    with pytest.raises(TypeError):
        hash(config)


class Numbers(BaseModel, frozen=True):
    """Two settings of one generation."""

    k0: int
    k19: int


@pytest.mark.heavy
def test_a_binding_agrees_with_the_snapshot_it_is_read_from(
    config: AzureAppConfigurationProvider, publisher: Publisher
) -> None:
    """Eight threads read pairs while a thousand generations are swapped in; each pair agrees.

    A pair is a value and what is bound to the same snapshot. `value` never goes back in time.
    """
    binding = config.bind(Numbers)
    done = threading.Event()
    wrong: list[object] = []

    def reading() -> None:
        newest = 0
        try:
            while not done.is_set():
                snapshot = config.snapshot
                bound, now = binding.of(snapshot), binding.value
                pair = (bound.k0, bound.k19, int(snapshot["k0"]))
                wrong.extend([pair] if len(set(pair)) != 1 else [])
                wrong.extend([now] if now.k0 != now.k19 or now.k0 < max(newest, bound.k0) else [])
                newest = now.k0
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=reading) for _ in range(READERS)]
    for thread in threads:
        thread.start()
    for version in range(2, SWAPS + 2):
        publisher.version = version
        assert config.refresh(force=True)
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert binding.value == Numbers(k0=SWAPS + 1, k19=SWAPS + 1)
