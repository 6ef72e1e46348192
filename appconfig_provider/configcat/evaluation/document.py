"""Config JSON, read: the file of ConfigCat's servers, and the files of local settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from appconfig_provider.configcat.evaluation.settings import (
    NO_SETTINGS,
    Origin,
    Settings,
    settings_of,
)
from appconfig_provider.decoding import Undecodable, decode, decode_relaxed, text_of

MAX_LENGTH = 32 * 1024 * 1024
"""Characters or bytes of one config."""


@dataclass(frozen=True, slots=True)
class Config:
    """One config JSON."""

    settings: Settings
    has_settings: bool
    """False where the JSON has no `f`: it says nothing about settings, at most where to ask."""
    base_url: str | None
    """The server that is to be asked for this config; None where none is named."""
    redirect: int
    """0: ask it the next time; 1: ask it at once, and warn; 2: ask it at once, always."""
    version: int
    """5 or 6, by the form of the values; 6 for simple files, and where there are no values."""


def read_config(text: str | bytes) -> Config:
    """Read what a server of ConfigCat sends, or a cache holds: `config_v5.json`, `config_v6.json`.

    A setting that cannot be used harms no other; its fault is found when it is evaluated.

    Raises:
        ValueError: it is no config. The message does not quote it.
    """
    return _config(_object(decode(_bounded(text))))


def read_overrides(text: str | bytes) -> Config:
    """Read a file of local settings.

    It is a config, or `{"flags": {key: value}}`. Comments (`//`, `/* */`) and a comma after the
    last of a list are allowed.

    Raises:
        ValueError: it is no such file. The message does not quote it.
    """
    bounded = _bounded(text)
    try:
        content = decode_relaxed(bounded if isinstance(bounded, str) else text_of(bounded))
    except UnicodeError:
        raise Undecodable("bytes that are no text") from None
    document = _object(content)
    if "flags" not in document:
        return _config(document)
    flags = document["flags"]
    if not isinstance(flags, Mapping):
        raise ValueError("`flags` is no JSON object")
    return Config(simple_settings(flags), has_settings=True, base_url=None, redirect=0, version=6)


def simple_settings(values: Mapping[str, object]) -> Settings:
    """Return settings that have the same value for everybody; what is given is copied.

    Values are of type bool, str, int or float. A setting of any other type cannot be evaluated.
    """
    raw = {str(key): _setting(value) for key, value in values.items()}
    return settings_of(raw, Origin())


_FIELDS: dict[type, tuple[int, str]] = {
    bool: (0, "b"),
    str: (1, "s"),
    int: (2, "i"),
    float: (3, "d"),
}


def _setting(value: object) -> dict[str, Any]:
    for kind, (number, name) in _FIELDS.items():
        if isinstance(value, kind):  # bool is asked for first; subclasses become plain values
            return {"t": number, "v": {name: value if type(value) is kind else kind(value)}}
    return {"v": {}}


def _bounded(text: str | bytes) -> str | bytes:
    if len(text) > MAX_LENGTH:
        raise ValueError(f"a config is longer than {MAX_LENGTH} characters")
    return text


def _object(content: object) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ValueError("a config is a JSON object")
    return content


def _config(document: dict[str, Any]) -> Config:
    preferences = document.get("p")
    if not isinstance(preferences, dict):
        preferences = {}
    given = document.get("f")
    if given is not None and not isinstance(given, dict):
        raise ValueError("`f`, the settings of a config, is no JSON object")
    version = _version(given or {})
    base_url, redirect = preferences.get("u"), preferences.get("r")
    return Config(
        _settings(given, document.get("s"), preferences.get("s"), version)
        if given
        else NO_SETTINGS,
        given is not None,
        base_url if isinstance(base_url, str) and base_url else None,
        redirect if type(redirect) is int and redirect in {0, 1, 2} else 0,
        version,
    )


def _version(settings: dict[str, Any]) -> int:
    """Return the format that values show; where all are missing, what rules and options show."""
    given = [setting for setting in settings.values() if isinstance(setting, dict)]
    inner = (one for setting in given for name in ("p", "r") for one in _objects(setting.get(name)))
    for holder in chain(given, inner):
        if holder.get("v") is not None:
            return 6 if isinstance(holder["v"], dict) else 5
        if isinstance(holder.get("c"), str):  # the comparison value of a rule of version 5
            return 5
    return 6


def _objects(given: object) -> list[dict[str, Any]]:
    return [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []


def _settings(given: dict[str, Any], segments: object, salt: object, version: int) -> Settings:
    origin = Origin(
        version,
        salt if isinstance(salt, str) else "",
        segments if isinstance(segments, list) else (),
    )
    return settings_of(given, origin)
