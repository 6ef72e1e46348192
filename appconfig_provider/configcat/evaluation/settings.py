"""The settings of one or of several config files, by key.

A setting of config JSON depends on its file: on the salt of its hashes and on the segments that its
conditions number. So each setting keeps its `Origin`, and settings of several files can be mixed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from appconfig_provider.configcat.overridedatasource import OverrideBehaviour
from appconfig_provider.readonly import read_only
from appconfig_provider.snapshot import same


@dataclass(frozen=True, slots=True)
class Origin:
    """What a setting takes from the file that it stands in."""

    version: int = 6
    """5 or 6, for settings that do not show it themselves."""
    salt: str = field(default="", repr=False)
    segments: Sequence[Any] = field(default=(), repr=False)


class _Part:
    """A setting with its origin. It is made read-only when it is first asked for.

    That takes ten times as long as to decode it, and most settings stay as they are when a new
    config comes.
    """

    __slots__ = ("_raw", "_read_only", "origin")

    def __init__(self, raw: Any, origin: Origin) -> None:
        self._raw = raw
        self._read_only: Any = None
        self.origin = origin

    @property
    def setting(self) -> Any:
        """The setting, read-only; always the same object."""
        if self._read_only is None:  # two threads may both do it; what they get is equal
            self._read_only = read_only(self._raw)
        return self._read_only

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Part):
            return NotImplemented
        # The second comparison takes longer, and also tells 1 from 1.0 and from true.
        equal = self._raw == other._raw and same(self._raw, other._raw)
        return equal and self.origin == other.origin

    __hash__ = None  # type: ignore[assignment]


class Settings(Mapping[str, Any]):
    """Read-only settings by key, as `f` of the config JSON has them, in the order of the file.

    Equal ones are equal by value, with their origins.
    """

    __slots__ = ("_parts",)

    def __init__(self, parts: Mapping[str, _Part]) -> None:
        self._parts = parts

    def __getitem__(self, key: str) -> Any:
        return self._parts[key].setting

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __contains__(self, key: object) -> bool:
        return key in self._parts

    def __eq__(self, other: object) -> bool:
        return self._parts == other._parts if isinstance(other, Settings) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Settings of {len(self._parts)} keys>"

    def origin(self, key: str) -> Origin:
        """Return what a setting takes from its file."""
        return self._parts[key].origin

    def keeping(self, before: Settings) -> Settings:
        """Return these settings; those that are equal to settings of before are the same objects.

        What was made of such a setting can be kept.
        """
        old = before._parts
        kept = {key: old[key] for key, part in self._parts.items() if old.get(key) == part}
        return Settings({**self._parts, **kept}) if kept else self

    def differing(self, before: Settings) -> list[str]:
        """Return the sorted keys of settings that differ from those of before, or are gone."""
        old, new = before._parts, self._parts
        pairs = ((key, old.get(key), new.get(key)) for key in old.keys() | new.keys())
        return sorted(key for key, one, other in pairs if one is not other and one != other)

    def followed_by(self, others: Settings) -> Settings:
        """Return both; a setting of the others replaces one of the same key."""
        return Settings({**self._parts, **others._parts})


def settings_of(raw: Mapping[str, Any], origin: Origin) -> Settings:
    """Return the settings of one file, which nobody changes from now on."""
    return Settings({key: _Part(setting, origin) for key, setting in raw.items()})


NO_SETTINGS = Settings({})


def merged(remote: Settings, local: Settings, behaviour: OverrideBehaviour) -> Settings:
    """Return the settings that count: whole ones are replaced, never parts of them."""
    if behaviour == OverrideBehaviour.LocalOnly:
        return local
    if behaviour == OverrideBehaviour.LocalOverRemote:
        return remote.followed_by(local)
    return local.followed_by(remote)
