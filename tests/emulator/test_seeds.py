"""Seed files: both forms, values that are no texts, locks, and what is wrong in a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

import pytest

from appconfig_provider.emulator import Store, seeds
from appconfig_provider.emulator.seeds import Seeded, SeedError, plant, read_seed

Read: TypeAlias = Callable[[str], tuple[Seeded, ...]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read a text as a seed file."""
    path = tmp_path / "seed.json"

    def read_text(content: str) -> tuple[Seeded, ...]:
        path.write_bytes(content.encode("utf-8", "surrogateescape"))
        return read_seed(path)

    return read_text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("{", "Expecting"),
        ("[]", "expected a JSON object"),
        ('{"items":[1]}', "item 1: expected a JSON object"),
        ('{"items":[{"key":"a","value":"v"},{"value":"v"}]}', "item 2"),
        ('{"items":[{"key":"a","label":1}]}', "'label' must be a text"),
        ('{"items":[{"key":"a","locked":"yes"}]}', "'locked' must be true or false"),
        ('{"items":[{"key":"a","tags":["x"]}]}', "'tags' an object"),
        ('{"items":[{"key":"a","colour":"x"}]}', "unknown field 'colour'"),
        ('{"items":[{"key":"a%"}]}', "item 1 (key 'a%'): key"),
        ('{"items":[{"key":"a","value":"' + "x" * 11_000 + '"}]}', "larger than"),
        ('{"items":[{"key":"a","value":5,"content_type":"text/plain"}]}', "(key 'a'): a value of"),
        ('{"a":NaN}', "(key 'a'): value: JSON has no nan"),
        ('{"a":{"b":[1e999]}}', "(key 'a'): value['b'][0]: JSON has no inf"),
        ('{"a":' + "9" * 5_000 + "}", "has too many digits"),
        ('{"a":' + "[" * 200 + "]" * 200 + "}", "(key 'a'): the value is nested deeper than 100"),
        ('{"a":[' + "1," * 6_000 + "1]}", "(key 'a'): as JSON the value is larger than"),
        ('{"a":"1","b":"2","a":"3"}', "the name 'a' stands twice"),
        ('{"a":{"b":1,"b":2}}', "the name 'b' stands twice"),
        ('{"items":[{"key":"a"},{"key":"a","label":""}]}', "'a' with the label None stands there"),
        ('{"items":[{"key":"a"}],"b":1}', "'b' stands beside it"),
        ("[" * 100_000, "nested too deeply"),
        ("\udcff", "decode"),
    ],
    ids=range(22),
)
def test_bad_seeds(read: Read, tmp_path: Path, content: str, text: str) -> None:
    """A bad seed file is an error in one line that names the file and the item."""
    with pytest.raises(SeedError) as caught:
        read(content)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'seed.json'}: ")
    assert text in message
    assert "\n" not in message
    assert len(message) < 1_000


def test_a_seed_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more is read than a limit, which is an error that names the file."""
    monkeypatch.setattr(seeds, "MAX_BYTES", 2**20)
    with pytest.raises(SeedError, match="/dev/zero: larger than 1 MB"):
        read_seed("/dev/zero")
    path = tmp_path / "seed.json"
    path.write_bytes(b" " * (2**20 - 2) + b"{}")
    assert read_seed(path) == ()


def test_seed_forms(read: Read) -> None:
    """The KVSet profile and a plain object of keys and values are both read."""
    item = {"key": "k", "value": "v", "label": "l", "content_type": "c", "tags": {"t": "1"}}
    content = {"items": [item, {"key": "m", "label": "", "tags": None}]}
    full, bare = (each.draft for each in read(json.dumps(content)))
    found = (full.key, full.value, full.label, full.content_type, full.tags)
    assert found == ("k", "v", "l", "c", {"t": "1"})
    assert (bare.value, bare.label, bare.tags) == (None, None, {})
    plain = read('\ufeff{"a": "1", "items": "2"}')
    assert {each.draft.key: each.draft.value for each in plain} == {"a": "1", "items": "2"}


def test_values_that_are_no_texts(read: Read) -> None:
    """In both forms numbers, booleans, lists and objects become JSON text with its type."""
    content = {"n": 5, "f": 1.5, "b": True, "o": {"p": {"q": None}}, "l": [1, "x"], "none": None}
    plain = read(json.dumps(content))
    items = [{"key": key, "value": value} for key, value in content.items()]
    assert read(json.dumps({"items": items})) == plain
    found = {each.draft.key: (each.draft.value, each.draft.content_type) for each in plain}
    assert found == {
        "n": ("5", "application/json"),
        "f": ("1.5", "application/json"),
        "b": ("true", "application/json"),
        "o": ('{"p":{"q":null}}', "application/json"),
        "l": ('[1,"x"]', "application/json"),
        "none": (None, None),
    }
    typed = {"key": "k", "value": {"id": "k"}, "content_type": "application/vnd.x+json;charset=u"}
    kept = read(json.dumps({"items": [typed]}))[0].draft
    assert (kept.value, kept.content_type) == ('{"id":"k"}', "application/vnd.x+json;charset=u")


def locks(store: Store) -> list[bool]:
    """Which of the three settings are locked."""
    found = [store.get(key) for key in "abc"]
    return [setting.locked for setting in found if setting is not None]


def test_locks(read: Read) -> None:
    """A seed locks and unlocks what it says so of, at every start, and leaves other locks."""
    items = [{"key": "a", "locked": True}, {"key": "b", "locked": False}, {"key": "c"}]
    seed = read(json.dumps({"items": items}))
    with closing(Store()) as store:
        plant(store, seed)
        assert locks(store) == [True, False, False]
        for key in "abc":
            store.lock(key, locked=key != "a")
        plant(store, seed)
        assert locks(store) == [True, False, True]
        mutations = store.mutations
        plant(store, seed)
        assert store.mutations == mutations
