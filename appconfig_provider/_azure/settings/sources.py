"""Where a value of a generation came from; worked out only when `explain` is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from urllib.parse import urlsplit

from appconfig_provider._azure.settings.content import Kind, kind_of_setting
from appconfig_provider._azure.settings.layering import Pages, in_order, trim
from appconfig_provider._azure.settings.records import Page, Setting, columns_of
from appconfig_provider._azure.settings.references import (
    UnresolvedReference,
    secret_of,
    snapshot_of,
)
from appconfig_provider._azure.vaults import is_address
from appconfig_provider.models import Explanation
from appconfig_provider.selectors import SettingSelector


@dataclass(frozen=True, slots=True)
class Sources:
    """What a generation was built of. These objects are kept for the next refresh anyway."""

    selectors: tuple[SettingSelector, ...]
    selections: tuple[Pages, ...] = field(repr=False)
    """The pages of each selector."""
    references: Mapping[str, Pages] = field(repr=False)
    prefixes: tuple[str, ...]
    original_keys: Mapping[str, str] = field(default_factory=dict)
    """By key: the key of the setting that a mapper made it from, where that is another one."""

    def explain(self, key: str) -> Explanation:
        """Return where the value of a key came from, and which other settings it replaced.

        Raises:
            KeyError: no setting of the store has this key.
        """
        found = self.shadowed(self.original_keys.get(key, key))
        if not found:
            raise KeyError(key)
        return replace(found[0], shadows=found[1:])

    def shadowed(self, key: str) -> tuple[Explanation, ...]:
        """Return every setting of a key; the one that wins comes first."""
        found = [
            _explained(setting, selector, snapshot or selector.snapshot_name)
            for selector, pages in zip(self.selectors, self.selections, strict=True)
            for setting, snapshot in self._candidates(key, pages)
        ]
        return tuple(reversed(found))

    def _candidates(self, key: str, pages: Pages) -> Iterator[tuple[Setting, str | None]]:
        """Yield the settings of a key, each with its snapshot if a reference led there."""
        for page in pages:
            for setting in page.settings:
                refers = kind_of_setting(setting) is Kind.SNAPSHOT_REFERENCE
                if not refers and trim(setting.key, self.prefixes) != key:
                    continue
                alone = Page("", None, columns_of((setting,)), None)
                for one in in_order(((alone,),), self.references):
                    if trim(one.key, self.prefixes) == key:
                        yield one, snapshot_of(setting) if refers else None


def _explained(
    setting: Setting, selector: SettingSelector, snapshot_name: str | None
) -> Explanation:
    secret = kind_of_setting(setting) is Kind.VAULT_REFERENCE
    return Explanation(
        key=setting.key,
        label=setting.label,
        content_type=setting.content_type,
        tags=MappingProxyType(dict(setting.tags or {})),
        origin="secret" if secret else "snapshot" if snapshot_name is not None else "store",
        selector=selector,
        snapshot_name=snapshot_name,
        secret_id=_secret_id(setting) if secret else None,
    )


def _secret_id(setting: Setting) -> str | None:
    try:
        written = secret_of(setting, lenient=True).written
        address = urlsplit(written if is_address(written) else "")
    except (UnresolvedReference, ValueError):
        return None
    if not address.netloc:
        return None
    # An address for a resolver may have a password, or a signature in its query: both are dropped.
    return f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"
