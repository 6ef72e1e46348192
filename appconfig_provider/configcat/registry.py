"""Which clients a process has, by SDK key. There is one registry for each kind of client.

No lock is needed: every step is one operation of a dict or a set.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from logging import WARNING
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from appconfig_provider.configcat.events import EXISTS, write
from appconfig_provider.configcat.keys import masked

if TYPE_CHECKING:
    from appconfig_provider.configcat.managing import ManagedClient

ClientT = TypeVar("ClientT", bound="ManagedClient[Any]")

_IGNORED = (
    "There is an existing client instance for the specified SDK Key. No new client instance will "
    "be created and the specified options are ignored. Returning the existing client instance. "
    "SDK Key: '%s'."
)
_ANOTHER = (
    "There is an existing client instance for the specified SDK Key: '%s'. We strongly recommend "
    "you to use the ConfigCat Client as a Singleton object in your application."
)


class Registry(Generic[ClientT]):
    """The clients of one kind that were not closed yet."""

    def __init__(self) -> None:
        self._shared: dict[str, ClientT] = {}
        self._known: weakref.WeakValueDictionary[str, ClientT] = weakref.WeakValueDictionary()
        """The last client of each key."""
        self._kept: dict[int, ClientT] = {}

    def add(self, client: ClientT) -> None:
        """Note a new client, and warn if there is one with the same key."""
        other = self._known.get(client._sdk_key)
        if other is not None and not other._live._closed:
            write(EXISTS, WARNING, _ANOTHER, masked(client._sdk_key))
        self._known[client._sdk_key] = client
        hooks = client._events.hooks
        if client._polls and (hooks.config_changed or hooks.error):
            # Somebody waits to be told, maybe without holding the client.
            self._kept[id(client)] = client

    def shared(self, sdk_key: str, make: Callable[[], ClientT], *, given: bool) -> ClientT:
        """Return the client that everybody shares; `given` is True where options were given."""
        client = self._shared.get(sdk_key)
        if client is None:
            made = make()
            client = self._shared.setdefault(sdk_key, made)
            if client is made:
                self._known.setdefault(sdk_key, made)
                made._begin()
                return made
        if given:
            write(EXISTS, WARNING, _IGNORED, masked(sdk_key))
        return client

    def forget(self, client: ClientT) -> None:
        """Forget a client that is closed."""
        if self._shared.get(client._sdk_key) is client:
            self._shared.pop(client._sdk_key, None)
        self._kept.pop(id(client), None)

    def all_shared(self) -> list[ClientT]:
        """Return the clients that are shared."""
        return list(self._shared.copy().values())
