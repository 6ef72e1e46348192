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
from itertools import chain
from typing import Any

from appconfig_provider._azure.settings.content import Kind, kind_of_setting
from appconfig_provider._azure.settings.layering import Pages, Problem, problem
from appconfig_provider._azure.settings.records import Setting
from appconfig_provider.decoding import decode
from appconfig_provider.flag_values import Flag, check_flag, to_value
from appconfig_provider.models import FLAG_PREFIX


def read_flags(selections: Iterable[Pages], origin: str) -> tuple[dict[str, Flag], list[Problem]]:
    """Return the flags by id (the last one of an id wins), and the problems of malformed ones."""
    flags: dict[str, Flag] = {}
    problems: list[Problem] = []
    for setting in _flag_settings(selections):
        try:
            flag = _decode(setting)
            _describe(flag, setting, origin)
            to_value(flag)
        except (ValueError, TypeError, AttributeError, KeyError):
            message = "is a malformed feature flag and is left out; mend its JSON in the store"
            problems.append(problem(setting, message))
            continue
        # Removed first: a dict keeps the place of a key that is only assigned again, but the order
        # of the list is that of the flags that win.
        flags.pop(str(flag["id"]), None)
        flags[str(flag["id"])] = flag
    return flags, problems


def _flag_settings(selections: Iterable[Pages]) -> Iterable[Setting]:
    for page in chain.from_iterable(selections):
        for setting in page.settings:
            if kind_of_setting(setting) is Kind.FLAG:
                yield setting


def _decode(setting: Setting) -> Flag:
    """Return a flag; its parts have the types that feature management libraries rely on."""
    flag: Flag = decode(setting.value or "")
    check_flag(flag)
    flag.setdefault("id", setting.key[len(FLAG_PREFIX) :])
    return flag


def _describe(flag: Flag, setting: Setting, origin: str) -> None:
    telemetry = flag.setdefault("telemetry", {})
    metadata = telemetry.setdefault("metadata", {})
    metadata["ETag"] = setting.details.etag if setting.details else None
    if telemetry.get("enabled"):
        label = setting.label
        address = f"{origin}/kv/{setting.key}"
        has_label = bool(label) and not str(label).isspace()
        metadata["FeatureFlagReference"] = address + (f"?label={label}" if has_label else "")
        allocation_id = _allocation_id(flag)
        if allocation_id:
            metadata["AllocationId"] = allocation_id


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
