"""ConfigCat's settings for OpenFeature: a client of either kind as `Flags`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ProviderNotReadyError

from appconfig_provider._live.configuration import LiveConfiguration
from appconfig_provider.configcat.aio import ConfigCatClient as AwaitedClient
from appconfig_provider.configcat.client import ConfigCatClient
from appconfig_provider.configcat.evaluation.notices import shown
from appconfig_provider.configcat.evaluation.settings import NO_SETTINGS, Settings
from appconfig_provider.configcat.fetching.state import State
from appconfig_provider.configcat.user import User
from appconfig_provider.decoding import decode
from appconfig_provider.flags.context import WrongContext
from appconfig_provider.flags.evaluation import Decision
from appconfig_provider.flags.index import Entry
from appconfig_provider.integrations.contexts import user_id
from appconfig_provider.integrations.resolution import NO_METADATA, OBJECT, Answer, Kind, NoValue
from appconfig_provider.readonly import read_only
from appconfig_provider.snapshot import ChangeSet

Client = ConfigCatClient | AwaitedClient


class ConfigCatFlags:
    """The settings of a client, for contexts of OpenFeature.

    A context's targeting key, or the attribute that is named, is the Identifier of the user; Email
    and Country are attributes of that name, and all others are custom attributes. A context that
    has nothing is the client's default user. Evaluations are logged and told to hooks as the
    client's own are.
    """

    def __init__(self, client: Client, user_id_attribute: str | None) -> None:
        self._client = client
        self._live: LiveConfiguration[State, Any, Any, Any] = client._live
        self._look = client._look if isinstance(client, ConfigCatClient) else None
        """What a read begins with; None where that must be awaited."""
        self._evaluation = client._evaluation
        self._attribute = user_id_attribute
        self._told: Settings = NO_SETTINGS
        """The settings of which OpenFeature knows."""

    @property
    def configuration(self) -> Client:
        """The client."""
        return self._client

    @property
    def live(self) -> LiveConfiguration[Any, Any, Any, Any]:
        """What keeps the config fresh."""
        return self._live

    # Being ready -----------------------------------------------------------------------------

    @property
    def is_loaded(self) -> bool:
        """True when there is a config."""
        return self._live._state.loaded

    def wait(self) -> None:
        """Wait for the first config as long as reads do; a client for asyncio is not waited for."""
        if isinstance(self._client, ConfigCatClient):
            self._client.wait_for_ready()
        self._told = self._live._state.settings

    def changed(self, _changes: ChangeSet) -> list[str]:
        """Return the keys of settings that differ from those that were told last.

        A change of a segment changes all settings of its file: each may refer to it.
        """
        before, self._told = self._told, self._live._state.settings
        return self._told.differing(before)

    # Evaluating ------------------------------------------------------------------------------

    def decide(self, key: str, default: Any, context: EvaluationContext | None) -> Answer:
        """Evaluate a setting; a client for threads may wait for a download, as its mode says.

        Raises:
            ProviderNotReadyError: there is no config.
            WrongContext: the user id is no text, and the setting has rules.
        """
        if self._look is not None:
            self._look()
        return self._answer(self._live._state, key, default, context)

    async def decide_waiting(
        self, key: str, default: Any, context: EvaluationContext | None
    ) -> Answer:
        """Evaluate a setting; a client for asyncio is awaited, as its mode says.

        Raises:
            ProviderNotReadyError, WrongContext: as `decide`.
        """
        if isinstance(self._client, AwaitedClient):
            await self._client._look()
        return self.decide(key, default, context)

    def user_of(self, context: EvaluationContext | None) -> str:
        """Return the user id of a context; empty where it has none.

        Raises:
            WrongContext: it is no text.
        """
        return user_id(context, self._attribute)

    def _answer(
        self, state: State, key: str, default: Any, context: EvaluationContext | None
    ) -> Answer:
        entry = state.evaluators.entry(key)
        targets = entry is not None and entry.needs_context
        heard = self._evaluation.is_heard
        if entry is not None and not targets and not heard:
            plain: Any = entry.constant
            if plain is not None and plain.value.__class__ is default.__class__:
                return entry, plain  # the same for everybody, and there is nothing to tell
        user = None
        if context is not None and (targets or heard):
            user = self._user(context, targets=targets)
        if isinstance(default, dict | list):
            default = shown(default)  # such a setting is a text
        decision = self._evaluation.decided(state, key, default, user)
        if not state.loaded:
            raise ProviderNotReadyError("there is no config yet")
        return entry, decision

    def _user(self, context: EvaluationContext, *, targets: bool) -> User | None:
        """Return the user; None where the context has none, so that the default user counts."""
        attributes = context.attributes
        if not attributes and context.targeting_key is None:
            return None
        try:
            identifier = self.user_of(context) or None
        except WrongContext:
            if targets:
                raise
            identifier = None  # nothing but the log and hooks want to know the user
        return User(identifier, attributes.get("Email"), attributes.get("Country"), attributes)  # type: ignore[arg-type]  # whatever the program has put there

    # What decisions come to ------------------------------------------------------------------

    def value(self, answer: Answer, kind: Kind) -> Any:
        """Return the value of a setting; objects and arrays are texts with JSON in ConfigCat."""
        _, decision = answer
        value = None if decision.variant is None else decision.variant.configuration
        if kind is not OBJECT or not isinstance(value, str):
            return value
        try:
            return read_only(decode(value))
        except ValueError:
            return NoValue.MISMATCH

    def recurs(self, decision: Decision) -> bool:
        """Tell whether the same decision is handed out again: not one that has warnings."""
        return not getattr(decision, "notices", ())

    def metadata(self, _entry: Entry) -> Mapping[str, Any]:
        """Return nothing: the variation id is all that a setting has beside its value."""
        return NO_METADATA
