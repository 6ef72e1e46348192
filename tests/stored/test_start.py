"""Starting with the copy of an earlier run: when it is served, and when it must not be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from appconfig_provider import FileCache, KeyVaultReferenceError, SettingSelector, StartupTimeout
from appconfig_provider._azure.startup import start as start_plan
from appconfig_provider.caches.envelope import CONFIRMED_AT, confirmation, read_header
from appconfig_provider.errors import HttpResponseError, SnapshotNotFoundError
from appconfig_provider.testing import Emulator, FakeClock, Scripted
from tests.stored.conftest import Start, once, outage
from tests.support.asking import SENTINEL, Life
from tests.support.content import (
    SNAPSHOT_REFERENCE,
    VAULT_TYPE,
    Resolver,
    publish,
    secret_id,
    set_flag,
    without_snapshots,
)
from tests.support.deployment import ENDPOINTS, Deployment, silent, whole

Lines = Callable[..., list[str]]
ALL = {"a": "1", "b": "2", "c": {"d": [1]}, "e": "5", "sentinel": "1"}


def asked(store: Emulator) -> list[tuple[str, bool]]:
    """Return what the store was asked for since the last call: path, and whether by its ETag."""
    found = [
        (record.target.partition("?")[0], "if-none-match" in record.headers)
        for record in store.requests
    ]
    store.clear_requests()
    return found


# The copy is served


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_an_outage_is_survived(
    start: Start, store: Emulator, clock: FakeClock, told: Lines, status: int
) -> None:
    """Without the store a start serves what the last run has kept, and says so once."""
    before = once(start)
    assert before == ALL
    clock.advance(1000)
    told()
    errors: list[Exception] = []
    with outage(store, status), start(on_refresh_error=errors.append) as config:
        snapshot = config.snapshot
        assert (dict(snapshot), snapshot.stale, snapshot.origin) == (ALL, True, "cache")
        assert (snapshot.version, snapshot.consistent) == (1, True)
        loaded = clock.time() - snapshot.loaded_at.timestamp()
        assert loaded == pytest.approx(config.status.age, abs=0.01)
        assert config.status.stale
        assert 1000 <= config.status.age < 1006
        assert config.status.healthy(1010)
        assert not config.status.healthy(900)
        assert config.status.last_error is errors[0]
    (error,) = errors
    assert isinstance(error, StartupTimeout)
    (line,) = [one for one in told() if "no endpoint" not in one]
    assert "the copy in" in line
    assert "1005 s ago" in line


def test_the_store_has_only_so_much_time(start: Start, store: Emulator, clock: FakeClock) -> None:
    """With a copy the store has `wait` seconds; without one it has all of `startup_timeout`."""
    once(start)
    begin = clock.monotonic()
    with outage(store):
        once(start, file={"wait": 3})
        assert clock.monotonic() - begin == pytest.approx(3, abs=0.6)
        once(start, startup_timeout=1)
        assert clock.monotonic() - begin == pytest.approx(4, abs=1.2)
        once(start, startup_timeout=0)
        begin = clock.monotonic()
        with pytest.raises(StartupTimeout, match="startup_timeout=20 s"):
            once(start, cache=None, startup_timeout=20)
        assert clock.monotonic() - begin > 15


def test_the_time_for_one_attempt_is_limited_too(start: Start, store: Emulator) -> None:
    """`startup_timeout=0` is one attempt per endpoint, also with a copy to fall back to."""
    once(start)
    store.clear_requests()
    with outage(store):
        assert once(start, startup_timeout=0, retry_total=0) == ALL
    assert len(store.requests) == 1


def test_a_snapshot_that_is_gone_is_survived(start: Start, store: Emulator) -> None:
    """A reference to a missing snapshot, or a selector of one, leaves the last good settings."""
    store.create_snapshot("one", [("a", None)])
    store.set("r", '{"snapshot_name": "one"}', content_type=SNAPSHOT_REFERENCE)
    selects = [SettingSelector(snapshot_name="one"), SettingSelector(key_filter="r")]
    for chosen in (None, selects):
        good = once(start, selects=chosen)
        errors: list[Exception] = []
        with (
            without_snapshots(store),
            start(selects=chosen, on_refresh_error=errors.append) as config,
        ):
            assert (dict(config.snapshot), config.status.stale) == (good, True)
        assert isinstance(errors[0], SnapshotNotFoundError)


def refuse(snapshot: Any) -> None:
    """Refuse a bad value."""
    if snapshot["a"] == "bad":
        raise ValueError("planted-secret")


def test_refused_content_is_survived_and_remembered(
    start: Start, store: Emulator, clock: FakeClock, told: Lines
) -> None:
    """Content that `validate` refuses leaves the last good one, and is not tried again at once."""
    once(start, validate=refuse)
    publish(store, "new")
    store.set("a", "bad")
    clock.advance(1)
    told()
    errors: list[Exception] = []
    with start(validate=refuse, on_refresh_error=errors.append) as config:
        assert (config.snapshot["a"], config.status.stale) == ("1", True)
        assert [type(one) for one in errors] == [ValueError]
        assert config.status.last_error is errors[0]
        store.clear_requests()
        assert not config.refresh()
        assert store.requests == []  # it was asked just now
        clock.advance(38)
        assert not config.refresh()
        assert len(errors) == 2  # its back-off is over
        asked(store)
        clock.advance(38)
        assert not config.refresh()
        assert len(errors) == 2
        assert asked(store) == [("/kv/sentinel", True)]
        store.set("a", "2")
        store.set("sentinel", "3")
        clock.advance(38)
        assert config.refresh()
        assert (config.snapshot["a"], config.status.stale) == ("2", False)
        assert config.status.last_error is None
    assert not any("planted" in one for one in told())


def test_a_secret_that_cannot_be_read_is_survived(start: Start, store: Emulator) -> None:
    """New content with a secret that cannot be read leaves the last good generation."""
    store.set("pw", f'{{"uri": "{secret_id("old")}"}}', content_type=VAULT_TYPE)
    resolver = Resolver(old="hush")
    once(start, secret_resolver=resolver)
    store.set("pw", f'{{"uri": "{secret_id("new")}"}}', content_type=VAULT_TYPE)
    store.set("sentinel", "2")
    with start(secret_resolver=resolver) as config:
        assert (config.snapshot["pw"], config.status.stale) == ("hush", True)
        assert isinstance(config.status.last_error, KeyVaultReferenceError)


def test_a_copy_passes_mapper_secrets_and_validate(start: Start, store: Emulator) -> None:
    """A copy is made a generation like any other, by the functions of this run."""
    store.set("pw", f'{{"uri": "{secret_id("pw")}"}}', content_type=VAULT_TYPE)
    once(start, secret_resolver=Resolver(pw="hush"), configuration_mapper=lambda _: None)
    seen: list[Any] = []

    def double(setting: Any) -> None:
        if setting.key == "a":
            setting.value *= 2

    with outage(store):
        served = once(
            start,
            secret_resolver=Resolver(pw="later"),
            configuration_mapper=double,
            validate=seen.append,
            trim_prefixes=["sen"],
        )
    assert (served["a"], served["pw"], served["tinel"]) == ("11", "later", "1")
    assert [one.stale for one in seen] == [True]


def test_flags_and_consistency_are_kept(start: Start, store: Emulator) -> None:
    """Feature flags come from the copy too, with the ETags that telemetry shows."""
    set_flag(store, "beta", telemetry={"enabled": True})
    flags = {"feature_flag_enabled": True}
    before = once(start, **flags)
    with outage(store):
        assert once(start, **flags) == before


# The copy is not served


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_revoked_program_does_not_live_on_a_file(
    start: Start, store: Emulator, status: int
) -> None:
    """When every endpoint refuses the program, the copy is not used, good as it may be."""
    once(start)
    with outage(store, status), pytest.raises(HttpResponseError):
        once(start, optional=True)


def test_a_refusal_during_the_outage_counts(start: Start, store: Emulator) -> None:
    """A store that first fails and then refuses has refused."""
    once(start)
    statuses = iter([503, 403])

    def turning(_: object) -> Scripted:
        return Scripted(next(statuses, 403))

    with store.respond(turning), pytest.raises(HttpResponseError):
        once(start, retry_total=0)


def test_a_mistake_of_the_program_is_told(start: Start, store: Emulator) -> None:
    """A wrong argument, a wrong mapper and a broken credential are errors, copy or not."""
    once(start, configuration_mapper=lambda _: None)

    class Broken:
        def get_token(self, *_: object) -> Any:
            raise LookupError("no token")

    store.set("a", "bad")
    store.set("sentinel", "2")
    with pytest.raises(TypeError, match="configuration_mapper"):
        once(start, configuration_mapper=lambda setting: 5 if setting.value == "bad" else None)
    with pytest.raises(ValueError, match="refresh_interval"):
        once(start, refresh_interval=0)


def test_a_copy_that_validate_refuses_is_refused(
    start: Start, store: Emulator, told: Lines
) -> None:
    """What `validate` does not accept is not served from a file either."""
    once(start)
    told()

    def never(_: Any) -> None:
        raise LookupError("planted-secret")

    with outage(store), pytest.raises(StartupTimeout):
        once(start, validate=never)
    (line,) = [one for one in told() if "is not used" in one]
    assert "LookupError" in line
    assert "planted" not in line


def test_a_copy_without_its_secret_is_told_to_be_good(start: Start, store: Emulator) -> None:
    """By default a secret that cannot be read is an error; `omit` serves the rest."""
    store.set("pw", f'{{"uri": "{secret_id("pw")}"}}', content_type=VAULT_TYPE)
    once(start, secret_resolver=Resolver(pw="hush"))
    with outage(store):
        with pytest.raises(KeyVaultReferenceError, match="is good but for this secret") as caught:
            once(start, secret_resolver=Resolver())
        assert "503" in str(caught.value)
        assert once(start, secret_resolver=Resolver(), secret_policy="omit") == ALL


@pytest.mark.parametrize(
    "other",
    [
        {"selects": [SettingSelector(key_filter="a")]},
        {"refresh_on": ["e"]},
        {"refresh_on": (), "refresh_enabled": True},
        {"feature_flag_enabled": True},
        {"configuration_mapper": lambda _: None},
    ],
    ids=["selectors", "watched keys", "watched pages", "flags", "details"],
)
def test_a_copy_of_something_else_is_refused(
    start: Start, store: Emulator, told: Lines, other: dict[str, Any]
) -> None:
    """A copy made with other selectors or watched keys is not used, and is written anew."""
    once(start)
    told()
    with outage(store), pytest.raises(StartupTimeout):
        once(start, startup_timeout=2, **other)
    assert sum("other selectors or watched keys" in one for one in told()) == 1
    once(start, **other)
    with outage(store):
        assert once(start, **other)


def test_a_copy_of_another_store_is_refused(start: Start, store: Emulator) -> None:
    """A copy is used where one endpoint is the same, and nowhere else."""
    once(start)
    with Emulator() as other:
        other.set("a", "other")
        with outage(other), outage(store):
            with pytest.raises(StartupTimeout):
                once(start, connection_string=other.connection_string, startup_timeout=1)
            replicas = [store.connection_string]
            served = once(start, connection_string=other.connection_string, replicas=replicas)
        assert served == ALL


def test_prefixes_and_credentials_make_no_other_copy(start: Start, store: Emulator) -> None:
    """What is done with the settings after they were loaded may change from run to run."""
    once(start)
    with outage(store):
        assert once(start, trim_prefixes=["sent"], headers={"x": "y"})["inel"] == "1"


@pytest.mark.parametrize("content", [b"", b"appconfig_provider cache 9\n", b"\0" * 500], ids=repr)
def test_a_damaged_file_is_no_copy(
    start: Start, store: Emulator, path: Path, told: Lines, content: bytes
) -> None:
    """A file that is no copy is refused with one warning, and written anew after the load."""
    path.write_bytes(content)
    path.chmod(0o600)
    with outage(store), pytest.raises(StartupTimeout):
        once(start, startup_timeout=1)
    assert sum("is not used" in one for one in told()) == 1
    assert once(start) == ALL
    with outage(store):
        assert once(start) == ALL


def test_a_file_of_somebody_else_stays(
    start: Start, store: Emulator, path: Path, told: Lines
) -> None:
    """A path that was named by mistake costs nobody his file; the status says what to do."""
    path.write_text("my only copy", encoding="utf-8")
    path.chmod(0o664)  # its group may write it, so that it would not be trusted anyway
    with start() as config:
        assert isinstance(config.status.cache_error, ValueError)
        assert "remove it, or name another path" in str(config.status.cache_error)
        store.set("sentinel", "2")
        assert config.refresh(force=True)
    assert path.read_text(encoding="utf-8") == "my only copy"
    assert sum("stays as it is" in line for line in told()) == 1


def test_an_old_copy_is_refused(start: Start, store: Emulator, clock: FakeClock) -> None:
    """A copy that was not confirmed for `max_age` seconds is not used."""
    once(start)
    clock.advance(3600)
    with outage(store):
        assert once(start, file={"max_age": 3700}) == ALL
        with pytest.raises(StartupTimeout):
            once(start, file={"max_age": 3500}, startup_timeout=1)


def set_clock_back(path: Path, seconds: float) -> None:
    """Write a confirmation into the file as if a clock had been that much ahead."""
    header = read_header(path.read_bytes()[:200])
    assert header.confirmed is not None
    with path.open("r+b") as file:
        file.seek(CONFIRMED_AT)
        file.write(confirmation(header.digest, header.confirmed + seconds))


def test_a_clock_that_was_set_back_makes_the_age_unknown(
    start: Start, store: Emulator, path: Path, told: Lines
) -> None:
    """A confirmation of tomorrow: refused with `max_age`, else served with a warning."""
    once(start)
    set_clock_back(path, 86_400.0)
    told()
    with outage(store):
        with start() as config:
            assert dict(config.snapshot) == ALL
            assert config.status.age == float("inf")
            assert not config.status.healthy(1e12)
            assert config.status.last_success is None
        assert sum("not known when" in one for one in told()) == 1
        with pytest.raises(StartupTimeout):
            once(start, file={"max_age": 1e6}, startup_timeout=1)


def test_a_clock_a_little_ahead_makes_no_negative_age(
    start: Start, store: Emulator, path: Path
) -> None:
    """A confirmation of the next minutes is one of now: an age is never below zero."""
    once(start)
    set_clock_back(path, 200.0)
    with outage(store), start(startup_timeout=0) as config:
        assert 0 <= config.status.age < 10


def test_a_clock_ten_years_ahead_makes_an_old_copy(
    start: Start, store: Emulator, clock: FakeClock
) -> None:
    """After a clock was set ten years ahead the copy is ten years old."""
    once(start)
    clock.suspend(10 * 365 * 86_400.0)
    with outage(store):
        with start() as config:
            assert config.status.age > 3e8
            assert config.snapshot.loaded_at.year < 2035
        with pytest.raises(StartupTimeout):
            once(start, file={"max_age": 86_400}, startup_timeout=1)


# What is asked


def test_known_pages_are_asked_for_side_by_side(start: Start, store: Emulator) -> None:
    """A start with a copy asks for every page by its ETag, and downloads what has changed."""
    once(start)
    store.set("b", "two")
    asked(store)
    with start() as config:
        assert config.snapshot["b"] == "two"
        assert (config.status.stale, config.snapshot.origin) == (False, "store")
    conditional = [by_etag for _, by_etag in asked(store)]
    assert all(conditional)
    assert len(conditional) == 2 + 3


def test_an_unchanged_store_is_asked_for_no_data(start: Start, store: Emulator, path: Path) -> None:
    """When nothing has changed every answer is 304, and the file is only confirmed."""
    once(start)
    inode = path.stat().st_ino
    store.clear_requests()
    assert once(start) == ALL
    assert {record.status for record in store.requests} == {304}
    assert path.stat().st_ino == inode


def test_sentinels_can_vouch_for_the_pages(start: Start, store: Emulator, clock: FakeClock) -> None:
    """`verify="sentinels"` asks for nothing else, unless one of them moved."""
    file = {"verify": "sentinels"}
    once(start)
    store.set("b", "unseen")
    asked(store)
    assert once(start, file=file)["b"] == "2"
    assert asked(store) == [("/kv/sentinel", True)]
    store.set("sentinel", "2")
    assert once(start, file=file)["b"] == "unseen"
    assert len(asked(store)) > 3


@pytest.mark.parametrize("watching", ["pages", "a missing sentinel"])
def test_pages_are_asked_for_where_no_sentinel_can_vouch(
    start: Start, store: Emulator, watching: str
) -> None:
    """Without a sentinel that is there, `verify="sentinels"` asks for the pages."""
    keywords: dict[str, Any] = {"refresh_on": ["nowhere"]}
    if watching == "pages":
        keywords = {"refresh_on": (), "refresh_enabled": True}
    once(start, **keywords)
    store.set("b", "new")
    assert once(start, file={"verify": "sentinels"}, **keywords)["b"] == "new"


# The copy before the store


def test_first_publishes_at_once(start: Start, store: Emulator, told: Lines) -> None:
    """`first=True` asks nobody; the first refresh asks the store, whatever is watched."""
    once(start)
    store.set("a", "new")
    asked(store)
    told()
    with start(file={"first": True}, refresh_on=["sentinel"]) as config:
        assert (config.snapshot["a"], config.status.stale) == ("1", True)
        assert config.status.requests_sent == 0
        assert (config.status.last_attempt, config.status.last_error) == (None, None)
        assert config.refresh()
        assert (config.snapshot["a"], config.snapshot.version) == ("new", 2)
        assert not config.refresh()
    assert told() == []


def test_first_does_without_a_copy(start: Start, store: Emulator, path: Path) -> None:
    """Where there is no copy, or one that is refused, `first=True` loads as usual."""
    with start(file={"first": True}) as config:
        assert not config.status.stale

    def never(snapshot: Any) -> None:
        if snapshot.stale:
            raise ValueError

    with start(file={"first": True}, validate=never) as config:
        assert not config.status.stale
    path.write_text("damaged")
    with start(file={"first": True}) as config:
        assert not config.status.stale


def test_first_waits_for_no_vault(start: Start, store: Emulator) -> None:
    """A secret that cannot be read sends `first=True` to the store."""
    store.set("pw", f'{{"uri": "{secret_id("old")}"}}', content_type=VAULT_TYPE)
    once(start, secret_resolver=Resolver(old="hush"))
    store.set("pw", f'{{"uri": "{secret_id("new")}"}}', content_type=VAULT_TYPE)
    with start(file={"first": True}, secret_resolver=Resolver(new="hash")) as config:
        assert (config.snapshot["pw"], config.status.stale) == ("hash", False)


# Neither store nor copy


def test_optional_begins_empty(
    start: Start, store: Emulator, clock: FakeClock, told: Lines
) -> None:
    """Without store and copy there is an empty generation, shown to nobody; it heals."""
    shown: list[Any] = []
    changes: list[Any] = []
    errors: list[Exception] = []
    keywords: dict[str, Any] = {
        "cache": None,
        "optional": True,
        "startup_timeout": 1,
        "validate": shown.append,
        "on_refresh_success": changes.append,
        "on_refresh_error": errors.append,
    }
    with outage(store), start(**keywords) as config:
        assert (len(config.snapshot), config.snapshot.version) == (0, 0)
        assert (config.snapshot.origin, config.status.stale) == ("empty", True)
        assert config.status.age == float("inf")
        assert not config.status.healthy(1e9)
        assert shown == []
        assert len(errors) == 1
        assert sum("is empty until" in one for one in told()) == 1
        clock.advance(40)
        assert not config.refresh()
        assert shown == []
    with start(**keywords) as config:
        assert config.snapshot.version == 1
    with outage(store):
        opened = start(**keywords)
        config = opened.__enter__()
    try:
        clock.advance(40)
        assert config.refresh()
        assert (dict(config.snapshot), config.snapshot.version) == (ALL, 1)
        assert sorted(changes[-1].added) == sorted(ALL)
        assert not config.status.stale
    finally:
        opened.__exit__(None, None, None)


def test_an_empty_start_says_later_what_matches_nothing(
    start: Start, store: Emulator, clock: FakeClock, told: Lines
) -> None:
    """What a first load warns about is told once there is a store to say it of."""
    keywords: dict[str, Any] = {
        "cache": None,
        "optional": True,
        "startup_timeout": 0,
        "selects": [SettingSelector(key_filter="nothing*")],
        "refresh_on": ["nowhere"],
    }
    with outage(store):
        opened = start(**keywords)
        config = opened.__enter__()
    lines = told()
    assert not [one for one in lines if "matches" in one or "watched key" in one]
    clock.advance(40)
    assert config.refresh()
    opened.__exit__(None, None, None)
    lines = told()
    assert sum("nothing in the store matches" in one for one in lines) == 1
    assert sum("watched key 'nowhere'" in one for one in lines) == 1


def test_optional_is_about_outages_alone(start: Start, store: Emulator) -> None:
    """What is refused, by the store or by `validate`, is an error, optional or not."""

    def never(_: Any) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        once(start, cache=None, optional=True, validate=never)
    with outage(store, 403), pytest.raises(HttpResponseError):
        once(start, cache=None, optional=True)
    once(start)
    with pytest.raises(LookupError):
        once(start, optional=True, validate=never)


def test_an_empty_generation_is_shown_to_nobody(
    start: Start, store: Emulator, clock: FakeClock
) -> None:
    """While the store holds what `validate` refuses, flags alone make no generation either."""
    shown: list[Any] = []

    def refuse_all(snapshot: Any) -> None:
        shown.append(snapshot)
        raise LookupError

    set_flag(store, "beta")
    keywords: dict[str, Any] = {"optional": True, "startup_timeout": 0, "validate": refuse_all}
    with outage(store):
        opened = start(cache=None, feature_flag_enabled=True, **keywords)
        config = opened.__enter__()
    clock.advance(40)
    assert not config.refresh()
    assert (len(config.snapshot), config.snapshot.version) == (0, 0)
    assert ["a" in one for one in shown] == [True]
    opened.__exit__(None, None, None)


def test_an_outage_leaves_time_to_check_the_copy(path: Path) -> None:
    """A store that uses up all the time of `load()` does not keep `validate` from being called."""
    Deployment(keywords={"cache": FileCache(path)}).start()
    seen: list[Any] = []
    keywords = {"cache": FileCache(path), "startup_timeout": 2, "validate": seen.append}
    after = Deployment(keywords=keywords)
    after.afflict(ENDPOINTS, "", silent)
    assert whole(after.start()) == 1
    assert [one.stale for one in seen] == [True]


def test_displaced_answers_are_not_trusted_with_a_copy(path: Path) -> None:
    """Where answers may have been displaced, the pages of the copy are not used: all are read."""
    keywords = {**SENTINEL, "cache": FileCache(path)}
    Life(keywords)
    life = Life(keywords)
    world = life.world
    world.asked.clear()
    world.displaced = 1
    state = world.run(start_plan(life.context))
    assert not state.snapshot.stale
    assert " ".join(world.asked).count("settings?") == 1
    assert world.asked[-3:-1] == ["settings", "sentinel?"]


def test_a_copy_comes_before_emptiness(start: Start, store: Emulator) -> None:
    """With `optional=True` a copy is served if there is one."""
    once(start)
    with outage(store):
        assert once(start, optional=True) == ALL


def test_a_cache_that_is_not_there_is_no_trouble(
    start: Start, store: Emulator, path: Path, told: Lines
) -> None:
    """The first run finds no file, says nothing, and writes one."""
    assert once(start) == ALL
    assert told() == []
    stored = FileCache(path).read(2e9)
    assert stored is not None
    assert stored.loaded == pytest.approx(
        stored.confirmed, abs=timedelta(seconds=1).total_seconds()
    )


# Replicas that lag


@pytest.mark.parametrize("first", [False, True], ids=["at start", "healing"])
def test_an_endpoint_that_lags_behind_the_copy_loses_no_update(path: Path, first: bool) -> None:
    """Older data are kept with the older sentinel, so that the newer ones are seen as a change."""
    before = Deployment(keywords={"cache": FileCache(path)}, version=2)
    assert whole(before.start()) == 2
    after = Deployment(keywords={"cache": FileCache(path, first=first)}, version=2)
    after.stale = dict.fromkeys(ENDPOINTS, 1)
    state = after.start()
    if first:
        state = after.when_due(state).state
    assert (whole(state), state.snapshot.stale) == (1, False)
    after.stale.clear()
    assert whole(after.when_due(state).state) == 2
