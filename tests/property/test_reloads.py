"""A reload that reuses what it knows is equal to a fresh listing, after any edits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appconfig_provider import load
from appconfig_provider.testing import Draft, Emulator

KEYS = [f"k{number:02}" for number in range(40)]
PAGE = 4

EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.sampled_from(KEYS), st.sampled_from(["1", "2", "3"])),
        st.tuples(st.just("delete"), st.sampled_from(KEYS), st.just("")),
        st.tuples(st.just("clear"), st.sampled_from(KEYS), st.sampled_from(KEYS)),
        st.tuples(st.just("fill"), st.sampled_from(KEYS), st.sampled_from(KEYS)),
    ),
    max_size=8,
)


def edit(store: Emulator, what: str, key: str, other: str) -> None:
    """Do one edit; `clear` and `fill` reach over a range of keys."""
    if what == "set":
        store.set(key, other)
    elif what == "delete":
        store.delete(key)
    else:
        for each in KEYS[KEYS.index(key) : KEYS.index(other)]:
            if what == "clear":
                store.delete(each)
            else:
                store.set(each, "filled")


@contextmanager
def concurrency(number: int) -> Iterator[None]:
    """Make every session use so many requests at once, however near the store is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("appconfig_provider._fetch.exchange.concurrency_for", lambda _seconds: number)
        yield


@contextmanager
def watching(begin: set[str], width: int, **keywords: Any) -> Iterator[tuple[Emulator, Any]]:
    """Load a store of some keys with small pages."""
    with concurrency(width), Emulator(page_size=PAGE) as store:
        store.set_many(Draft(key, value="0") for key in begin)
        with load(connection_string=store.connection_string, **keywords) as config:
            yield store, config


def expected(store: Emulator) -> dict[str, str | None]:
    """Return what a fresh listing would give."""
    found = ((key, store.get(key)) for key in KEYS)
    return {key: setting.value for key, setting in found if setting is not None}


@settings(deadline=None, max_examples=60)
@given(
    st.sets(st.sampled_from(KEYS)), st.lists(EDITS, min_size=1, max_size=5), st.sampled_from([1, 8])
)
def test_a_reload_equals_a_fresh_listing_after_any_edits(
    begin: set[str], rounds: list[list[tuple[str, str, str]]], width: int
) -> None:
    """Watching pages: what is served is what the store holds, and the plain requests bound ours."""
    with watching(begin, width, refresh_enabled=True) as (store, config):
        for edits in rounds:
            before, known = expected(store), pages_asked(store, config)
            for what, key, other in edits:
                edit(store, what, key, other)
            store.clear_requests()
            config.refresh(force=True)
            after = expected(store)
            assert dict(config.snapshot) == after
            inserted = len(after.keys() - before.keys())
            assert len(store.requests) <= known + inserted // PAGE + len(edits) + 1
            assert pages_asked(store, config) <= 1.25 * (len(after) // PAGE + 2) + 2


def pages_asked(store: Emulator, config: Any) -> int:
    """Return how many pages a check asks for while nothing changes: those that are known."""
    store.clear_requests()
    assert config.refresh(force=True) is False
    return len(store.requests)
