"""The kind of a setting by its content type, and the decoding of JSON settings."""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache

from appconfig_provider._azure.settings.records import Setting
from appconfig_provider.decoding import decode_with_comments
from appconfig_provider.models import FLAG_PREFIX, JsonValue
from appconfig_provider.readonly import read_only

_FLAG = "application/vnd.microsoft.appconfig.ff+json;charset=utf-8"
_VAULT_REFERENCE = "application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8"
_SNAPSHOT_PROFILE = re.compile(
    r'\s*application/json\s*;.*profile\s*=\s*"https://azconfig\.io/mime-profiles/snapshot-ref"',
    re.IGNORECASE,
)


class Kind(Enum):
    """What to do with a setting's text."""

    TEXT = "text"
    JSON = "json"
    FLAG = "feature flag"
    VAULT_REFERENCE = "Key Vault reference"
    SNAPSHOT_REFERENCE = "snapshot reference"


_USUAL_LENGTH = 512
"""Characters. Longer content types are not cached: they may be anything, and would fill memory."""


def kind_of(content_type: str) -> Kind:
    """Return the kind for a content type; cached, as thousands of settings have the same few."""
    return _known_kind(content_type) if len(content_type) <= _USUAL_LENGTH else _kind(content_type)


def _kind(content_type: str) -> Kind:
    if content_type.startswith(_FLAG):
        return Kind.FLAG
    if content_type.startswith(_VAULT_REFERENCE):
        return Kind.VAULT_REFERENCE
    if _SNAPSHOT_PROFILE.match(content_type):
        return Kind.SNAPSHOT_REFERENCE
    main, _, subtype = content_type.partition(";")[0].strip().lower().partition("/")
    if main == "application" and "json" in subtype.split("+"):
        return Kind.JSON
    return Kind.TEXT


_known_kind = lru_cache(maxsize=256)(_kind)


def kind_of_setting(setting: Setting) -> Kind:
    """Return the kind of a setting.

    One with a flag's content type is a flag only if its key has a flag's prefix; else it is JSON.
    """
    if not setting.content_type:
        return Kind.TEXT
    kind = kind_of(setting.content_type)
    if kind is Kind.FLAG and not setting.key.startswith(FLAG_PREFIX):
        return Kind.JSON
    return kind


def parse_json(text: str | None) -> JsonValue:
    """Decode JSON, with `//` and `/* */` comments allowed, into read-only values.

    Raises:
        Undecodable: the text is not JSON, with or without comments, or is nested too deeply.
    """
    return None if text is None else read_only(decode_with_comments(text))
