"""Feature flags as data: the list that feature management libraries read.

Flags stay as they are in the store. Only telemetry metadata is added, which connects an evaluation
event with its flag: the ETag, and for flags with telemetry the address and an id of the allocation.
The id must be exactly the one that the official providers compute, so that events of programs in
different languages can be compared.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from appconfig_provider._azure.settings.content import Kind, kind_of_setting
from appconfig_provider._azure.settings.layering import Pages, Problem, problem
from appconfig_provider._azure.settings.records import Setting
from appconfig_provider.decoding import decode
from appconfig_provider.flag_values import Flag, to_value
from appconfig_provider.models import FLAG_PREFIX, JsonValue
from appconfig_provider.readonly import named_flags, read_only
from appconfig_provider.snapshot import same
from appconfig_provider.texts import quoted

FlagText: TypeAlias = "tuple[str, str | None, str | None, str | None]"
"""Which text of which setting a flag was read from: key, label, text, ETag."""


class ReadFlags(NamedTuple):
    """The flags of a generation."""

    flags: dict[str, Flag]
    """By id; the last one of an id wins."""
    problems: list[Problem]
    """Of the malformed ones."""
    read: dict[FlagText, Flag | None]
    """What was read from each text: the next generation uses it again. None is malformed."""

    def __repr__(self) -> str:
        """Show how many flags there are, never their texts."""
        return f"<ReadFlags of {len(self.flags)}>"


def read_flags(
    selections: Iterable[Pages],
    origin: str,
    before: Mapping[FlagText, Flag | None] = MappingProxyType({}),
) -> ReadFlags:
    """Read the flags; one whose text was read before is the same object as then."""
    found, settings = ReadFlags({}, [], {}), dict[str, Setting]()
    for setting in _flag_settings(selections):
        etag = setting.details.etag if setting.details else None
        text = setting.key, setting.label, setting.value, etag
        flag = before[text] if text in before else _read(setting, origin)
        found.read[text] = flag
        if flag is None:
            message = "is a malformed feature flag and is left out; mend its JSON in the store"
            found.problems.append(problem(setting, message))
            continue
        name = str(flag["id"])
        other = settings.get(name)
        if other is not None and other.key != setting.key:
            message = (
                f"is a feature flag with the id {quoted(name)}, like {quoted(setting.key)}, which "
                "counts as it comes later; give one of them another id"
            )
            found.problems.append(problem(other, message))
        settings[name] = setting
        # Removed first: a dict keeps the place of a key that is only assigned again, but the order
        # of the list is that of the flags that win.
        found.flags.pop(name, None)
        found.flags[name] = flag
    return found


def _read(setting: Setting, origin: str) -> Flag | None:
    """Return a flag; None for what is no JSON object."""
    try:
        flag: Flag = decode(setting.value or "")
    except ValueError:
        return None
    if not isinstance(flag, dict):
        return None
    if flag.get("id") is None:
        flag["id"] = setting.key[len(FLAG_PREFIX) :]
    _describe(flag, setting, origin)
    return flag


class FlagValues(NamedTuple):
    """The flags of a generation as values of the configuration."""

    flags: Mapping[str, Flag] = MappingProxyType({})
    items: Mapping[str, JsonValue] = MappingProxyType({})
    """The value of each flag, by id."""
    others: Mapping[str, JsonValue] = MappingProxyType({})
    """What stands beside the list of flags."""
    management: JsonValue = None
    """The value of `feature_management`."""

    def __repr__(self) -> str:
        """Show how many flags there are, never their values."""
        return f"<FlagValues of {len(self.flags)}>"


def flag_values(
    flags: Mapping[str, Flag], others: Mapping[str, JsonValue], before: FlagValues
) -> FlagValues:
    """Return the values of flags.

    A flag that is the same object as before keeps its value, and an unchanged list the whole
    object: by that evaluators notice whether they have to look again.
    """
    items = {
        name: before.items[name] if before.flags.get(name) is flag else to_value(flag)
        for name, flag in flags.items()
    }
    unchanged = list(map(id, items.values())) == list(map(id, before.items.values()))
    if unchanged and before.management is not None and same(dict(others), dict(before.others)):
        return before
    value = {**others, "feature_flags": list(items.values())}
    if all(isinstance(flag["id"], str) for flag in flags.values()):
        return FlagValues(flags, items, others, named_flags(value, items))
    return FlagValues(flags, items, others, read_only(value))


class HeldFlags(NamedTuple):
    """The objects of feature flags, which stay the same ones until their texts change."""

    read: Mapping[FlagText, Flag | None] = MappingProxyType({})
    values: FlagValues = FlagValues()

    def __repr__(self) -> str:
        """Show how many flags there are, never their values."""
        return f"<HeldFlags of {len(self.read)}>"


def held(
    read: Mapping[FlagText, Flag | None],
    flags: Mapping[str, Flag],
    others: Mapping[str, JsonValue],
    before: HeldFlags,
) -> HeldFlags:
    """Return what the next generation may use again of flags, and of what stands beside them."""
    return HeldFlags(read, flag_values(flags, others, before.values))


def _flag_settings(selections: Iterable[Pages]) -> Iterable[Setting]:
    for page in chain.from_iterable(selections):
        for setting in page.settings:
            if kind_of_setting(setting) is Kind.FLAG:
                yield setting


def _describe(flag: Flag, setting: Setting, origin: str) -> None:
    """Add telemetry metadata; telemetry that is no JSON object stays as it is."""
    telemetry = _member(flag, "telemetry")
    metadata = None if telemetry is None else _member(telemetry, "metadata")
    if telemetry is None or metadata is None:
        return
    metadata["ETag"] = setting.details.etag if setting.details else None
    if telemetry.get("enabled"):
        label = setting.label
        address = f"{origin}/kv/{setting.key}"
        has_label = bool(label) and not str(label).isspace()
        metadata["FeatureFlagReference"] = address + (f"?label={label}" if has_label else "")
        allocation_id = None
        with suppress(ValueError, TypeError, AttributeError, KeyError):  # it is of another shape
            allocation_id = _allocation_id(flag)
        if allocation_id:
            metadata["AllocationId"] = allocation_id


def _member(parent: dict[str, Any], name: str) -> dict[str, Any] | None:
    """Return a JSON object inside of another, made if it is missing or null; None for the rest."""
    if parent.get(name) is None:
        parent[name] = {}
    member = parent[name]
    return member if isinstance(member, dict) else None


def _allocation_id(flag: Mapping[str, Any]) -> str | None:
    """Return the id of a flag's allocation of variants, or None when it has none."""
    allocation = flag.get("allocation")
    if not allocation:
        return None
    seed = allocation.get("seed", "")
    default = allocation.get("default_when_enabled", "")
    shares = sorted(
        (share for share in allocation.get("percentile") or () if share["from"] != share["to"]),
        key=lambda share: share["from"],
    )
    used = {share["variant"] for share in shares if "variant" in share}
    if "default_when_enabled" in allocation:
        used.add(default)
    if not used and not seed:
        return None
    percentiles = ";".join(
        f"{share['from']},{_base64(share['variant'])},{share['to']}" for share in shares
    )
    variants = ";".join(_variant(variant) for variant in _sorted_variants(flag, used))
    text = (
        f"seed={seed}\ndefault_when_enabled={default}\n"
        f"percentiles={percentiles}\nvariants={variants}"
    )
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:15]).decode()


def _sorted_variants(flag: Mapping[str, Any], used: set[str]) -> list[Mapping[str, Any]]:
    variants = flag.get("variants") or ()
    return sorted(
        (variant for variant in variants if variant.get("name") in used),
        key=lambda variant: str(variant["name"]),
    )


def _variant(variant: Mapping[str, Any]) -> str:
    value = ""
    if "configuration_value" in variant:
        value = json.dumps(variant["configuration_value"], separators=(",", ":"), sort_keys=True)
    return f"{_base64(variant['name'])},{value}"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
