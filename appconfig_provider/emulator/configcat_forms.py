"""The forms in which a ConfigCat config is given, and the two files that are made of it.

Older SDKs read ``config_v5.json``, newer ones ``config_v6.json``. A config is one of four objects:

- simple values, ``{"flags": {"key": value}}``; both files are made of them
- the content of a ``config_v5.json``, or of a ``config_v6.json``; then the other one is not served
- both: ``{"config_v5.json": {...}, "config_v6.json": {...}}``, which are not looked into

v5 and v6 are told apart by the value of a setting, which is an object in v6 alone.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from appconfig_provider.emulator.json_texts import read_json

FlagValue: TypeAlias = "bool | int | float | str"
_Object: TypeAlias = "Mapping[str, Any]"

V5: Final = "config_v5.json"
V6: Final = "config_v6.json"
_SETTINGS: Final = "f"
_SIMPLE: Final = "flags"
#: By the type of a value: the number of its type, and the member that holds it in v6.
_TYPES: Final[Mapping[type, tuple[int, str]]] = {
    bool: (0, "b"),
    str: (1, "s"),
    int: (2, "i"),
    float: (3, "d"),
}


class InvalidConfig(ValueError):
    """Something that is no config; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Config:
    """The files of a config as objects of JSON, which nobody writes to; None is not served."""

    v5: _Object | None
    v6: _Object | None


EMPTY: Final = Config({_SETTINGS: {}}, {_SETTINGS: {}})
NOTHING: Final = Config(None, None)


def read_config(content: object) -> Config:
    """The config that an object of JSON gives, in any of the four forms.

    Raises:
        InvalidConfig: it has none of these forms.
    """
    if not isinstance(content, Mapping):
        raise InvalidConfig("a config is a JSON object")
    if V5 in content or V6 in content:
        return Config(_whole(content, V5), _whole(content, V6))
    if _SIMPLE in content:
        return _with_values(EMPTY, _object(content[_SIMPLE], _SIMPLE))
    return _of_one_file(content)


def parse_config(given: str | _Object) -> Config:
    """The same for a text, or for an object of a program, which is copied.

    Raises:
        InvalidConfig: it is not JSON, or has none of the forms.
    """
    try:
        text = given if isinstance(given, str) else json.dumps(given, allow_nan=False)
        content = read_json(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidConfig(f"a config is JSON: {error}") from None
    return read_config(content)


def with_value(config: Config, key: str, value: FlagValue) -> Config:
    """The config with one setting more, or with another value of it, without any rules.

    A file that is not served stays so, unless there is none at all: then both are made.

    Raises:
        InvalidConfig: no setting can have the value.
    """
    return _with_values(EMPTY if config == NOTHING else config, {key: value})


def without(config: Config, key: str) -> Config:
    """The config without a setting.

    Raises:
        KeyError: no file has it.
    """
    files = (config.v5, config.v6)
    if not any(key in file.get(_SETTINGS, {}) for file in files if file is not None):
        raise KeyError(key)
    return Config(*(_without(file, key) for file in files))


def _with_values(config: Config, values: _Object) -> Config:
    v5 = {key: _setting(key, value) for key, value in values.items()}
    v6 = {key: _in_v6(setting) for key, setting in v5.items()}
    return Config(_with(config.v5, v5), _with(config.v6, v6))


def _with(file: _Object | None, settings: _Object) -> _Object | None:
    if file is None:
        return None
    return {**file, _SETTINGS: {**file.get(_SETTINGS, {}), **settings}}


def _without(file: _Object | None, key: str) -> _Object | None:
    if file is None:
        return None
    settings = file.get(_SETTINGS, {})
    return {**file, _SETTINGS: {name: each for name, each in settings.items() if name != key}}


def _setting(key: object, value: object) -> dict[str, Any]:
    """A setting of a v5 file without rules."""
    if not isinstance(key, str):
        raise InvalidConfig(f"the key of a setting is a text, not {type(key).__name__}")
    if type(value) not in _TYPES or (isinstance(value, float) and not math.isfinite(value)):
        raise InvalidConfig(
            f"the setting {key!r}: a value is a boolean, a text or a finite number; give rules and "
            "percentages in a whole config"
        )
    return {
        "v": value,
        "i": _variation_id(key, value),
        "t": _TYPES[type(value)][0],
        "p": [],
        "r": [],
    }


def _in_v6(setting: _Object) -> dict[str, Any]:
    value = setting["v"]
    kind, member = _TYPES[type(value)]
    return {"t": kind, "v": {member: value}, "i": setting["i"]}


def _variation_id(key: str, value: object) -> str:
    """Eight digits that are the same for the same value, in both files and in every process."""
    named = json.dumps([key, value]).encode()
    return hashlib.sha256(named).hexdigest()[:8]


def _whole(content: _Object, name: str) -> _Object | None:
    file = content.get(name)
    if file is None:
        return None
    _object(_object(file, name).get(_SETTINGS, {}), f"{name}: {_SETTINGS}")
    return dict(file)


def _of_one_file(content: _Object) -> Config:
    """The config whose v5 or v6 file this is; one without settings may be either."""
    if not {_SETTINGS, "p", "s"} & set(content):
        raise InvalidConfig(f"a config has the member {_SETTINGS!r}, or {_SIMPLE!r}")
    settings = _object(content.get(_SETTINGS, {}), _SETTINGS)
    kinds = {_is_v6(key, setting) for key, setting in settings.items()}
    if len(kinds) > 1:
        raise InvalidConfig("some settings are those of a v5 file and others those of a v6 file")
    # The salt in "p" and segments are known to v6 alone.
    v6 = kinds == {True} or "s" in content or "s" in _object(content.get("p", {}), "p")
    if v6 and kinds == {False}:
        raise InvalidConfig("the settings are those of a v5 file, the rest is that of a v6 file")
    file = dict(content)
    return Config(None if v6 else file, None if kinds == {False} else file)


def _is_v6(key: str, setting: object) -> bool:
    described = _object(setting, f"the setting {key!r}")
    if "v" not in described:
        raise InvalidConfig(f"the setting {key!r} has no value 'v'")
    return isinstance(described["v"], Mapping)


def _object(content: object, name: str) -> _Object:
    if not isinstance(content, Mapping):
        raise InvalidConfig(f"{name}: expected a JSON object")
    return content
