"""What a client of either kind does: modes, readiness, hooks, users, logs, and its end."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from appconfig_provider import configcat
from appconfig_provider.configcat import (
    ConfigCatClient,
    ConfigCatClientException,
    ConfigCatOptions,
    Hooks,
    LocalDictionaryFlagOverrides,
    LocalFileDataSource,
    OverrideBehaviour,
    PollingMode,
    User,
    aio,
)
from appconfig_provider.testing import ConfigCatEmulator, FakeClock
from tests.support.configcat_clients import KEY, Make, answer, awaited, threaded
from tests.support.waiting import eventually

AUTO, LAZY, MANUAL = PollingMode.auto_poll(), PollingMode.lazy_load(), PollingMode.manual_poll()
MODES = pytest.mark.parametrize("mode", [AUTO, LAZY, MANUAL], ids=["auto", "lazy", "manual"])
RULE = {
    "f": {
        "simple": {"t": 0, "v": {"b": True}, "i": "s"},
        "rule": {
            "t": 1,
            "v": {"s": "nobody"},
            "i": "n",
            "r": [
                {
                    "c": [{"u": {"a": "Email", "c": 2, "l": ["@example.com"]}}],
                    "s": {"v": {"s": "somebody"}, "i": "b"},
                }
            ],
        },
    }
}
JANE = User("1", "jane@example.com")


def event_ids(caplog: pytest.LogCaptureFixture, level: int = logging.WARNING) -> list[int]:
    return [one.event_id for one in caplog.records if one.levelno >= level]  # type: ignore[attr-defined]


# When it downloads ----------------------------------------------------------------------------


def test_auto_polling_follows_by_itself(
    cdn: ConfigCatEmulator, clock: FakeClock, make: Make
) -> None:
    """The first read waits for the download; later changes come without a call."""
    client = make(cdn, polling_mode=AUTO)
    assert client.value("flag") is True
    cdn.set("flag", value=False)
    clock.advance(60 * 1.1)
    snapshot = client.client.snapshot
    eventually(lambda: snapshot().get_value("flag", None) is False)
    assert len(cdn.requests) == 2


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("get_all_keys", ["flag"]),
        ("get_all_values", {"flag": True}),
        ("get_all_variation_ids", []),
    ],
)
def test_every_kind_of_read_waits_for_the_first_download(
    cdn: ConfigCatEmulator, make: Make, method: str, expected: object
) -> None:
    """Reads of everything wait, too."""
    answered = make(cdn, polling_mode=AUTO).call(method)
    assert answered == expected or len(answered) == 1


def test_reads_stop_waiting_when_the_first_download_has_failed(
    cdn: ConfigCatEmulator, make: Make
) -> None:
    """A bad end ends the waiting as well; no clock has to move."""
    cdn.fail(500)
    client = make(cdn, polling_mode=AUTO)
    assert client.value("flag", "none") == "none"
    assert client.value("flag", "none") == "none"


def test_lazy_reads_download_what_has_expired(
    cdn: ConfigCatEmulator, clock: FakeClock, make: Make
) -> None:
    """The read that finds it expired answers with the new value; a failure keeps the old one."""
    client = make(cdn, polling_mode=PollingMode.lazy_load(100))
    assert client.value("flag") is True
    cdn.set("flag", value=False)
    clock.advance(99)
    assert client.value("flag") is True
    clock.advance(1)
    assert client.value("flag") is False
    cdn.fail(500)
    clock.advance(100)
    assert client.value("flag") is False


def test_manual_polling_never_downloads_by_itself(
    cdn: ConfigCatEmulator, clock: FakeClock, make: Make
) -> None:
    """A read sends nothing, however old the config is."""
    client = make(cdn, polling_mode=MANUAL)
    assert client.value("flag", "none") == "none"
    assert cdn.requests == []
    client.refresh()
    clock.advance(1e6)
    assert client.value("flag", "none") is True
    assert len(cdn.requests) == 1


def test_wait_for_ready_tells_whether_there_are_settings(
    cdn: ConfigCatEmulator, make: Make
) -> None:
    """It waits as a read does, and returns False where nothing came."""
    assert make(cdn, polling_mode=AUTO).call("wait_for_ready") is True
    assert make(cdn, polling_mode=LAZY).call("wait_for_ready") is True
    assert make(cdn, polling_mode=MANUAL).call("wait_for_ready") is False
    cdn.fail(500)
    assert make(cdn, polling_mode=AUTO).call("wait_for_ready", 3600.0) is False


def test_wait_for_ready_waits_no_longer_than_it_is_told(
    cdn: ConfigCatEmulator, clock: FakeClock, make: Make
) -> None:
    """Its own limit may be shorter or longer than that of reads, which stays as it is."""
    called: list[int] = []
    finish = threading.Event()
    cdn.before_answer(lambda _: finish.wait(20))
    mode = PollingMode.auto_poll(60, 30)
    client = make(cdn, polling_mode=mode, hooks=Hooks(on_client_ready=lambda: called.append(1)))
    waiting = client.begin("wait_for_ready", 2.0)

    def moved() -> bool:
        clock.advance(0.1)
        return waiting.done()

    eventually(moved)
    assert answer(waiting) is False
    assert clock.monotonic() < 30
    assert called == []
    finish.set()
    assert client.value("flag") is True


@MODES
def test_offline_means_offline(
    cdn: ConfigCatEmulator, clock: FakeClock, make: Make, mode: PollingMode
) -> None:
    """Nothing is sent by reads, timers and force_refresh() until set_online()."""
    client = make(cdn, polling_mode=mode, offline=True)
    assert client.call("is_offline") is True
    assert client.value("flag", "none") == "none"
    clock.advance(600)
    assert client.value("flag", "none") == "none"
    assert client.refresh().is_success is False
    assert cdn.requests == []
    client.call("set_online")
    assert client.call("is_offline") is False
    assert client.refresh().is_success is True
    assert client.value("flag", "none") is True


def test_local_settings_only_send_nothing(
    make: Make, caplog: pytest.LogCaptureFixture, clock: FakeClock
) -> None:
    """With LocalOnly nothing can be refreshed, and set_online() warns as 3202."""
    local = LocalDictionaryFlagOverrides({"flag": "local"}, OverrideBehaviour.LocalOnly)
    client = make(None, flag_overrides=local)
    threads = {one.name for one in threading.enumerate()}
    assert "appconfig-provider" not in threads
    assert client.value("flag") == "local"
    assert client.call("is_offline") is True
    result = client.refresh()
    assert (result.is_success, "LocalOnly" in result.error) == (False, True)
    client.call("set_online")
    client.call("set_offline")
    assert event_ids(caplog)[-1] == 3202


# Hooks ----------------------------------------------------------------------------------------


@MODES
def test_on_client_ready_is_called_once(
    cdn: ConfigCatEmulator, clock: FakeClock, make: Make, mode: PollingMode
) -> None:
    """Once in all modes, whatever happens later."""
    called: list[int] = []
    client = make(cdn, polling_mode=mode, hooks=Hooks(on_client_ready=lambda: called.append(1)))
    client.value("flag")
    client.refresh()
    clock.advance(600)
    client.value("flag")
    eventually(lambda: called == [1])


def test_on_client_ready_is_called_when_the_longest_time_has_passed(
    cdn: ConfigCatEmulator, clock: FakeClock, make: Make
) -> None:
    """Who waited in vain makes the client ready; the end of the download does not repeat it."""
    called: list[int] = []
    finish = threading.Event()
    cdn.before_answer(lambda _: finish.wait(20))
    mode = PollingMode.auto_poll(60, 5)
    client = make(cdn, polling_mode=mode, hooks=Hooks(on_client_ready=lambda: called.append(1)))
    reader = client.begin("get_value", "flag", "none")

    def moved() -> bool:
        clock.advance(1)
        return reader.done()

    eventually(moved)
    assert called == [1]
    finish.set()
    client.refresh()
    assert called == [1]


def test_on_config_changed_gets_the_settings_after_each_change(
    cdn: ConfigCatEmulator, make: Make
) -> None:
    """On the first download and on each change, after the swap; with an argument if it takes one.

    What it gets is its own: to change it changes nothing.
    """
    seen: list[Any] = []

    def with_settings(settings: dict[str, Any]) -> None:
        seen.append((list(settings), client.client.snapshot().get_all_keys()))
        settings.clear()

    hooks = Hooks(on_config_changed=with_settings)
    hooks.add_on_config_changed(lambda: seen.append("none"))
    client = make(cdn, polling_mode=MANUAL, hooks=hooks)
    assert client.call("get_hooks") is hooks
    client.refresh()
    client.refresh()
    cdn.set("other", value="x")
    client.refresh()
    both = ["flag", "other"]
    assert seen == [(["flag"], ["flag"]), "none", (both, both), "none"]


def test_on_flag_evaluated_hears_of_every_evaluation(cdn: ConfigCatEmulator, make: Make) -> None:
    """Good and bad ones, with the details; one that evaluates itself is not told of that."""
    seen: list[Any] = []

    def evaluated(details: Any) -> None:
        seen.append((details.key, details.value, details.is_default_value))
        client.client.snapshot().get_value("flag", None)

    client = make(cdn, polling_mode=MANUAL)
    client.value("flag")
    client.call("get_hooks").add_on_flag_evaluated(evaluated)
    client.refresh()
    client.value("flag")
    client.value("unknown", "none")
    client.call("get_value_details", "flag", None)
    client.call("get_all_values")
    good = ("flag", True, False)
    assert seen == [good, ("unknown", "none", True), good, good]


def test_on_error_gets_texts_without_event_ids(
    cdn: ConfigCatEmulator, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Each error, whoever makes it; but a hook is not told of errors that it makes itself."""
    errors: list[str] = []

    def failed(text: str) -> None:
        errors.append(text)
        client.client.snapshot().get_value("unknown", None)

    client = make(cdn, polling_mode=MANUAL, hooks=Hooks(on_error=failed))
    client.refresh()
    client.value("unknown", "none")
    cdn.fail(500)
    result = client.refresh()
    assert len(errors) == 2
    assert errors[0].startswith("Failed to evaluate setting 'unknown'")
    assert errors[1] == result.error
    assert {1001, 1101} <= set(event_ids(caplog, logging.ERROR))


def test_hooks_of_aio_may_be_coroutine_functions(
    cdn: ConfigCatEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Those for readiness and changes are awaited; threads refuse them in the log."""
    seen: list[str] = []

    async def ready() -> None:
        seen.append("ready")

    async def changed(settings: dict[str, Any]) -> None:
        seen.extend(settings)

    with awaited() as make:
        client = make(cdn, polling_mode=LAZY, hooks=Hooks(ready, changed))
        assert client.value("flag") is True
    assert seen == ["ready", "flag"]
    with threaded() as make:
        client = make(cdn, polling_mode=LAZY, hooks=Hooks(ready, changed))
        assert client.value("flag") is True
    assert seen == ["ready", "flag"]
    told = [one.getMessage() for one in caplog.records if "hook" in one.getMessage()]
    assert ["TypeError" in one for one in told] == [True, True]


def test_a_client_with_hooks_is_kept_until_it_is_stopped(cdn: ConfigCatEmulator) -> None:
    """Its callback is called though nobody holds the client, as on ConfigCat's page."""
    seen: list[Any] = []
    configcat.create_client_with_auto_poll(
        KEY, base_url=cdn.base_url, on_configuration_changed_callback=seen.append
    )
    gc.collect()
    eventually(lambda: len(seen) == 1)
    (client,) = [one for one in gc.get_objects() if type(one) is ConfigCatClient]
    client.stop()
    del client
    gc.collect()
    assert not [one for one in gc.get_objects() if type(one) is ConfigCatClient]


# Values ---------------------------------------------------------------------------------------


def test_reads_agree_with_each_other(cdn: ConfigCatEmulator, make: Make) -> None:
    """Values, details, variation ids and Mappings are those of the same evaluation."""
    cdn.load({"config_v6.json": RULE})
    client = make(cdn, polling_mode=LAZY)
    assert client.call("get_value", "rule", None, JANE) == "somebody"
    details = client.call("get_value_details", "rule", None, JANE)
    assert (details.value, details.variation_id, details.user) == ("somebody", "b", JANE)
    assert details.matched_targeting_rule == RULE["f"]["rule"]["r"][0]  # type: ignore[index]
    assert not details.is_default_value
    assert details.fetch_time.year >= 2024
    assert client.call("get_all_values", JANE) == {"simple": True, "rule": "somebody"}
    assert client.call("get_all_values") == {"simple": True, "rule": "nobody"}
    assert [one.key for one in client.call("get_all_value_details", JANE)] == ["simple", "rule"]
    assert client.call("get_variation_id", "rule", None, JANE) == "b"
    assert client.call("get_variation_id", "unknown", "default") == "default"
    assert client.call("get_all_variation_ids", JANE) == ["s", "b"]
    assert client.call("get_key_and_value", "b") == ("rule", "somebody")
    assert client.call("get_key_and_value", "none") is None
    view = client.call("for_user", JANE)
    assert (dict(view), len(view), view["simple"]) == (
        {"simple": True, "rule": "somebody"},
        2,
        True,
    )
    assert ("rule" in view, "unknown" in view, view.get("unknown")) == (True, False, None)
    with pytest.raises(KeyError):
        view["unknown"]


def test_the_default_user_counts_where_none_is_given(cdn: ConfigCatEmulator, make: Make) -> None:
    """From the options or set later, until it is cleared."""
    cdn.load({"config_v6.json": RULE})
    client = make(cdn, polling_mode=LAZY, default_user=JANE)
    assert client.value("rule") == "somebody"
    assert client.call("get_all_values")["rule"] == "somebody"
    assert client.call("get_value", "rule", None, User("2", "x@other.org")) == "nobody"
    client.call("clear_default_user")
    assert client.value("rule") == "nobody"
    client.call("set_default_user", JANE)
    assert client.value("rule") == "somebody"


def test_a_snapshot_does_not_change(cdn: ConfigCatEmulator, make: Make) -> None:
    """What it answers stays, whatever is published later."""
    client = make(cdn, polling_mode=MANUAL)
    empty = client.call("snapshot")
    client.refresh()
    first = client.call("snapshot")
    cdn.set("flag", value=False)
    client.refresh()
    assert (empty.has_config, first.has_config) == (False, True)
    assert (empty.version, first.version, client.call("snapshot").version) == (0, 1, 2)
    assert first.get_value("flag", None) is True
    assert first.get_all_values() == {"flag": True}
    assert first.for_user(JANE)["flag"] is True
    assert client.value("flag") is False


def test_without_a_config_everything_says_so(
    make: Make, cdn: ConfigCatEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Each read answers with the default or nothing, and logs error 1000."""
    client = make(cdn, polling_mode=MANUAL)
    assert client.value("flag", "none") == "none"
    assert client.call("get_value_details", "flag", 1).is_default_value
    assert client.call("get_all_keys") == []
    assert client.call("get_all_values") == {}
    assert client.call("get_all_value_details") == []
    assert client.call("get_key_and_value", "s") is None
    assert event_ids(caplog) == [1000] * 6


def test_a_default_of_another_type_and_a_wrong_user_are_warned_of(
    cdn: ConfigCatEmulator, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """4002 and 4001; the value is returned all the same."""
    client = make(cdn, polling_mode=MANUAL)
    client.refresh()
    assert client.value("flag", "a text") is True
    assert client.call("get_value", "flag", False, "no user") is True
    assert event_ids(caplog) == [4002, 4001]


def test_records_have_event_ids_and_v5_texts_no_prefix(
    cdn: ConfigCatEmulator, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """The log of an evaluation is one INFO record with event id 5000, on the logger `configcat`."""
    caplog.set_level(logging.INFO, "configcat")
    client = make(cdn, polling_mode=MANUAL)
    client.refresh()
    client.value("flag")
    cdn.load({"config_v6.json": RULE})
    client.refresh()  # learns that the other file is gone, which is error 1100
    client.refresh()
    client.value("simple")
    client.call("set_offline")
    records: list[Any] = caplog.records
    told = [(one.event_id, one.getMessage()) for one in records if one.event_id != 1100]
    assert told == [
        (5000, "Evaluating get_value('flag').\nReturning True"),
        (5000, "[5000] Evaluating 'simple'\n  Returning 'True'."),
        (5200, "[5200] Switched to OFFLINE mode."),
    ]


# One client per key, and its end ----------------------------------------------------------------


def test_get_shares_a_client(cdn: ConfigCatEmulator, caplog: pytest.LogCaptureFixture) -> None:
    """One for each key until it is closed; options of a later call are left aside, with 3000."""
    options = ConfigCatOptions(base_url=cdn.base_url, polling_mode=MANUAL)
    client = configcat.get(KEY, options)
    try:
        assert configcat.get(KEY) is client
        assert event_ids(caplog) == []
        assert configcat.get(KEY, options) is client
        assert event_ids(caplog) == [3000]
        assert KEY not in caplog.text
        assert client.force_refresh().is_success
        assert cdn.requests[-1].path.endswith("config_v6.json")
    finally:
        configcat.close_all()
    again = configcat.get(KEY, options)
    assert again is not client
    configcat.close_all()


def test_clients_of_their_own_warn_of_each_other(
    cdn: ConfigCatEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A second client with the same key warns as 3000; not after the first was stopped."""
    make = configcat.create_client_with_manual_poll
    with make(KEY, base_url=cdn.base_url), make(KEY, base_url=cdn.base_url) as second:
        assert event_ids(caplog) == [3000]
        assert KEY not in caplog.text
        second.force_refresh()
        assert cdn.requests[0].path.endswith("config_v5.json")
    with make(KEY, base_url=cdn.base_url):
        assert event_ids(caplog) == [3000]


def test_a_key_is_required() -> None:
    """Both kinds refuse None, and `get` what does not look like a key; no text shows it."""
    wrong = "this-is-a-wrong-key-and-a-secret"
    for create in (configcat.create_client, aio.create_client, configcat.get, aio.get):
        with pytest.raises(ConfigCatClientException):
            create(None)  # type: ignore[arg-type]
    for get in (configcat.get, aio.get):
        with pytest.raises(ConfigCatClientException) as caught:
            get(wrong)
        assert wrong not in str(caught.value)


def test_the_numbers_of_the_constructor_choose_the_mode(cdn: ConfigCatEmulator) -> None:
    """A poll interval means auto polling, else a time to live means lazy loading, else manual."""

    def agent(**numbers: int) -> str:
        with ConfigCatClient(KEY, base_url=cdn.base_url, **numbers) as client:  # type: ignore[arg-type]
            client.force_refresh()
        return dict(cdn.requests[-1].headers)["user-agent"].split("/")[1][0]

    assert agent() == "a"
    assert agent(poll_interval_seconds=0) == "l"
    assert agent(poll_interval_seconds=0, cache_time_to_live_seconds=0) == "m"


def test_stop_leaves_nothing_behind(cdn: ConfigCatEmulator, make: Make) -> None:
    """No thread of the client is left, and stop() is as good as close()."""
    before = set(threading.enumerate())
    client = make(cdn, polling_mode=AUTO)
    assert client.value("flag") is True
    client.call("stop")
    assert {
        one for one in set(threading.enumerate()) - before if one.name.startswith("app")
    } == set()


def test_a_program_may_end_without_stop(cdn: ConfigCatEmulator) -> None:
    """At exit nothing waits, warns or is printed."""
    program = f"""
from appconfig_provider import configcat
client = configcat.create_client_with_auto_poll({KEY!r}, base_url={cdn.base_url!r},
    on_configuration_changed_callback=lambda: None)
print(client.get_value("flag", None))
"""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (ran.stdout, ran.stderr) == ("True\n", "")


def test_an_aio_client_may_be_made_without_a_loop(cdn: ConfigCatEmulator) -> None:
    """It polls in the loop that reads first, and in the next one after that has ended."""
    import asyncio

    with FakeClock() as clock:
        options = ConfigCatOptions(base_url=cdn.base_url, polling_mode=AUTO)
        client = aio.create_client(KEY, options)
        assert asyncio.run(client.get_value("flag", None)) is True
        cdn.set("flag", value=False)
        clock.advance(130)
        assert asyncio.run(client.get_value("flag", None)) is False
        asyncio.run(client.close())
        assert client.snapshot().get_value("flag", None) is False


def test_who_waits_is_woken_by_close(cdn: ConfigCatEmulator, make: Make) -> None:
    """A reader that waits for the first download answers at once when the client is closed."""
    asked, finish = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        asked.set()
        finish.wait(20)

    cdn.before_answer(hold)
    client = make(cdn, polling_mode=PollingMode.auto_poll(60, 3600))
    reader = client.begin("get_value", "flag", "none")
    assert asked.wait(20)
    closed = client.begin("close")
    assert answer(reader) == "none"
    finish.set()
    answer(closed)


def test_close_ends_a_refresh_before_its_next_request(cdn: ConfigCatEmulator, make: Make) -> None:
    """A client that was closed while a server answers does not ask the one that this one names."""
    asked, finish = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        asked.set()
        finish.wait(20)

    cdn.redirect(cdn.base_url + "/elsewhere", 2)
    cdn.before_answer(hold)
    client = make(cdn, polling_mode=MANUAL)
    refresh = client.begin("force_refresh")
    assert asked.wait(20)
    client.call("close")
    finish.set()
    assert answer(refresh).is_success is False
    assert len(cdn.requests) == 1


@pytest.mark.parametrize("watches", [False, True])
def test_manual_reads_wait_for_nobody(
    cdn: ConfigCatEmulator, clock: FakeClock, make: Make, tmp_path: Path, watches: bool
) -> None:
    """A read beside force_refresh() answers at once, after set_online() and with a file, too."""
    asked, finish = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        asked.set()
        finish.wait(20)

    file = tmp_path / "local.json"
    file.write_text('{"flags": {"other": 1}}')
    local = LocalFileDataSource(str(file), OverrideBehaviour.LocalOverRemote) if watches else None
    client = make(cdn, polling_mode=MANUAL, flag_overrides=local)
    assert client.value("flag", "none") == "none"
    cdn.before_answer(hold)
    refresh = client.begin("force_refresh")
    assert asked.wait(20)
    clock.advance(2)
    client.call("set_offline")
    client.call("set_online")
    read = client.begin("get_value", "flag", "none")
    try:
        assert answer(read) == "none"
    finally:
        finish.set()
    assert answer(refresh).is_success is True
    assert client.value("flag", "none") is True
