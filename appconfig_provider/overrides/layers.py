"""Layers of overrides, and what becomes of keys when layers are merged with those of a source.

The rule: of several layers a later one wins over an earlier one. A layer with REMOTE_OVER_LOCAL
only has keys that the source has not. Feature flags are merged one by one, by their ids.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import chain
from types import MappingProxyType
from typing import Any

from appconfig_provider.flag_values import FEATURE_MANAGEMENT, Flag, check_flag
from appconfig_provider.models import Explanation, JsonValue
from appconfig_provider.overrides.values import BadOverride, copied, flattened
from appconfig_provider.readonly import read_only
from appconfig_provider.snapshot import same
from appconfig_provider.texts import printable, quoted

logger = logging.getLogger("appconfig_provider")

FLAGS = "feature_flags"
"""The list of flags, a member of `feature_management`."""


class OverrideBehaviour(Enum):
    """Who wins when an override and the store have the same key."""

    LOCAL_ONLY = "local_only"
    """There is no store: the overrides are the whole configuration."""
    LOCAL_OVER_REMOTE = "local_over_remote"
    """The override wins. A Key Vault reference that it wins over is not read."""
    REMOTE_OVER_LOCAL = "remote_over_local"
    """The store wins; the override adds the keys that the store has not."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """What one `Overrides` gives; it never changes, and no repr shows its values."""

    behaviour: OverrideBehaviour
    values: Mapping[str, JsonValue] = field(repr=False)
    """Without `feature_management`, if that holds a list of flags."""
    flags: Mapping[str, Flag] | None = field(default=None, repr=False)
    """By id; None when the layer has no list of flags. Nobody outside gets these dicts."""
    others: Mapping[str, JsonValue] = field(default_factory=dict, repr=False)
    """What `feature_management` has beside its flags."""
    ignores_case: bool = False
    """True when a key takes the spelling of the key that it matches ignoring case."""
    where: str = "overrides"
    """What it came from, as messages say it."""

    @property
    def yields(self) -> bool:
        """True when the source wins over this layer."""
        return self.behaviour is OverrideBehaviour.REMOTE_OVER_LOCAL

    def has(self, key: str) -> bool:
        """Tell whether the layer has a part of `feature_management`, if that is the key."""
        return key == FEATURE_MANAGEMENT and self.flags is not None


def layer_of(
    given: object, behaviour: OverrideBehaviour, where: str, separator: str | None = None
) -> Layer:
    """Return the layer of some keys and values, which are copied; `separator` flattens objects.

    Raises:
        BadOverride: they cannot be used; `where` names them in the message.
    """
    values = copied(given, where)
    if separator is not None:
        values = flattened(values, separator, where)
    management = values.get(FEATURE_MANAGEMENT)
    if not isinstance(management, dict) or not isinstance(management.get(FLAGS), list):
        if management is not None:
            logger.warning(
                "%s: %s holds no feature flags, for it is no object with a list %r; it is an "
                "ordinary value",
                printable(where),
                FEATURE_MANAGEMENT,
                FLAGS,
            )
        return Layer(behaviour, _frozen(values), where=where)
    del values[FEATURE_MANAGEMENT]
    flags = {_id_of(flag, where): flag for flag in management.pop(FLAGS)}
    return Layer(behaviour, _frozen(values), flags, _frozen(management), where=where)


def _frozen(values: Mapping[str, Any]) -> dict[str, JsonValue]:
    return {key: read_only(value) for key, value in values.items()}


def _id_of(flag: Any, where: str) -> str:
    """Return the id of a flag.

    Raises:
        BadOverride: it has none, or is not what libraries expect of a flag.
    """
    name = flag.get("id") if isinstance(flag, dict) else None
    if not isinstance(name, str) or not name:
        raise BadOverride(f"{where}: each of {FLAGS} is an object with an 'id', which is text")
    try:
        check_flag(flag)
    except TypeError as error:
        raise BadOverride(
            f"{where}: the feature flag {quoted(name)} is malformed: {error}"
        ) from None
    return name


def same_layer(one: Layer, other: Layer) -> bool:
    """Tell whether two layers of the same overrides hold the same."""
    return all(
        same(left, right)
        for left, right in (
            (one.values, other.values),
            (one.flags, other.flags),
            (one.others, other.others),
        )
    )


@dataclass(frozen=True, slots=True)
class Merged:
    """What layers have to say about the keys of a source; no repr shows a value."""

    layers: tuple[Layer, ...]
    spelled: tuple[Mapping[str, JsonValue], ...] = field(repr=False)
    """The values of each layer, with keys as they are spelled in the configuration."""
    values: Mapping[str, JsonValue] = field(repr=False)
    """The values that count instead of, or beside, those of the source."""

    def has_flags(self, *, over: bool) -> bool:
        """Tell whether a layer has flags; with `over`, one that wins over the source."""
        return any(one.flags is not None and not (over and one.yields) for one in self.layers)

    def flags(self, flags: Mapping[str, Flag]) -> dict[str, Flag]:
        """Return the flags of the source with those of the layers, by id."""
        merged = dict(flags)
        for layer in self.layers:
            own = layer.flags or {}
            merged |= {key: own[key] for key in own if not (layer.yields and key in flags)}
        return merged

    def others(self) -> dict[str, JsonValue]:
        """Return what `feature_management` has beside its flags."""
        return {name: value for layer in self.layers for name, value in layer.others.items()}

    def explain(self, key: str, remote: Sequence[Explanation]) -> Explanation | None:
        """Tell where the value of a key came from; None when neither side has it.

        `remote` is what the source says of it; the one that wins there comes first.
        """
        having = [
            (layer, _explained(key, f"overrides[{number}]: {layer.where}"))
            for number, (layer, values) in enumerate(zip(self.layers, self.spelled, strict=True))
            if key in values or layer.has(key)
        ]
        over = [one for layer, one in reversed(having) if not (remote and layer.yields)]
        under = [one for layer, one in reversed(having) if remote and layer.yields]
        found = [*over, *remote, *under]
        return replace(found[0], shadows=tuple(found[1:])) if found else None


NO_OVERRIDES = Merged((), (), {})


def _explained(key: str, override: str) -> Explanation:
    nothing: Mapping[str, str | None] = MappingProxyType({})
    return Explanation(
        key, None, None, nothing, origin="override", selector=None, override=override
    )


def merge(layers: tuple[Layer, ...], remote: Collection[str]) -> Merged:
    """Merge layers with the keys of a source.

    Raises:
        BadOverride: a key matches several others ignoring case.
    """
    spelled = _spelled(layers, remote)
    values: dict[str, JsonValue] = {}
    for layer, own in zip(layers, spelled, strict=True):
        if layer.yields:
            values.update({key: value for key, value in own.items() if key not in remote})
        else:
            values.update(own)
    return Merged(layers, spelled, values)


def _spelled(
    layers: tuple[Layer, ...], remote: Collection[str]
) -> tuple[Mapping[str, JsonValue], ...]:
    if not any(layer.ignores_case for layer in layers):
        return tuple(layer.values for layer in layers)
    known: dict[str, dict[str, None]] = {}
    exact = (layer.values for layer in layers if not layer.ignores_case)
    for key in chain(remote, *exact):
        known.setdefault(key.casefold(), {})[key] = None
    return tuple(
        {_spelling(key, known): value for key, value in layer.values.items()}
        if layer.ignores_case
        else layer.values
        for layer in layers
    )


def _spelling(key: str, known: Mapping[str, Mapping[str, None]]) -> str:
    spellings = list(known.get(key.casefold(), ()))
    if len(spellings) > 1:
        named = ", ".join(map(quoted, sorted(spellings)[:10]))
        raise BadOverride(
            f"an override from the environment may mean each of the keys {named}; pass "
            "case_sensitive=True to Overrides.from_env()"
        )
    return spellings[0] if spellings else key.lower()
