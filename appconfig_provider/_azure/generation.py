"""Builds a generation of loaded content: mapper, secrets, values, flags, validation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import partial
from types import MappingProxyType

from appconfig_provider._azure.context import Context
from appconfig_provider._azure.listing.content import Content
from appconfig_provider._azure.options import Options
from appconfig_provider._azure.rest.refusals import public
from appconfig_provider._azure.rest.responses import parse_date
from appconfig_provider._azure.rest.tracing import Usage, usage_of
from appconfig_provider._azure.secrets.rotation import Reads, Resolved, Secrets
from appconfig_provider._azure.settings.flags import HeldFlags, held, read_flags
from appconfig_provider._azure.settings.layering import (
    Converted,
    Decoded,
    Entry,
    Problem,
    content_types,
    convert,
    entries,
    in_order,
    layer,
    trim,
    vault_references,
)
from appconfig_provider._azure.settings.records import Setting
from appconfig_provider._fetch.budget import Allowed
from appconfig_provider._fetch.failures import OutOfTime
from appconfig_provider._plan import Invoke, Sleep, Steps, perform, plan
from appconfig_provider.flag_values import FEATURE_MANAGEMENT, Flag
from appconfig_provider.models import DROP, ConfigurationSetting, Explanation, JsonValue
from appconfig_provider.overrides.layers import NO_OVERRIDES, Layer, Merged, merge
from appconfig_provider.snapshot import ConfigurationSnapshot, Provenance, make_snapshot
from appconfig_provider.texts import quoted
from appconfig_provider.trouble import EngineError

PAUSE_EVERY = 0.005
"""Seconds of mapper calls after which the event loop may run other tasks."""


class WrongMapper(EngineError):
    """The user's mapper returned something that is not a setting."""

    def as_public(self) -> Exception:
        """Return the error for a value of the wrong type."""
        return TypeError(str(self))


@dataclass(frozen=True, slots=True)
class Previous:
    """What the generation before has read and decoded, and the next one may use again."""

    secrets: Secrets = field(default_factory=dict)
    decoded: Decoded = field(default_factory=dict, repr=False)
    snapshot: ConfigurationSnapshot | None = None
    flags: HeldFlags = field(default_factory=HeldFlags, repr=False)


@dataclass(frozen=True, slots=True)
class Generation:
    """A configuration that may be published."""

    snapshot: ConfigurationSnapshot
    values: Mapping[str, JsonValue] = field(repr=False)
    """The same items as an exact dict."""
    flags: Mapping[str, Flag] = field(repr=False)
    secrets: Secrets
    decoded: Decoded = field(repr=False)
    problems: frozenset[Problem]
    usage: Usage
    trouble: Exception | None = None
    """The public error of a secret that could not be read, though the policy had an answer."""
    held_flags: HeldFlags = field(default_factory=HeldFlags, repr=False)


@dataclass(frozen=True, slots=True)
class Winners:
    """The setting that wins for each key.

    A record and not a dict: error trackers show the locals of frames, and its repr has no values.
    """

    entries: Mapping[str, Entry] = field(repr=False)
    original_keys: Mapping[str, str] = field(default_factory=dict)
    """The keys that settings had before a mapper saw them, by those they have now."""
    overrides: Merged = NO_OVERRIDES


@dataclass(slots=True)
class LogPrefix:
    """What a log line says before an exception of a user's function: which function, on what."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a generation is built with: its number, how secrets are read, and until when."""

    version: int
    reads: Reads
    log_prefix: LogPrefix = field(default_factory=LogPrefix)
    layers: tuple[Layer, ...] = ()
    """The overrides."""
    copy_of: datetime | None = None
    """When its content was loaded, for a copy of an earlier run that no store has confirmed."""

    @property
    def allowed(self) -> Allowed:
        """Until when the user's functions may be called."""
        return self.reads.allowed


@plan
def build(
    context: Context, content: Content, previous: Previous, limits: Limits
) -> Steps[Generation]:
    """Build a generation of content.

    Raises:
        UnresolvedReference: a secret could not be read.
        Exception: whatever the user's mapper, resolver or `validate` raised.
    """
    options = context.options
    if options.selection.mapper is None:
        winners = Winners(entries(content.settings, content.references, options.selection.prefixes))
    else:
        winners = yield from _mapped(context, content, limits)
    winners = _overridden(winners, content, limits.layers)
    references = vault_references(winners.entries)
    resolved = yield from _resolved(context, references, previous, limits)
    generation = _assembled(context, content, winners, resolved, previous, limits)
    for who, refused, check in _checks(context, generation.snapshot, previous.snapshot):
        if context.clock.monotonic() >= limits.allowed.until:
            raise OutOfTime(f"{who} was not called, because {limits.allowed.message}")
        try:
            yield from perform(Invoke(check))
        except Exception:
            limits.log_prefix.text = refused
            raise
    return generation


def _checks(
    context: Context, snapshot: ConfigurationSnapshot, before: ConfigurationSnapshot | None
) -> Iterator[tuple[str, str, Callable[[], object]]]:
    """Yield what may refuse a generation: its name, what the log says then, and the function."""
    validate = context.options.selection.validate
    if validate is not None:
        refused = "validate refused the new one, the old one stays"
        yield "validate", refused, partial(validate, snapshot)
    for check in context.bindings.checks(snapshot, before):
        yield "a binding", "a binding refused the new one, the old one stays", check


@plan
def _resolved(
    context: Context, references: Mapping[str, Setting], previous: Previous, limits: Limits
) -> Steps[Resolved]:
    """Return the values of the references; what asks vaults is imported when there are any."""
    if not references:
        return Resolved({}, {})
    from appconfig_provider._azure.secrets.resolving import resolve

    return (yield from resolve(context, references, previous.secrets, limits.reads))


def _assembled(
    context: Context,
    content: Content,
    winners: Winners,
    resolved: Resolved,
    previous: Previous,
    limits: Limits,
) -> Generation:
    """Put a generation together.

    A function of its own, so that values are not among the locals of `build`: that is in the
    traceback when `validate` raises, and error trackers show locals.
    """
    options = context.options
    origin = options.store.endpoints[0].url
    own_flags, flag_problems, read = read_flags(content.flags or (), origin, previous.flags.read)
    values, problems, decoded = _values(winners.entries, previous.decoded, resolved)
    overrides = winners.overrides
    flags, kept = own_flags, previous.flags
    if content.flags is not None or overrides.has_flags(over=FEATURE_MANAGEMENT in values):
        flags = overrides.flags(own_flags)
        kept = held(read, flags, overrides.others(), kept)
        values[FEATURE_MANAGEMENT] = kept.values.management
    values.update(overrides.values)
    copied = "store" if limits.copy_of is None else "cache"
    provenance = Provenance(
        limits.version,
        limits.copy_of or datetime.fromtimestamp(context.clock.time(), timezone.utc),
        content.consistent,
        "override" if options.local else copied,
    )
    snapshot = make_snapshot(
        values,
        provenance,
        explain=partial(_explain, options, content, winners.original_keys, overrides),
        trim=partial(trim, prefixes=options.selection.prefixes),
    )
    all_problems = frozenset([*problems, *flag_problems, *resolved.problems])
    types = content_types(winners.entries)
    usage = usage_of(own_flags.values(), types, snapshot_reference=bool(content.references))
    trouble = public(resolved.trouble) if resolved.trouble is not None else None
    return Generation(
        snapshot, values, flags, resolved.secrets, decoded, all_problems, usage, trouble, kept
    )


def _overridden(winners: Winners, content: Content, layers: tuple[Layer, ...]) -> Winners:
    """Return the winners without those that overrides win over, so that nothing is done for them.

    Raises:
        BadOverride: an override may mean several keys.
    """
    if not layers:
        return winners
    own = {FEATURE_MANAGEMENT} if content.flags is not None else set()
    overrides = merge(layers, own | winners.entries.keys())
    left = {key: one for key, one in winners.entries.items() if key not in overrides.values}
    return replace(winners, entries=left, overrides=overrides)


def _values(winners: Mapping[str, Entry], decoded: Decoded, resolved: Resolved) -> Converted:
    converted = convert(winners, decoded)
    converted.values.update(resolved.values)
    for key in resolved.left_out:
        del converted.values[key]
    return converted


def _explain(
    options: Options,
    content: Content,
    original_keys: Mapping[str, str],
    overrides: Merged,
    key: str,
) -> Explanation:
    remote = _of_store(options, content, original_keys, key)
    explained = overrides.explain(key, remote)
    if explained is None:
        raise KeyError(key)
    return explained


def _of_store(
    options: Options, content: Content, original_keys: Mapping[str, str], key: str
) -> tuple[Explanation, ...]:
    """Return where the store has a key; the setting that wins there comes first."""
    from appconfig_provider._azure.settings.sources import Sources  # few programs ask

    sources = Sources(
        options.selection.settings,
        content.settings,
        content.references,
        options.selection.prefixes,
        original_keys,
    )
    settings = sources.shadowed(original_keys.get(key, key))
    if key != FEATURE_MANAGEMENT or content.flags is None:
        return settings
    flags = Explanation(key, None, None, MappingProxyType({}), origin="store", selector=None)
    return flags, *settings


@plan
def _mapped(context: Context, content: Content, limits: Limits) -> Steps[Winners]:
    """Call the mapper with a private copy of each setting; return the settings that it leaves.

    Every few milliseconds it yields `Sleep(0)`, so that the calls do not block an event loop.
    """
    mapper = context.options.selection.mapper
    if mapper is None:
        raise AssertionError("called only with a mapper")
    prefixes = context.options.selection.prefixes
    winners = layer(in_order(content.settings, content.references), prefixes)
    mapped: dict[str, Setting] = {}
    original_keys: dict[str, str] = {}
    paused = context.clock.monotonic()
    for number, (before, setting) in enumerate(winners.items()):
        now = context.clock.monotonic()
        if now >= limits.allowed.until:
            seen = f"{number} of {len(winners)} settings"
            raise OutOfTime(
                f"configuration_mapper was shown {seen}, because {limits.allowed.message}"
            )
        if now - paused >= PAUSE_EVERY:
            yield from perform(Sleep(0.0))
            paused = now
        shown = _to_public(setting)
        try:
            answer = yield from perform(Invoke(mapper, (shown,)))
        except Exception:
            named = f"{quoted(setting.key)} (label {quoted(setting.label)})"
            limits.log_prefix.text = f"configuration_mapper failed on setting {named}"
            raise
        if answer is DROP:
            continue
        if answer is not None and not isinstance(answer, ConfigurationSetting):
            raise WrongMapper(
                f"configuration_mapper returned {type(answer).__name__} for {quoted(setting.key)}; "
                "it may return None, a ConfigurationSetting or DROP"
            )
        changed = _from_public(answer or shown, setting)
        key = trim(changed.key, prefixes)
        mapped[key], original_keys[key] = changed, before
    return Winners(mapped, original_keys)


def _to_public(setting: Setting) -> ConfigurationSetting:
    details = setting.details
    return ConfigurationSetting(
        key=setting.key,
        label=setting.label,
        value=setting.value,
        content_type=setting.content_type,
        tags=dict(setting.tags or {}),
        etag=details.etag if details else None,
        last_modified=parse_date(details.last_modified) if details else None,
        locked=details.locked if details else False,
    )


def _from_public(setting: ConfigurationSetting, original: Setting) -> Setting:
    for name in ("key", "label", "value", "content_type", "tags"):
        kind = type(getattr(setting, name))
        allowed: tuple[type, ...] = (dict,) if name == "tags" else (str, type(None))
        if not issubclass(kind, allowed) or (name == "key" and setting.key is None):
            wanted = "a dict" if name == "tags" else "text (JSON text with a JSON content type)"
            raise WrongMapper(
                f"configuration_mapper made the {name} of {quoted(original.key)} a "
                f"{kind.__name__}; it is {wanted}"
            )
    return original._replace(
        key=setting.key,
        label=setting.label,
        value=setting.value,
        content_type=setting.content_type,
        tags=dict(setting.tags),
    )
