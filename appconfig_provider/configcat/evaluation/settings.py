"""The settings of one or of several config files, by key.

A setting of config JSON depends on its file: on the salt of its hashes and on the segments that its
conditions number. So each setting keeps its `Origin`, and settings of several files can be mixed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from appconfig_provider.configcat.overridedatasource import OverrideBehaviour


@dataclass(frozen=True, slots=True)
class Origin:
    """What a setting takes from the file that it stands in."""

    version: int = 6
    """5 or 6, for settings that do not show it themselves."""
    salt: str = field(default="", repr=False)
    segments: Sequence[Any] = field(default=(), repr=False)


class Settings(Mapping[str, Any]):
    """Read-only settings by key, as `f` of the config JSON has them, in the order of the file.

    Equal ones are equal by value, with their origins.
    """

    __slots__ = ("_origins", "_raw")

    def __init__(self, raw: Mapping[str, Any], origins: Mapping[str, Origin]) -> None:
        """Take read-only settings, and the origin of each."""
        self._raw = raw
        self._origins = origins

    def __getitem__(self, key: str) -> Any:
        return self._raw[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)

    def __contains__(self, key: object) -> bool:
        return key in self._raw

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Settings):
            return NotImplemented
        return self._raw == other._raw and self._origins == other._origins

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Settings of {len(self._raw)} keys>"

    def get(self, key: Any, default: Any = None) -> Any:
        """Return a setting; `default` when there is none of that key."""
        return self._raw.get(key, default)

    def origin(self, key: str) -> Origin:
        """Return what a setting takes from its file."""
        return self._origins[key]

    def keeping(self, before: Settings) -> Settings:
        """Return these settings; those that are equal to settings of before are the same objects.

        What was made of such a setting can be kept.
        """
        kept = {
            key: setting
            for key, setting in before._raw.items()
            if setting == self._raw.get(key) and self._origins[key] == before._origins[key]
        }
        return Settings({**self._raw, **kept}, self._origins) if kept else self

    def followed_by(self, others: Settings) -> Settings:
        """Return both; a setting of the others replaces one of the same key."""
        return Settings({**self._raw, **others._raw}, {**self._origins, **others._origins})


NO_SETTINGS = Settings({}, {})


def merged(remote: Settings, local: Settings, behaviour: OverrideBehaviour) -> Settings:
    """Return the settings that count: whole ones are replaced, never parts of them."""
    if behaviour == OverrideBehaviour.LocalOnly:
        return local
    if behaviour == OverrideBehaviour.LocalOverRemote:
        return remote.followed_by(local)
    return local.followed_by(remote)
