"""What a setting is, by its content type, and the value it stands for."""

from __future__ import annotations

import json
import re
from enum import Enum
from functools import lru_cache

from appconfig_provider._rest.responses import Setting
from appconfig_provider.models import FLAG_PREFIX, JsonValue
from appconfig_provider.snapshot import read_only

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


@lru_cache(maxsize=256)
def kind_of(content_type: str) -> Kind:
    """Classify a content type; stores use a handful of them for thousands of settings."""
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


def kind_of_setting(setting: Setting) -> Kind:
    """Say what a setting is. A flag's type on a key that is no flag's means JSON, no more."""
    if not setting.content_type:
        return Kind.TEXT
    kind = kind_of(setting.content_type)
    if kind is Kind.FLAG and not setting.key.startswith(FLAG_PREFIX):
        return Kind.JSON
    return kind


def parse_json(text: str | None) -> JsonValue:
    """Decode JSON, with `//` and `/* */` comments allowed, into read-only values.

    Raises:
        ValueError: the text is no JSON, with or without comments.
    """
    if text is None:
        return None
    try:
        return read_only(_decode(text))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _decode(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return json.loads(_COMMENT.sub(_keep_strings, text))


_COMMENT = re.compile(r'"(?:\\.|[^"\\])*"|//[^\r\n]*|/\*.*?\*/', re.DOTALL)


def _keep_strings(match: re.Match[str]) -> str:
    # A blank instead of the comment, so that `1/**/2` does not become a number.
    return match[0] if match[0].startswith('"') else " "
