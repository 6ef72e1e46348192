"""The first state: of the store, or of the copy that an earlier run has kept."""

from __future__ import annotations

from appconfig_provider._azure.context import Context
from appconfig_provider._azure.endpoints.order import first_endpoints
from appconfig_provider._azure.generation import Generation
from appconfig_provider._azure.settings.references import UnresolvedReference
from appconfig_provider._azure.state import State
from appconfig_provider._azure.stored.reading import read_copy
from appconfig_provider._azure.stored.serving import Outage, built_of_copy, state_of_copy
from appconfig_provider._fetch.budget import Allowed
from appconfig_provider._plan import Steps, plan


@plan
def start(context: Context) -> Steps[State]:
    """Return the first state: of the store, or of the copy that an earlier run has kept.

    The copy is not used when every endpoint refuses the program: its access may have been revoked.

    Raises:
        RequestFailed: every endpoint of a round answered 400, 401, 403 or 404.
        NotInTime: the budget is used up.
        Exception: no generation can be made of what the store holds.
    """
    options = context.options
    began = context.clock.monotonic()
    copy = yield from read_copy(context)
    if copy is not None and options.copy.first:
        allowed = Allowed(began + options.copy.wait, f"wait={options.copy.wait:g} s")
        built = yield from built_of_copy(context, copy, allowed)
        if isinstance(built, Generation):
            return state_of_copy(context, copy, built, Outage(first_endpoints(options)))
        # A secret that cannot be read now says nothing about the copy.
        copy = copy if isinstance(built, UnresolvedReference) else None
    # Imported here: a program that serves a copy first does without what sends requests.
    from appconfig_provider._azure.from_store import from_store

    return (yield from from_store(context, copy, began))
