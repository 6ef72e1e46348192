"""App Configuration as a source of the runtime (see `_live/source`)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from appconfig_provider._azure.budgets import check_allowance, reload_allowance
from appconfig_provider._azure.context import Context
from appconfig_provider._azure.reports import (
    log_first_load,
    log_objects,
    log_problems,
    log_shared_names,
    log_what_matches_nothing,
    log_what_vanished,
)
from appconfig_provider._azure.state import State
from appconfig_provider._azure.stored.keeping import is_to_be_kept, keep
from appconfig_provider._fetch.exchange import BACKGROUND_CONCURRENCY
from appconfig_provider._live.source import LiveOptions, Outcome
from appconfig_provider._plan import Plan, done
from appconfig_provider.trouble import describe

if TYPE_CHECKING:
    from appconfig_provider._azure.push import PushedChange

UNWATCHED = (
    "refresh() was called, but nothing is watched: the configuration stays as it was loaded; "
    "pass refresh_on=[...] or refresh_enabled=True to load()"
)

WITHOUT_STORE = (
    "refresh() was called, but there is no store and no file of overrides: the configuration stays "
    "as it was loaded"
)


@dataclass(frozen=True, slots=True)
class AzureSource:
    """A store, as the arguments of `load()` describe it."""

    context: Context
    shared_names: set[str] = field(default_factory=set, repr=False)
    """Keys for which it was logged that several settings have them after trimming."""
    objects: set[str] = field(default_factory=set, repr=False)
    """Overrides for which it was logged that they are objects beside keys that begin like them."""

    @property
    def name(self) -> str:
        """The first endpoint."""
        options = self.context.options
        return "local overrides" if options.local else options.store.endpoints[0].url

    @property
    def options(self) -> LiveOptions:
        """How it is kept fresh, according to the options."""
        context, options = self.context, self.context.options
        return LiveOptions(
            clock=context.clock,
            random=context.random,
            interval=options.refresh.interval,
            polls=options.refresh.polls,
            stop_wait=options.check_budget,
            success=options.callbacks.success,
            error=options.callbacks.error,
            unwatched=WITHOUT_STORE if options.local else UNWATCHED,
            unwatched_by_choice=options.refresh.switched_off or options.local,
            bindings=context.bindings,
        )

    def limit(self, *, in_background: bool) -> float:
        """Return the seconds that a refresh may take."""
        context = self._within(in_background=in_background)
        return check_allowance(context.options).seconds + reload_allowance(context).seconds

    def next(self, state: State, *, force: bool, in_background: bool) -> Plan[Outcome[State]]:
        """Return the plan of a refresh."""
        try:
            # Imported here: a start that serves a copy first does without what sends requests.
            from appconfig_provider._azure.refresh import refresh
        except (OSError, ImportError) as error:  # no free file descriptor
            attempt = replace(state.attempt.starting_at(self.context.now()), error=error)
            failed = replace(state, attempt=attempt)
            return done(Outcome(failed, error=error, message=describe(error)))
        return refresh(self._within(in_background=in_background), state, force=force)

    def with_requests(self, state: State, request: PushedChange | None) -> State:
        """Return the state with a pushed event applied."""
        if request is None:
            return state
        from appconfig_provider._azure.push import with_change

        return with_change(state, request)

    def rearmed(self, state: State) -> State:
        """Return the state with all timers started anew, except that of a pushed event."""
        return state.all_rearmed(self.context.clock.monotonic(), self.context.options)

    def keep(self, state: State) -> Plan[State] | None:
        """Return the plan that writes the cache; None when it has what it should have."""
        return keep(self.context, state) if is_to_be_kept(self.context, state) else None

    def log_start(self, state: State, requests: int) -> None:
        """Log what was loaded, and which options will have no effect."""
        options = self.context.options
        log_first_load(options, state, requests)
        log_problems(state, None)
        log_shared_names(options, state, self.shared_names)
        log_objects(state, self.objects)

    def log_change(self, state: State, before: State) -> None:
        """Log new problems, and what is no longer in the store."""
        options = self.context.options
        log_problems(state, before)
        if before.snapshot.origin == "empty" and state.snapshot.origin == "store":
            log_what_matches_nothing(options, state)
        else:
            log_what_vanished(options, state, before)
        if state.content is not before.content:
            log_shared_names(options, state, self.shared_names)
        if state.values is not before.values:
            log_objects(state, self.objects)

    def _within(self, *, in_background: bool) -> Context:
        if not in_background:
            return self.context
        return replace(self.context, max_concurrency=BACKGROUND_CONCURRENCY, in_background=True)
