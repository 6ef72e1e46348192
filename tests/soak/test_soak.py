"""A minute of real time: readers, a poller and a publisher against a store that keeps failing.

The store is another process, so that what grows here is ours. `SOAK_SECONDS` sets the length, and
`SOAK_SEED`, which a failure prints, the faults and the publishes.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import random
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from appconfig_provider import AzureAppConfigurationProvider, Polling, load
from appconfig_provider._fetch.failures import RequestFailed
from appconfig_provider.cli.store import RemoteStore

SECONDS = float(os.environ.get("SOAK_SECONDS", "60"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
READERS = 8
SETTINGS = 1_000
GROWTH = 200_000
"""Bytes by which the memory may differ between a third of the time and its end."""

TEXTS = [f"text/{number:04}" for number in range(SETTINGS)]
DOCUMENTS = [f"document/{number}" for number in range(10)]
FAULTS: tuple[dict[str, object], ...] = (
    {"status": 503, "times": 4},
    {"status": 429, "retry_after": 1},
    {"status": 403},
    {"delay": 0.4},
    {"drip": 0.01, "times": 3},
    {"cut_after": 200, "times": 3},
    {"lag": True},
    {"down": 1.5},
)

Setting = dict[str, str]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a minute of stress showed."""

    errors: Sequence[BaseException]
    published: int
    memory: tuple[int, int]
    """Bytes held after a third of the time, and at its end."""


@pytest.mark.heavy
def test_a_minute_of_everything_at_once(tmp_path: Path) -> None:
    """No reader ever sees an exception, memory stays flat, and the end is what the store holds."""
    with emulator(tmp_path / "seed.json") as endpoints, tracing():
        reported: list[int] = []
        with load(
            connection_string=endpoints[0],
            replicas=endpoints[1:],
            refresh_on=["sentinel"],
            polling=Polling.auto(interval=1),
            connect_timeout=1,
            read_timeout=1,
        ) as config:
            config.subscribe(lambda: reported.append(config.snapshot.version))
            seen = stress(config, endpoints)
            with load(connection_string=endpoints[0]) as fresh:
                expected = dict(fresh.snapshot)
            late = time.monotonic() + 60
            while dict(config.snapshot) != expected and time.monotonic() < late:
                time.sleep(0.1)
            story = f"SOAK_SEED={SEED}: {len(reported)} generations, {config.status}, {seen}"
            print(story)
            assert seen.errors == [], story
            assert dict(config.snapshot) == expected, story
            assert reported == list(range(2, config.status.generation + 1)), story
            assert min(seen.published, len(reported)) >= SECONDS / 6, story
            assert seen.memory[1] - seen.memory[0] < GROWTH, story
    assert not [one for one in threading.enumerate() if one.name == "appconfig-provider"]


def stress(config: AzureAppConfigurationProvider, endpoints: Sequence[str]) -> Seen:
    """Read, publish and break things until the time is over."""
    chance = random.Random(SEED)
    end = time.monotonic() + SECONDS
    with RemoteStore(endpoints[0]) as store:
        work = Workers(lambda: time.monotonic() > end)
        for _ in range(READERS):
            work.add(Reader(config).read)
        publisher = Publisher(store, chance)
        work.add(publisher.publish)
        work.add(Saboteur(urls(endpoints), random.Random(SEED + 1)).trouble)
        try:
            memory = least_memory(end - 2 * SECONDS / 3), least_memory(end)
        finally:
            work.join()
    return Seen(work.errors, publisher.published, memory)


class Workers:
    """Threads that do something again and again until it is time."""

    def __init__(self, over: Callable[[], bool]) -> None:
        self._over = over
        self._threads: list[threading.Thread] = []
        self.errors: list[BaseException] = []

    def add(self, work: Callable[[], object]) -> None:
        """Start a thread."""

        def labour() -> None:
            try:
                while not self._over():
                    work()
            except BaseException as error:
                self.errors.append(error)

        self._threads.append(threading.Thread(target=labour))
        self._threads[-1].start()

    def join(self) -> None:
        """Wait for all of them."""
        for thread in self._threads:
            thread.join()


class Reader:
    """Reads in all the ways there are."""

    def __init__(self, config: AzureAppConfigurationProvider) -> None:
        self._config = config
        self._version = 0

    def read(self) -> None:
        """Read for a moment; raise when anything is not as promised."""
        config, snapshot = self._config, self._config.snapshot
        if snapshot.version < self._version:
            raise AssertionError(f"version {snapshot.version} came after {self._version}")
        self._version = snapshot.version
        for key in TEXTS[::50]:
            if not (str(config[key]).isdigit() and str(config.get(key)).isdigit()):
                raise AssertionError(f"{key} is not what anybody wrote")
        for key in DOCUMENTS:
            match config[key]:
                case {"number": number, "list": [first]} if first == number:
                    pass
                case other:
                    raise AssertionError(f"{key} is torn: {other}")
        if len(dict(snapshot)) != len(snapshot) or "sentinel" not in config:
            raise AssertionError("a key is lost")
        for _ in config.items():
            pass
        config.refresh()
        config.status.healthy(60)
        time.sleep(0.005)


class Publisher:
    """Writes some settings, then the sentinel, as often as it takes."""

    def __init__(self, store: RemoteStore, chance: random.Random) -> None:
        self._store = store
        self._chance = chance
        self.published = 0

    def publish(self) -> None:
        """Publish once, and rest for a while."""
        number = self.published + 1
        for key in self._chance.sample(TEXTS, 3):
            self._put(key, str(number))
        document = json.dumps({"number": number, "list": [number]})
        self._put(self._chance.choice(DOCUMENTS), document)
        self._put("sentinel", str(number))
        self.published = number
        time.sleep(self._chance.uniform(0.2, 1.5))

    def _put(self, key: str, value: str) -> None:
        for _ in range(1_000):
            with suppress(RequestFailed):
                self._store.put(key, None, value)
                return
            time.sleep(0.05)
        raise AssertionError("the store takes nothing any more")


class Saboteur:
    """Makes the endpoints fail, now one, now the other."""

    def __init__(self, endpoints: Sequence[str], chance: random.Random) -> None:
        self._endpoints = endpoints
        self._chance = chance

    def trouble(self) -> None:
        """Let an endpoint fail for a while, and leave both in peace for a while."""
        number = self._chance.randrange(len(self._endpoints))
        fault = self._chance.choice(FAULTS)
        self._control(number, "PUT", fault)
        time.sleep(self._chance.uniform(0.3, 2.0))
        self._control(number, "DELETE", None)
        time.sleep(self._chance.uniform(0.0, 1.0))

    def _control(self, number: int, method: str, fault: object) -> None:
        # Whichever endpoint answers: one of them may be down.
        for endpoint in (*self._endpoints, *self._endpoints):
            with suppress(httpx.HTTPError):
                url = f"{endpoint}/_control/{number}"
                httpx.request(method, url, json=fault, timeout=5).raise_for_status()
                return
        raise AssertionError("no endpoint could be asked for a fault")


@contextmanager
def tracing() -> Iterator[None]:
    """Count the memory that is taken from now on."""
    # The first failure imports it, which is no leak.
    importlib.import_module("azure.core.exceptions")
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


def least_memory(until: float) -> int:
    """Return the least memory that was held in the three seconds before a moment."""
    time.sleep(max(until - 3 - time.monotonic(), 0))
    least = sys.maxsize
    while time.monotonic() < until:
        gc.collect()
        least = min(least, tracemalloc.get_traced_memory()[0])
        time.sleep(0.2)
    return least


def urls(connection_strings: Sequence[str]) -> list[str]:
    """Return the addresses of endpoints."""
    return [one.partition(";")[0].removeprefix("Endpoint=") for one in connection_strings]


@contextmanager
def emulator(seed: Path) -> Iterator[list[str]]:
    """Run a store with two endpoints as a process of its own; yield their connection strings."""
    content = [{"key": key, "value": "0"} for key in (*TEXTS, "sentinel")]
    document = {"value": '{"number": 0, "list": [0]}', "content_type": "application/json"}
    content += [{"key": key, **document} for key in DOCUMENTS]
    seed.write_text(json.dumps({"items": content}), encoding="utf-8")
    options = ("--port", "0", "--control", "--replicas", "1", "--seed", str(seed))
    process = subprocess.Popen(
        (sys.executable, "-m", "appconfig_provider.emulator", *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            yield [process.stdout.readline().strip() for _ in range(2)]
        finally:
            process.kill()
