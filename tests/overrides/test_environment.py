"""Variables of the environment as keys: prefixes, separators, and how keys are spelled."""

from __future__ import annotations

from typing import Any

import pytest

from appconfig_provider import Overrides
from appconfig_provider.overrides.layers import Layer, layer_of, merge
from appconfig_provider.overrides.values import BadOverride


def read(variables: dict[str, str], **keywords: Any) -> Layer:
    """Return the layer of some variables."""
    source = Overrides.from_env("APP_", **keywords).at_load(variables, str).source
    assert isinstance(source, Layer)
    return source


def keys(layer: Layer, *store: str, **others: Any) -> dict[str, Any]:
    """Return what the layer brings to a store, beside another layer."""
    beside = layer_of(others.get("beside", {}), layer.behaviour, "overrides")
    merged = merge((layer, beside), store)
    return {key: value for key, value in merged.values.items() if key not in beside.values}


def test_names_become_keys() -> None:
    """The prefix is cut off, the separator becomes that of keys, and the rest is lower case."""
    variables = {"APP_DB__HOST": "h", "APP_MESSAGE": "m", "OTHER": "x", "APP_": "nothing"}
    assert keys(read(variables)) == {"db:host": "h", "message": "m"}
    assert keys(read(variables, key_separator="/")) == {"db/host": "h", "message": "m"}
    assert keys(read({"APP_DB-HOST": "h"}, separator="-")) == {"db:host": "h"}


def test_a_name_takes_the_spelling_of_the_key_it_matches() -> None:
    """Of the store's key, or of another layer's."""
    variables = {"APP_DB__HOST": "h", "APP_TIMEOUT": "5"}
    found = keys(read(variables), "Db:Host", "other", beside={"TimeOut": 1})
    assert found == {"Db:Host": "h"}
    merged = merge((read(variables), layer_of({"TimeOut": 1}, read({}).behaviour, "")), ())
    assert merged.values == {"db:host": "h", "TimeOut": 1}


def test_several_matches_are_refused_by_name() -> None:
    """Two keys that differ in their case alone are named."""
    with pytest.raises(BadOverride) as caught:
        keys(read({"APP_DB__HOST": "planted-value"}), "Db:Host", "DB:host")
    assert "each of the keys 'DB:host', 'Db:Host'" in str(caught.value)
    assert "planted" not in str(caught.value)


def test_two_variables_of_one_key_are_refused() -> None:
    """Which of them would count is not for us to guess."""
    with pytest.raises(BadOverride, match="the variables 'APP_A', 'APP_a' are the same key"):
        read({"APP_a": "1", "APP_A": "2"})
    assert keys(read({"APP_a": "1", "APP_A": "2"}, case_sensitive=True)) == {"a": "1", "A": "2"}


def test_case_counts_where_it_is_to() -> None:
    """With `case_sensitive` names and prefix are taken as they are."""
    variables = {"APP_Db__Host": "h", "app_x": "x"}
    assert keys(read(variables, case_sensitive=True), "db:host") == {"Db:Host": "h"}
    assert keys(read(variables)) == {"db:host": "h", "x": "x"}


def test_text_is_json_where_it_is_to_be() -> None:
    """With `parse_json` what is JSON becomes a value; the rest stays text."""
    variables = {"APP_N": "5", "APP_L": '["a"]', "APP_T": "plain", "APP_DEEP": "[" * 200}
    assert keys(read(variables)) == {"n": "5", "l": '["a"]', "t": "plain", "deep": "[" * 200}
    assert keys(read(variables, parse_json=True)) == {
        "n": 5,
        "l": ["a"],
        "t": "plain",
        "deep": "[" * 200,
    }


def test_flags_may_stand_in_a_variable() -> None:
    """The one key that libraries look for is found in upper case, too."""
    text = '{"feature_flags": [{"id": "Beta", "enabled": true}]}'
    layer = read({"APP_FEATURE_MANAGEMENT": text}, parse_json=True)
    assert layer.flags == {"Beta": {"id": "Beta", "enabled": True}}
