"""Overrides beside a store over real HTTP, with threads and with asyncio."""

from __future__ import annotations

import json
import logging
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appconfig_provider import (
    ChangeSet,
    ConfigurationSetting,
    ConfigurationSnapshot,
    OverrideBehaviour,
    Overrides,
)
from appconfig_provider.testing import Emulator, FakeClock, Vault
from tests.support.adapter import Loader, Opener
from tests.support.content import Resolver, publish, secret_id, set_flag

UNDER = OverrideBehaviour.REMOTE_OVER_LOCAL
FLAGS = "feature_management"


def flags(*names: str, enabled: bool = True) -> dict[str, Any]:
    """Return overrides of some flags."""
    return {FLAGS: {"feature_flags": [{"id": name, "enabled": enabled} for name in names]}}


def switches(snapshot: ConfigurationSnapshot) -> dict[str, bool]:
    """Return the flags of a generation, in their order, and whether each is on."""
    return {flag["id"]: flag["enabled"] for flag in snapshot[FLAGS]["feature_flags"]}


def test_the_override_wins_or_the_store_does(opened: Opener, store: Emulator) -> None:
    """By their behaviour; keys that the other side has not are added."""
    store.set_many({"a": "remote", "b": "remote", "c": "remote"})
    config = opened(
        connection_string=store.connection_string,
        overrides=[
            Overrides.from_dict({"a": "local", "new": {"x": [1]}}),
            Overrides.from_dict({"b": "local", "more": 5}, behaviour=UNDER),
        ],
    )
    assert dict(config.snapshot) == {
        "a": "local",
        "b": "remote",
        "c": "remote",
        "new": {"x": [1]},
        "more": 5,
    }
    assert config.status.last_error is None


def test_a_later_override_wins(opened: Opener, store: Emulator, tmp_path: Path) -> None:
    """A dict over a file, a variable over both."""
    path = tmp_path / "dev.json"
    path.write_text('{"a": "file", "b": "file", "Host": "file"}', encoding="utf-8")
    os.environ["OVERRIDE_TEST_HOST"] = "env"
    try:
        config = opened(
            connection_string=store.connection_string,
            overrides=[
                Overrides.from_file(path),
                Overrides.from_dict({"b": "dict"}),
                Overrides.from_env("OVERRIDE_TEST_"),
            ],
        )
        os.environ["OVERRIDE_TEST_HOST"] = "later"
        assert dict(config.snapshot) == {"a": "file", "b": "dict", "Host": "env"}
    finally:
        del os.environ["OVERRIDE_TEST_HOST"]


def test_a_reference_that_loses_is_not_resolved(opened: Opener, store: Emulator) -> None:
    """The resolver is never called for it, not even when everything is read again."""
    resolver = Resolver(other="secret")
    store.set_secret("pw", secret_id("gone"))
    store.set_secret("other", secret_id("other"))
    config = opened(
        connection_string=store.connection_string,
        secret_resolver=resolver,
        refresh_on=["sentinel"],
        overrides=Overrides.from_dict({"pw": "mine"}),
    )
    publish(store, "2")
    assert config.refresh(force=True)
    assert (config.snapshot["pw"], config.snapshot["other"]) == ("mine", "secret")
    assert set(resolver.asked) == {"other"}


def test_a_vault_gets_no_request_for_a_reference_that_loses(
    load: Loader, store: Emulator, vault: Vault
) -> None:
    """Nobody needs access to the vault, and not even a credential for it."""
    store.set_secret("pw", vault.id("pw"))
    with load(
        connection_string=store.connection_string, overrides=Overrides.from_dict({"pw": "mine"})
    ) as config:
        assert config.snapshot["pw"] == "mine"
        assert config.snapshot.explain("pw").shadows[0].origin == "secret"
    assert not vault.requests


def test_a_reference_that_wins_is_resolved(opened: Opener, store: Emulator) -> None:
    """With REMOTE_OVER_LOCAL the store has the key, so its secret is read."""
    store.set_secret("pw", secret_id("pw"))
    config = opened(
        connection_string=store.connection_string,
        secret_resolver=Resolver(pw="secret"),
        overrides=Overrides.from_dict({"pw": "mine"}, behaviour=UNDER),
    )
    assert config.snapshot["pw"] == "secret"


def test_keys_are_those_that_are_read(opened: Opener, store: Emulator) -> None:
    """Prefixes are trimmed from keys of the store alone."""
    store.set_many({"app/host": "remote", "app/port": "1"})
    config = opened(
        connection_string=store.connection_string,
        trim_prefixes=["app/"],
        overrides=Overrides.from_dict({"host": "local", "app/port": "2"}),
    )
    assert dict(config.snapshot) == {"host": "local", "port": "1", "app/port": "2"}


def test_the_mapper_sees_no_override(opened: Opener, store: Emulator) -> None:
    """It is called for settings of the store, also for one that loses."""
    seen: list[tuple[str, str | None]] = []

    def mapper(setting: ConfigurationSetting) -> None:
        seen.append((setting.key, setting.value))

    store.set_many({"a": "remote", "b": "remote"})
    config = opened(
        connection_string=store.connection_string,
        configuration_mapper=mapper,
        overrides=Overrides.from_dict({"a": "local", "c": "local"}),
    )
    assert sorted(seen) == [("a", "remote"), ("b", "remote")]
    assert dict(config.snapshot) == {"a": "local", "b": "remote", "c": "local"}


def test_validate_sees_what_was_merged(load: Loader, store: Emulator) -> None:
    """It may refuse an override, too."""
    seen: list[dict[str, Any]] = []

    def validate(snapshot: ConfigurationSnapshot) -> None:
        seen.append(dict(snapshot))
        if snapshot["a"] == "bad":
            raise ValueError("refused")

    store.set("a", "remote")
    keywords = {"connection_string": store.connection_string, "validate": validate}
    with load(**keywords, overrides=Overrides.from_dict({"a": "local"})):
        assert seen == [{"a": "local"}]
    with (
        pytest.raises(ValueError, match="refused"),
        load(**keywords, overrides=Overrides.from_dict({"a": "bad"})),
    ):
        pass


def test_explain_tells_what_an_override_won_over(opened: Opener, store: Emulator) -> None:
    """The origin is `override`; the shadows begin with the other overrides, then the store's."""
    store.set("a", "plain")
    config = opened(
        connection_string=store.connection_string,
        overrides=[
            Overrides.from_dict({"a": "weak", "b": "weak"}, behaviour=UNDER),
            Overrides.from_dict({"a": "one"}),
            Overrides.from_dict({"a": "two"}),
        ],
    )
    explained = config.snapshot.explain("a")
    assert (explained.key, explained.label, explained.selector) == ("a", None, None)
    chain = [explained, *explained.shadows]
    assert [one.origin for one in chain] == ["override", "override", "store", "override"]
    assert [one.override for one in chain] == [
        "overrides[2]: a dict",
        "overrides[1]: a dict",
        None,
        "overrides[0]: a dict",
    ]
    assert chain[2].selector is not None
    assert all(one.shadows == () for one in chain[1:])
    assert config.snapshot.explain("b").origin == "override"
    with pytest.raises(KeyError):
        config.snapshot.explain("c")


def test_explain_names_the_file_that_won(
    opened: Opener, store: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a variable wins, and for the flags."""
    path = tmp_path / "dev.json"
    path.write_text(json.dumps({"a": 1, "b": 1, **flags("Beta")}), encoding="utf-8")
    monkeypatch.setenv("OVERRIDE_TEST_A", "env")
    config = opened(
        connection_string=store.connection_string,
        overrides=[Overrides.from_file(path), Overrides.from_env("OVERRIDE_TEST_")],
    )
    file = f"overrides[0]: the override file {str(path)!r}"
    env = "overrides[1]: overrides from the environment"
    named = [config.snapshot.explain(key).override for key in ("a", "b", FLAGS)]
    assert named == [env, file, file]


def test_variables_that_are_not_there_are_told_once(
    opened: Opener, store: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """The prefix may be misspelt: a line names it, at the start."""
    caplog.set_level(logging.INFO, "appconfig_provider")
    config = opened(
        connection_string=store.connection_string,
        overrides=Overrides.from_env("OVERRIDE_TEST_MISSPELT_"),
    )
    config.refresh(force=True)
    told = [one for one in caplog.records if "from_env" in one.getMessage()]
    assert [one.levelname for one in told] == ["INFO"]
    assert "begins with 'OVERRIDE_TEST_MISSPELT_'" in told[0].getMessage()


def test_flags_are_merged_one_by_one(opened: Opener, store: Emulator) -> None:
    """An override replaces the flag of its id where it stands, or is added behind the others."""
    for name in ("One", "Two", "Three"):
        set_flag(store, name, enabled=False)
    config = opened(
        connection_string=store.connection_string,
        feature_flag_enabled=True,
        overrides=[
            Overrides.from_dict(flags("Two", "New")),
            Overrides.from_dict(flags("Three", "More"), behaviour=UNDER),
        ],
    )
    assert switches(config.snapshot) == {
        "One": False,
        "Three": False,
        "Two": True,
        "New": True,
        "More": True,
    }
    explained = config.snapshot.explain(FLAGS)
    assert (explained.origin, explained.shadows[0].origin) == ("override", "store")


def test_flags_need_no_store_that_loads_them(opened: Opener, store: Emulator) -> None:
    """Without `feature_flag_enabled` the list has those of the overrides."""
    set_flag(store, "Remote")
    config = opened(
        connection_string=store.connection_string, overrides=Overrides.from_dict(flags("Local"))
    )
    assert switches(config.snapshot) == {"Local": True}


def test_what_else_feature_management_holds_stays(opened: Opener, store: Emulator) -> None:
    """Members beside the list are kept; without a list it is a value like any other."""
    given = {FLAGS: {"feature_flags": [], "Old": True}}
    overrides = Overrides.from_dict(given)
    config = opened(connection_string=store.connection_string, overrides=overrides)
    assert config.snapshot[FLAGS] == {"Old": True, "feature_flags": []}
    plain = opened(
        connection_string=store.connection_string,
        feature_flag_enabled=True,
        overrides=Overrides.from_dict({FLAGS: "none"}),
    )
    assert plain.snapshot[FLAGS] == "none"
    weak = opened(
        connection_string=store.connection_string,
        feature_flag_enabled=True,
        overrides=Overrides.from_dict({FLAGS: "none"}, behaviour=UNDER),
    )
    assert weak.snapshot[FLAGS] == {"feature_flags": []}


def test_filters_of_a_flag_may_be_written_to_by_libraries(opened: Opener, store: Emulator) -> None:
    """Feature management libraries do so while they evaluate, and each gets its own copy."""
    given = flags("Beta")
    filters = [{"name": "Custom", "parameters": {}}]
    given[FLAGS]["feature_flags"][0]["conditions"] = {"client_filters": filters}
    config = opened(connection_string=store.connection_string, overrides=Overrides.from_dict(given))
    (flag,) = config.snapshot[FLAGS]["feature_flags"]
    for one in flag["conditions"]["client_filters"]:
        one["feature_name"] = "Beta"
    assert flag["conditions"]["client_filters"] == filters


def test_an_object_beside_keys_is_told_once(
    load: Loader, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the store has `db:host`, an override `db` that is an object is likely a mistake."""
    store.set_many({"db:host": "h", "sentinel": "1"})
    with load(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        overrides=Overrides.from_dict({"db": {"host": "x"}, "alone": {"x": 1}}),
    ) as config:
        publish(store, "2")
        clock.advance(30)
        assert config.refresh()
    (told,) = [one.getMessage() for one in caplog.records if "is an object" in one.getMessage()]
    assert told == (
        "the override 'db' is an object and stays one value, though other keys begin with 'db:'; "
        "pass separator=':' to Overrides to make keys of its members"
    )


def test_flattened_overrides_meet_the_keys_of_the_store(opened: Opener, store: Emulator) -> None:
    """With the separator of the store's keys, members win over its keys one by one."""
    store.set_many({"db:host": "remote", "db:port": "1"})
    given = Overrides.from_dict({"db": {"host": "local"}}, separator=":")
    config = opened(connection_string=store.connection_string, overrides=given)
    assert dict(config.snapshot) == {"db:host": "local", "db:port": "1"}


def test_a_variable_that_may_mean_several_keys_fails_the_load(
    load: Loader, store: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a ValueError that names the keys."""
    monkeypatch.setenv("OVERRIDE_TEST_HOST", "x")
    store.set_many({"Host": "1", "HOST": "2"})
    with (
        pytest.raises(ValueError, match="each of the keys 'HOST', 'Host'"),
        load(
            connection_string=store.connection_string,
            overrides=Overrides.from_env("OVERRIDE_TEST_"),
        ),
    ):
        pass


def test_two_variables_of_one_key_fail_the_load(
    load: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is asked, and without frames that hold their texts."""
    monkeypatch.setenv("OVERRIDE_TEST_A", "planted-value")
    monkeypatch.setenv("OVERRIDE_TEST_a", "planted-value")
    with (
        pytest.raises(ValueError, match="are the same key") as caught,
        load(
            connection_string="Endpoint=http://127.0.0.1:1;Id=i;Secret=c2VjcmV0",
            overrides=Overrides.from_env("OVERRIDE_TEST_"),
        ),
    ):
        pass
    ours = [one.frame.f_locals for one in caught.traceback if "appconfig_provider" in str(one.path)]
    assert "planted" not in repr(ours)


# Files that change


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the place of a file of overrides."""
    return tmp_path / "dev.json"


@pytest.fixture
def follow(
    opened: Opener, store: Emulator, clock: FakeClock, path: Path
) -> Callable[..., tuple[Any, list[ChangeSet], list[Exception]]]:
    """Load with a file over the store; return the provider, its changes and its errors."""

    def follow(first: dict[str, Any], **keywords: Any) -> Any:
        path.write_text(json.dumps(first), encoding="utf-8")
        changes: list[ChangeSet] = []
        errors: list[Exception] = []

        def changed(what: ChangeSet) -> None:
            changes.append(what)

        keywords.setdefault("overrides", Overrides.from_file(path))
        config = opened(
            connection_string=store.connection_string,
            on_refresh_success=changed,
            on_refresh_error=errors.append,
            **keywords,
        )
        return config, changes, errors

    return follow


def test_a_changed_file_is_a_generation_without_a_request(
    follow: Any, store: Emulator, clock: FakeClock, path: Path
) -> None:
    """After a second, and not before; the change set says `override`, and nothing is asked."""
    store.set("a", "remote")
    config, changes, _ = follow({"a": "one"})
    store.set("a", "newer")
    asked = len(store.requests)
    path.write_text('{"b": 2}', encoding="utf-8")
    clock.advance(0.9)
    assert not config.refresh()
    clock.advance(0.1)
    assert config.refresh()
    assert dict(config.snapshot) == {"a": "remote", "b": 2}
    assert changes == [ChangeSet(("b",), ("a",), (), (), "override")]
    assert config.snapshot.version == 2
    clock.advance(1)
    assert not config.refresh()
    assert len(store.requests) == asked


def test_a_file_that_takes_the_place_of_another_is_read(
    follow: Any, clock: FakeClock, path: Path, tmp_path: Path
) -> None:
    """Programs write files like that when others read them."""
    config, _, _ = follow({"a": 1})
    other = tmp_path / "other"
    other.write_text('{"a": 2}', encoding="utf-8")
    other.replace(path)
    clock.advance(1)
    assert config.refresh()
    assert config.snapshot["a"] == 2


def test_a_file_that_was_only_touched_is_no_change(
    follow: Any, clock: FakeClock, path: Path
) -> None:
    """Neither are other comments and blanks: the generation stays the same object."""
    config, changes, _ = follow({"a": {"b": 1}})
    before = config.snapshot
    path.write_text('{ // the same\n "a": {"b": 1}}', encoding="utf-8")
    clock.advance(1)
    assert not config.refresh()
    assert config.snapshot is before
    assert not changes


def test_a_broken_file_keeps_what_it_said_before(
    follow: Any, clock: FakeClock, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning for each broken content, an error in `status` until it is right, and no value."""
    config, changes, errors = follow({"a": 1})
    for broken in ('{"a": planted', '{"a": planted,,'):
        path.write_text(broken, encoding="utf-8")
        for _ in range(3):
            clock.advance(1)
            assert not config.refresh()
    assert dict(config.snapshot) == {"a": 1}
    assert [type(one) for one in errors] == [ValueError, ValueError]
    assert config.status.last_error is errors[-1]
    told = [one.getMessage() for one in caplog.records if "override" in one.getMessage()]
    assert len(told) == 2
    assert told[0] == (
        f"configuration not refreshed: the override file '{path}' is no JSON (Expecting value, "
        "line 1 column 7); its last good content stays in force"
    )
    assert "planted" not in caplog.text
    path.write_text('{"a": 2}', encoding="utf-8")
    clock.advance(1)
    assert config.refresh()
    assert config.status.last_error is None
    assert changes[-1].changed == ("a",)


def test_a_file_that_is_gone_keeps_what_it_said(follow: Any, clock: FakeClock, path: Path) -> None:
    """One error for as long as it is gone; when it is back as it was, all is well again."""
    config, changes, errors = follow({"a": 1})
    text = path.read_text(encoding="utf-8")
    path.unlink()
    for _ in range(3):
        clock.advance(1)
        assert not config.refresh()
    assert len(errors) == 1
    assert "cannot be read: No such file or directory" in str(errors[0])
    assert config.snapshot["a"] == 1
    path.write_text(text, encoding="utf-8")
    clock.advance(1)
    assert not config.refresh()
    assert config.status.last_error is None
    assert not changes


def test_frames_of_a_broken_file_show_nothing(
    load: Loader, store: Emulator, tmp_path: Path
) -> None:
    """Error trackers show the locals of frames, and the file may hold a password."""
    path = tmp_path / "dev.json"
    path.write_text('{"password": "planted-value",', encoding="utf-8")
    overrides = Overrides.from_file(path)
    with (
        pytest.raises(ValueError, match="is no JSON") as caught,
        load(connection_string=store.connection_string, overrides=overrides),
    ):
        pass
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "planted" not in "".join(shown.format())


@pytest.mark.parametrize("broken", ["", "{", "[1]", '{"a": NaN'])
def test_a_broken_file_fails_the_load(
    load: Loader, store: Emulator, tmp_path: Path, broken: str
) -> None:
    """It is a ValueError that names the file, and the store is not asked."""
    path = tmp_path / "dev.json"
    path.write_text(broken, encoding="utf-8")
    overrides = Overrides.from_file(path)
    with (
        pytest.raises(ValueError, match=r"the override file '.*dev\.json'"),
        load(connection_string=store.connection_string, overrides=overrides),
    ):
        pass
    assert not store.requests


def test_a_fifo_fails_the_load_at_once(load: Loader, store: Emulator, tmp_path: Path) -> None:
    """Opening it would wait for a writer that never comes."""
    path = tmp_path / "dev.json"
    os.mkfifo(path)
    with (
        pytest.raises(ValueError, match="it is not a regular file"),
        load(connection_string=store.connection_string, overrides=Overrides.from_file(path)),
    ):
        pass


def test_a_huge_file_fails_the_load(load: Loader, store: Emulator, tmp_path: Path) -> None:
    """More than 16 MB are not read."""
    path = tmp_path / "dev.json"
    with path.open("wb") as file:
        file.truncate(16 * 2**20 + 1)
    with (
        pytest.raises(ValueError, match="it has more than 16777216 bytes"),
        load(connection_string=store.connection_string, overrides=Overrides.from_file(path)),
    ):
        pass


def test_a_relative_path_stays_the_same_file(
    follow: Any, clock: FakeClock, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program may go to another folder after it has loaded."""
    monkeypatch.chdir(tmp_path)
    config, _, _ = follow({"a": 1}, overrides=Overrides.from_file("dev.json"))
    monkeypatch.chdir("/")
    path.write_text('{"a": 2}', encoding="utf-8")
    clock.advance(1)
    assert config.refresh()
    assert config.snapshot["a"] == 2


def test_change_sets_name_flags_that_a_file_switched(
    follow: Any, store: Emulator, clock: FakeClock, path: Path
) -> None:
    """Those that it turned, added and no longer has."""
    for name in ("One", "Two"):
        set_flag(store, name, enabled=False)
    config, changes, _ = follow(flags("One", "Three"), feature_flag_enabled=True)
    path.write_text(json.dumps(flags("Two")), encoding="utf-8")
    clock.advance(1)
    assert config.refresh()
    assert changes[0].flags == ("One", "Three", "Two")
    assert switches(config.snapshot) == {"One": False, "Two": True}


def test_a_secret_is_read_when_its_override_goes(
    follow: Any, store: Emulator, clock: FakeClock, path: Path
) -> None:
    """Then the reference counts again."""
    store.set_secret("pw", secret_id("pw"))
    resolver = Resolver(pw="secret")
    config, _, _ = follow({"pw": "mine"}, secret_resolver=resolver)
    assert not resolver.asked
    path.write_text("{}", encoding="utf-8")
    clock.advance(1)
    assert config.refresh()
    assert config.snapshot["pw"] == "secret"


def test_a_store_in_trouble_does_not_hold_up_a_file(
    follow: Any, store: Emulator, clock: FakeClock, path: Path
) -> None:
    """The file is followed, and the error of the store stands."""
    store.set("sentinel", "1")
    config, _, errors = follow(
        {"a": 1}, refresh_on=["sentinel"], retry_total=0, replica_discovery_enabled=False
    )
    with store.down():
        path.write_text('{"a": 2}', encoding="utf-8")
        clock.advance(30)
        assert config.refresh()
        assert config.snapshot["a"] == 2
        assert len(errors) == 1
        assert config.status.last_error is errors[0]
        path.write_text('{"a": 3}', encoding="utf-8")
        clock.advance(1)
        assert config.refresh()
        assert config.status.last_error is errors[0]
    clock.advance(60)
    assert not config.refresh()
    assert config.status.last_error is None


def test_callbacks_get_the_error_of_a_file_while_the_store_is_down(
    follow: Any, store: Emulator, clock: FakeClock, path: Path
) -> None:
    """Both failed in one check: callbacks get both, and `status` shows that of the store."""
    store.set("sentinel", "1")
    config, _, errors = follow(
        {"a": 1}, refresh_on=["sentinel"], retry_total=0, replica_discovery_enabled=False
    )
    path.write_text("{", encoding="utf-8")
    with store.down():
        clock.advance(30)
        assert not config.refresh()
    assert len(errors) == 2
    assert config.status.last_error is errors[0]
    assert "is no JSON" in str(errors[1])
    assert all(error.__traceback__ is None for error in errors)


def test_the_error_of_a_file_outlives_an_answer_of_the_store(
    follow: Any, store: Emulator, clock: FakeClock, path: Path
) -> None:
    """The store is fine, and the file is still broken."""
    store.set("sentinel", "1")
    config, _, errors = follow({"a": 1}, refresh_on=["sentinel"])
    path.write_text("{", encoding="utf-8")
    clock.advance(1)
    config.refresh()
    publish(store, "2")
    clock.advance(30)
    assert config.refresh()
    assert config.status.last_error is errors[0]
    assert dict(config.snapshot) == {"a": 1, "k": "2", "sentinel": "2"}
