"""How much time there is for the first load, for a check, and for a reload after a check."""

from __future__ import annotations

from appconfig_provider._azure.context import Context
from appconfig_provider._azure.options import DEFAULT_STARTUP, Options
from appconfig_provider._fetch.budget import Allowance, Budget

RELOAD = 30.0
"""Seconds of a reload while a caller of `refresh()` waits for it."""


def first_load_allowance(options: Options) -> Allowance:
    """Return how long `load()` may take.

    `startup_timeout=0` asks for one attempt per endpoint; these attempts have the default time.
    """
    if options.startup.seconds:
        return Allowance(options.startup.seconds, options.startup.keyword + "={:g} s")
    if options.startup.within < DEFAULT_STARTUP:
        return Allowance(options.load_budget, "the wait of the cache ({:g} s)")
    return Allowance(options.load_budget, "the default of startup_timeout ({:g} s)")


def startup_keyword(options: Options) -> str:
    """Return the keyword that limits `load()` and its value, for an error message."""
    return f"{options.startup.keyword}={options.startup.seconds:g} s"


def check_allowance(options: Options) -> Allowance:
    """Return how long a refresh may take to find out whether anything changed."""
    seconds = options.check_budget
    return Allowance(seconds, "the time of a check ({:g} s, connect_timeout + read_timeout)")


def reload_allowance(context: Context) -> Allowance:
    """Return how long a refresh may take to load, build and validate what changed.

    A poller has as much time as the first load, since nobody waits for it. A caller of `refresh()`
    has at most `RELOAD` seconds, and never more than the first load.
    """
    seconds = context.options.load_budget
    if not context.in_background:
        seconds = min(seconds, RELOAD)
    return Allowance(seconds, "the time of a reload ({:g} s)")


def check_budget(context: Context) -> Budget:
    """Return the budget of a refresh that begins now."""
    check = check_allowance(context.options)
    return Budget(context.clock.monotonic() + check.seconds, check, reload_allowance(context))
