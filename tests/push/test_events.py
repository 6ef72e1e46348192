"""What an Event Grid event must look like, and what several of them ask for together."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from appconfig_provider._azure.push import Notice, PushedChange, change_of, read_events, with_change
from appconfig_provider._azure.rest.sync_tokens import SyncToken
from appconfig_provider._fetch.endpoints import Endpoint, Endpoints
from appconfig_provider.models import Store
from tests.support.asking import Life

SUBJECT = "https://one.azconfig.io/kv/k?label=prod"
DATA = {"key": "k", "syncToken": "zone=a;sn=1"}


def event(**changed: Any) -> dict[str, Any]:
    """Return an event of Event Grid's own schema; None leaves a field out."""
    whole = {
        "eventType": "Microsoft.AppConfiguration.KeyValueModified",
        "subject": SUBJECT,
        "data": DATA,
        **changed,
    }
    return {name: value for name, value in whole.items() if value is not None}


NOTICE = Notice("one.azconfig.io:443", "zone=a;sn=1")
CLOUD = event(eventType=None, type="Microsoft.AppConfiguration.KeyValueDeleted")


@pytest.mark.parametrize(
    "given",
    [
        event(),
        CLOUD,
        [event()],
        (event(),),
        json.dumps(event()),
        json.dumps([CLOUD]).encode(),
        bytearray(json.dumps(event()).encode()),
        event(eventType="microsoft.appconfiguration.snapshotcreated"),
        [event(eventType="Microsoft.Storage.BlobCreated", subject="/x", data=None), event()],
    ],
    ids=["own", "cloud", "list", "tuple", "text", "bytes", "bytearray", "lower case", "others"],
)
def test_an_event_of_either_schema_is_a_notice(given: Any) -> None:
    """Alone or in a batch, decoded or not; events of other services are left out."""
    assert read_events(given) == ((NOTICE,), None)


@pytest.mark.parametrize(
    ("subject", "authority"),
    [
        ("https://one.azconfig.io/kv/k", "one.azconfig.io:443"),
        ("https://ONE.azconfig.io", "one.azconfig.io:443"),
        ("https://one.azconfig.io:8443/kv/k", "one.azconfig.io:8443"),
        ("http://127.0.0.1:8483/kv/k", "127.0.0.1:8483"),
        ("http://localhost/kv/k", "localhost:80"),
        ("https://one.azconfig.io?x", "one.azconfig.io:443"),
        ("https://one.azconfig.io#x", "one.azconfig.io:443"),
    ],
)
def test_the_endpoint_of_an_event_is_host_and_port(subject: str, authority: str) -> None:
    """Replicas on one machine differ by the port alone."""
    (notice,), _ = read_events(event(subject=subject))
    assert notice.authority == authority


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("{", "the text is not JSON"),
        (b"\xff", "the text is not JSON"),
        ("7", "neither a JSON object nor a list"),
        (7, "neither a JSON object nor a list"),
        ([event(), "x"], "neither a JSON object nor a list"),
        ({}, "neither 'eventType' nor 'type'"),
        ([event(), event(eventType=7)], "neither 'eventType' nor 'type'"),
        (event(subject=None), "'subject' is not the address"),
        (event(subject=7), "'subject' is not the address"),
        (event(subject="/kv/k"), "'subject' is not the address"),
        (event(subject="ftp://one.azconfig.io/kv/k"), "'subject' is not the address"),
        (event(subject="https://one:port/kv/k"), "'subject' is not the address"),
        (event(subject="https:///kv/k"), "'subject' is not the address"),
        (event(data=None), "has no 'data'"),
        (event(data=[]), "has no 'data'"),
        (event(data={}), "'syncToken' is not text"),
        (event(data={"syncToken": 7}), "'syncToken' is not text"),
        (event(data={"syncToken": "x" * 4097}), "has 4097 characters"),
    ],
    ids=str,
)
def test_what_is_no_event_is_refused_whole(given: Any, words: str) -> None:
    """Of a batch with one bad event nothing counts; the error says what is wrong."""
    with pytest.raises(ValueError, match=words):
        read_events(given)


def test_the_longest_token_that_fits_a_request_is_taken() -> None:
    """Its length is bounded, because it goes with every later request."""
    (notice,), _ = read_events(event(data={"syncToken": "x" * 4096}))
    assert len(notice.sync_token) == 4096


def test_a_subscription_is_answered_with_its_code() -> None:
    """It may come beside events; without a code it is refused."""
    asked = {
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "data": {"validationCode": "c"},
    }
    assert read_events(asked) == ((), "c")
    assert read_events([event(), asked]) == ((NOTICE,), "c")
    with pytest.raises(ValueError, match="'validationCode' is not text"):
        read_events({**asked, "data": {}})


def test_an_event_counts_for_the_endpoints_that_are_known() -> None:
    """Tokens of one endpoint are put together; what is about other stores asks for nothing."""
    endpoints = Endpoints(
        (Endpoint(Store("https://one.azconfig.io")), Endpoint(Store("https://two.azconfig.io:1")))
    )
    notices = [
        Notice("one.azconfig.io:443", "zone=a;sn=1"),
        Notice("one.azconfig.io:443", "zone=b;sn=2,other=x;sn=1"),
        Notice("two.azconfig.io:443", "zone=no;sn=9"),
        Notice("two.azconfig.io:1", "zone=c;sn=3"),
    ]
    change = change_of(notices, endpoints, 7.0)
    one = {"zone": SyncToken("b", 2), "other": SyncToken("x", 1)}
    two = {"zone": SyncToken("c", 3)}
    assert change == PushedChange({"one.azconfig.io:443": one, "two.azconfig.io:1": two}, 7.0)
    assert change_of(notices[2:3], endpoints, 7.0) is None
    assert change_of([], endpoints, 7.0) is None


def test_two_changes_are_one_at_the_time_of_the_first() -> None:
    """The newest token of each endpoint counts."""
    old, new = SyncToken("old", 1), SyncToken("new", 2)
    first = PushedChange({"a": {"zone": old}, "b": {"zone": new}}, 5.0)
    second = PushedChange({"a": {"zone": new}, "c": {"zone": old}}, 3.0)
    assert first.also(second) == PushedChange(
        {"a": {"zone": new}, "b": {"zone": new}, "c": {"zone": old}}, 5.0
    )


def test_a_change_that_waits_is_not_put_off_by_a_later_one() -> None:
    """The state keeps the time of the first, and the newest tokens of each endpoint."""
    life = Life({"refresh_on": ["sentinel"]})
    token = {"one.azconfig.io:443": {"zone": SyncToken("a", 1)}}
    later = {"one.azconfig.io:443": {"zone": SyncToken("b", 2)}}
    first = with_change(life.state, PushedChange(token, 5.0))
    assert first.timers == replace(life.state.timers, push=5.0)
    second = with_change(first, PushedChange(later, 3.0))
    assert second.timers.push == 5.0
    assert second.endpoints.all[0].memory == later["one.azconfig.io:443"]
    elsewhere = with_change(
        life.state, PushedChange({"other:443": token["one.azconfig.io:443"]}, 5.0)
    )
    assert elsewhere.endpoints == life.state.endpoints
