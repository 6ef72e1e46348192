"""`validate=`: a generation that the program refuses is never published."""

from __future__ import annotations

import pytest

from appconfig_provider import ConfigurationSnapshot
from appconfig_provider.testing import Emulator, FakeClock
from tests.support.adapter import Loader
from tests.support.content import Resolver, secret_id


def no_bad_value(snapshot: ConfigurationSnapshot) -> None:
    """Refuse a generation that holds "bad"."""
    if "bad" in snapshot.values():
        raise ValueError("not that one")


def test_a_refused_generation_fails_the_load(load: Loader, store: Emulator) -> None:
    """What `validate` raises at start comes out of load()."""
    store.set("a", "bad")
    with (
        pytest.raises(ValueError, match="not that one"),
        load(connection_string=store.connection_string, validate=no_bad_value),
    ):
        pass


@pytest.mark.parametrize("watching", [{"refresh_on": ["a"]}, {"refresh_enabled": True}])
def test_a_refused_generation_keeps_the_old_one(
    load: Loader, store: Emulator, clock: FakeClock, watching: dict[str, object]
) -> None:
    """A refused refresh keeps the old generation and is reported, until it is mended."""
    store.set("a", "1")
    errors: list[Exception] = []
    news: list[None] = []
    with load(
        connection_string=store.connection_string,
        validate=no_bad_value,
        on_refresh_error=errors.append,
        on_refresh_success=lambda: news.append(None),
        **watching,
    ) as config:
        before = config.snapshot
        store.set("a", "bad")
        clock.advance(30)
        assert not config.refresh()
        assert config.snapshot is before
        assert [str(error) for error in errors] == ["not that one"]
        assert [config.status.last_error] == errors
        store.set("a", "2")
        clock.advance(30)
        assert config.refresh()
        assert dict(config.snapshot) == {"a": "2"}
        assert (len(news), config.status.last_error) == (1, None)


def test_a_refusal_stands_while_it_is_not_tried_again(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """A check that finds only what was refused confirms nothing: the error stays, and the age."""
    store.set("a", "1")
    with load(
        connection_string=store.connection_string,
        validate=no_bad_value,
        refresh_on=["a"],
        refresh_interval=10,
    ) as config:
        store.set("a", "bad")
        for _ in range(2):  # the second refusal rests for two intervals
            assert not config.refresh(force=True)
        clock.advance(10)
        store.clear_requests()
        assert not config.refresh()
        assert len(store.requests) == 1
        assert str(config.status.last_error) == "not that one"
        confirmed = config.status.last_success
        clock.advance(10)
        config.refresh()
        assert config.status.last_success == confirmed


def test_a_refused_rotation_keeps_the_old_secret(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """`validate` sees what a rotation would publish, too."""
    store.set_secret("pw", secret_id("pw"))
    secrets = Resolver(pw="a1")
    with load(
        connection_string=store.connection_string,
        secret_resolver=secrets,
        secret_refresh_interval=60,
        validate=no_bad_value,
    ) as config:
        secrets.values["pw"] = "bad"
        clock.advance(60)
        assert not config.refresh()
        assert config.snapshot["pw"] == "a1"
        secrets.values["pw"] = "a2"
        clock.advance(60)
        assert config.refresh()
        assert config.snapshot["pw"] == "a2"


def test_validate_gets_the_generation_to_come(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """`validate` is called with the very snapshot that is published, before it is."""
    store.set("a", "1")
    seen: list[ConfigurationSnapshot] = []
    with load(
        connection_string=store.connection_string, refresh_on=["a"], validate=seen.append
    ) as config:
        store.set("a", "2")
        clock.advance(30)
        assert config.refresh()
        assert config.snapshot is seen[1]
        assert [snapshot["a"] for snapshot in seen] == ["1", "2"]


def test_a_rejection_ends_when_its_cause_is_gone(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """A store that is back at what is published has been confirmed: no error, healthy."""
    store.set("a", "1")
    with load(connection_string=store.connection_string, refresh_enabled=True) as config:
        store.set_secret("pw", secret_id("pw"))
        clock.advance(30)
        assert not config.refresh()
        store.delete("pw")
        clock.advance(700)
        config.refresh()
        assert config.status.healthy(60)
        assert config.status.last_error is None
