"""`explain()`: why a flag is what it is, in lines for people."""

from __future__ import annotations

from typing import Any

from appconfig_provider.flags.evaluation import Decision
from appconfig_provider.texts import kind_of, printable, quoted


def explanation(name: str, context: Any, decision: Decision, trace: list[str]) -> str:
    """Return what was decided for whom, and what the rules said on the way there.

    It shows the name of the variant and not its value.
    """
    switch = "on" if decision.enabled else "off"
    user, groups = context
    whom = f"user {quoted(str(user))}" if user else "no user"
    member = f" in groups {', '.join(map(_group, groups))}" if groups else ""
    lines = [f"{quoted(str(name))} is {switch} for {whom}{member}: {decision.match.value}"]
    lines += [printable(line) for line in trace]
    if decision.variant is not None:
        lines.append(f"variant {quoted(decision.variant.name)}, reason {decision.reason.value}")
    elif decision.reason.value != "None":
        lines.append(f"no variant, reason {decision.reason.value}")
    if decision.told:
        lines.append(printable(decision.told))
    return "\n  ".join(lines)


def _group(given: object) -> str:
    return quoted(given) if isinstance(given, str) else kind_of(given)
