"""What ConfigCat's SDK 10.0.1 was seen to do wrong when it ran; these clients do not."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
import time
import warnings
from typing import Any

import pytest

from appconfig_provider import configcat
from appconfig_provider.configcat import (
    ConfigCatOptions,
    Hooks,
    OverrideBehaviour,
    PollingMode,
    User,
    aio,
)
from appconfig_provider.configcat.localfiledatasource import LocalFileFlagOverrides
from appconfig_provider.testing import ConfigCatEmulator, FakeClock
from tests.support.configcat_clients import KEY, Make, answer, threaded
from tests.support.waiting import eventually

AUTO, LAZY, MANUAL = PollingMode.auto_poll(), PollingMode.lazy_load(), PollingMode.manual_poll()


class Gate:
    """Holds the answers of a server back."""

    def __init__(self, cdn: ConfigCatEmulator) -> None:
        self.open = threading.Event()
        self.asked = threading.Event()
        cdn.before_answer(self._wait)

    def _wait(self, _: object) -> None:
        self.asked.set()
        self.open.wait(20)


def asked(cdn: ConfigCatEmulator) -> int:
    return len(cdn.requests)


@pytest.mark.parametrize("status", [500, 404, 403])
def test_1_force_refresh_tells_of_a_failure(
    cdn: ConfigCatEmulator, make: Make, status: int
) -> None:
    """Its result has an error after a bad status and without a network, and none after a good."""
    client = make(cdn, polling_mode=MANUAL)
    assert client.refresh() == (True, None)
    cdn.fail(status)
    result = client.refresh()
    assert (result.is_success, str(status) in result.error) == (False, True)
    cdn.up()
    cdn.down()
    result = client.refresh()
    assert (result.is_success, bool(result.error)) == (False, True)
    cdn.up()
    assert client.refresh() == (True, None)
    assert client.value("flag") is True


def test_1_force_refresh_does_not_take_another_check_for_a_download(
    cdn: ConfigCatEmulator,
) -> None:
    """After it has waited for a refresh that only read local settings it asks the server itself."""
    begun, finish = threading.Event(), threading.Event()

    class Source:
        def get_behaviour(self) -> OverrideBehaviour:
            return OverrideBehaviour.LocalOverRemote

        def get_overrides(self) -> dict[str, Any]:
            begun.set()
            finish.wait(20)
            return {"f": {}}

    with FakeClock(), threaded() as make:
        client = make(cdn, polling_mode=MANUAL, flag_overrides=Source())
        reader = client.begin("get_value", "flag", "none")
        assert begun.wait(20)
        forced = client.begin("force_refresh")
        time.sleep(0.05)
        finish.set()
        assert answer(reader) in {"none", True}
        assert answer(forced) == (True, None)
        assert asked(cdn) == 1
        assert client.value("flag") is True


def test_2_not_found_is_error_1100(
    cdn: ConfigCatEmulator, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """404 is reported as 1100, once for both files, and rests for an interval."""
    cdn.unload()
    client = make(cdn, polling_mode=LAZY)
    assert client.value("flag", "none") == "none"
    ids = [getattr(record, "event_id", None) for record in caplog.records]
    assert ids.count(1100) == 1
    before = asked(cdn)
    for _ in range(10):
        client.value("flag")
    assert asked(cdn) == before


def test_3_a_failing_server_gets_no_request_per_read(
    cdn: ConfigCatEmulator, clock: FakeClock, make: Make
) -> None:
    """Lazy reads that find nothing ask once, and then only when the back-off has passed."""
    cdn.fail(500)
    client = make(cdn, polling_mode=LAZY)
    for _ in range(10):
        assert client.value("flag", "none") == "none"
    first = asked(cdn)
    assert 1 <= first <= 3
    cdn.up()
    clock.advance(600)
    assert client.value("flag") is True


def test_4_offline_does_not_wait_for_a_request(cdn: ConfigCatEmulator, make: Make) -> None:
    """set_offline() returns at once while a download is on its way, and so does set_online()."""
    gate = Gate(cdn)
    client = make(cdn, polling_mode=AUTO)
    first = client.begin("wait_for_ready", 3600.0)
    assert gate.asked.wait(20)
    client.call("set_offline")
    assert client.call("is_offline") is True
    gate.open.set()
    answer(first)
    assert client.refresh().is_success is False
    client.call("set_online")
    assert client.refresh().is_success is True


def test_5_hooks_may_call_the_client(cdn: ConfigCatEmulator, make: Make) -> None:
    """In every hook reads answer at once, force_refresh returns, and close ends the client."""
    seen: list[Any] = []
    holder: list[Any] = []

    async def changed_async(_settings: object) -> None:
        client = holder[0]
        seen.extend([await client.get_value("flag", None), (await client.force_refresh())[0]])
        await client.close()

    def changed(_settings: object) -> None:
        client = holder[0]
        seen.extend([client.get_value("flag", None), client.force_refresh()[0]])
        client.close()

    hooks = Hooks()
    client = make(cdn, polling_mode=MANUAL, hooks=hooks)
    holder.append(client.client)
    hooks.add_on_config_changed(changed_async if client.awaits else changed)
    assert answer(client.begin("force_refresh")).is_success is True
    assert seen == [True, True]
    assert client.value("flag") is True
    assert client.refresh().is_success is False


def test_5_a_read_in_a_hook_of_the_first_download_does_not_wait(
    cdn: ConfigCatEmulator, clock: FakeClock, make: Make
) -> None:
    """With auto polling neither the hook nor another reader waits out the longest time."""
    begun, finish, seen = threading.Event(), threading.Event(), []
    hooks = Hooks()
    gate = Gate(cdn)
    client = make(cdn, polling_mode=AUTO, hooks=hooks)

    def changed(_settings: object) -> None:
        if not client.awaits:
            seen.append(client.client.get_value("flag", None))
            begun.set()
            finish.wait(20)

    async def changed_async(_settings: object) -> None:
        seen.append(await client.client.get_value("flag", None))
        begun.set()
        while not finish.is_set():  # noqa: ASYNC110 - a thread sets it
            await asyncio.sleep(0.001)

    hooks.add_on_config_changed(changed_async if client.awaits else changed)
    reader = client.begin("get_value", "flag", None)
    assert gate.asked.wait(20)
    gate.open.set()
    assert begun.wait(20)
    assert answer(reader) is True
    assert client.value("flag") is True
    finish.set()
    assert seen == [True]
    assert client.refresh().is_success is True  # the hook has ended before the loop does


def test_5_local_settings_may_ask_the_client_that_loads_them(cdn: ConfigCatEmulator) -> None:
    """A function that the first download calls gets the default at once, instead of waiting."""
    seen: list[Any] = []

    class Source:
        def get_behaviour(self) -> OverrideBehaviour:
            return OverrideBehaviour.LocalOverRemote

        def get_overrides(self) -> dict[str, Any]:
            eventually(lambda: holder)
            seen.append(holder[0].client.get_value("flag", "none"))
            return {"f": {"own": {"t": 0, "v": {"b": True}}}}

    holder: list[Any] = []
    with FakeClock(), threaded() as make:
        holder.append(make(cdn, polling_mode=AUTO, flag_overrides=Source()))
        assert holder[0].value("own") is True
        assert seen[:1] == ["none"]


def test_6_close_can_be_repeated_whatever_the_state(cdn: ConfigCatEmulator, make: Make) -> None:
    """A client that was made offline can be closed, and any client twice."""
    for mode in (AUTO, LAZY, MANUAL):
        client = make(cdn, polling_mode=mode, offline=True)
        client.call("close")
        client.call("close")
        client.call("stop")
    assert asked(cdn) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("mode", [AUTO, LAZY], ids=["auto", "lazy"])
def test_7_a_child_goes_on_polling(cdn: ConfigCatEmulator, mode: PollingMode) -> None:
    """After a fork the child sees the next change by itself."""
    with FakeClock() as clock, threaded() as make:
        client = make(cdn, polling_mode=mode)
        assert client.value("flag") is True
        cdn.set("flag", value=False)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                assert client.value("flag") is True
                for _ in range(200):
                    clock.advance(10)
                    time.sleep(0.01)
                    if client.client.get_value("flag", None) is False:
                        status = 0
                        break
            finally:
                os._exit(status)
        assert os.waitpid(pid, 0)[1] == 0


def test_9_the_first_request_knows_no_etag(cdn: ConfigCatEmulator, make: Make) -> None:
    """It has no If-None-Match; the second one has the tag as it came."""
    client = make(cdn, polling_mode=MANUAL)
    client.refresh()
    client.refresh()
    first, second = (dict(request.headers) for request in cdn.requests)
    assert "if-none-match" not in {name.lower() for name in first}
    assert "if-none-match" in {name.lower() for name in second}


def config_with(rule: dict[str, Any]) -> dict[str, Any]:
    served = {"c": [rule], "s": {"v": {"s": "matched"}, "i": "m"}}
    return {
        "p": {"s": "salt"},
        "f": {
            "flag": {"t": 1, "v": {"s": "default"}, "i": "d", "r": [served]},
            "other": {"t": 0, "v": {"b": True}, "i": "o"},
        },
    }


@pytest.mark.parametrize(
    ("condition", "value", "error"),
    [
        ({"u": {"a": "Age", "c": 10, "d": 5}}, "default", None),
        ({"u": {"a": "Age", "c": 99, "d": 5}}, "fallback", 2001),
        ({"s": {"s": 7, "c": 0}}, "fallback", 2001),
    ],
    ids=["10: a list compared with a number", "10: an unknown comparator", "11: a bad segment"],
)
def test_10_11_a_bad_part_harms_nothing_else(
    cdn: ConfigCatEmulator,
    make: Make,
    caplog: pytest.LogCaptureFixture,
    condition: dict[str, Any],
    value: str,
    error: int | None,
) -> None:
    """A wrong attribute skips the rule, a broken rule fails its setting, and others stay good."""
    cdn.load({"config_v6.json": config_with(condition)})
    client = make(cdn, polling_mode=MANUAL)
    assert client.refresh().is_success is True
    user = User("1", custom={"Age": ["5"]})
    assert client.call("get_value", "flag", "fallback", user) == value
    assert client.call("get_value", "other", False, user) is True
    errors = [r.event_id for r in caplog.records if r.levelno >= logging.ERROR]  # type: ignore[attr-defined]
    assert errors == ([] if error is None else [error])


def test_10_a_v5_file_of_overrides_is_read(tmp_path: Any, make: Make) -> None:
    """Local settings may have the older form."""
    file = tmp_path / "local.json"
    file.write_text('{"f": {"flag": {"v": "five", "t": 1, "p": [], "r": []}}}')
    overrides = LocalFileFlagOverrides(str(file), OverrideBehaviour.LocalOnly)
    assert make(None, flag_overrides=overrides).value("flag", "none") == "five"


def test_12_hooks_that_raise_are_logged_without_their_text(
    cdn: ConfigCatEmulator, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception of a hook is told by type and place, on the logger `configcat` alone."""
    handlers = list(logging.getLogger().handlers)

    def broken(*_: object) -> None:
        raise RuntimeError("with a secret")

    hooks = Hooks(broken, broken, broken, broken)
    client = make(cdn, polling_mode=MANUAL, hooks=hooks)
    assert client.refresh().is_success is True
    assert client.value("flag") is True
    assert client.value("unknown", "none") == "none"
    assert logging.getLogger().handlers == handlers
    assert {record.name for record in caplog.records} == {"configcat"}
    told = [r.getMessage() for r in caplog.records if "broken" in r.getMessage()]
    assert len(told) >= 4
    assert all("RuntimeError" in one and "secret" not in one for one in told)


def test_13_a_closed_client_answers_from_memory_and_sends_nothing(
    cdn: ConfigCatEmulator, clock: FakeClock, make: Make
) -> None:
    """After close() the values stay readable, and force_refresh() fails with a text."""
    client = make(cdn, polling_mode=LAZY)
    assert client.value("flag") is True
    client.call("close")
    before = asked(cdn)
    clock.advance(600)
    assert client.value("flag") is True
    assert client.call("get_all_keys") == ["flag"]
    result = client.refresh()
    assert (result.is_success, result.error) == (
        False,
        "the client was closed, so no request was sent",
    )
    assert asked(cdn) == before


def test_14_a_lazy_read_leaves_the_loop_to_others(cdn: ConfigCatEmulator) -> None:
    """While a coroutine waits for a download, other tasks run."""
    gate = Gate(cdn)
    ticks: list[int] = []

    async def tick() -> None:
        while not gate.asked.is_set():  # noqa: ASYNC110 - a thread sets it
            await asyncio.sleep(0.001)
        for number in range(10):
            ticks.append(number)
            await asyncio.sleep(0)
        gate.open.set()

    async def main() -> object:
        options = ConfigCatOptions(base_url=cdn.base_url, polling_mode=LAZY)
        async with aio.ConfigCatClient(KEY, options) as client:
            ticking = asyncio.create_task(tick())
            value = await client.get_value("flag", None)
            await ticking
            return value

    assert asyncio.run(main()) is True
    assert ticks == list(range(10))


def test_15_no_key_and_no_user_in_logs(
    cdn: ConfigCatEmulator, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """With log_user=False no attribute is logged; the SDK key never is, nor shown by a repr."""
    caplog.set_level(logging.DEBUG)
    cdn.load({"config_v6.json": config_with({"u": {"a": "Email", "c": 2, "l": ["@e"]}})})
    make(cdn, polling_mode=MANUAL, log_user=False)
    client = make(cdn, polling_mode=MANUAL, log_user=False)  # warns: the key is used twice
    client.refresh()
    user = User("some-id", "someone@example.com")
    assert client.call("get_value", "flag", None, user) == "matched"
    cdn.fail(500)
    error = client.refresh().error
    ours = [one for one in caplog.records if not one.name.startswith("uvicorn")]
    texts = [*(record.getMessage() for record in ours), repr(client.client), error]
    assert any("existing client" in text for text in texts)
    assert any("Evaluating" in text for text in texts)
    assert not [one for one in texts if KEY in one or "someone" in one or "some-id" in one]


def test_16_where_no_threads_run_a_late_read_fetches(
    cdn: ConfigCatEmulator, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under uWSGI without threads reads do the poller's work, when it is late by an interval."""
    import sys
    from types import SimpleNamespace

    monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(opt={}))
    with threaded() as make:
        client = make(cdn, polling_mode=PollingMode.auto_poll(60))
        assert client.value("flag") is True
        assert asked(cdn) == 1
        cdn.set("flag", value=False)
        clock.advance(119)
        assert client.value("flag") is True
        clock.advance(2)
        assert client.value("flag") is False
        assert asked(cdn) == 2


@pytest.mark.parametrize("mode", [LAZY, MANUAL], ids=["lazy", "manual"])
def test_17_callers_share_one_download(
    cdn: ConfigCatEmulator, make: Make, mode: PollingMode
) -> None:
    """Twenty callers at once send one request, and all get its answer."""
    gate = Gate(cdn)
    client = make(cdn, polling_mode=mode)
    if mode is LAZY:
        calls = [client.begin("get_value", "flag", None) for _ in range(20)]
    else:
        calls = [client.begin("force_refresh") for _ in range(20)]
    assert gate.asked.wait(20)
    time.sleep(0.05)
    gate.open.set()
    expected = True if mode is LAZY else (True, None)
    assert [answer(call) for call in calls] == [expected] * 20
    assert asked(cdn) <= 2


def test_17_nobody_waits_past_a_limit(cdn: ConfigCatEmulator, clock: FakeClock, make: Make) -> None:
    """A reader of a client that is not ready answers with the default when its time has come."""
    gate = Gate(cdn)
    client = make(cdn, polling_mode=PollingMode.auto_poll(60, 5))
    reader = client.begin("get_value", "flag", "none")
    assert gate.asked.wait(20)
    assert not reader.done()

    def moved() -> bool:
        clock.advance(1)
        return reader.done()

    eventually(moved)
    assert answer(reader) == "none"
    gate.open.set()


def test_nothing_is_left_of_a_client_that_nobody_holds(cdn: ConfigCatEmulator) -> None:
    """A client that was dropped without stop() leaves no thread and no ResourceWarning."""
    before = set(threading.enumerate())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client = configcat.create_client_with_auto_poll(KEY, base_url=cdn.base_url)
        assert client.get_value("flag", None) is True
        del client
        gc.collect()
        eventually(lambda: set(threading.enumerate()) - before == set())
