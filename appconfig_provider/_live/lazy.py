"""Lazy polling: a read checks whether anything is due.

Theory. A read compares the clock with `_wake`, the same number as `refresh()` does (see `agenda`),
and usually that is all. When something is due, the reader tries the single-flight flag. With
threads the one that gets it refreshes before it returns; in asyncio, where a reader cannot await,
it starts a task (`ReadTask`) and returns. All others find the flag taken and return at once, from
the generation that is published then. So a read inside a callback or `validate` starts nothing: its
own refresh has the flag.

A read never raises for a refresh. It raises what it would without one, such as KeyError.
"""

from __future__ import annotations

import logging
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any

from appconfig_provider._live.configuration import LiveConfiguration
from appconfig_provider._live.process import DriverT, PollerT
from appconfig_provider._live.source import RequestT, StateT
from appconfig_provider.snapshot import ConfigurationSnapshot
from appconfig_provider.trouble import describe
from appconfig_provider.value_errors import MissingKey

logger = logging.getLogger("appconfig_provider")

_GOES_ON = "a read goes on with the old values after an unexpected error: %s"


class LazyConfiguration(LiveConfiguration[StateT, RequestT, DriverT, PollerT]):
    """A Mapping whose reads keep it fresh; comes first among the bases of a provider.

    It is a class of its own so that reads of other providers do not pay for the comparison.
    """

    __slots__ = ()

    def _current(self) -> StateT:
        if self._monotonic() >= self._wake:
            self._check_for_reader()
        return self._state

    # The three that are called most do not call `_current`, which would take half as long again.

    def __getitem__(self, key: str) -> Any:
        if self._monotonic() >= self._wake:
            self._check_for_reader()
        try:
            return self._state.values[key]
        except KeyError:
            pass
        raise MissingKey(key)

    def __contains__(self, key: object) -> bool:
        if self._monotonic() >= self._wake:
            self._check_for_reader()
        return key in self._state.values

    def get(self, key: str, default: object = None) -> Any:
        """Return the value of a key, or `default`; refreshes first what is due."""
        if self._monotonic() >= self._wake:
            self._check_for_reader()
        return self._state.values.get(key, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._current().values)

    def __len__(self) -> int:
        return len(self._current().values)

    def __eq__(self, other: object) -> bool:
        self._current()
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]  # as in `CurrentValues`

    def keys(self) -> KeysView[str]:
        """Return the keys of the current generation, after a refresh if one is due."""
        return self._current().values.keys()

    def values(self) -> ValuesView[Any]:
        """Return the values of the current generation, after a refresh if one is due."""
        return self._current().values.values()

    def items(self) -> ItemsView[str, Any]:
        """Return keys and values of the current generation, after a refresh if one is due."""
        return self._current().values.items()

    @property
    def snapshot(self) -> ConfigurationSnapshot:
        """The current generation, after a refresh if one is due; reads of it check nothing."""
        return self._current().snapshot

    def _check_for_reader(self) -> None:
        """Have refreshed what is due, unless another call does or the provider is closed."""
        if self._closed:
            return
        try:
            process = self._this_process()
            if process.flight.locked():
                self._give_way(process)
            else:
                self._refresh_for_reader(process)
        except Exception as error:
            logger.error(_GOES_ON, describe(error))  # noqa: TRY400 - no text, it may quote

    def _new_poller(self) -> PollerT | None:
        return self._make_read_task()

    def _keep_polling(self) -> None:
        """Do nothing: only readers start a check."""
