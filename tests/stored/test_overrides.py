"""A copy of an earlier run, or no generation yet, beside overrides."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from appconfig_provider import BindingError, ChangeSet, FileCache, OverrideBehaviour, Overrides
from appconfig_provider.testing import Emulator, FakeClock
from tests.stored.conftest import Start, once, outage
from tests.support.adapter import Opener
from tests.support.content import Resolver, secret_id

FIRST = {"first": True}
UNDER = OverrideBehaviour.REMOTE_OVER_LOCAL
ONLY = OverrideBehaviour.LOCAL_ONLY
EMPTY = {"optional": True, "startup_timeout": 0, "retry_total": 0}

Write = Callable[..., Overrides]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Give what writes the file of overrides, and returns them."""

    def write(**values: object) -> Overrides:
        path = tmp_path / "dev.json"
        path.write_text(json.dumps(values), encoding="utf-8")
        return Overrides.from_file(path)

    return write


# A copy


@pytest.mark.parametrize("first", [True, False], ids=["served first", "in an outage"])
def test_overrides_lie_over_a_copy(start: Start, store: Emulator, path: Path, first: bool) -> None:
    """Each by its behaviour, as over the store; none of them is written into the file."""
    given = [
        Overrides.from_dict({"a": "mine", "new": "local-override"}),
        Overrides.from_dict({"b": "mine", "more": 5}, behaviour=UNDER),
    ]
    once(start, overrides=given)
    kept = path.read_bytes()
    assert b"local-override" not in kept
    with outage(store), start({"first": first}, overrides=given) as config:
        snapshot = config.snapshot
        assert (snapshot.stale, snapshot.origin) == (True, "cache")
        assert [snapshot[key] for key in ("a", "b", "new", "more")] == [
            "mine",
            "2",
            "local-override",
            5,
        ]
        assert snapshot.explain("a").origin == "override"
        config.refresh(force=True)
    assert path.read_bytes() == kept


def test_overrides_make_no_other_copy(start: Start, store: Emulator) -> None:
    """What is kept is what the store holds, so a copy is used whatever overrides there are."""
    once(start, overrides=Overrides.from_dict({"a": "mine"}))
    with outage(store):
        assert once(start)["a"] == "1"


def test_a_reference_of_a_copy_that_loses_is_not_resolved(start: Start, store: Emulator) -> None:
    """A program without access to the vault starts with a copy, too."""
    store.set_secret("pw", secret_id("pw"))
    once(start, secret_resolver=Resolver(pw="hush"))
    resolver = Resolver()
    keywords = {"secret_resolver": resolver, "overrides": Overrides.from_dict({"pw": "mine"})}
    with outage(store), start(**keywords) as config:
        assert (config.snapshot["pw"], config.snapshot.stale) == ("mine", True)
        config.refresh(force=True)
    assert resolver.asked == []


def test_a_copy_stays_one_when_a_file_changes(
    start: Start, store: Emulator, clock: FakeClock, path: Path, write: Write
) -> None:
    """The store has confirmed nothing: stale, of the cache, as old as before, and not written."""
    overrides = write(o=1)
    once(start, overrides=overrides)
    kept = path.read_bytes()
    called: list[ChangeSet] = []
    with (
        outage(store),
        start(overrides=overrides, on_refresh_success=called.append) as config,
    ):
        before = config.snapshot
        write(o=2)
        clock.advance(1)
        assert config.refresh()
        after = config.snapshot
        assert (after["o"], after["a"], after.version) == (2, "1", 2)
        assert (after.stale, after.origin) == (True, "cache")
        assert after.loaded_at == before.loaded_at
        assert config.status.stale
        assert config.status.last_error is not None
        assert path.read_bytes() == kept
    assert called == [ChangeSet(changed=("o",), reason="override")]


def test_a_copy_that_changed_overrides_still_heals(
    start: Start, store: Emulator, clock: FakeClock, write: Write
) -> None:
    """The file has not made it a generation of the store, so that the store is asked."""
    overrides = write(o=1)
    once(start, overrides=overrides)
    store.set("a", "new")
    with start(FIRST, overrides=overrides) as config:
        with outage(store):
            config.refresh()
            write(o=2)
            clock.advance(1)
            assert config.refresh()
        clock.advance(40)
        assert config.refresh()
        assert (config.snapshot["a"], config.snapshot["o"]) == ("new", 2)
        assert (config.snapshot.stale, config.snapshot.origin) == (False, "store")


def test_a_file_that_changes_while_a_copy_heals_is_told(
    start: Start, clock: FakeClock, write: Write
) -> None:
    """The store confirms the copy in silence, but callbacks hear of the override."""
    overrides = write(o=1)
    once(start, overrides=overrides)
    called: list[ChangeSet] = []
    with start(FIRST, overrides=overrides, on_refresh_success=called.append) as config:
        write(o=2)
        clock.advance(1)
        assert config.refresh()
        assert (config.snapshot["o"], config.snapshot.stale) == (2, False)
        assert config.snapshot.version == 2
    assert called == [ChangeSet(changed=("o",), reason="cache")]


# No generation yet


@pytest.fixture
def down(store: Emulator) -> Iterator[ExitStack]:
    """Let the store be down until this is closed."""
    with ExitStack() as stack:
        stack.enter_context(outage(store))
        yield stack


def test_an_empty_configuration_waits_for_the_store(
    start: Start, down: ExitStack, clock: FakeClock, write: Write
) -> None:
    """A file that changes shows it to nobody; the first generation has what the file says last."""
    seen: list[dict[str, Any]] = []
    called: list[ChangeSet] = []
    keywords = {
        **EMPTY,
        "overrides": write(o=1),
        "feature_flag_enabled": True,
        "validate": lambda snapshot: seen.append(dict(snapshot)),
        "on_refresh_success": called.append,
    }
    with start(**keywords) as config:
        empty = config.snapshot
        assert (dict(empty), empty.version, empty.stale) == ({}, 0, True)
        for number, force in ((2, False), (3, True)):
            write(o=number)
            clock.advance(1)
            assert not config.refresh(force=force)
            assert config.snapshot is empty
        with pytest.raises(BindingError, match="no settings yet"):
            config.provider.bind(dict[str, Any])
        assert (seen, called) == ([], [])
        down.close()
        assert config.refresh(force=True)
        snapshot = config.snapshot
        assert (snapshot["a"], snapshot["o"], snapshot.version) == ("1", 3, 1)
        assert not config.status.stale
    assert [one["o"] for one in seen] == [3]
    assert [one.reason for one in called] == ["cache"]


def test_overrides_that_no_generation_had_can_be_mended(
    start: Start, down: ExitStack, clock: FakeClock, write: Write
) -> None:
    """What the file said at start is not kept for the first generation once the file is right."""

    def validate(snapshot: Any) -> None:
        if snapshot["o"] == "bad":
            raise ValueError("refused")

    with start(**EMPTY, overrides=write(o="bad"), validate=validate) as config:
        down.close()
        assert not config.refresh(force=True)
        assert config.snapshot.version == 0
        assert config.status.last_error.args == ("refused",)
        write(o="good")
        clock.advance(1)
        config.refresh()
        clock.advance(60)
        assert config.refresh()
        assert (config.snapshot["o"], config.snapshot["a"]) == ("good", "1")
        assert config.status.last_error is None


def test_a_file_that_breaks_before_the_store_answers_keeps_its_last_content(
    start: Start, down: ExitStack, clock: FakeClock, write: Write, tmp_path: Path
) -> None:
    """As later: it is told, and the first generation has what it said before."""
    errors: list[Exception] = []
    with start(**EMPTY, overrides=write(o=1), on_refresh_error=errors.append) as config:
        (tmp_path / "dev.json").write_text("{", encoding="utf-8")
        clock.advance(1)
        assert not config.refresh()
        assert "is no JSON" in str(errors[-1])
        down.close()
        clock.advance(60)
        assert config.refresh()
        assert (config.snapshot["a"], config.snapshot["o"]) == ("1", 1)
        assert "is no JSON" in str(config.status.last_error)


# No store


@pytest.mark.parametrize("optional", [False, True])
def test_without_a_store_the_cache_does_not_count(
    start: Start, store: Emulator, path: Path, clock: FakeClock, write: Write, optional: bool
) -> None:
    """LOCAL_ONLY neither reads nor writes it, so that a later run with the store has it whole."""
    once(start)
    kept = path.read_bytes()
    store.clear_requests()
    write(o=1)
    overrides = Overrides.from_file(path.parent / "dev.json", behaviour=ONLY)
    with start(FIRST, overrides=overrides, optional=optional) as config:
        assert dict(config.snapshot) == {"o": 1}
        assert (config.snapshot.origin, config.snapshot.version) == ("override", 1)
        write(o=2)
        clock.advance(1)
        assert config.refresh()
        assert dict(config.snapshot) == {"o": 2}
        assert (config.status.last_error, config.status.cache_error) == (None, None)
    assert store.requests == []
    assert path.read_bytes() == kept


def test_without_a_store_no_cache_is_made(opened: Opener, tmp_path: Path) -> None:
    """Not even a file, and a cache of the wrong type is ignored as other keywords are."""
    given = Overrides.from_dict({"o": 1}, behaviour=ONLY)
    path = tmp_path / "none"
    assert opened(overrides=given, cache=FileCache(path)).snapshot["o"] == 1
    assert not path.exists()
    assert opened(overrides=given, cache=5).snapshot["o"] == 1
