"""From the pages of all selectors to one setting per key, and from settings to values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from appconfig_provider._rest.responses import Page, Setting
from appconfig_provider._settings.content import Kind, kind_of_setting, parse_json
from appconfig_provider._settings.references import snapshot_of
from appconfig_provider.models import JsonValue

Pages = tuple[Page, ...]


class Problem(NamedTuple):
    """A setting that could not be used as what it claims to be."""

    key: str
    label: str | None
    fingerprint: int
    """Tells texts apart without holding one: it may be a secret."""
    told: str
    """What is wrong and what was done about it, as the end of a sentence about the setting."""


def problem(setting: Setting, told: str) -> Problem:
    """Return what is wrong with a setting."""
    return Problem(setting.key, setting.label, hash(setting.value), told)


def in_order(selections: Iterable[Pages], references: Mapping[str, Pages]) -> Iterator[Setting]:
    """Yield plain settings in the order in which later ones win.

    A snapshot reference is replaced, where it stands, by the settings of its snapshot. Feature
    flags are left out, and so are references inside a snapshot: none is followed twice.
    """
    for page in chain.from_iterable(selections):
        if page.plain:
            yield from page.settings
            continue
        for setting in page.settings:
            kind = kind_of_setting(setting)
            if kind is Kind.SNAPSHOT_REFERENCE:
                yield from _inside(references.get(snapshot_of(setting), ()))
            elif kind is not Kind.FLAG:
                yield setting


def _inside(pages: Pages) -> Iterator[Setting]:
    left_out = (Kind.FLAG, Kind.SNAPSHOT_REFERENCE)
    for page in pages:
        for setting in page.settings:
            if kind_of_setting(setting) not in left_out:
                yield setting


def referenced_snapshots(selections: Iterable[Pages]) -> tuple[str, ...]:
    """Return the distinct names of the snapshots that settings refer to, in order."""
    names = {
        snapshot_of(setting): None
        for page in chain.from_iterable(selections)
        if not page.plain
        for setting in page.settings
        if kind_of_setting(setting) is Kind.SNAPSHOT_REFERENCE
    }
    return tuple(names)


def layer(settings: Iterable[Setting], prefixes: tuple[str, ...]) -> dict[str, Setting]:
    """Return the setting that counts for each trimmed key.

    Trimming comes first: `app/host` and `host` are the same key once `app/` is cut, and the later
    one wins.
    """
    if not prefixes:
        return {setting.key: setting for setting in settings}
    return {trim(setting.key, prefixes): setting for setting in settings}


def trim(key: str, prefixes: tuple[str, ...]) -> str:
    """Cut the first prefix that fits; `prefixes` come longest first."""
    for prefix in prefixes:
        if key.startswith(prefix):
            return key[len(prefix) :]
    return key


def vault_references(winners: Mapping[str, Setting]) -> dict[str, Setting]:
    """Return the winners that are Key Vault references."""
    return {
        key: setting
        for key, setting in winners.items()
        if kind_of_setting(setting) is Kind.VAULT_REFERENCE
    }


def convert(winners: Mapping[str, Setting]) -> tuple[dict[str, JsonValue], list[Problem]]:
    """Return the value of each key, and what was wrong with the JSON of some."""
    values: dict[str, JsonValue] = {}
    problems: list[Problem] = []
    for key, setting in winners.items():
        value: JsonValue = setting.value
        if setting.content_type and kind_of_setting(setting) is Kind.JSON:
            value = _json_or_text(setting, problems)
        values[key] = value
    return values, problems


def _json_or_text(setting: Setting, problems: list[Problem]) -> JsonValue:
    try:
        return parse_json(setting.value)
    except ValueError as error:
        reason = str(error).partition(":")[0]
        told = f"has a JSON content type but is no JSON ({reason}); its text is used as it stands"
        problems.append(problem(setting, told))
        return setting.value
