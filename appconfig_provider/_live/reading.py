"""Reading: a Mapping; each call reads the generation that is current then."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Generic

from appconfig_provider._live.source import StateT
from appconfig_provider.snapshot import ConfigurationSnapshot
from appconfig_provider.value_errors import MissingKey


class CurrentValues(Mapping[str, Any], Generic[StateT]):
    """The values of a state that refreshes replace; no reader takes a lock.

    All methods of Mapping are written out. The inherited ones use exceptions and a look-up for each
    key, and take up to ten times as long.
    """

    __slots__ = ("_state",)

    _state: StateT

    def _current(self) -> StateT:
        """Return the state to read, for what belongs to a provider and counts as a read of it.

        A provider with lazy polling checks first whether anything is due.
        """
        return self._state

    def __getitem__(self, key: str) -> Any:
        try:
            return self._state.values[key]
        except KeyError:
            pass
        raise MissingKey(key)  # not above: there the other one would be its context

    def __contains__(self, key: object) -> bool:
        return key in self._state.values

    def __iter__(self) -> Iterator[str]:
        return iter(self._state.values)

    def __len__(self) -> int:
        return len(self._state.values)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, CurrentValues):
            other = other.snapshot
        if not isinstance(other, Mapping):
            return NotImplemented
        return self._state.values == dict(other)

    __hash__ = None  # type: ignore[assignment]  # like dict: equal by content, not hashable

    def get(self, key: str, default: object = None) -> Any:
        """Return the value of a key, or `default`."""
        return self._state.values.get(key, default)

    def keys(self) -> KeysView[str]:
        """Return the keys of the current generation; the view stays with it."""
        return self._state.values.keys()

    def values(self) -> ValuesView[Any]:
        """Return the values of the current generation; the view stays with it."""
        return self._state.values.values()

    def items(self) -> ItemsView[str, Any]:
        """Return keys and values of the current generation; the view stays with it."""
        return self._state.values.items()

    @property
    def snapshot(self) -> ConfigurationSnapshot:
        """The current generation, for several reads that must agree and for `dict(...)`."""
        return self._state.snapshot
