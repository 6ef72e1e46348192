"""Fork while a refresh is under way; prints what parent and child see. Run by test_fork.py.

The refresh of the parent is held up inside the store until the child has ended.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import appconfig_provider
import appconfig_provider.aio
from appconfig_provider._io.clock import current_clock
from appconfig_provider._live import polling
from appconfig_provider.testing import Emulator, FakeClock, RequestRecord


def run(answer: Any) -> Any:
    """Finish what a provider returned: await it, where it is to be awaited."""
    return asyncio.run(answer) if asyncio.iscoroutine(answer) else answer


def hold_first(store: Emulator) -> tuple[threading.Event, threading.Event]:
    """Hold up the next request and no other; return "it came" and "let it go"."""
    came, go = threading.Event(), threading.Event()

    def hold(_record: RequestRecord) -> None:
        if not came.is_set():
            came.set()
            go.wait(20)

    store.before_answer(hold)
    return came, go


def fork_from_c() -> int:
    """Fork as uWSGI does by default: with the interpreter's lock held, and without its hooks.

    Other threads have to be at rest: were one waiting for that lock, the child would hand it over,
    and wait for ever for a thread that it does not have.
    """
    time.sleep(0.3)
    child: int = ctypes.PyDLL(None).fork()
    return child


FORKS = {"os.fork": os.fork, "C": fork_from_c}


def in_child(work: Callable[[], dict[str, object]]) -> object:
    """Fork, do the work in the child, and return what it found."""
    reading, writing = os.pipe()
    child = FORKS[sys.argv[2]]()
    if child == 0:
        try:
            os.write(writing, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        found = pipe.read()
    os.waitpid(child, 0)
    return json.loads(found)


def main(flavour: str) -> None:
    clock = FakeClock()
    current_clock.set(clock)
    with Emulator(clock=clock) as store:
        store.set_many({"k": "v1", "sentinel": "1", "other": "1"})
        load = {"sync": appconfig_provider.load, "async": appconfig_provider.aio.load}[flavour]
        config: Any = run(
            load(connection_string=store.connection_string, refresh_on=["sentinel", "other"])
        )
        came, go = hold_first(store)
        store.set("k", "v2")
        store.set("sentinel", "2")
        clock.advance(30)
        answers: list[bool] = []
        refreshing = threading.Thread(target=lambda: answers.append(run(config.refresh())))
        refreshing.start()
        came.wait(20)

        def work() -> dict[str, object]:
            begun: object = config["k"]
            early = run(config.refresh())
            clock.advance(30)
            return {
                "kept": begun,
                "early": early,
                "published": run(config.refresh()),
                "now": config["k"],
                "again": run(config.refresh(force=True)),
            }

        child = in_child(work)
        go.set()
        refreshing.join(20)
        print(json.dumps({"child": child, "parent": [*answers, config["k"]]}))


def main_polled() -> None:
    """Fork while the parent's poller asks; both are to follow the store by themselves."""
    clock = FakeClock()
    current_clock.set(clock)
    with Emulator(clock=clock) as store:
        store.set_many({"k": "v1", "sentinel": "1"})
        config = appconfig_provider.load(
            connection_string=store.connection_string,
            refresh_on=["sentinel"],
            polling=appconfig_provider.Polling.auto(),
        )
        came, go = hold_first(store)
        store.set("k", "v2")
        store.set("sentinel", "2")
        clock.advance(40)
        came.wait(20)

        def follow() -> dict[str, object]:
            begun: object = config["k"]
            config.status  # noqa: B018 - a child forked from C notices when something is called
            clock.advance(40)
            end = time.monotonic() + 20
            while config["k"] == "v1" and time.monotonic() < end:
                time.sleep(0.002)
            return {"kept": begun, "now": config["k"]}

        child = in_child(follow)
        before = config["k"]
        go.set()
        end = time.monotonic() + 20
        while config["k"] == "v1" and time.monotonic() < end:
            time.sleep(0.002)
        config.close()
        print(json.dumps({"child": child, "parent": [before, config["k"]]}))


async def read_on(config: Any) -> object:
    """Read, wait for the task that this may have started, and return what is read then."""
    config["k"]
    for task in asyncio.all_tasks():
        if task.get_name() == polling.NAME:
            await task
    now: object = config["k"]
    return now


def main_lazy(flavour: str) -> None:
    """Fork while a reader of the parent has the flag; both are to follow the store by reading."""
    clock = FakeClock()
    current_clock.set(clock)
    with Emulator(clock=clock) as store:
        store.set_many({"k": "v1", "sentinel": "1"})
        load = {"lazy": appconfig_provider.load, "lazy async": appconfig_provider.aio.load}[flavour]
        config: Any = run(
            load(
                connection_string=store.connection_string,
                refresh_on=["sentinel"],
                polling=appconfig_provider.Polling.lazy(30),
            )
        )
        came, go = hold_first(store)
        store.set("k", "v2")
        store.set("sentinel", "2")
        clock.advance(30)
        answers: list[object] = []
        reading = threading.Thread(target=lambda: answers.append(run(read_on(config))))
        reading.start()
        came.wait(20)

        def follow() -> dict[str, object]:
            begun: object = config["k"]
            clock.advance(30)
            return {"kept": begun, "now": run(read_on(config))}

        child = in_child(follow)
        before = config["k"]
        go.set()
        reading.join(20)
        run(config.close())
        print(json.dumps({"child": child, "parent": [before, *answers]}))


if __name__ == "__main__":
    if sys.argv[1] == "polled":
        main_polled()
    elif sys.argv[1].startswith("lazy"):
        main_lazy(sys.argv[1])
    else:
        main(sys.argv[1])
