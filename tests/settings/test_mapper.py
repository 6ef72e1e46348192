"""`configuration_mapper` may be awaited, may drop, may replace, and hurts nobody."""

from __future__ import annotations

import pytest

from appconfig_provider import DROP, ConfigurationSetting
from appconfig_provider.testing import Emulator, FakeClock
from tests.support.adapter import Loader, load_aio, load_sync
from tests.support.content import Resolver, secret_id, set_flag


def test_a_mapper_may_be_a_coroutine_function_in_aio(store: Emulator) -> None:
    """The aio provider awaits a coroutine mapper."""
    store.set("a", "1")

    async def shout(setting: ConfigurationSetting) -> None:
        setting.value = f"{setting.value}!"

    with load_aio(connection_string=store.connection_string, configuration_mapper=shout) as config:
        assert dict(config.snapshot) == {"a": "1!"}
    with (
        pytest.raises(TypeError, match="aio"),
        load_sync(connection_string=store.connection_string, configuration_mapper=shout),
    ):
        pass


def test_a_plain_mapper_changes_what_is_published(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """Attributes a mapper sets count, at start and on refresh; both providers take a function."""
    store.set("a", "1")
    store.set("sentinel", "1")

    def twice(setting: ConfigurationSetting) -> None:
        setting.value = (setting.value or "") * 2

    with load(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        configuration_mapper=twice,
    ) as config:
        assert dict(config.snapshot) == {"a": "11", "sentinel": "11"}
        store.set("a", "2")
        store.set("sentinel", "2")
        clock.advance(30)
        assert config.refresh()
        assert dict(config.snapshot) == {"a": "22", "sentinel": "22"}


def test_drop_leaves_a_setting_out(load: Loader, store: Emulator) -> None:
    """A mapper that returns DROP leaves the setting out; its secret is not even read."""
    store.set("a", "1")
    store.set_secret("pw", secret_id("pw"))
    secrets = Resolver(pw="hunter2")
    with load(
        connection_string=store.connection_string,
        secret_resolver=secrets,
        configuration_mapper=lambda setting: DROP if setting.key == "pw" else None,
    ) as config:
        assert dict(config.snapshot) == {"a": "1"}
        assert secrets.asked == []


def test_a_returned_setting_replaces(load: Loader, store: Emulator) -> None:
    """What a mapper returns is published instead, trimmed, converted and resolved as usual."""
    store.set("app/a", "1")
    with load(
        connection_string=store.connection_string,
        trim_prefixes=["app/"],
        configuration_mapper=lambda setting: ConfigurationSetting(
            key="app/b", value=f'{{"was": "{setting.key}"}}', content_type="application/json"
        ),
    ) as config:
        assert dict(config.snapshot) == {"b": {"was": "app/a"}}


def test_a_mapper_sees_untrimmed_keys_and_no_flags(load: Loader, store: Emulator) -> None:
    """The mapper gets each setting's whole key, label, tags and ETag, and never a flag."""
    store.set("app/a", "1", tags={"team": "x"})
    set_flag(store, "beta")
    seen: list[ConfigurationSetting] = []
    with load(
        connection_string=store.connection_string,
        trim_prefixes=["app/"],
        feature_flag_enabled=True,
        configuration_mapper=seen.append,
    ) as config:
        assert config.snapshot["a"] == "1"
    (setting,) = seen
    assert (setting.key, setting.label, setting.tags) == ("app/a", None, {"team": "x"})
    stored = store.get("app/a")
    assert stored is not None
    assert setting.etag == stored.etag


def test_a_mapper_gets_a_private_copy(load: Loader, store: Emulator, clock: FakeClock) -> None:
    """What a mapper does to its copy, even later, touches neither values nor the next refresh."""
    store.set("a", "1", tags={"team": "x"})
    store.set_secret("pw", secret_id("pw"))
    secrets = Resolver(pw="a1")
    seen: list[ConfigurationSetting] = []

    def greedy(setting: ConfigurationSetting) -> None:
        assert "seen" not in setting.tags
        seen.append(setting)
        setting.tags["seen"] = "yes"

    with load(
        connection_string=store.connection_string,
        secret_resolver=secrets,
        secret_refresh_interval=60,
        configuration_mapper=greedy,
    ) as config:
        for setting in seen:
            setting.value = "stolen"
        first = len(seen)
        secrets.values["pw"] = "a2"
        clock.advance(60)
        assert config.refresh()
        assert dict(config.snapshot) == {"a": "1", "pw": "a2"}
        assert [one.value for one in seen[first:] if one.key == "a"] == ["1"]
        assert len({id(setting) for setting in seen}) == len(seen)


def test_a_mapper_that_raises_keeps_the_generation(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """A mapper's own error on refresh goes to `on_refresh_error`; no endpoint is blamed for it."""
    store.set("sentinel", "1")
    errors: list[Exception] = []

    def picky(setting: ConfigurationSetting) -> None:
        if setting.value == "2":
            raise LookupError("no two")

    with load(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        configuration_mapper=picky,
        on_refresh_error=errors.append,
    ) as config:
        store.set("sentinel", "2")
        clock.advance(30)
        assert not config.refresh()
        assert dict(config.snapshot) == {"sentinel": "1"}
        assert [type(error) for error in errors] == [LookupError]
        assert config.status.backoff_until is None
        store.set("sentinel", "3")
        clock.advance(30)
        assert config.refresh()


@pytest.mark.parametrize("answer", ["text", True, {}])
def test_a_mapper_may_return_nothing_else(load: Loader, store: Emulator, answer: object) -> None:
    """Any other answer of a mapper is a TypeError that names the key."""
    store.set("a", "1")
    with (
        pytest.raises(TypeError, match="'a'"),
        load(
            connection_string=store.connection_string,
            configuration_mapper=lambda _setting: answer,
        ),
    ):
        pass
