"""The flags of one source by name, each compiled when it is first asked for.

An index never changes its mind: it is built from one list of flags and belongs to it for good. A
new list gets a new index, which takes over the evaluators of flags that are still the same objects
(a provider keeps the objects of flags that did not change). So nobody needs a lock: whoever holds
an index gets answers of one generation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any, NamedTuple

from appconfig_provider.flags.evaluation import Decision, Evaluator
from appconfig_provider.readonly import NamedFlags, ReadOnlyDict

FEATURE_MANAGEMENT = "feature_management"
FEATURE_FLAGS = "feature_flags"

_id_of = itemgetter("id")


class Entry(NamedTuple):
    """A flag that was asked for."""

    name: str
    raw: Any
    """The flag's JSON as the source has it."""
    flag: Any
    """The flag as its dialect has read it; None when it cannot be read."""
    evaluate: Evaluator
    """Raises a ValueError for a flag that cannot be evaluated."""
    constant: Decision | None
    needs_context: bool
    telemetry: bool
    """True when evaluations of the flag are to be told."""


class _NoAnswers(dict[str, Any]):
    """Has None for every name and keeps nothing, so that each evaluation is a whole one."""

    def __missing__(self, name: str) -> None:
        return None

    def __setitem__(self, name: str, answer: object) -> None:
        """Keep nothing."""


NO_ANSWERS = _NoAnswers()


class Index:
    """The flags of one source."""

    __slots__ = ("_before", "_compile", "answers", "details", "entries", "flags", "source")

    def __init__(
        self,
        source: object,
        flags: Mapping[Any, Any],
        compile_entry: Callable[[str, Any], Entry],
        before: Mapping[str, Entry],
    ) -> None:
        self.source = source
        """What tells by its identity whether this is the index of the flags that there are."""
        self.flags = flags
        self.entries: dict[str, Entry] = {}
        self.answers: dict[str, bool | None] = dict.fromkeys(flags)
        """Whether flags are on that need nothing but this look-up; None for all others."""
        self.details: dict[str, Any] = {}
        """The same for those who want to know more."""
        self._compile = compile_entry
        self._before = before

    def entry(self, name: str) -> Entry | None:
        """Return a flag, compiled; None when there is none of that name."""
        entry = self.entries.get(name)
        if entry is not None:
            return entry
        raw = self.flags.get(name)
        if raw is None:
            return None
        entry = self._before.get(name) if self._before else None
        if entry is None or entry.raw is not raw or type(raw) is not ReadOnlyDict:
            entry = self._compile(name, raw)
        if entry.constant is not None and not entry.telemetry:
            self.answers[name] = entry.constant.enabled
        self.entries[name] = entry
        return entry

    def following(
        self,
        source: object,
        flags: Mapping[Any, Any],
        compile_entry: Callable[[str, Any], Entry] | None = None,
    ) -> Index:
        """Return the index of the next source, with a way to compile of its own if it has one."""
        before = self.entries
        if self._before and len(before) < len(self.flags):  # not all of them were asked for
            before = {**self._before, **self.entries}
            if len(before) > 2 * len(flags) + 100:
                before = {name: entry for name, entry in before.items() if name in flags}
        return Index(source, flags, compile_entry or self._compile, before)

    def unanswering(self) -> Index:
        """Return the same index without answers, for as long as a test overrides flags."""
        twin = Index(self.source, {}, self._compile, {})
        twin.flags, twin.entries, twin._before = self.flags, self.entries, self._before
        twin.answers = twin.details = NO_ANSWERS
        return twin


def flags_by_name(source: object) -> Mapping[Any, Any]:
    """Return the flags of a `feature_management` object; the last one of a name wins.

    What is no list of flags counts as empty, what is no JSON object is passed over.
    """
    if isinstance(source, NamedFlags):
        by_name: Mapping[str, Any] = source.by_name
        return by_name
    flags = source.get(FEATURE_FLAGS) if isinstance(source, (dict, Mapping)) else None
    if not isinstance(flags, (list, tuple)):
        return {}
    try:
        return dict(zip(map(_id_of, flags), flags, strict=True))
    except (KeyError, TypeError, AttributeError):
        return _one_by_one(flags)


def unaskable(source: object) -> int:
    """Return how many items of a list of flags have no name that anybody could ask for."""
    if isinstance(source, NamedFlags) or not isinstance(source, (dict, Mapping)):
        return 0
    flags = source.get(FEATURE_FLAGS)
    if not isinstance(flags, (list, tuple)):
        return 0
    return sum(
        not (isinstance(flag, (dict, Mapping)) and isinstance(flag.get("id"), str))
        for flag in flags
    )


def _one_by_one(flags: Iterable[Any]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for flag in flags:
        name = flag.get("id") if isinstance(flag, (dict, Mapping)) else None
        try:
            if name is not None:
                found[name] = flag
        except TypeError:  # a name that cannot be looked up can be asked by nobody
            continue
    return found
