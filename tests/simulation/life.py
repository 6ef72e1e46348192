"""One provider in its process, and everything that is watched about it."""

from __future__ import annotations

from asyncio import CancelledError
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from appconfig_provider._azure.state import State
from appconfig_provider._live import process
from appconfig_provider._live.callbacks import Subscription
from appconfig_provider._live.source import Outcome
from appconfig_provider._plan import Send
from appconfig_provider.aio import AzureAppConfigurationProvider
from appconfig_provider.snapshot import ChangeSet, ConfigurationSnapshot
from tests.simulation import effort, rules
from tests.simulation.driver import Driver
from tests.simulation.model import Model
from tests.simulation.network import token_of
from tests.simulation.run import Run
from tests.simulation.world import NOTHING, RuleBroken, Task

if TYPE_CHECKING:
    from tests.simulation.stage import Stage

SLOTS = [
    name
    for kind in AzureAppConfigurationProvider.__mro__
    for name in getattr(kind, "__slots__", ())
    if name != "__weakref__"
]
"""The attributes of a provider, all of which a child inherits."""
NARROW = "k0*"
"""The filter of the subscription that every life has for a while."""


@dataclass(slots=True)
class Call:
    """One call of `refresh()`, and what came of it."""

    forced: bool
    before: ConfigurationSnapshot
    run: Run | None = None
    outcome: Outcome[State] | None = None
    told: int = 0
    """How often the success callback that counts was called."""
    failed: int = 0
    """How often the error callback was called."""


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
        self.told = 0
        """The version that callbacks were told last."""
        self.doomed: Task | None = None
        """A caller who will be cancelled while callbacks run."""
        self._entering: Call | None = None
        self._subscription: Subscription | None = None
        driver.life = self

    def born(self, provider: AzureAppConfigurationProvider) -> None:
        """Begin to live with a provider."""
        self.provider = provider
        self.told = provider.snapshot.version
        self._subscription = provider.subscribe(self._hears, NARROW)

    @property
    def endpoints(self) -> list[str]:
        """The endpoints that the provider knows."""
        return [one.store.url for one in self.provider._state.endpoints.all]

    def tell(self, what: str, *details: object) -> None:
        """Write a line of the trace."""
        self.world.tell(self.name, what, *details)

    def rule(self, held: bool, rule: str) -> None:
        """End the schedule unless a rule was held."""
        if not held:
            self.world.fail(f"{self.name}: {rule}")

    # What others do to it.

    async def refresh(self, *, forced: bool = False) -> bool:
        """Call `refresh()` and judge what it did."""
        call = Call(forced, self.provider.snapshot)
        busy, due = self.flight is not None, self.model.due(self.endpoints)
        late = self.world.now - due
        expected = not self.closed and not busy and (forced or late >= 0)
        self._entering = call
        try:
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
        """Tell whether a plan runs that has taken up what was wished for."""
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
        provider = object.__new__(type(parent))
        for slot in SLOTS:
            setattr(provider, slot, getattr(parent, slot))
        provider._inbox = deque(parent._inbox)
        provider._listeners = {}
        provider._begin_in_child(provider._process)
        process._left_to_the_parent.remove(parent._driver)
        driver: Any = provider._driver
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
            held = self.flight is not None or self.provider._pending_callbacks is not None
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
        self.model.begins(run)
        run.known, run.pages = self.endpoints, effort.known_pages(self)
        run.turns = self.model.turns(run.known, run)
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

    def is_told(self, changes: ChangeSet) -> None:
        """Be called as a success callback."""
        call, now = self.flight, self.provider.snapshot
        if call is None or call.outcome is None:
            outcome = self._broken_off()
            late = outcome is not None and outcome.changes is changes
            self.rule(late, "callbacks belong to a refresh that publishes")
            self.rule(now.version == self.told + 1, "callbacks come once per publish and in order")
            self.told = now.version
            return
        call.told += 1
        self.tell("callback: version %d (%s)", now.version, changes.reason)
        self.rule(changes is call.outcome.changes, "a callback is told what changed")
        self.rule(now is call.outcome.state.snapshot, "callbacks come after the swap")
        self.rule(now.version == self.told + 1, "callbacks come once per publish and in order")
        self.told = now.version

    def is_failed(self, error: Exception) -> None:
        """Be called as an error callback."""
        if not hasattr(self, "provider"):
            self.world.counts["told at start"] += 1
            return
        call = self.flight
        if call is None or call.outcome is None:
            outcome = self._broken_off()
            late = outcome is not None and outcome.error is error
            self.rule(late, "error callbacks belong to a refresh")
            return
        call.failed += 1
        self.tell("error callback: %s", error)
        self.rule(error is call.outcome.error, "an error callback gets the refresh's error")
        self.rule(self.provider.status.last_error is error, "status knows what callbacks know")

    def _broken_off(self) -> Outcome[State] | None:
        """Return what a refresh that was cancelled has still to tell; it has not been replaced."""
        untold = self.provider._pending_callbacks
        if untold is None or untold.outcome.state.snapshot is not self.provider.snapshot:
            return None
        return cast("Outcome[State]", untold.outcome)

    def _hears(self, changes: ChangeSet) -> None:
        self.world.counts["subscription"] += 1
        keys = {*changes.added, *changes.changed, *changes.removed}
        self.rule(self._subscription is not None, "a cancelled subscription hears nothing")
        concerned = bool(keys) and all(key.startswith(NARROW[:-1]) for key in keys)
        self.rule(concerned, f"a subscription hears of its keys only, not {sorted(keys)}")
        self.rule(self.provider.snapshot.version == self.told, "subscriptions come after callbacks")
