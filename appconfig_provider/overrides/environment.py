"""Overrides from variables of the environment: `APP_DB__HOST` is the key `db:host`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from appconfig_provider.decoding import Undecodable, decode
from appconfig_provider.flag_values import FEATURE_MANAGEMENT
from appconfig_provider.overrides.layers import Layer, OverrideBehaviour, layer_of
from appconfig_provider.overrides.values import BadOverride
from appconfig_provider.texts import quoted

WHERE = "overrides from the environment"


@dataclass(frozen=True, slots=True)
class Variables:
    """Which variables count, and how their names and texts are read."""

    prefix: str
    separator: str
    """What stands in a name where `key_separator` stands in the key."""
    key_separator: str
    case_sensitive: bool
    parse_json: bool
    texts: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """The names, without the prefix, and the texts, once they were read."""

    def read(self, environment: Mapping[str, str]) -> Variables:
        """Return the same with the variables of an environment."""
        texts = tuple(
            (name[len(self.prefix) :], text)
            for name, text in environment.items()
            if len(name) > len(self.prefix) and self._is_ours(name[: len(self.prefix)])
        )
        return replace(self, texts=texts)

    def layer(self, behaviour: OverrideBehaviour) -> Layer:
        """Return the layer of the variables that were read.

        Raises:
            BadOverride: two variables are the same key.
        """
        values: dict[str, object] = {}
        names: dict[str, str] = {}
        for name, text in self.texts:
            key = self._key(name)
            same = key if self.case_sensitive else key.casefold()
            if same in names:
                twice = ", ".join(quoted(self.prefix + one) for one in sorted((names[same], name)))
                raise BadOverride(f"{WHERE}: the variables {twice} are the same key")
            names[same] = name
            values[key] = self._value(text)
        return replace(layer_of(values, behaviour, WHERE), ignores_case=not self.case_sensitive)

    def _is_ours(self, start: str) -> bool:
        if self.case_sensitive:
            return start == self.prefix
        return start.casefold() == self.prefix.casefold()  # Windows has all names in upper case

    def _key(self, name: str) -> str:
        key = name.replace(self.separator, self.key_separator)
        known = key.casefold() == FEATURE_MANAGEMENT and not self.case_sensitive
        return FEATURE_MANAGEMENT if known else key

    def _value(self, text: str) -> object:
        if not self.parse_json:
            return text
        try:
            decoded: object = decode(text)
        except Undecodable:
            return text
        return decoded
