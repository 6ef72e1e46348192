"""What an event that was pushed does: the next refresh is due soon, and sees the change."""

from __future__ import annotations

import asyncio
import json
import math
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import appconfig_provider
import appconfig_provider.aio
from appconfig_provider import ChangeSet, ConfigurationSnapshot
from appconfig_provider._io.sync import SyncDriver
from appconfig_provider._live import agenda
from appconfig_provider._live.inspection import forked, inspect
from appconfig_provider.testing import Emulator, FakeClock, RequestRecord, Scripted
from tests.support.adapter import Loader, Provider
from tests.support.content import FLAG_TYPE, publish

FOREIGN = {
    "eventType": "Microsoft.AppConfiguration.KeyValueModified",
    "subject": "https://other.azconfig.io/kv/k",
    "data": {"syncToken": "kv=OTk=;sn=99"},
}
OF_ANOTHER_SERVICE = {"eventType": "Microsoft.Storage.BlobCreated", "data": {}}
VALIDATION = {
    "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
    "data": {"validationCode": "code-1", "validationUrl": "https://example.test"},
}


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """Give a store with two endpoints."""
    with Emulator(clock=clock, replicas=1) as emulator:
        emulator.set_many({"k": "v1", "sentinel": "1"})
        yield emulator


def keywords(store: Emulator, **more: object) -> dict[str, object]:
    """Return how the store is loaded: events count at once, everything else after an hour."""
    return {
        "connection_string": store.connection_string,
        "refresh_on": ["sentinel"],
        "refresh_interval": 3600,
        "push_delay": 0,
        "retry_total": 0,
        **more,
    }


SHAPES: dict[str, Callable[[Emulator], object]] = {
    "dict": lambda store: store.event("sentinel"),
    "cloudevents": lambda store: store.event("sentinel", schema="cloudevents"),
    "text": lambda store: json.dumps(store.event("sentinel")),
    "bytes": lambda store: json.dumps(store.event("sentinel", schema="cloudevents")).encode(),
    "batch": lambda store: [store.event("k"), store.event("sentinel")],
    "batch of text": lambda store: json.dumps([store.event("sentinel")]),
    "mixture": lambda store: [
        OF_ANOTHER_SERVICE,
        FOREIGN,
        store.event("sentinel", schema="cloudevents"),
        VALIDATION,
        store.event("k"),
    ],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_an_event_in_any_shape_makes_the_next_refresh_see_the_change(
    load: Loader, store: Emulator, shape: str
) -> None:
    """Both schemas, as a dict, text, bytes, a batch or a mixture, make `refresh()` check."""
    with load(**keywords(store)) as config:
        publish(store, "v2")
        assert not config.refresh()
        config.provider.notify(SHAPES[shape](store))  # type: ignore[arg-type]  # that is the test
        assert config.refresh()
        assert config.snapshot["k"] == "v2"


def test_a_validation_is_answered_with_its_code(load: Loader, store: Emulator) -> None:
    """An event that validates a subscription is answered, also after close(); nothing is due.

    Any other event is answered with None.
    """
    with load(**keywords(store)) as config:
        answer = {"validationResponse": "code-1"}
        assert config.provider.notify(VALIDATION) == answer
        assert config.provider.notify(json.dumps([VALIDATION])) == answer
        sent = config.status.requests_sent
        assert not config.refresh()
        assert config.status.requests_sent == sent
        assert config.provider.notify(store.event("k")) is None
        config.close()
        assert config.provider.notify(VALIDATION) == answer


@pytest.mark.parametrize("event", [FOREIGN, OF_ANOTHER_SERVICE, []], ids=["store", "service", "-"])
def test_events_about_something_else_change_nothing(
    load: Loader, store: Emulator, event: dict[str, Any]
) -> None:
    """Events of other stores and other services, and empty batches, make nothing due."""
    with load(**keywords(store)) as config:
        sent = config.status.requests_sent
        assert config.provider.notify(event) is None
        assert not config.refresh()
        assert config.status.requests_sent == sent


BROKEN: list[object] = [
    None,
    7,
    "",
    "{",
    b"\xff\xfe\x00",
    "[1]",
    ["{}"],
    {},
    {"eventType": 5},
    {"type": "Microsoft.AppConfiguration.KeyValueModified"},
    {**FOREIGN, "subject": "no address"},
    {**FOREIGN, "subject": "https://[::1"},
    {**FOREIGN, "subject": "https://host:port/kv/k"},
    {**FOREIGN, "subject": None},
    {**FOREIGN, "data": "text"},
    {**FOREIGN, "data": {"syncToken": 5}},
    {**FOREIGN, "data": {"syncToken": "x" * 5000}},
    {**VALIDATION, "data": {"validationCode": None}},
    "[" * 100_000,
]


@pytest.mark.parametrize("event", BROKEN, ids=lambda event: repr(event)[:40])
def test_what_is_no_event_is_a_value_error_and_spoils_its_whole_batch(
    store: Emulator, event: object
) -> None:
    """A ValueError for what is no event; good events beside it in a batch do not count either."""
    with appconfig_provider.load(**keywords(store)) as config:  # type: ignore[arg-type]
        sent = config.status.requests_sent
        with pytest.raises(ValueError, match=r"no (Event Grid|App Configuration) event"):
            config.notify(event)  # type: ignore[arg-type]  # that is the test
        batch: Any = [publish(store, "v2"), event]
        with pytest.raises(ValueError, match=r"no (Event Grid|App Configuration) event"):
            config.notify(batch)
        assert not config.refresh()
        assert config.status.requests_sent == sent
        assert inspect(config).pending is None


def test_the_token_shows_the_new_value_at_an_endpoint_that_lags(
    load: Loader, store: Emulator
) -> None:
    """With the event's token the endpoint answers with what is new; without it, with what was."""
    with load(**keywords(store)) as config, store.lag():
        event = publish(store, "v2")
        assert not config.refresh(force=True)
        assert config.snapshot["k"] == "v1"
        config.provider.notify(event)
        assert config.refresh()
        assert config.snapshot["k"] == "v2"


def test_the_token_goes_to_its_own_endpoint_only(load: Loader, store: Emulator) -> None:
    """An event's token is sent to the endpoint that the event names and to no other one."""
    replica = store.replicas[0]
    with load(**keywords(store, replicas=[replica.connection_string])) as config:
        publish(store, "v2")
        event = replica.event("sentinel")
        event["data"]["syncToken"] = "mark=T05MWQ==;sn=7"
        config.provider.notify(event)
        store.clear_requests()
        assert config.refresh()
        assert store.requests
        assert not any("mark" in one.headers.get("sync-token", "") for one in store.requests)
        store.down()
        config.refresh(force=True)
        assert replica.requests
        assert all("mark=T05MWQ==" in one.headers["sync-token"] for one in replica.requests)


def test_the_token_is_sent_again_until_a_newer_one_comes(load: Loader, store: Emulator) -> None:
    """The token goes with every later request to its endpoint, not only with the first ones."""
    with load(**keywords(store)) as config:
        event = publish(store, "v2")
        event["data"]["syncToken"] = "mark=T05MWQ==;sn=7"
        config.provider.notify(event)
        config.refresh()
        store.clear_requests()
        config.refresh(force=True)
        assert all("mark=T05MWQ==" in one.headers["sync-token"] for one in store.requests)


def test_the_refresh_is_due_after_the_delay_and_is_quiet_before(
    load: Loader, store: Emulator, clock: FakeClock, chance: list[float]
) -> None:
    """An event makes a refresh due within push_delay; before it nothing is sent."""
    chance[0] = 0.5
    with load(**keywords(store, push_delay=20)) as config:
        event = publish(store, "v2")
        config.provider.notify(event)
        sent = config.status.requests_sent
        clock.advance(9.9)
        assert not config.refresh()
        chance[0] = 0.99  # a later event in the window must not postpone what the first one wants
        config.provider.notify(event)
        assert config.status.requests_sent == sent
        clock.advance(0.1)
        assert config.refresh()
        chance[0] = 0.9
        config.provider.notify(publish(store, "v3"))
        chance[0] = 0.1  # nor hurry it: the soonest draw of a burst would count
        config.provider.notify(event)
        clock.advance(17.9)
        assert not config.refresh()
        clock.advance(0.2)
        assert config.refresh()
        assert config.snapshot["k"] == "v3"


def test_the_delay_is_random_within_its_limit(store: Emulator, clock: FakeClock) -> None:
    """Delays spread over 0 to push_delay seconds, so that many processes do not ask all at once."""
    moments = set()
    for _ in range(20):
        with appconfig_provider.load(**keywords(store, push_delay=20)) as config:  # type: ignore[arg-type]
            config.notify(store.event("k"))
            assert config.refresh() is False  # works out when it is due
            moments.add(inspect(config).wake)
            assert 0 <= inspect(config).wake - clock.monotonic() <= 20
    assert len(moments) == 20


FLAG = ".appconfig.featureflag/beta"


def flag(*, enabled: bool) -> str:
    """Return the text of a flag."""
    return json.dumps({"id": "beta", "enabled": enabled, "conditions": {"client_filters": []}})


def test_watching_all_an_event_is_as_good(load: Loader, store: Emulator) -> None:
    """Watching every page, an event makes the pages due; the reason is `push`."""
    changes: list[ChangeSet] = []
    given = keywords(store, refresh_on=(), refresh_enabled=True, on_refresh_success=changes.append)
    with load(**given) as config:
        store.set("k", "v2")
        config.provider.notify(store.event("k"))
        assert config.refresh()
        assert config.snapshot["k"] == "v2"
    assert [(one.changed, one.reason) for one in changes] == [(("k",), "push")]


def test_flags_are_checked_too(load: Loader, store: Emulator) -> None:
    """An event makes flags due before their time, and settings with them."""
    store.set(FLAG, flag(enabled=False), content_type=FLAG_TYPE)
    changes: list[ChangeSet] = []
    more: dict[str, object] = {
        "feature_flag_enabled": True,
        "feature_flag_refresh_enabled": True,
        "refresh_on": (),
        "on_refresh_success": changes.append,
    }
    with load(**keywords(store, **more)) as config:
        store.set(FLAG, flag(enabled=True), content_type=FLAG_TYPE)
        config.provider.notify(store.event(FLAG))
        assert config.refresh()
    assert [(one.flags, one.reason) for one in changes] == [(("beta",), "push")]


def test_where_nothing_is_watched_an_event_does_nothing(load: Loader, store: Emulator) -> None:
    """Where nothing is watched, `refresh()` stays quiet whatever is pushed."""
    with load(**keywords(store, refresh_on=())) as config:
        store.clear_requests()
        config.provider.notify(publish(store, "v2"))
        assert not config.refresh()
        assert not config.refresh(force=True)
        assert store.requests == []
        assert inspect(config.provider).wake == math.inf


def test_while_every_endpoint_backs_off_the_event_waits(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """An event does not end a back-off; when it is over, the refresh happens with the token."""
    with load(**keywords(store)) as config, store.lag():
        event = publish(store, "v2")
        with store.respond(lambda _: Scripted(503)):
            config.refresh(force=True)
        until = config.status.backoff_until
        assert until is not None
        config.provider.notify(event)
        store.clear_requests()
        assert not config.refresh()
        assert store.requests == []
        clock.advance(until.timestamp() - clock.time() + 0.001)
        assert config.refresh()
        assert config.snapshot["k"] == "v2"


def test_a_failed_check_does_not_use_up_the_event(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """When the store fails, the event still stands after the back-off, and so does its token."""
    with load(**keywords(store)) as config, store.lag():
        config.provider.notify(publish(store, "v2"))
        with store.respond(lambda _: Scripted(503)):
            assert not config.refresh()
        assert config.status.last_error is not None
        clock.advance(60)
        assert config.refresh()
        assert config.snapshot["k"] == "v2"


def test_a_rejected_generation_does_not_forget_the_token(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """A generation that was refused is loaded again with the token when its back-off is over."""
    refuse = [False]

    def validate(_: object) -> None:
        if refuse[0]:
            raise ValueError("not today")

    given = keywords(store, validate=validate, refresh_interval=30)
    with load(**given) as config, store.lag():
        refuse[0] = True
        config.provider.notify(publish(store, "v2"))
        assert not config.refresh()
        assert config.snapshot["k"] == "v1"
        refuse[0] = False
        clock.advance(60)
        assert config.refresh()
        assert config.snapshot["k"] == "v2"


def test_after_close_an_event_is_harmless(load: Loader, store: Emulator) -> None:
    """Events for a closed provider are read and dropped."""
    with load(**keywords(store)) as config:
        config.close()
        store.clear_requests()
        assert config.provider.notify(publish(store, "v2")) is None
        assert not config.refresh()
        assert store.requests == []
        with pytest.raises(ValueError, match="no Event Grid event"):
            config.provider.notify("{")


def test_an_event_during_a_refresh_is_not_swallowed_by_it(load: Loader, store: Emulator) -> None:
    """What another thread notifies after the sentinel was read is seen by the refresh after."""
    with load(**keywords(store)) as config:
        config.provider.notify(publish(store, "v2"))
        begin = store.requests[-1].index + 1

        def late(record: RequestRecord) -> None:
            # The answer to the last question is made: this refresh cannot see it any more.
            if record.index == begin + 2:
                config.provider.notify(publish(store, "v3"))

        with store.after_answer(late):
            assert config.refresh()
        assert config.snapshot["k"] == "v2"
        assert config.refresh()
        assert config.snapshot["k"] == "v3"
        sent = config.status.requests_sent
        assert not config.refresh()
        assert config.status.requests_sent == sent


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_during_a_refresh_gives_the_event_back(
    store: Emulator, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refresh that ends in KeyboardInterrupt, also twice, leaves the event standing."""
    with appconfig_provider.load(**keywords(store)) as config, store.lag():  # type: ignore[arg-type]
        config.notify(publish(store, "v2"))
        run = SyncDriver.run

        def interrupted(driver: SyncDriver, plan: Any) -> Any:
            run_to_its_end = run(driver, plan)
            raise KeyboardInterrupt(run_to_its_end)

        with monkeypatch.context() as pressed:
            pressed.setattr(SyncDriver, "run", interrupted)
            for _ in range(times):
                with pytest.raises(KeyboardInterrupt):
                    config.refresh()
        assert config.snapshot["k"] == "v1"
        assert config.refresh()
        assert config.snapshot["k"] == "v2"


def test_a_cancelled_refresh_gives_the_event_back(store: Emulator) -> None:
    """Cancelled after any number of loop turns: the event is seen by this refresh or the next."""

    async def script(turns: int) -> bool:
        config = await appconfig_provider.aio.load(**keywords(store))  # type: ignore[arg-type]
        async with config:
            with store.lag():
                config.notify(publish(store, f"turn {turns}"))
                task = asyncio.ensure_future(config.refresh())
                for _ in range(turns):
                    await asyncio.sleep(0)
                cancelled = task.cancel()
                await asyncio.wait([task])
                await config.refresh()
                assert config["k"] == f"turn {turns}"
        return cancelled

    turns = 0
    while asyncio.run(script(turns)):
        turns += 3
    assert turns > 6


def test_notifying_from_threads_while_others_refresh(store: Emulator) -> None:
    """Whatever threads notify and refresh meanwhile, the last publish is seen in the end."""
    with appconfig_provider.load(**keywords(store)) as config:  # type: ignore[arg-type]
        over = threading.Event()

        def refreshing() -> None:
            while not over.wait(0.001):
                config.refresh()

        threads = [threading.Thread(target=refreshing) for _ in range(2)]
        for thread in threads:
            thread.start()
        for number in range(15):
            config.notify(publish(store, f"n{number}"))
        over.set()
        for thread in threads:
            thread.join()
        config.refresh()
        assert config["k"] == "n14"


def events_of(config: Provider) -> list[ChangeSet]:
    """Return the list that the changes of a provider are put into."""
    changes: list[ChangeSet] = []
    config.provider.subscribe(changes.append)
    return changes


def test_the_reason_is_push_only_where_the_event_was_the_cause(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """A change set says `push` or `forced` after an early check, else what moved."""
    with load(**keywords(store)) as config:
        changes = events_of(config)
        config.provider.notify(publish(store, "v2"))
        config.refresh()
        publish(store, "v3")
        config.refresh(force=True)
        event = publish(store, "v4")
        clock.advance(3600)
        config.provider.notify(event)
        config.refresh()
    assert [one.reason for one in changes] == ["push", "forced", "sentinel"]


def test_a_forked_child_keeps_the_event(store: Emulator) -> None:
    """An event that a refresh of the parent had taken up at the fork is the child's as well."""
    children: list[appconfig_provider.AzureAppConfigurationProvider] = []

    def fork(snapshot: ConfigurationSnapshot) -> None:
        if snapshot["k"] == "v2" and not children:
            assert inspect(config).pending is None  # the refresh under way has it
            children.append(forked(config))

    with appconfig_provider.load(**keywords(store, validate=fork)) as config, store.lag():  # type: ignore[arg-type]
        config.notify(publish(store, "v2"))
        assert config.refresh()
        (child,) = children
        assert child["k"] == "v1"
        assert child.refresh()
        assert child["k"] == "v2"
        child.notify(publish(store, "v3"))
        assert child.refresh(force=True)
        # What a failed check of the parent left in its state is not lost either.
        with store.respond(lambda _: Scripted(503)):
            child.notify(publish(store, "v4"))
            child.refresh()
        assert inspect(child).state.timers.push < math.inf
        with forked(child) as grandchild:
            assert inspect(grandchild).state.timers.push < math.inf
        child.close()


def test_a_signal_handler_may_notify_in_the_middle_of_a_refresh(store: Emulator) -> None:
    """While the thread it interrupts has the flag, its event waits, and is not lost."""
    handled: list[bool] = []

    def handler(snapshot: ConfigurationSnapshot) -> None:
        if snapshot["k"] == "v2" and not handled:
            config.notify(publish(store, "v3"))
            handled.append(config.refresh())

    with appconfig_provider.load(**keywords(store, validate=handler)) as config:  # type: ignore[arg-type]
        publish(store, "v2")
        assert config.refresh(force=True)
        assert handled == [False]
        assert config["k"] == "v2"
        config.notify(store.event("k"))  # the next one to come finds both
        assert config.refresh()
        assert config["k"] == "v3"


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="this system has no such signal")
def test_a_signal_handler_may_refresh_while_its_own_thread_notifies(
    store: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handler gives way instead of waiting for itself, and what was pushed stays."""
    handled = 0

    def refresh(*_: object) -> None:
        nonlocal handled
        handled += 1
        config.refresh()

    class Inbox(deque[Any]):
        """An inbox that a signal reaches just before the event, or just after it."""

        def append(self, request: Any) -> None:
            signal.raise_signal(signal.SIGALRM)
            super().append(request)
            signal.raise_signal(signal.SIGALRM)

    monkeypatch.setattr(agenda, "deque", Inbox)
    with appconfig_provider.load(**keywords(store)) as config:  # type: ignore[arg-type]
        before = signal.signal(signal.SIGALRM, refresh)
        try:
            config.notify(publish(store, "v2"))
        finally:
            signal.signal(signal.SIGALRM, before)
        assert handled == 2
        assert config.refresh() is True
        assert config["k"] == "v2"
