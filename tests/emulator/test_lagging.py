"""Older states of a store are kept for as long as somebody is answered from them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import closing

import pytest
from starlette.applications import Starlette

from appconfig_provider.emulator import Draft, Server, Store, create_app
from appconfig_provider.emulator.control import Control
from appconfig_provider.emulator.lagging import Memory
from appconfig_provider.emulator.scripting import RequestRecord, Script
from appconfig_provider.testing import Emulator

from .raw import JSON, Raw

READ = RequestRecord(0, "GET", "/kv", {})


def is_open(store: Store) -> bool:
    """Whether a store can be read."""
    try:
        return store.size >= 0
    except RuntimeError:
        return False


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Store]]:
    """The copies that were made of stores."""
    made: list[Store] = []
    copy = Store.copy

    def counted(self: Store) -> Store:
        made.append(copy(self))
        return made[-1]

    monkeypatch.setattr(Store, "copy", counted)
    yield made
    gc.collect()
    assert [store for store in made if is_open(store)] == []


def test_faults_leave_nothing_behind(copies: list[Store]) -> None:
    """After twenty faults at most one older state is left, the last one."""
    with Emulator(replicas=1) as store:
        for endpoint in (store, store.replicas[0]):
            with Raw(endpoint.endpoint) as raw:
                for number in range(10):
                    with endpoint.freeze():
                        store.set("k", number)
                        assert raw.get("/kv").status == 200
                    with endpoint.lag():
                        pass
                    endpoint.remember()
        gc.collect()
        assert len(copies) == 60
        assert sum(is_open(each) for each in copies) <= 2


def test_faults_of_a_process_leave_nothing_behind(copies: list[Store]) -> None:
    """When other faults are set the older state goes; the last one may still be asked for."""
    with (
        closing(Store()) as store,
        closing(Control()) as control,
        Server(control.around(store, create_app)) as server,
        Raw(server.endpoint) as raw,
    ):
        for body in (b'{"stale":true}', b'{"lag":true}', b'{"stale":true}', b"{}"):
            assert raw.send("PUT", "/_control", JSON, body).status == 200
            assert raw.get("/kv").status == 200
        gc.collect()
        assert len(copies) == 3
        assert sum(is_open(each) for each in copies) <= 1


def test_who_is_answered_from_an_older_state_keeps_it(copies: list[Store]) -> None:
    """An answer that is being made from an older state is finished, whatever happens meanwhile."""
    with closing(Store()) as store:
        store.put(Draft("k", value="old"))
        memory = Memory(store, create_app, Script())
        answering: Starlette | None = memory.remember()(READ)
        memory.close()
        gc.collect()
        assert answering is not None
        assert is_open(copies[0])
        del answering
