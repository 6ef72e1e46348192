"""Decisions about flags as OpenFeature's resolution details: value, type, reason, error code.

It knows no dialect of flags: what is special to one is behind `Flags`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError
from enum import Enum
from typing import Any, NamedTuple, Protocol, TypeAlias

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode, ProviderNotReadyError
from openfeature.flag_evaluation import FlagResolutionDetails, Reason

from appconfig_provider._live.configuration import LiveConfiguration
from appconfig_provider.flags.context import WrongContext
from appconfig_provider.flags.evaluation import Decision, Match
from appconfig_provider.flags.index import Entry
from appconfig_provider.flags.reporting import NotAwaited
from appconfig_provider.readonly import read_only
from appconfig_provider.snapshot import ChangeSet
from appconfig_provider.texts import quoted
from appconfig_provider.trouble import describe

Answer: TypeAlias = "tuple[Entry | None, Decision]"
"""A flag, None where there is none of that name, and what was decided about it."""


class NoValue(Enum):
    """What stands for a value where there is none."""

    ABSENT = "no variant was assigned"
    MISMATCH = "the value has another type"


class Kind(NamedTuple):
    """A type of flags."""

    name: str
    convert: Callable[[Any], Any]
    """Returns a JSON value as this type, else `MISMATCH`."""


class Flags(Protocol):
    """The flags of one dialect: how they are evaluated, and what their decisions come to."""

    @property
    def configuration(self) -> object:
        """Where they come from; it may have a method `close`."""
        ...

    @property
    def live(self) -> LiveConfiguration[Any, Any, Any, Any] | None:
        """What refreshes them and tells of it; None where nothing does."""
        ...

    @property
    def is_loaded(self) -> bool:
        """False as long as there are no flags yet."""
        ...

    def wait(self) -> None:
        """Wait until they are loaded, if somebody else is about to load them."""
        ...

    def changed(self, changes: ChangeSet, /) -> list[str]:
        """Return the names of flags that a refresh has changed."""
        ...

    def decide(self, key: str, default: Any, context: EvaluationContext | None) -> Answer:
        """Evaluate a flag at once; the default is for dialects that log it."""
        ...

    async def decide_waiting(
        self, key: str, default: Any, context: EvaluationContext | None
    ) -> Answer:
        """Evaluate a flag; functions of the program, and a refresh, may be awaited."""
        ...

    def recurs(self, decision: Decision) -> bool:
        """Tell whether evaluations hand out this decision again; others are not remembered."""
        ...

    def value(self, answer: Answer, kind: Kind) -> Any:
        """Return the value of a flag as JSON has it; `ABSENT` where the caller's default counts."""
        ...

    def metadata(self, entry: Entry, /) -> Mapping[str, Any]:
        """Return what is told of a flag beside its value."""
        ...

    def user_of(self, context: EvaluationContext | None) -> str:
        """Return the user id of a context.

        Raises:
            WrongContext: it is no text.
        """
        ...


def _boolean(value: Any) -> Any:
    return value if value is True or value is False else NoValue.MISMATCH


def _string(value: Any) -> Any:
    return value if isinstance(value, str) else NoValue.MISMATCH


def _integer(value: Any) -> Any:
    # The client itself would take True for 1.
    return value if isinstance(value, int) and not isinstance(value, bool) else NoValue.MISMATCH


def _float(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return NoValue.MISMATCH
    return value if isinstance(value, float) else NoValue.MISMATCH


def _object(value: Any) -> Any:
    return value if isinstance(value, dict | list) else NoValue.MISMATCH


BOOLEAN = Kind("a boolean", _boolean)
STRING = Kind("a string", _string)
INTEGER = Kind("an integer", _integer)
FLOAT = Kind("a float", _float)
OBJECT = Kind("an object", _object)

_REASONS: dict[Match, Reason] = {
    Match.STATIC: Reason.STATIC,
    Match.OVERRIDDEN: Reason.STATIC,
    Match.TARGETING: Reason.TARGETING_MATCH,
    Match.SPLIT: Reason.SPLIT,
    Match.DEFAULT: Reason.DEFAULT,
    Match.DISABLED: Reason.DISABLED,
}
NO_METADATA: Mapping[str, Any] = read_only({})  # type: ignore[assignment]  # it is a dict
MAX_KNOWN = 20_000
"""Outcomes that are remembered."""


class SharedDetails(FlagResolutionDetails[Any]):
    """Resolution details that cannot be written to, so that many evaluations return one object."""

    def __setattr__(self, name: str, _value: object) -> None:
        """Refuse."""
        raise FrozenInstanceError(f"cannot assign to field {name!r}")


class NotReady:
    """Answers the default, as long as no flags are loaded."""

    __slots__ = ()

    def resolve(
        self, _key: str, default: Any, _context: EvaluationContext | None
    ) -> FlagResolutionDetails[Any]:
        """Return the default."""
        return failed(default, ErrorCode.PROVIDER_NOT_READY, "no flags are loaded")

    async def resolve_waiting(
        self, key: str, default: Any, context: EvaluationContext | None
    ) -> FlagResolutionDetails[Any]:
        """Return the default."""
        return self.resolve(key, default, context)


class Outcome(NamedTuple):
    """What a decision about a flag comes to for one type."""

    entry: Entry | None
    decision: Decision
    details: FlagResolutionDetails[Any] | None
    """None where the caller's default takes part."""
    value: Any
    """As that type; `ABSENT` stands for the default."""
    reason: Reason


class Resolver:
    """Makes resolution details of one type from decisions about flags.

    Evaluators hand out the same decisions again, so what they come to is remembered: by the name of
    the flag for one of its decisions, and by name and decision for all of them.
    """

    __slots__ = ("_decide", "_flags", "_is_stale", "_kind", "_known")

    def __init__(self, flags: Flags, kind: Kind, is_stale: Callable[[], bool]) -> None:
        self._flags = flags
        self._decide = flags.decide
        self._is_stale = is_stale
        self._kind = kind
        self._known: dict[str | tuple[str, int], Outcome] = {}

    def resolve(
        self, key: str, default: Any, context: EvaluationContext | None
    ) -> FlagResolutionDetails[Any]:
        """Evaluate a flag at once."""
        try:
            answer = self._decide(key, default, context)
            # What nearly always is so, without another call.
            outcome = self._known.get(key)
            if outcome is not None and outcome[1] is answer[1] and outcome[0] is answer[0]:
                details = outcome[2]
                if details is not None and not self._is_stale():
                    return details
            return self._details(key, default, answer)
        except Exception as error:  # OpenFeature would log the text, which may quote values
            return _broken(default, error)

    async def resolve_waiting(
        self, key: str, default: Any, context: EvaluationContext | None
    ) -> FlagResolutionDetails[Any]:
        """Evaluate a flag; functions of the program may be awaited."""
        try:
            answer = await self._flags.decide_waiting(key, default, context)
            return self._details(key, default, answer)
        except Exception as error:  # as above
            return _broken(default, error)

    def _details(self, key: str, default: Any, answer: Answer) -> FlagResolutionDetails[Any]:
        """Return what OpenFeature wants to know of an answer."""
        stale = self._is_stale()
        entry, decision = answer
        outcome = self._known.get(key)
        if outcome is None or outcome[1] is not decision or outcome[0] is not entry:
            outcome = self._known.get((key, id(decision)))
        if outcome is None or outcome[1] is not decision or outcome[0] is not entry:
            reason = _REASONS.get(decision.match)
            if reason is None:
                return _undecided(default, answer)
            outcome = self._outcome(key, answer, reason)
        details = outcome[2]
        if details is not None:
            return details if not stale else _stale(details)
        if outcome.value is NoValue.MISMATCH:
            message = f"the value of the flag is not {self._kind.name}"
            return failed(default, ErrorCode.TYPE_MISMATCH, message)
        reason = Reason.STALE if stale else outcome.reason
        metadata = self._metadata(entry)
        return FlagResolutionDetails(default, reason=reason, flag_metadata=metadata)

    def _outcome(self, key: str, answer: Answer, reason: Reason) -> Outcome:
        """Find out what a decision comes to, and remember it."""
        entry, decision = answer
        value = self._flags.value(answer, self._kind)
        if value is None and self._kind is BOOLEAN:
            value = decision.enabled
        if value is not NoValue.ABSENT:
            value = self._kind.convert(value)
        elif decision.match is not Match.DISABLED:
            reason = Reason.DEFAULT
        details = None
        if value.__class__ is not NoValue:
            name = None if decision.variant is None else decision.variant.name or None
            metadata = self._metadata(entry)
            details = FlagResolutionDetails(value, None, None, reason, name, metadata)
            details.__class__ = SharedDetails
        made = Outcome(entry, decision, details, value, reason)
        if self._flags.recurs(decision):
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()  # most are names of flags that are gone
            self._known[key] = self._known[key, id(decision)] = made
        return made

    def _metadata(self, entry: Entry | None) -> Mapping[str, Any]:
        return NO_METADATA if entry is None else self._flags.metadata(entry)


class Resolvers(NamedTuple):
    """What answers for each type of flags."""

    boolean: Resolver | NotReady
    string: Resolver | NotReady
    integer: Resolver | NotReady
    number: Resolver | NotReady
    structure: Resolver | NotReady


NOT_READY = Resolvers(*[NotReady()] * len(Resolvers._fields))


def resolvers(flags: Flags, is_stale: Callable[[], bool]) -> Resolvers:
    """Return what answers from flags; `is_stale` is asked by each evaluation."""
    kinds = (BOOLEAN, STRING, INTEGER, FLOAT, OBJECT)
    return Resolvers(*[Resolver(flags, kind, is_stale) for kind in kinds])


def _stale(details: FlagResolutionDetails[Any]) -> FlagResolutionDetails[Any]:
    return FlagResolutionDetails(
        details.value,
        reason=Reason.STALE,
        variant=details.variant,
        flag_metadata=details.flag_metadata,
    )


def _undecided(default: Any, answer: Answer) -> FlagResolutionDetails[Any]:
    entry, decision = answer
    if decision.match is Match.UNKNOWN or entry is None:
        return failed(default, ErrorCode.FLAG_NOT_FOUND, "there is no such flag")
    # The text of the error may repeat values of the flag, and hooks log what they are told.
    message = f"flag {quoted(entry.name)} cannot be evaluated; the log says why"
    return failed(default, ErrorCode.PARSE_ERROR, message)


def _broken(default: Any, error: Exception) -> FlagResolutionDetails[Any]:
    """Return that an evaluation raised."""
    if isinstance(error, WrongContext):
        return failed(default, ErrorCode.INVALID_CONTEXT, str(error))
    if isinstance(error, ProviderNotReadyError):
        return failed(default, error.error_code, error.error_message or "")
    told = str(error) if isinstance(error, NotAwaited) else describe(error)
    return failed(default, ErrorCode.GENERAL, told)


def failed(default: Any, code: ErrorCode, message: str) -> FlagResolutionDetails[Any]:
    """Return the caller's default with an error."""
    return FlagResolutionDetails(default, code, message, Reason.ERROR)
