"""From the pages of all selectors to one value per key: trim, let the later one win, convert."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from appconfig_provider._rest.failures import EngineError
from appconfig_provider._rest.responses import Setting
from appconfig_provider._settings.content import FLAG_PREFIX, Kind, kind_of, parse_json
from appconfig_provider.models import JsonValue


class Problem(NamedTuple):
    """A setting that could not be read as what it claims to be; its text is used as it stands."""

    key: str
    label: str | None
    fingerprint: int
    """Tells texts apart without holding one: it may be a secret."""
    reason: str


class UnresolvedReference(EngineError):
    """A Key Vault reference that nobody can resolve; carries the setting's name."""

    def __init__(self, key: str, label: str | None) -> None:
        super().__init__(
            f"setting {key!r} (label {label!r}) is a Key Vault reference, which this version "
            "cannot resolve; leave it out with selects=[...]"
        )
        self.key = key
        self.label = label

    def as_public(self) -> Exception:
        from appconfig_provider.errors import KeyVaultReferenceError

        error = KeyVaultReferenceError(str(self), key=self.key, label=self.label)
        error.__cause__ = self
        return error


def layer(settings: Iterable[Setting], prefixes: tuple[str, ...]) -> dict[str, Setting]:
    """Return the setting that counts for each trimmed key.

    `settings` come in the order of the selectors. Trimming comes first: `app/host` and `host` are
    the same key once `app/` is cut, and the later one wins.
    """
    winners: dict[str, Setting] = {}
    for setting in settings:
        content_type = setting.content_type
        if content_type and _is_flag(setting.key, content_type):
            continue
        winners[trim(setting.key, prefixes) if prefixes else setting.key] = setting
    return winners


def _is_flag(key: str, content_type: str) -> bool:
    return kind_of(content_type) is Kind.FLAG and key.startswith(FLAG_PREFIX)


def trim(key: str, prefixes: tuple[str, ...]) -> str:
    """Cut the first prefix that fits; `prefixes` come longest first."""
    for prefix in prefixes:
        if key.startswith(prefix):
            return key[len(prefix) :]
    return key


def convert(winners: dict[str, Setting]) -> tuple[dict[str, JsonValue], frozenset[Problem]]:
    """Return the value of each key, and what was wrong with the JSON of some.

    Raises:
        UnresolvedReference: a winner is a Key Vault reference.
    """
    values: dict[str, JsonValue] = {}
    problems: list[Problem] = []
    for key, setting in winners.items():
        value: JsonValue = setting.value
        if setting.content_type:
            kind = kind_of(setting.content_type)
            if kind is Kind.VAULT_REFERENCE:
                raise UnresolvedReference(setting.key, setting.label)
            if kind is Kind.JSON:
                value = _json_or_text(setting, problems)
        values[key] = value
    return values, frozenset(problems)


def _json_or_text(setting: Setting, problems: list[Problem]) -> JsonValue:
    try:
        return parse_json(setting.value)
    except ValueError as error:
        reason = str(error).partition(":")[0]
        problems.append(Problem(setting.key, setting.label, hash(setting.value), reason))
        return setting.value
