"""What an evaluation comes to, and what an evaluator is.

An evaluator is a function of a context and a trace to a `Decision`; a flag whose content cannot be
used raises a `ValueError` instead. It does no I/O and never waits. The trace is a list that takes
lines for `explain()`, or None. Which rules there are is the business of the dialect that compiles
flags to evaluators; the index, the managers and `explain` know none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from appconfig_provider.flags.schema import FeatureFlag

Trace: TypeAlias = "list[str] | None"


class InvalidFlag(ValueError):
    """The content of a flag cannot be used. The log tells `told`, which repeats no value of it."""

    def __init__(self, message: str, told: str = "") -> None:
        super().__init__(message)
        self.told = told or message

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.told)

    def again(self) -> InvalidFlag:
        """Return the same error without frames: each evaluation raises one of its own."""
        return type(self)(str(self), self.told)

    def as_public(self) -> ValueError:
        """Return the error as users get it: of the very type that `featuremanagement` raises."""
        return ValueError(str(self))


class TargetingException(InvalidFlag):
    """The parameters of a targeting filter cannot be used."""

    def as_public(self) -> ValueError:
        """Return the error itself."""
        return self


class VariantAssignmentReason(str, Enum):
    """Why a variant was assigned; equals its text, and the same member of `featuremanagement`."""

    NONE = "None"
    DEFAULT_WHEN_DISABLED = "DefaultWhenDisabled"
    DEFAULT_WHEN_ENABLED = "DefaultWhenEnabled"
    USER = "User"
    GROUP = "Group"
    PERCENTILE = "Percentile"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Enum) and type(other).__name__ == "VariantAssignmentReason":
            other = other.value
        return bool(self.value == other)

    def __hash__(self) -> int:
        return hash(self.value)


class Match(Enum):
    """Which kind of rule decided; finer than the reason, for tools that ask why."""

    STATIC = "no rule, everybody gets the same"
    TARGETING = "a rule matched"
    SPLIT = "a percentage between 0 and 100 decided, for or against"
    DEFAULT = "there are rules, and none matched"
    DISABLED = "the flag is disabled"
    OVERRIDDEN = "a test has overridden the flag"
    UNKNOWN = "there is no such flag"
    ERROR = "the flag's content cannot be used"

    __hash__ = object.__hash__  # that of Enum hashes the name, which takes longer than a look-up


class Variant:
    """A variant that was assigned: its name and its value."""

    __slots__ = ("_configuration", "_name")

    def __init__(self, name: str, configuration: Any) -> None:
        self._name = name
        self._configuration = configuration

    @property
    def name(self) -> str:
        """The name of the variant."""
        return self._name

    @property
    def configuration(self) -> Any:
        """The value of the variant, any JSON value."""
        return self._configuration

    def __repr__(self) -> str:
        return f"<Variant {self._name!r}>"


@dataclass(frozen=True, slots=True)
class Decision:
    """What an evaluator answers. Evaluators make their decisions once and hand them out again."""

    match: Match
    variant: Variant | None = None
    reason: VariantAssignmentReason = VariantAssignmentReason.NONE
    error: Exception | None = field(default=None, repr=False)
    """Why the flag could not be evaluated."""
    told: str = field(default="", repr=False)
    """The same in words that repeat no value of the flag."""
    enabled: bool = field(kw_only=True)


Evaluator: TypeAlias = Callable[[Any, Any], Decision]
"""Takes a context and a trace; where no dialect traces, whatever else its evaluators need."""

ON = Decision(Match.STATIC, enabled=True)
MATCHED = Decision(Match.TARGETING, enabled=True)
SPLIT_FOR = Decision(Match.SPLIT, enabled=True)
SPLIT_AGAINST = Decision(Match.SPLIT, enabled=False)
NOT_MATCHED = Decision(Match.DEFAULT, enabled=False)
DISABLED = Decision(Match.DISABLED, enabled=False)
UNKNOWN = Decision(Match.UNKNOWN, enabled=False)


class EvaluationDetails(NamedTuple):
    """Everything about one evaluation; `variant` is None where none was assigned."""

    enabled: bool
    variant: Variant | None
    reason: VariantAssignmentReason
    flag: FeatureFlag | None
    """The flag as it was read; None for one that is unknown or cannot be read."""
    error: Exception | None
    """Why the flag could not be evaluated: it is off then, and has no variant. The text is that of
    `featuremanagement` and may repeat a value of the flag; what `explain()` says does not."""

    def __repr__(self) -> str:
        """Return what was decided, without the values of variants and the texts of errors."""
        name = self.flag.name if self.flag else None
        error = type(self.error).__name__ if self.error else None
        return (
            f"<EvaluationDetails {name!r} enabled={self.enabled} variant={self.variant!r} "
            f"reason={self.reason.value} error={error}>"
        )
