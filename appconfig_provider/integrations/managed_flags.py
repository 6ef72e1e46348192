"""Microsoft's flags for OpenFeature: a `FeatureManager` as `Flags`."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from openfeature.evaluation_context import EvaluationContext

from appconfig_provider._live.configuration import LiveConfiguration
from appconfig_provider.flags.aio import FeatureManager as AwaitedManager
from appconfig_provider.flags.context import TargetingContext, WrongContext, plain
from appconfig_provider.flags.evaluation import Decision, Match
from appconfig_provider.flags.index import Entry
from appconfig_provider.flags.manager import FeatureManager
from appconfig_provider.integrations.contexts import user_id
from appconfig_provider.integrations.resolution import NO_METADATA, Answer, Kind, NoValue
from appconfig_provider.readonly import read_only
from appconfig_provider.snapshot import ChangeSet
from appconfig_provider.texts import kind_of
from appconfig_provider.trouble import describe

T = TypeVar("T")

Manager = FeatureManager | AwaitedManager

_new = tuple.__new__  # as in `schema`
_LISTS = (list, tuple, set, frozenset)
_NOTHING: Mapping[str, Any] = {}
_ETAG = "ETag"


def manager_of(given: object) -> Manager | None:
    """Return the manager of what a program gives: one itself, a configuration, or any Mapping.

    None for what is none of these.
    """
    own = given if isinstance(given, Manager) else getattr(given, "feature_flags", None)
    if isinstance(own, Manager):
        return own
    return FeatureManager(given) if isinstance(given, Mapping) else None


class ManagedFlags:
    """The flags of a manager, for contexts of OpenFeature.

    A context's targeting key is the user, or, if one is named, an attribute; its attribute `groups`
    is the user's groups. Filters of the program get all attributes.
    """

    def __init__(self, manager: Manager, user_id_attribute: str | None) -> None:
        self.manager = manager
        self._at_once = manager if isinstance(manager, FeatureManager) else None
        """The manager, if it never waits."""
        self._refusing = None if isinstance(manager, FeatureManager) else manager.refusing()
        """The manager of asyncio, for calls that cannot wait."""
        self._attribute = user_id_attribute

    @property
    def configuration(self) -> object:
        """The configuration that has the flags."""
        return self.manager.configuration

    @property
    def live(self) -> LiveConfiguration[Any, Any, Any, Any] | None:
        """The same, if it refreshes itself."""
        given = self.configuration
        return given if isinstance(given, LiveConfiguration) else None

    # Being ready -----------------------------------------------------------------------------

    @property
    def is_loaded(self) -> bool:
        """True: whoever has a manager has flags."""
        return True

    def wait(self) -> None:
        """Wait for nothing."""

    def changed(self, changes: ChangeSet) -> list[str]:
        """Return the names of flags that a refresh has changed."""
        return list(changes.flags)

    # Evaluating ------------------------------------------------------------------------------

    def decide(self, key: str, default: Any, context: EvaluationContext | None) -> Answer:  # noqa: ARG002 - as ConfigCat, whose log tells it
        """Evaluate a flag at once.

        Raises:
            NotAwaited: the manager is one for asyncio, and a function of the program has to wait.
            WrongContext: the context has no user and groups as this flag needs them.
        """
        manager = self._at_once
        if manager is None:
            refusing: AwaitedManager = self._refusing  # type: ignore[assignment]  # one is there
            return _at_once(self._decided(refusing, key, context))
        index = manager.current()
        entry = index.entries.get(key) or index.entry(key)
        if entry is not None and not entry.needs_context:
            if entry.constant is not None and index.answers.get(key) is not None:
                return entry, entry.constant  # no test overrides it, and it is not told
            context = None
        if entry is None or context is None:
            return entry, manager.decide(index, key, None, _NOTHING)
        return entry, manager.decide(index, key, self._targeting(context), context.attributes)

    async def decide_waiting(
        self, key: str, default: Any, context: EvaluationContext | None
    ) -> Answer:
        """Evaluate a flag; functions of the program may be awaited.

        Raises:
            WrongContext: as `decide`.
        """
        manager = self.manager
        if not isinstance(manager, AwaitedManager):
            return self.decide(key, default, context)
        return await self._decided(manager, key, context)

    async def _decided(
        self, manager: AwaitedManager, key: str, context: EvaluationContext | None
    ) -> Answer:
        index = manager.current()
        entry = index.entry(key)
        if entry is None or context is None or not entry.needs_context:
            return entry, await manager.decide(index, key, None, _NOTHING)
        user = self._targeting(context)
        return entry, await manager.decide(index, key, user, context.attributes)

    def user_of(self, context: EvaluationContext | None) -> str:
        """Return the user id of a context; empty where it has none.

        Raises:
            WrongContext: it is no text.
        """
        return user_id(context, self._attribute)

    def _targeting(self, context: EvaluationContext) -> TargetingContext | None:
        """Return user and groups; None where there are none, so that an accessor is asked.

        Raises:
            WrongContext: there is something else, or what is there raises.
        """
        try:
            return self._read(context)
        except WrongContext:
            raise
        except Exception as error:  # attributes may be any object of the program
            raise WrongContext(f"the context cannot be read: {describe(error)}") from None

    def _read(self, context: EvaluationContext) -> TargetingContext | None:
        attributes = context.attributes
        user = context.targeting_key if self._attribute is None else None
        if user.__class__ is not str:
            user = self.user_of(context)
        groups: Any = attributes.get("groups")
        if groups is None:
            return _new(TargetingContext, (user, ())) if user else None
        if groups.__class__ is list:
            for group in groups:
                if group.__class__ is not str:
                    groups = _groups(groups)
                    break
        else:
            groups = _groups(groups)
        return _new(TargetingContext, (user, groups)) if user or groups else None

    # What decisions come to ------------------------------------------------------------------

    def value(self, answer: Answer, kind: Kind) -> Any:  # noqa: ARG002 - JSON has its own types
        """Return the value of the variant; of a flag that has no variants whether it is on."""
        entry, decision = answer
        if decision.variant is not None:
            return decision.variant.configuration
        if decision.match is Match.OVERRIDDEN or entry is None or not entry.flag.variants:
            return decision.enabled
        return NoValue.ABSENT

    def recurs(self, decision: Decision) -> bool:  # noqa: ARG002 - all of them
        """Tell whether the same decision is handed out again."""
        return True

    def metadata(self, entry: Entry) -> Mapping[str, Any]:
        """Return the metadata of the flag's telemetry; the ETag is also its `version`.

        What the loader of flags has added counts only where the flag has telemetry.
        """
        return NO_METADATA if entry.flag is None else _metadata(entry.flag.telemetry)


def _metadata(telemetry: Any) -> Mapping[str, Any]:
    shown = {
        name: value
        for name, value in telemetry.metadata.items()
        if isinstance(name, str) and isinstance(value, str | int | float)
    }
    if not telemetry.enabled:
        shown.pop(_ETAG, None)  # loaders add it to every flag, and the rest only with telemetry
    elif _ETAG in shown:
        shown.setdefault("version", shown[_ETAG])
    return read_only(shown) if shown else NO_METADATA  # type: ignore[return-value]  # a dict


def _groups(given: object) -> tuple[str, ...]:
    if isinstance(given, str):
        return (plain(given),)
    if not isinstance(given, _LISTS):
        raise WrongContext(f"attribute 'groups' must be a list of texts, not {kind_of(given)}")
    for one in given:
        if not isinstance(one, str):
            raise WrongContext(
                f"attribute 'groups' must be a list of texts, and has {kind_of(one)}"
            )
    return tuple(map(plain, given))


def _at_once(job: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns that never waits."""
    try:
        job.send(None)
    except StopIteration as ended:
        result: T = ended.value
        return result
    raise AssertionError("a manager that refuses to wait has waited")
