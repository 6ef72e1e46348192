"""Values that are no texts, written by a test without HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from appconfig_provider import load
from appconfig_provider.testing import JSON_NULL, Draft, Emulator
from tests.support.content import FLAG_TYPE

JSON = "application/json"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5"),
        (-0.5, "-0.5"),
        (True, "true"),
        (False, "false"),
        ([], "[]"),
        ({}, "{}"),
        ((1, "ü\n"), '[1,"ü\\n"]'),
        ({"a": {"b": [None, JSON_NULL]}}, '{"a":{"b":[null,null]}}'),
        (JSON_NULL, "null"),
    ],
)
def test_json_values(store: Emulator, value: Any, text: str) -> None:
    """What is no text is stored as JSON with its content type, alone or among many."""
    stored = store.set("k", value)
    assert (stored.value, stored.content_type) == (text, JSON)
    store.set_many({"m": value})
    store.set_many([("p", value), Draft("d", value=text)])
    for key in "mp":
        many = store.get(key)
        assert many is not None
        assert (many.value, many.content_type) == (text, JSON)


def test_texts_stay(store: Emulator) -> None:
    """A text stays as it is, with whatever content type; None is no value."""
    assert store.set("k", "5").content_type is None
    assert store.set("k", "5", content_type="text/plain").value == "5"
    nothing = store.set("k", None, content_type=JSON)
    assert (nothing.value, nothing.content_type) == (None, JSON)


def test_a_provider_gets_the_values_back(store: Emulator) -> None:
    """What was written as a value is read as this value."""
    content: dict[str, Any] = {"n": 5, "b": True, "o": {"p": [1.5, None]}, "t": "text"}
    store.set_many(content)
    store.set("null", JSON_NULL)
    with load(**store.load_options) as config:
        assert dict(config.snapshot) == {**content, "null": None}


def test_content_types_of_json(store: Emulator) -> None:
    """A content type of JSON is kept; with another one the value must be a text."""
    kind = FLAG_TYPE
    assert store.set("k", {"id": "k"}, content_type=kind).content_type == kind
    for other in ("text/plain", "text/json", "application/jsonx", ""):
        with pytest.raises(
            ValueError, match=r"the setting 'k': a value of type int .* content type"
        ):
            store.set("k", 5, content_type=other)


CYCLE: list[Any] = []
CYCLE.append({"again": CYCLE})
WIDE: Any = 0
for _ in range(60):
    WIDE = [WIDE, WIDE]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "value: JSON has no nan"),
        ({"a": [float("-inf")]}, r"value\['a'\]\[0\]: JSON has no -inf"),
        ({1, 2}, "value: set is no type of JSON"),
        (b"bytes", "value: bytes is no type of JSON"),
        ([object()], r"value\[0\]: object is no type of JSON"),
        ({"a": {1: "x"}}, r"value\['a'\]: a name in a JSON object is a text, not int"),
        (10**5_000, "value: the integer has too many digits"),
        (CYCLE, "nested deeper than 100 levels, or holds itself"),
        (WIDE, "as JSON the value is larger than 10240 bytes"),
    ],
    ids=range(9),
)
def test_what_json_cannot_hold(store: Emulator, value: Any, reason: str) -> None:
    """A value that JSON cannot hold is an error that names the setting, and nothing is written."""
    with pytest.raises(ValueError, match=f"the setting 'k': .*{reason}"):
        store.set("k", value)
    with pytest.raises(ValueError, match=f"the setting 'k': .*{reason}"):
        store.set_many({"a": 1, "k": value})
    assert store.get("a") is None


def test_deep_json_is_read_back(store: Emulator) -> None:
    """The deepest value that is written can be read as JSON."""
    deep: Any = 0
    for _ in range(100):
        deep = [deep]
    text = store.set("k", deep).value
    assert text is not None
    assert json.loads(text) == deep


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ((5, "v"), "key"),
        ((None, "v"), "key"),
        (("k", "v", 0), "label"),
        (("k", "v", None, 5), "content_type"),
        (("k", "v", None, None, {"t": 1}), "tags.t"),
        (("k", "v", None, None, {1: "x"}), "tags.1"),
        (("k", 5, None, None, {"t": 0}), "tags.t"),
    ],
)
def test_texts_that_are_none(store: Emulator, arguments: tuple[Any, ...], field: str) -> None:
    """Everything but a value is a text, and what is not is named."""
    with pytest.raises(ValueError, match=rf"^{field}: "):
        store.set(*arguments)


def test_drafts_have_texts() -> None:
    """A draft takes a text for a value, which says what is wrong with another one."""
    value: Any = 5
    with pytest.raises(ValueError, match=r"^value: a text is needed, not int"):
        Draft("k", value=value)
