"""Which endpoint is asked next, and what is remembered of each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest

from appconfig_provider._azure.endpoints.order import (
    MAX_DISCOVERED,
    first_endpoints,
    host_of_endpoint,
    in_domain,
    trusted_domain,
    with_replicas,
)
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.rest.sync_tokens import SyncToken
from appconfig_provider._fetch.backoff import Backoff
from appconfig_provider._fetch.endpoints import Endpoint, Endpoints
from appconfig_provider.models import AccessKey, Store

KEY = AccessKey("id", b"secret")


def url_of(name: str) -> str:
    """Return the address of an endpoint."""
    return f"https://{name}.azconfig.io"


def endpoints_named(*names: str, last: str = "") -> Endpoints:
    """Return the endpoints of a store that were given."""
    endpoints = tuple(Endpoint(Store(url_of(name), KEY)) for name in names)
    return Endpoints(endpoints, last=url_of(last) if last else "")


def names_of(endpoints: list[Endpoint] | tuple[Endpoint, ...]) -> str:
    """Return the names of endpoints, in their order."""
    return " ".join(host_of_endpoint(one).partition(".")[0] for one in endpoints)


@pytest.mark.parametrize(
    ("last", "balanced", "expected"),
    [
        ("", False, "a b c"),
        ("a", False, "a b c"),
        ("c", False, "a b c"),
        ("", True, "a b c"),
        ("a", True, "b c a"),
        ("b", True, "c a b"),
        ("c", True, "a b c"),
        ("gone", True, "a b c"),
    ],
)
def test_endpoints_are_asked_in_their_order_or_in_turn(
    last: str, balanced: bool, expected: str
) -> None:
    """Without load balancing the first is always asked first; with it the one after the last."""
    assert (
        names_of(endpoints_named("a", "b", "c", last=last).candidates(0.0, balanced=balanced))
        == expected
    )


def test_an_endpoint_that_backs_off_is_passed_over_until_its_time_has_come() -> None:
    """It is asked again at the very moment its back-off ends; free is who never failed."""
    endpoints = endpoints_named("a", "b")
    resting = replace(endpoints.all[0], backoff=Backoff(1, 30.0))
    endpoints = endpoints.replaced(resting)
    assert names_of(endpoints.candidates(29.9, balanced=False)) == "b"
    assert names_of(endpoints.candidates(30.0, balanced=False)) == "a b"
    assert endpoints.free_at == -math.inf
    both = endpoints.replaced(replace(endpoints.all[1], backoff=Backoff(2, 60.0)))
    assert both.free_at == 30.0


def test_what_is_learnt_of_an_endpoint_changes_no_other() -> None:
    """`having` replaces one endpoint in its place; who answered last stays unless it is told."""
    endpoints = endpoints_named("a", "b", "c", last="a")
    endpoints = replace(endpoints, discovery=Backoff(3, 9.0))
    changed = replace(endpoints.all[1], round_trip=0.5)
    silent, named = endpoints.replaced(changed), endpoints.replaced(changed, last="b")
    assert silent.all == (endpoints.all[0], changed, endpoints.all[2])
    assert silent.discovery == endpoints.discovery
    assert (silent.last, named.last) == (url_of("a"), "b")
    assert silent.by_url(url_of("b")) is changed
    assert silent.by_url(url_of("c")) is endpoints.all[2]


def in_order() -> float:
    """Return chance that leaves the order of replicas as it is."""
    return 0.0


def test_replicas_of_dns_follow_those_given_with_the_key_of_the_store() -> None:
    """They are known as discovered, and DNS is not asked again before its answer is old."""
    endpoints = with_replicas(
        endpoints_named("a", last="a"), ["b.azconfig.io", "c.azconfig.io"], 100.0, in_order
    )
    assert names_of(endpoints.all) == "a b c"
    assert [one.discovered for one in endpoints.all] == [False, True, True]
    assert {one.store.access_key for one in endpoints.all} == {KEY}
    assert endpoints.discovery == Backoff(0, 100.0)
    assert endpoints.last == url_of("a")


def test_a_replica_stands_once() -> None:
    """Names that were given, or that DNS says twice, add no endpoint."""
    names = ["a.azconfig.io", "b.azconfig.io", "b.azconfig.io", "c.azconfig.io"]
    assert names_of(with_replicas(endpoints_named("a", "c"), names, 1.0, in_order).all) == "a c b"


def test_a_replica_that_dns_still_names_keeps_what_is_known_of_it() -> None:
    """Back-off and sync tokens outlive a new answer; a replica that is not named any more goes."""
    endpoints = with_replicas(
        endpoints_named("a"), ["b.azconfig.io", "c.azconfig.io"], 1.0, in_order
    )
    known = replace(endpoints.all[1], backoff=Backoff(1, 30.0), memory={"zone": SyncToken("x", 1)})
    again = with_replicas(endpoints.replaced(known), ["b.azconfig.io"], 2.0, in_order)
    assert again.all == (endpoints.all[0], known)


def test_at_most_sixteen_replicas_are_believed() -> None:
    """Of more names the first sixteen count."""
    names = [f"r{number}.azconfig.io" for number in range(MAX_DISCOVERED + 4)]
    found = with_replicas(endpoints_named("a"), names, 1.0, in_order).all[1:]
    assert [host_of_endpoint(one) for one in found] == names[:16]


def test_replicas_come_in_an_order_that_chance_says() -> None:
    """Each client shuffles for itself, so that they spread when a store fails."""
    numbers: Iterator[float] = (1.0 - number / 10 for number in count())
    names = ["b.azconfig.io", "c.azconfig.io", "d.azconfig.io"]
    assert (
        names_of(with_replicas(endpoints_named("a"), names, 1.0, lambda: next(numbers)).all)
        == "a d c b"
    )


@pytest.mark.parametrize(
    ("endpoint", "enabled", "asks"),
    [
        ("https://one.azconfig.io", True, True),
        ("https://one.appconfig.azure.us", True, True),
        ("https://one.azconfig.io", False, False),
        ("https://config.example.org", True, False),
        ("http://127.0.0.1:8483", True, False),
    ],
)
def test_dns_is_asked_where_it_can_know_replicas(endpoint: str, enabled: bool, asks: bool) -> None:
    """Never for a name outside the service's domains, and never when it is switched off."""
    connection = f"Endpoint={endpoint};Id=i;Secret=c2VjcmV0"
    endpoints = first_endpoints(
        Keywords(connection_string=connection, replica_discovery_enabled=enabled).checked()
    )
    assert endpoints.discovery == (Backoff() if asks else Backoff(until=math.inf))


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("one.azconfig.io", ".azconfig.io"),
        ("one.eastus.azconfig.azure.cn", ".azconfig.azure.cn"),
        ("one.appconfig.azure.us", ".appconfig.azure.us"),
        ("one.azconfig.azconfig.io", ".azconfig.io"),
        ("one.azconfig.appconfig.io", ".appconfig.io"),
        ("x.azconfig.io", ".azconfig.io"),
        (".azconfig.io", ""),
        ("azconfig.io", ""),
        ("one.azconfigs.io", ""),
        ("example.org", ""),
        ("", ""),
    ],
)
def test_the_domain_of_replicas_is_what_follows_the_name_of_the_store(
    host: str, domain: str
) -> None:
    """Only hosts of the service have such a domain, and only behind a name."""
    assert trusted_domain(host) == domain


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("two.azconfig.io", True),
        ("two-1.east_us.azconfig.io", True),
        ("two.azconfig.io.", False),
        ("azconfig.io", False),
        ("two..azconfig.io", False),
        ("two.azconfig.io.example.org", False),
        ("evil.example.org/x.azconfig.io", False),
        ("user@two.azconfig.io", False),
        ("two.azconfig.io:443", False),
        ("TWO.azconfig.io", False),
    ],
)
def test_a_replica_is_a_plain_host_name_inside_the_domain(name: str, inside: bool) -> None:
    """What could send a request elsewhere is not believed."""
    assert in_domain(name, ".azconfig.io") is inside


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://one.azconfig.io", "one.azconfig.io"),
        ("https://ONE.azconfig.io.", "one.azconfig.io"),
        ("https://one.azconfig.io:8443", "one.azconfig.io"),
        ("https://", ""),
    ],
)
def test_the_host_of_an_endpoint_has_no_port_and_no_dot_at_its_end(url: str, host: str) -> None:
    """However an endpoint is spelt, its host is compared in one form."""
    assert host_of_endpoint(Endpoint(Store(url))) == host


@pytest.mark.parametrize(
    ("failures", "interval", "jitter", "at_least", "pause"),
    [
        (0, 30.0, 0.0, 0.0, 30.0),
        (0, 10.0, 0.0, 0.0, 10.0),
        (0, 3600.0, 0.0, 0.0, 30.0),
        (0, 30.0, 1.0, 0.0, 37.5),
        (1, 30.0, 0.5, 0.0, 67.5),
        (3, 10.0, 0.0, 0.0, 80.0),
        (5, 30.0, 0.0, 0.0, 600.0),
        (0, 30.0, 0.0, 45.0, 45.0),
        (0, 30.0, 0.0, 5000.0, 600.0),
        (200, 1.0, 0.0, 0.0, 600.0),
    ],
)
def test_a_back_off_doubles_with_each_failure(
    failures: int, interval: float, jitter: float, at_least: float, pause: float
) -> None:
    """First the interval or 30 s; by chance up to a quarter more; ten minutes at most."""
    backoff = Backoff(failures).after_failure(
        1000.0, interval=interval, jitter=jitter, at_least=at_least
    )
    assert backoff == Backoff(failures + 1, 1000.0 + pause)
