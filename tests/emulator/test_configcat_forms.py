"""The forms of a ConfigCat config, and those that are refused."""

from __future__ import annotations

from typing import Any

import pytest

from appconfig_provider.emulator.configcat_forms import (
    EMPTY,
    NOTHING,
    Config,
    InvalidConfig,
    parse_config,
    read_config,
    with_value,
    without,
)

V5_SETTING = {"v": 1, "i": "a", "t": 2}
V6_SETTING = {"v": {"i": 1}, "i": "a", "t": 2}


@pytest.mark.parametrize(
    ("content", "v5", "v6"),
    [
        ({"f": {"k": V5_SETTING}}, True, False),
        ({"f": {"k": V6_SETTING}}, False, True),
        ({"p": {"u": "x", "r": 0}, "f": {"k": V5_SETTING}}, True, False),
        ({"f": {}}, True, True),
        ({"p": {"u": "x", "r": 0}}, True, True),
        ({"p": {"s": "salt"}, "f": {}}, False, True),
        ({"s": [], "f": {}}, False, True),
        ({"config_v5.json": {"f": {}}}, True, False),
        ({"config_v6.json": {"f": {"k": {}}}, "config_v5.json": None}, False, True),
        ({"flags": {}}, True, True),
    ],
)
def test_forms_are_told_apart(content: dict[str, Any], v5: bool, v6: bool) -> None:
    """A config has the v5 file, the v6 file or both, by what its settings look like."""
    config = read_config(content)
    assert (config.v5 is not None, config.v6 is not None) == (v5, v6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "a config is a JSON object"),
        ({}, "has the member 'f', or 'flags'"),
        ({"k": True}, "has the member 'f', or 'flags'"),
        ({"f": []}, "f: expected"),
        ({"f": {"k": True}}, "the setting 'k': expected"),
        ({"f": {"k": {"i": "a"}}}, "the setting 'k' has no value 'v'"),
        ({"f": {"a": V5_SETTING, "b": V6_SETTING}}, "others those of a v6 file"),
        ({"s": [], "f": {"a": V5_SETTING}}, "the rest is that of a v6 file"),
        ({"p": [], "f": {}}, "p: expected"),
        ({"flags": [1]}, "flags: expected"),
        ({"flags": {"k": None}}, "the setting 'k': a value is a boolean"),
        ({"flags": {"k": {"v": 1}}}, "give rules and percentages in a whole config"),
        ({"flags": {"k": float("inf")}}, "a finite number"),
        ({"config_v5.json": []}, "config_v5.json: expected"),
        ({"config_v6.json": {"f": []}}, "config_v6.json: f: expected"),
    ],
)
def test_what_is_no_config(content: object, message: str) -> None:
    """A refusal names the setting or the member, and what it should be."""
    with pytest.raises(InvalidConfig) as refused:
        read_config(content)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "given",
    ["{", "[" * 1000, {"flags": {"k": object()}}, {"flags": {"k": float("nan")}}],
)
def test_what_is_not_json(given: str | dict[str, Any]) -> None:
    """Texts and objects that are not JSON are refused as a config, too."""
    with pytest.raises(InvalidConfig, match="a config is JSON: "):
        parse_config(given)


def test_objects_without_end() -> None:
    """An object that holds itself, or is nested too deeply, is refused."""
    endless: dict[str, Any] = {}
    endless["flags"] = endless
    with pytest.raises(InvalidConfig):
        parse_config(endless)
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidConfig):
        parse_config({"f": {"k": {"v": deep}}})


def _file(config: Config) -> Any:
    return config.v5


def test_variation_ids_are_stable() -> None:
    """A variation id belongs to key and value, in every process, and tells True from 1."""
    given: list[tuple[str, bool | float | str]] = [
        ("a", True), ("a", True), ("a", 1), ("a", 1.0), ("a", "1"), ("b", True),
    ]  # fmt: skip
    ids = [_file(with_value(EMPTY, key, value))["f"][key]["i"] for key, value in given]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 5
    assert (ids[0], len(ids[0])) == ("114df323", 8)


def test_a_value_in_a_whole_file() -> None:
    """A value takes the place of a setting with rules; a file that is not there stays so."""
    rules = read_config(
        {"p": {"s": "x"}, "f": {"k": {**V6_SETTING, "r": [1]}, "other": V6_SETTING}}
    )
    changed = with_value(rules, "k", False)
    assert changed.v5 is None
    assert changed.v6 is not None
    assert changed.v6["p"] == {"s": "x"}
    assert (changed.v6["f"]["k"]["v"], changed.v6["f"]["other"]) == ({"b": False}, V6_SETTING)
    assert "r" not in changed.v6["f"]["k"]
    assert rules.v6 is not None
    assert rules.v6["f"]["k"]["r"] == [1]


def test_without_files() -> None:
    """Where nothing is served a value makes both files, and there is nothing to remove."""
    assert with_value(NOTHING, "k", 1) == with_value(EMPTY, "k", 1)
    with pytest.raises(KeyError):
        without(NOTHING, "k")
    assert without(Config({"f": {"k": 1}}, None), "k") == Config({"f": {}}, None)
    with pytest.raises(InvalidConfig, match="not int"):
        with_value(EMPTY, 1, 1)  # type: ignore[arg-type]
