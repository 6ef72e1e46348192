"""How uWSGI is asked to call us in its workers; tests/prefork does it with the real one."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest

import appconfig_provider
from appconfig_provider import Polling
from appconfig_provider._live import process
from appconfig_provider.configcat import ConfigCatClient, ConfigCatOptions
from appconfig_provider.testing import ConfigCatEmulator, Emulator, FakeClock
from tests.support.adapter import polling_threads


@pytest.fixture
def uwsgi(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give the module that a server of uWSGI puts there, in a worker that runs threads."""
    module: Any = types.ModuleType("uwsgi")
    module.opt = {"enable-threads": True}
    module.masterpid = lambda: 1
    monkeypatch.setitem(sys.modules, "uwsgi", module)
    return module


def keep_two() -> list[str]:
    """Ask uWSGI for two configurations; return what its hook will tell."""
    calls: list[str] = []

    class One:
        def _begin_here(self) -> None:
            calls.append("begun")

    ones = One(), One()
    for one in ones:
        process.keep_after_fork(one)
    holder.append(ones)
    return calls


holder: list[object] = []
"""What must not be collected meanwhile."""


def test_a_hook_that_was_there_is_called_too(uwsgi: Any) -> None:
    """UWSGI has room for one hook; ours calls the one before, and is put there once."""
    called: list[str] = []
    uwsgi.post_fork_hook = lambda: called.append("theirs")
    calls = keep_two()
    uwsgi.post_fork_hook()
    assert calls == ["begun", "begun"]
    assert called == ["theirs"]


def test_the_chain_of_uwsgidecorators_is_joined(
    uwsgi: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where `@postfork` is in use, we are one of its functions, once."""
    decorators: Any = types.ModuleType("uwsgidecorators")
    chain: list[Callable[[], object]] = []
    decorators.postfork_chain = chain
    decorators.postfork_chain_hook = uwsgi.post_fork_hook = lambda: [one() for one in chain]
    monkeypatch.setitem(sys.modules, "uwsgidecorators", decorators)
    calls = keep_two()
    assert uwsgi.post_fork_hook is decorators.postfork_chain_hook
    uwsgi.post_fork_hook()
    assert calls == ["begun", "begun"]


def test_a_master_has_no_poller(uwsgi: Any, store: Emulator, clock: FakeClock) -> None:
    """A process that only forks workers asks nothing in the background."""
    store.set("sentinel", "1")
    uwsgi.masterpid = os.getpid
    keywords: Any = {"connection_string": store.connection_string, "refresh_on": ["sentinel"]}
    others = polling_threads()
    with appconfig_provider.load(**keywords, polling=Polling.auto()) as config:
        assert polling_threads() == others
        clock.advance(30)
        store.clear_requests()
        assert not config.refresh()
        assert store.requests == [], "its workers' pollers are waited for"


def test_a_client_reads_in_a_master(uwsgi: Any, clock: FakeClock) -> None:
    """The first read of ConfigCat's client downloads there, and no poller is started."""
    uwsgi.masterpid = os.getpid
    others = polling_threads()
    with ConfigCatEmulator() as cdn:
        cdn.set("flag", value=True)
        options = ConfigCatOptions(base_url=cdn.base_url)
        with ConfigCatClient.of(cdn.sdk_key, options) as client:
            assert client.get_value("flag", None) is True
            assert polling_threads() == others


def test_without_threads_a_call_does_the_work(
    uwsgi: Any, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning says what to do; a poller could not get on between requests."""
    store.set("sentinel", "1")
    uwsgi.opt = {"master": True}
    keywords: Any = {"connection_string": store.connection_string, "refresh_on": ["sentinel"]}
    with appconfig_provider.load(**keywords, polling=Polling.auto()) as config:
        store.set_many({"k": "new", "sentinel": "2"})
        clock.advance(30)
        assert config.refresh(), "no poller is waited for"
        assert config["k"] == "new"
    assert caplog.text.count("--enable-threads") == 1
