"""One provider in its process, and everything that is watched about it."""

from __future__ import annotations

from asyncio import CancelledError
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from azure.core.exceptions import AzureError

from appconfig_provider._azure.state import State
from appconfig_provider._live.callbacks import Subscription
from appconfig_provider._live.inspection import forked, inspect
from appconfig_provider._live.source import Outcome
from appconfig_provider._plan import Send
from appconfig_provider.aio import (
    AzureAppConfigurationProvider,
    LazyAzureAppConfigurationProvider,
)
from appconfig_provider.snapshot import ChangeSet, ConfigurationSnapshot
from tests.simulation import effort, layers, rules
from tests.simulation.driver import Driver
from tests.simulation.model import Model
from tests.simulation.network import token_of
from tests.simulation.run import Run
from tests.simulation.world import NOTHING, RuleBroken, Task

if TYPE_CHECKING:
    from tests.simulation.stage import Stage

NARROW = "k0*"
"""The filter of the subscription that every life has for a while."""


@dataclass(slots=True)
class Call:
    """One call of `refresh()`, and what came of it."""

    forced: bool
    before: ConfigurationSnapshot
    run: Run | None = None
    outcome: Outcome[State] | None = None
    called: int = 0
    """How often the success callback that counts was called."""
    failed: int = 0
    """How often the error callback was called."""


class Reader(LazyAzureAppConfigurationProvider):
    """A provider with lazy polling, whose readers' tasks are tasks of the world."""

    __slots__ = ("life",)

    life: Life

    def _refresh_for_reader(self, _process: object) -> None:
        self.life.reader_finds_due()


class Life:
    """A provider, its driver, the model of what it owes, and the refresh under way."""

    def __init__(self, stage: Stage, name: str, driver: Driver, model: Model) -> None:
        self.stage = stage
        self.world = stage.world
        self.name = name
        self.driver = driver
        self.model = model
        self.provider: AzureAppConfigurationProvider
        self.flight: Call | None = None
        """The call that holds the single-flight flag."""
        self.closed = False
        self.read_at = (0, 0)
        """The revisions from which on settings and flags are known."""
        self.called_version = 0
        """The version that callbacks were called for last."""
        self.doomed: Task | None = None
        """A caller who will be cancelled while callbacks run."""
        self._entering: Call | None = None
        self._reading = self._begun = False
        """Whether somebody reads who is no judge, and whether that began a check."""
        self._checking = False
        """Whether a check that a read began is to come."""
        self._subscription: Subscription | None = None
        driver.life = self

    def born(self, provider: AzureAppConfigurationProvider) -> None:
        """Begin to live with a provider."""
        self.provider = provider
        if isinstance(provider, Reader):
            provider.life = self
        self.called_version = provider.snapshot.version
        self._subscription = provider.subscribe(self._hears, NARROW)

    @property
    def is_born(self) -> bool:
        """Tell whether there is a provider yet; a restart begins without one."""
        return hasattr(self, "provider")

    @property
    def endpoints(self) -> list[str]:
        """The endpoints that the provider knows."""
        return [one.store.url for one in inspect(self.provider).state.endpoints.all]

    def tell(self, what: str, *details: object) -> None:
        """Write a line of the trace."""
        self.world.tell(self.name, what, *details)

    def rule(self, held: bool, rule: str) -> None:
        """End the schedule unless a rule was held."""
        if not held:
            self.world.fail(f"{self.name}: {rule}")

    # What others do to it.

    def read(self) -> None:
        """Read in several ways, and judge what that has begun: nothing, unless reads check."""
        provider, sent, held = self.provider, self.driver.sent, inspect(self.provider)
        idle = not self.closed and self.flight is None and not held.process.flight.locked()
        late = self.world.now - self.model.due(self.endpoints)
        # As in `judge_wake`: an event is to be taken in, or callbacks are still to be called.
        early = bool(held.inbox) or held.pending_callbacks is not None
        self._reading, self._begun = True, False
        generation = provider.snapshot
        wholes = dict(provider.items()), {key: provider.get(key) for key in provider}
        self._reading = False
        if self.stage.scenario.lazy:
            place = "" if idle else " meanwhile" if not self.closed else " after close()"
            self.world.counts[f"read{place}{', checked' * self._begun}"] += 1
        self.rule(all(one == generation for one in wholes), "reads show one generation")
        self.rule(provider.snapshot is generation, "a read publishes nothing itself")
        self.rule(self.driver.sent == sent, "a read sends nothing itself")
        lazy = self.stage.scenario.lazy
        may = lazy and idle and (late >= -NOTHING or early)
        self.rule(may or not self._begun, "a read begins nothing unless something is due")
        must = lazy and idle and late > NOTHING
        self.rule(self._begun or self._checking or not must, "a read begins what is due")

    def reader_finds_due(self) -> None:
        """Begin a check for a reader, as a loop would: soon, and one at a time.

        Reads by those who judge begin nothing.
        """
        if self._reading and not self._checking:
            self._begun = self._checking = True
            self.tell("a read found something due")
            self.world.later(0.0, self._begin_check)

    def _begin_check(self) -> None:
        self._checking = False
        self.stage.begin_check(self)

    async def refresh(self, *, forced: bool = False, for_reader: bool = False) -> bool:
        """Call `refresh()`, or what a read does, and judge what came of it."""
        call = Call(forced, self.provider.snapshot)
        busy, due = self.flight is not None, self.model.due(self.endpoints)
        late = self.world.now - due
        expected = not self.closed and not busy and (forced or late >= 0)
        self._entering = call
        try:
            if for_reader:
                published = await self.provider._check()  # noqa: SLF001 - what its task calls
            else:
                published = await self.provider.refresh(force=forced)
        except (CancelledError, GeneratorExit):
            self._cancelled(call)
            raise
        except RuleBroken:
            raise
        except Exception as error:
            self.rule(held=False, rule=f"refresh() never raises, not even {error!r}")
            raise
        finally:
            if self.flight is call:
                self.flight = None
        self._entering = None
        if call.run is None and (late > NOTHING or forced) and expected:
            self.rule(held=False, rule=f"refresh() had something to do since {due}")
        rules.judge_call(self, call, published=published)
        return published

    def _cancelled(self, call: Call) -> None:
        """Judge a call that was cancelled: before the swap nothing happened, after it all did."""
        self.tell("refresh() was cancelled")
        self.world.counts["cancelled in flight"] += 1
        outcome, now = call.outcome, self.provider.snapshot
        if outcome is None or outcome.changes is None:
            self.rule(now is call.before, "a cancelled refresh leaves the old generation")
        else:
            self.world.counts["cancelled in callbacks"] += 1
            self.rule(now is outcome.state.snapshot, "what was swapped in stays, whole")

    def notify(self, origin: str, revision: int) -> None:
        """Hand over the event that a write pushed."""
        if self.closed or origin not in self.endpoints:
            return
        self.world.counts["notified"] += 1
        self.tell("notify: revision %d at %s", revision, origin)
        event = {
            "eventType": "Microsoft.AppConfiguration.KeyValueModified",
            "subject": f"{origin}/kv/k00",
            "data": {"syncToken": f"zone={revision};sn={revision}"},
        }
        scenario = self.stage.scenario
        at = self.world.now + scenario.chance * scenario.push_delay
        # The provider may be asked from a callback of the refresh under way.
        self.model.pushed({origin: revision}, at, running=self._under_way())
        self.provider.notify(event)
        rules.judge_wake(self)

    def _under_way(self) -> bool:
        """Tell whether a plan runs that has taken what was pending."""
        return self.flight is not None and self.flight.outcome is None

    async def close(self) -> None:
        """Close the provider."""
        self.tell("close()")
        self.world.counts["closed in flight" if self.flight else "closed"] += 1
        self.closed = True
        await self.provider.close()

    def unsubscribe(self) -> None:
        """Cancel the subscription."""
        if self._subscription is not None:
            self._subscription.cancel()
            self._subscription = None

    def fork(self, name: str) -> Life:
        """Return the life of a forked child, begun as `os.fork` would."""
        flying, parent = self.flight is not None, self.provider
        self.tell("fork of %s%s", name, ", in flight" if flying else "")
        self.world.counts["forked in flight" if flying else "forked"] += 1
        provider = forked(parent)
        driver: Any = inspect(provider).process.driver
        child = Life(self.stage, name, driver, self.model.forked(self.world.now))
        child.read_at = self.read_at
        child.closed = self.closed
        child.born(provider)
        rules.judge_child(parent, provider)
        rules.judge_wake(child)
        return child

    # What its driver and its callbacks tell.

    def acts(self) -> None:
        """Be the one whose process calls a function of the user next."""
        self.stage.acting = self

    def begins(self, plan: str) -> Run:
        """Take note of a plan that begins to run."""
        run = Run(plan, self.world.now)
        self.rule(not self.closed, "no plan is begun after close()")
        if plan == "<plan refresh>":
            self._takes_off(run)
        elif plan == "<plan call_back>":
            held = self.flight is not None or inspect(self.provider).pending_callbacks is not None
            self.rule(held, "callbacks are called with the flag held")
        return run

    def _takes_off(self, run: Run) -> None:
        call, self._entering = self._entering, None
        self.rule(self.flight is None and call is not None, "one refresh at a time")
        if call is None:
            return
        run.forced = call.forced
        self.flight, call.run = call, run
        due = self.model.due(self.endpoints)
        early = due - run.begun
        self.rule(run.forced or early <= NOTHING, f"nothing is due before {due}")
        self.model.begins(run, self.endpoints)
        run.known, run.pages = self.endpoints, effort.known_pages(self)
        run.candidates = self.model.candidates(run.known, run)
        self.tell("refresh(force=%s) begins", run.forced)
        self.world.counts["refresh"] += 1

    def sends(self, run: Run, send: Send) -> None:
        """Take note of a request."""
        request, model = send.request, self.model
        run.sends(send, self.world.now)
        least = max(run.learned.get(request.origin, 0), model.tokens.get(request.origin, 0))
        held = token_of(request) >= least
        self.rule(held, f"a request to {request.origin} tells of revision {least}")
        if run.name == "<plan refresh>":
            effort.judge_request(self, run, send)
        if run.refused and send.sign is not None:
            bearer = dict(send.sign(request, 0.0)).get("authorization")
            self.rule(bearer not in run.refused, "a token that was refused is not sent again")
        self.stage.somebody_sends(self)

    def ends(self, run: Run, result: object) -> None:
        """Take note of what a plan returned."""
        run.over = True
        if run.name == "<plan start>" and isinstance(result, State):
            rules.judge_start(self, run, result)
        elif isinstance(result, Outcome) and self.flight is not None and not self.closed:
            self.flight.outcome = result
            rules.judge_outcome(self, run, result)

    def breaks_off(self, run: Run) -> None:
        """Take note of a plan that was cancelled, or raised."""
        if run.name == "<plan refresh>":
            self.model.broken_off()

    def succeeds(self, changes: ChangeSet) -> None:
        """Be called as a success callback."""
        call, now = self.flight, self.provider.snapshot
        if call is None or call.outcome is None:
            outcome = self._broken_off()
            late = outcome is not None and outcome.changes is changes
            self.rule(late, "callbacks belong to a refresh that publishes")
            self.rule(
                now.version == self.called_version + 1,
                "callbacks come once per publish and in order",
            )
            self.called_version = now.version
            return
        call.called += 1
        self.tell("callback: version %d (%s)", now.version, changes.reason)
        self.rule(changes is call.outcome.changes, "a callback gets what changed")
        self.rule(now is call.outcome.state.snapshot, "callbacks come after the swap")
        self.rule(
            now.version == self.called_version + 1, "callbacks come once per publish and in order"
        )
        self.called_version = now.version

    def fails(self, error: Exception) -> None:
        """Be called as an error callback."""
        if not self.is_born:
            self.world.counts["told at start"] += 1
            return
        call = self.flight
        if call is None or call.outcome is None:
            outcome = self._broken_off()
            late = outcome is not None and error in outcome.errors
            self.rule(late, "error callbacks belong to a refresh")
            return
        self.tell("error callback: %s", error)
        told = call.outcome.errors[call.failed : call.failed + 1]
        self.rule(error in told, "an error callback gets the refresh's errors, each once, in order")
        call.failed += 1
        known = self.provider.status.last_error
        # An error of the store stands, while callbacks get that of a file.
        stands = layers.is_of_layer(inspect(self.provider).state, error) and isinstance(
            known, AzureError
        )
        first = known is call.outcome.error
        self.rule(known is error or first or stands, "status knows what callbacks know")

    def _broken_off(self) -> Outcome[State] | None:
        """Return what a refresh that was cancelled has still to tell; it has not been replaced."""
        untold = inspect(self.provider).pending_callbacks
        if untold is None or untold.outcome.state.snapshot is not self.provider.snapshot:
            return None
        return cast("Outcome[State]", untold.outcome)

    def _hears(self, changes: ChangeSet) -> None:
        self.world.counts["subscription"] += 1
        keys = {*changes.added, *changes.changed, *changes.removed}
        self.rule(self._subscription is not None, "a cancelled subscription hears nothing")
        concerned = bool(keys) and all(key.startswith(NARROW[:-1]) for key in keys)
        self.rule(concerned, f"a subscription hears of its keys only, not {sorted(keys)}")
        self.rule(
            self.provider.snapshot.version == self.called_version,
            "subscriptions come after callbacks",
        )
