"""Log lines about settings, selectors and watched keys: names, never values."""

from __future__ import annotations

import logging
import math
from bisect import bisect_left

from appconfig_provider._azure.options import Options
from appconfig_provider._azure.settings.layering import Pages, in_order, trim
from appconfig_provider._azure.state import State
from appconfig_provider.models import WatchKey
from appconfig_provider.selectors import NO_LABEL, SettingSelector
from appconfig_provider.texts import counted, printable, quoted
from appconfig_provider.trouble import MAX_MESSAGE

logger = logging.getLogger("appconfig_provider")

_KEYS_IN_LOG = 20


def log_problems(state: State, before: State | None) -> None:
    """Warn once about each setting whose text does not fit its content type."""
    known = before.generation.problems if before else frozenset()
    if state.generation.problems is known:
        return
    for problem in sorted(
        state.generation.problems - known, key=lambda one: (one.key, one.label or "")
    ):
        key, label = quoted(problem.key), quoted(problem.label)
        logger.warning(
            "setting %s (label %s) %s", key, label, printable(problem.message, MAX_MESSAGE)
        )


def log_first_load(options: Options, state: State, requests: int) -> None:
    """Log what was loaded, and which selectors match nothing."""
    snapshot = state.snapshot
    logger.info(
        "configuration version %d (%s): %s and %s from %s; %s",
        snapshot.version,
        "loaded" if snapshot.origin == "store" else snapshot.origin,
        counted(len(snapshot), "key"),
        counted(len(state.generation.flags), "feature flag"),
        _origin_shown(options, snapshot.origin)
        if snapshot.origin != "store"
        else state.attempt.endpoint,
        counted(requests, "request"),
    )
    if snapshot.origin != "empty":
        log_what_matches_nothing(options, state)


def log_what_matches_nothing(options: Options, state: State) -> None:
    """Log the selectors that match nothing, and which options have no effect.

    Also after an empty start has healed: nothing could be said of the store before.
    """
    _log_empty_selectors(options, state)
    _log_ineffective_options(options, state)


def _origin_shown(options: Options, origin: str) -> str:
    """Return where content came from that no endpoint has answered with."""
    if origin == "cache" and options.copy.cache is not None:
        return printable(options.copy.cache.name)
    return "local overrides" if options.local else "nowhere"


def log_what_vanished(options: Options, state: State, before: State) -> None:
    """Log selectors that match nothing any more, and warn about watched keys that were deleted."""
    if state.content is not before.content:
        _log_empty_selectors(options, state, before)
    if state.sentinels is before.sentinels:
        return
    watched = zip(options.refresh.watch, state.sentinels, before.sentinels, strict=True)
    for key, now, then in watched:
        if now.etag is None and then.etag is not None:
            _warn_of_missing(key, "is no longer in the store")


def _log_empty_selectors(options: Options, state: State, before: State | None = None) -> None:
    """Log each selector that now matches nothing; warn when that is so for all of them."""
    selected = _selected(options, state)
    empty = _empty_ones(selected)
    known = _empty_ones(_selected(options, before)) if before else set()
    newly = empty - known
    if not newly:
        return
    everything = len(empty) == len(selected)
    named = {
        f"{what} ({_described(one)})": bool(one.tag_filters)
        for number, (what, one, _) in enumerate(selected)
        if everything or number in newly
    }
    if everything:
        message = "; ".join(named)
        hint = _LABEL_HINT + (f"; {_TAG_HINT}" if any(named.values()) else "")
        logger.warning("nothing in the store matches: %s; %s", printable(message, 1000), hint)
        return
    for name, tagged in named.items():
        logger.info(
            "nothing in the store matches the %s%s", name, f"; {_TAG_HINT}" if tagged else ""
        )


_Selected = list[tuple[str, SettingSelector, Pages]]


def _empty_ones(selected: _Selected) -> set[int]:
    return {number for number, (*_, pages) in enumerate(selected) if _is_empty(pages)}


def _selected(options: Options, state: State) -> _Selected:
    """Return each selector with a name for its kind, and its pages."""
    flags = zip(options.selection.flags or (), state.content.flags or (), strict=False)
    return [
        *(
            ("selector", one, pages)
            for one, pages in zip(options.selection.settings, state.content.settings, strict=False)
        ),
        *(("feature flag selector", one, pages) for one, pages in flags),
    ]


_TAG_HINT = "a setting must have every tag of a selector"
_LABEL_HINT = "a selector without label_filter matches settings without label only"


def _described(selector: SettingSelector) -> str:
    """Describe a selector for a log line."""
    if selector.snapshot_name is not None:
        return f"snapshot {quoted(selector.snapshot_name)}"
    label = selector.label_filter
    parts = [f"key {quoted(selector.key_filter)}"]
    parts.append("no label" if label in {NO_LABEL, ""} else f"label {quoted(label)}")
    parts += [f"tag {quoted(tag)}" for tag in selector.tag_filters or ()]
    return ", ".join(parts)


def _is_empty(pages: Pages) -> bool:
    return not any(page.columns.keys for page in pages)


def log_shared_names(options: Options, state: State, known: set[str]) -> None:
    """Log once which settings have the same key after trimming, and which one counts.

    `known` are the keys for which that was logged; more are added to it.
    """
    if not options.selection.prefixes or not logger.isEnabledFor(logging.INFO):
        return
    content = state.content
    originals: dict[str, dict[str, None]] = {}
    for setting in in_order(content.settings, content.references):
        keys_of_name = originals.setdefault(trim(setting.key, options.selection.prefixes), {})
        keys_of_name.pop(setting.key, None)
        keys_of_name[setting.key] = None
    shared = [
        (name, list(keys))
        for name, keys in originals.items()
        if len(keys) > 1 and name not in known
    ]
    known.update(name for name, _ in shared)
    for name, (*hidden, counts) in shared[:_KEYS_IN_LOG]:
        others = ", ".join(map(quoted, hidden[:_KEYS_IN_LOG]))
        logger.info(
            "several settings have the key %s once prefixes are trimmed: %s counts, not %s",
            quoted(name),
            quoted(counts),
            others,
        )
    if len(shared) > _KEYS_IN_LOG:
        logger.info("the same is true of %d more keys", len(shared) - _KEYS_IN_LOG)


def _log_ineffective_options(options: Options, state: State) -> None:
    """Warn about watched keys that do not exist, and about callbacks that will never be called.

    Both are often typing errors.
    """
    for key, sentinel in zip(options.refresh.watch, state.sentinels, strict=True):
        if sentinel.etag is None:
            _warn_of_missing(key, "is not in the store")
    if options.refresh.flags_not_loaded:
        logger.warning(
            "feature_flag_refresh_enabled=True does nothing without feature_flag_enabled=True"
        )
    calls_back = options.callbacks.success or options.callbacks.error
    if math.isinf(state.due) and calls_back and not options.local:
        logger.warning(
            "on_refresh_success or on_refresh_error was given, but nothing is watched; "
            "pass refresh_on=[...] or refresh_enabled=True"
        )


def log_objects(state: State, known: set[str]) -> None:
    """Warn once of an override that is an object where the members have keys of their own.

    `known` are the names for which that was logged; more are added to it.
    """
    names = {
        name
        for layer in state.overlay.served
        for name, value in layer.values.items()
        if isinstance(value, dict) and name not in known
    }
    keys = sorted(state.values) if names else []
    for name in sorted(names):
        # In order, the first key that could begin like that; there may be very many of both.
        place = bisect_left(keys, f"{name}:")
        if place < len(keys) and keys[place].startswith(f"{name}:"):
            known.add(name)
            logger.warning(
                "the override %s is an object and stays one value, though other keys begin with "
                "%s; pass separator=':' to Overrides to make keys of its members",
                quoted(name),
                quoted(f"{name}:"),
            )


def _warn_of_missing(key: WatchKey, how: str) -> None:
    label = None if key.label == NO_LABEL else key.label
    message = f"watched key {quoted(key.key)} (label {quoted(label)}) {how}"
    logger.warning("%s; refresh() waits for it to appear", message)
