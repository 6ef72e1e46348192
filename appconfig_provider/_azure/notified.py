"""`notify()`: a live configuration that accepts events of Event Grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appconfig_provider._azure.context import Context
from appconfig_provider._azure.source import AzureSource
from appconfig_provider._azure.state import State
from appconfig_provider._live.configuration import LiveConfiguration
from appconfig_provider._live.process import DriverT, PollerT

if TYPE_CHECKING:
    from appconfig_provider._azure.push import Event, PushedChange  # noqa: F401 - in a base class


class NotifiedConfiguration(LiveConfiguration[State, "PushedChange", DriverT, PollerT]):
    """A read-only Mapping of a store's settings that accepts pushed events."""

    __slots__ = ("_context",)

    def __init__(self, context: Context, driver: DriverT, state: State) -> None:
        self._context = context
        super().__init__(AzureSource(context), driver, state)

    def notify(self, event: Event) -> dict[str, str] | None:
        """Take an event that Event Grid pushed, and make the next refresh due soon.

        `event` is an event, as a dict or JSON text, or a batch of them, in Event Grid's own schema
        or as CloudEvents. The next refresh is due after a random delay of at most `push_delay`
        seconds, so that many processes do not send their requests at the same time. It sends the
        event's sync token, so that it sees the change. Events of other stores and services are
        ignored. May be called from any thread; does no I/O.

        Returns the answer to send to an event that validates the subscription, else None.

        Raises:
            ValueError: it is not an event.
        """
        from appconfig_provider._azure.push import read_push  # few programs get events

        change, answer = read_push(self._context, self._state, event)
        if change is not None:
            self._push(change)
        return answer
