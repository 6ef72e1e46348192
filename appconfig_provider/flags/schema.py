"""The schema of a feature flag, read leniently: what is null counts as absent.

What no public library agrees on is decided here and told in docs/feature-flags.md. What would be a
guess about who gets a feature is a `ValueError`; what does not concern the evaluation (telemetry,
unknown properties) never is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from appconfig_provider.flags.evaluation import InvalidFlag


class FeatureConditions(NamedTuple):
    """When an enabled flag is on: filters, of which `Any` or `All` must match."""

    requirement_type: str = "Any"
    client_filters: Sequence[Mapping[str, Any]] = ()


class VariantReference(NamedTuple):
    """A variant as the flag defines it."""

    name: str | None
    configuration_value: Any
    status_override: str | None

    def __repr__(self) -> str:
        """Return it without its value."""
        return f"<VariantReference {self.name!r}>"


class UserAllocation(NamedTuple):
    """The users that get a variant."""

    variant: str
    users: Sequence[str]


class GroupAllocation(NamedTuple):
    """The groups whose members get a variant."""

    variant: str
    groups: Sequence[str]


class PercentileAllocation(NamedTuple):
    """The range of percentages in which users get a variant."""

    variant: str
    percentile_from: float
    percentile_to: float


class Allocation(NamedTuple):
    """Who gets which variant."""

    default_when_enabled: str | None = None
    default_when_disabled: str | None = None
    user: Sequence[UserAllocation] = ()
    group: Sequence[GroupAllocation] = ()
    percentile: Sequence[PercentileAllocation] = ()
    seed: str | None = None


class Telemetry(NamedTuple):
    """Whether evaluations are told to a callback, and what is told beside them."""

    enabled: bool = False
    metadata: Mapping[str, str] = {}


class FeatureFlag(NamedTuple):
    """A feature flag as it was read from its JSON."""

    name: str
    enabled: bool
    conditions: FeatureConditions
    allocation: Allocation | None
    variants: Sequence[VariantReference] | None
    telemetry_as_given: Any
    """Read when it is asked for: most programs do not want any."""

    @property
    def telemetry(self) -> Telemetry:
        """Whether evaluations are told; what cannot be read is left out, for it decides nothing."""
        given = self.telemetry_as_given
        return _telemetry(given) if isinstance(given, _OBJECT) else _SILENT

    @classmethod
    def convert_from_json(cls, json_value: Mapping[str, Any]) -> FeatureFlag:
        """Read a flag.

        Raises:
            ValueError: a part that the evaluation needs cannot be read; the message names it.
        """
        name = json_value.get("id", "")
        if not isinstance(name, str):
            raise _invalid("id", name, name)
        get = json_value.get
        conditions, variants, allocation = get("conditions"), get("variants"), get("allocation")
        enabled = get("enabled")
        read = (
            name,
            enabled if enabled is True or enabled is False else _enabled(enabled, name),
            _conditions(conditions, name) if conditions is not None else _UNCONDITIONAL,
            _allocation(allocation, name) if allocation else None,
            _variants(variants, name) if variants is not None else None,
            get("telemetry"),
        )
        return _new(cls, read)

    def __repr__(self) -> str:
        """Return it without the values of its variants."""
        return f"<FeatureFlag {self.name!r} enabled={self.enabled}>"


_new = tuple.__new__
"""Makes a NamedTuple in a third of the time that its class takes; a store may have many flags."""
_UNCONDITIONAL = FeatureConditions()
_SILENT = Telemetry()
_OBJECT = (dict, Mapping)
"""Most are dicts, and asking for a Mapping takes a while."""
_SWITCH = {"true": True, "false": False}


def _invalid(setting: str, value: object, name: object) -> InvalidFlag:
    return InvalidFlag(
        f"Invalid setting '{setting}' with value '{value}' for feature '{name}'.",
        f"its setting {setting!r} has a value that cannot be used",
    )


def _unreadable(part: str, name: str, wanted: str) -> InvalidFlag:
    return InvalidFlag(f"Feature flag {name} cannot be read: {part} must be {wanted}.")


def _enabled(given: object, name: str) -> bool:
    if given is None:
        return False
    switch = _SWITCH.get(given.lower()) if isinstance(given, str) else None
    if switch is None:
        raise _invalid("enabled", given, name)
    return switch


def _mapping(given: object, part: str, name: str) -> Mapping[str, Any]:
    if not isinstance(given, _OBJECT):
        raise _unreadable(part, name, "a JSON object")
    return given


def _items(given: object, part: str, name: str) -> Iterable[Any]:
    """Return the items of an array; none for null."""
    if given is None:
        return ()
    if isinstance(given, list):
        # Not `given` itself: the lists of filters that our provider returns copy each item then.
        return list.copy(given)
    if isinstance(given, tuple):
        return given
    raise _unreadable(part, name, "a JSON array")


def _texts(given: object, part: str, name: str) -> tuple[str, ...]:
    return tuple([one for one in _items(given, part, name) if isinstance(one, str)])


def _text(given: object, part: str, name: str) -> str | None:
    if given is not None and not isinstance(given, str):
        raise _unreadable(part, name, "text")
    return given


def _conditions(given: Any, name: str) -> FeatureConditions:
    if not isinstance(given, dict):
        given = _mapping(given, "conditions", name)
    filters, requirement = given.get("client_filters"), given.get("requirement_type")
    if requirement is None:
        if not filters and (filters is None or isinstance(filters, list)):
            return _UNCONDITIONAL
        requirement = "Any"
    elif requirement not in _REQUIREMENTS:
        requirement = requirement.capitalize() if isinstance(requirement, str) else None
        if requirement not in _REQUIREMENTS:
            raise InvalidFlag(f"Feature flag {name} has invalid requirement type.")
    found = tuple(_items(filters, "client_filters", name))
    for one in found:
        if not isinstance(one, dict) or one.get("name").__class__ is not str:
            _check_filter(one, name)
    return _new(FeatureConditions, (requirement, found))


_REQUIREMENTS = ("Any", "All")


def _check_filter(given: object, name: str) -> None:
    """Raise what is wrong with a filter."""
    filter_name = _mapping(given, "each of client_filters", name).get("name")
    if filter_name is None:
        raise InvalidFlag(f"Feature flag {name} is missing filter name.")
    if not isinstance(filter_name, str):
        raise _unreadable("the name of a filter", name, "text")


def _variants(given: object, name: str) -> tuple[VariantReference, ...]:
    found = []
    for one in _items(given, "variants", name):
        if one:
            get = _mapping(one, "each of variants", name).get
            variant_name = _text(get("name"), "the name of a variant", name)
            found.append(
                VariantReference(variant_name, get("configuration_value"), get("status_override"))
            )
    return tuple(found)


def _allocation(given: object, name: str) -> Allocation:
    get = _mapping(given, "allocation", name).get
    user, group, percentile = get("user"), get("group"), get("percentile")
    return Allocation(
        _text(get("default_when_enabled"), "default_when_enabled", name),
        _text(get("default_when_disabled"), "default_when_disabled", name),
        [
            UserAllocation(variant, _texts(entry.get("users"), "users", name))
            for variant, entry in _entries(user, "allocation.user", name)
        ],
        [
            GroupAllocation(variant, _texts(entry.get("groups"), "groups", name))
            for variant, entry in _entries(group, "allocation.group", name)
        ],
        [
            PercentileAllocation(
                variant,
                _bound(entry.get("from"), "from", name, 0),
                _bound(entry.get("to"), "to", name),
            )
            for variant, entry in _entries(percentile, "allocation.percentile", name)
        ],
        _seed(get("seed"), name),
    )


def _entries(given: object, part: str, name: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    for one in _items(given, part, name):
        entry = _mapping(one, f"each of {part}", name)
        variant = entry.get("variant")
        if not isinstance(variant, str):
            raise _unreadable(f"variant in {part}", name, "text")
        yield variant, entry


def _bound(given: object, part: str, name: str, default: float | None = None) -> float:
    if given is None and default is not None:
        return default
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise _unreadable(f"{part} of a percentile", name, "a number")
    return given


def _seed(given: object, name: str) -> str | None:
    if isinstance(given, int | float) and not isinstance(given, bool):
        return str(given)
    return _text(given, "seed", name)


def _telemetry(given: Mapping[str, Any]) -> Telemetry:
    enabled, metadata = given.get("enabled"), given.get("metadata")
    if isinstance(enabled, str):
        enabled = enabled.lower() == "true"
    return Telemetry(enabled is True, metadata if isinstance(metadata, _OBJECT) else {})
