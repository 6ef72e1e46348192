"""Layering: from the pages of all selectors to one setting for each key, and then to its value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple, TypeAlias, cast

from appconfig_provider._azure.settings.content import Kind, kind_of, kind_of_setting, parse_json
from appconfig_provider._azure.settings.records import Page, Setting
from appconfig_provider._azure.settings.references import snapshot_of
from appconfig_provider.decoding import Undecodable
from appconfig_provider.models import JsonValue

Pages = tuple[Page, ...]

Entry: TypeAlias = Setting | str | None
"""What wins for a key: a setting, or only its text if it has no content type (to save memory)."""


class Problem(NamedTuple):
    """A setting that could not be used as what it claims to be."""

    key: str
    label: str | None
    fingerprint: int
    """A hash of the text, to see when it changes. The text itself may be a secret."""
    message: str
    """What is wrong and what was done about it; a log line puts the setting's name before it."""


def problem(setting: Setting, message: str) -> Problem:
    """Return what is wrong with a setting."""
    return Problem(setting.key, setting.label, hash(setting.value), message)


def in_order(selections: Iterable[Pages], references: Mapping[str, Pages]) -> Iterator[Setting]:
    """Yield plain settings in order; of the same key the later one wins.

    In the place of a snapshot reference come the settings of its snapshot. Feature flags are left
    out, and so are snapshot references inside a snapshot: a reference is followed only one level.
    """
    for page in chain.from_iterable(selections):
        if _is_plain(page):
            yield from page.settings
            continue
        for setting in page.settings:
            kind = kind_of_setting(setting)
            if kind is Kind.SNAPSHOT_REFERENCE:
                yield from _plain_settings(references.get(snapshot_of(setting), ()))
            elif kind is not Kind.FLAG:
                yield setting


def _is_plain(page: Page) -> bool:
    """Tell whether a page has no feature flags and no snapshot references."""
    kinds = {kind_of(one) for one in set(page.columns.content_types) if one}
    return kinds.isdisjoint(_NOT_PLAIN)


_NOT_PLAIN = (Kind.FLAG, Kind.SNAPSHOT_REFERENCE)


def _plain_settings(pages: Pages) -> Iterator[Setting]:
    for page in pages:
        for setting in page.settings:
            if kind_of_setting(setting) not in _NOT_PLAIN:
                yield setting


def referenced_snapshots(selections: Iterable[Pages]) -> tuple[str, ...]:
    """Return the distinct names of the snapshots that settings refer to, in order."""
    names = {
        snapshot_of(setting): None
        for page in chain.from_iterable(selections)
        if not _is_plain(page)
        for setting in page.settings
        if kind_of_setting(setting) is Kind.SNAPSHOT_REFERENCE
    }
    return tuple(names)


def layer(settings: Iterable[Setting], prefixes: tuple[str, ...]) -> dict[str, Setting]:
    """Return the setting that counts for each trimmed key.

    Trimming comes first: `app/host` and `host` are the same key once `app/` is trimmed, and the
    later one wins.
    """
    if not prefixes:
        return {setting.key: setting for setting in settings}
    return {trim(setting.key, prefixes): setting for setting in settings}


def entries(
    selections: Iterable[Pages], references: Mapping[str, Pages], prefixes: tuple[str, ...]
) -> dict[str, Entry]:
    """Return what wins for each trimmed key, as `layer` does, but plain settings only as texts.

    No object is made for a plain setting: a store may hold a hundred thousand of them.
    """
    found: dict[str, Entry] = {}
    for page in chain.from_iterable(selections):
        if not _is_plain(page):
            found.update(layer(in_order(((page,),), references), prefixes))
            continue
        keys = page.columns.keys
        trimmed = [trim(key, prefixes) for key in keys] if prefixes else keys
        found.update(zip(trimmed, _entries(page), strict=True))
    return found


def _entries(page: Page) -> Sequence[Entry]:
    if not any(page.columns.content_types):
        return page.columns.values
    return [one if one.content_type else one.value for one in page.settings]


def trim(key: str, prefixes: tuple[str, ...]) -> str:
    """Remove the first prefix that matches; `prefixes` are sorted, longest first."""
    for prefix in prefixes:
        if key.startswith(prefix):
            return key[len(prefix) :]
    return key


def _typed(winners: Mapping[str, Entry]) -> dict[str, Setting]:
    """Return the winners that have a content type; most stores have few of them, or none."""
    if Setting not in set(map(type, winners.values())):
        return {}
    return {key: entry for key, entry in winners.items() if type(entry) is Setting}


def vault_references(winners: Mapping[str, Entry]) -> dict[str, Setting]:
    """Return the winners that are Key Vault references."""
    return {
        key: entry
        for key, entry in _typed(winners).items()
        if kind_of_setting(entry) is Kind.VAULT_REFERENCE
    }


def content_types(winners: Mapping[str, Entry]) -> set[str]:
    """Return the content types that occur."""
    return {entry.content_type for entry in _typed(winners).values() if entry.content_type}


class Broken(NamedTuple):
    """The result for a text that is not JSON; it is kept, so that it is not decoded again."""

    why: str


Decoded = Mapping[str, "JsonValue | Broken"]
"""JSON values by the texts they were decoded from."""


class Converted(NamedTuple):
    """The value of each key, the problems with JSON, and the decoded JSON by its text."""

    values: dict[str, JsonValue]
    problems: list[Problem]
    decoded: dict[str, JsonValue | Broken]

    def __repr__(self) -> str:
        """Show how many values there are, never one of them."""
        return f"<Converted of {len(self.values)}>"


def convert(winners: Mapping[str, Entry], previous: Decoded) -> Converted:
    """Return the value of each key; JSON whose text was decoded before is not decoded again."""
    # A text without a content type is its own value; only the others are gone through.
    converted = Converted(cast("dict[str, JsonValue]", dict(winners)), [], {})
    for key, setting in _typed(winners).items():
        converted.values[key] = _value(setting, previous, converted)
    return converted


def _value(setting: Setting, previous: Decoded, converted: Converted) -> JsonValue:
    text = setting.value
    if text is None or kind_of_setting(setting) is not Kind.JSON:
        return text
    if text not in converted.decoded:
        converted.decoded[text] = previous[text] if text in previous else _decoded(text)
    value = converted.decoded[text]
    if not isinstance(value, Broken):
        return value
    message = f"has a JSON content type but is no JSON ({value.why}); its text is used as it stands"
    converted.problems.append(problem(setting, message))
    return text


def _decoded(text: str) -> JsonValue | Broken:
    try:
        return parse_json(text)
    except Undecodable as error:
        return Broken(str(error).partition(":")[0])
