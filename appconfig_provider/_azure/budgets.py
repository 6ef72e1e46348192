"""How much time the first load has, a check, and the reload that a check found necessary."""

from __future__ import annotations

from appconfig_provider._azure.context import Context
from appconfig_provider._azure.options import Options
from appconfig_provider._fetch.budget import Allowance, Budget

RELOAD = 30.0
"""Seconds of a reload while a caller of `refresh()` waits for it."""


def of_first_load(options: Options) -> Allowance:
    """Return what `load()` has, where it is more than one attempt per endpoint."""
    if options.startup.seconds:
        return Allowance(options.startup.seconds, options.startup.keyword + "={:g} s")
    return Allowance(options.load_budget, "the default of startup_timeout ({:g} s)")


def name_of_startup(options: Options) -> str:
    """Return the keyword that says how long `load()` may take, and what it was given."""
    return f"{options.startup.keyword}={options.startup.seconds:g} s"


def of_check(options: Options) -> Allowance:
    """Return what a refresh has to find out whether anything changed."""
    seconds = options.check_budget
    return Allowance(seconds, "the time of a check ({:g} s, connect_timeout + read_timeout)")


def of_reload(context: Context) -> Allowance:
    """Return what a refresh has to load, build and validate what changed.

    Nobody waits for a poller: it has as much as the first load. Who waits never has more than that.
    """
    seconds = context.options.load_budget
    if not context.in_background:
        seconds = min(seconds, RELOAD)
    return Allowance(seconds, "the time of a reload ({:g} s)")


def check_budget(context: Context) -> Budget:
    """Return the budget of a refresh that begins now."""
    allowed = of_check(context.options)
    return Budget(context.clock.monotonic() + allowed.seconds, allowed, of_reload(context))
