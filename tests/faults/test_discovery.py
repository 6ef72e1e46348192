"""Replicas that DNS names: when it is asked, who is believed, and who is asked then."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from appconfig_provider.errors import AzureError, StartupTimeout
from appconfig_provider.testing import Scripted
from tests.support.adapter import Loader, Provider
from tests.support.contoso import (
    CLOUDS,
    EAST,
    FIRST_REPLICAS,
    LOOK_UP,
    MAIN,
    ORIGIN,
    WEST,
    Contoso,
    contoso,
)
from tests.support.dns_server import alias, srv, too_long

HOUR = 3600.0


def elsewhere(config: Provider) -> bool:
    """Tell whether a replica answered last."""
    return config.status.endpoint in {f"https://{EAST}", f"https://{WEST}"}


@pytest.mark.parametrize("auth", ["key", "token"])
def test_a_store_that_is_down_is_loaded_from_a_replica(load: Loader, auth: str) -> None:
    """load() gets its values from a replica that only DNS knows of, by the same credentials."""
    with contoso() as scene:
        scene.down(MAIN)
        with load(**scene.keywords(auth=auth)) as config:
            assert config.snapshot["k"] == "v1"
            assert elsewhere(config)
        assert scene.asked() == LOOK_UP
        assert set(scene.credential.scopes) <= {"https://azconfig.io/.default"}
        assert bool(scene.credential.scopes) is (auth == "token")
        requests = [one for replica in scene.store.replicas for one in replica.requests]
        scheme = "HMAC-SHA256 Credential=" if auth == "key" else "Bearer "
        assert requests
        assert all(one.headers["authorization"].startswith(scheme) for one in requests)


def test_dns_is_not_asked_while_a_known_endpoint_answers(load: Loader) -> None:
    """Neither load() nor refresh() asks DNS as long as there is a known endpoint to try."""
    with contoso() as scene:
        given = [f"https://{EAST}"]
        with load(**scene.keywords(replicas=given)) as config:
            assert config.refresh(force=True) is False
            scene.down(MAIN)
            scene.store.set_many({"k": "v2", "sentinel": "2"})
            assert config.refresh(force=True)
            assert config.status.endpoint == f"https://{EAST}"
            assert scene.asked() == []
            scene.down(EAST)
            config.refresh(force=True)
            assert scene.asked() == LOOK_UP
            assert config.status.endpoint == f"https://{WEST}"


def test_refresh_finds_a_replica_when_its_store_goes_down(load: Loader) -> None:
    """A refresh that finds its store gone goes on at a replica, in the same call."""
    with contoso() as scene, load(**scene.keywords()) as config:
        scene.down(MAIN)
        scene.store.set_many({"k": "v2", "sentinel": "2"})
        scene.clock.advance(31)
        assert config.refresh() is True
        assert config.snapshot["k"] == "v2"
        assert elsewhere(config)
        assert scene.asked() == LOOK_UP


def test_a_refresh_with_nothing_due_asks_nobody(load: Loader) -> None:
    """Between two intervals, and while everything backs off, there is no DNS and no HTTP."""
    with contoso() as scene, load(**scene.keywords()) as config:
        scene.down()
        scene.wanted()
        assert config.refresh() is False
        assert (scene.wanted(), scene.asked()) == ([], [])
        scene.clock.advance(31)
        assert config.refresh() is False
        assert (len(scene.wanted()), scene.asked()) == (3, LOOK_UP)
        scene.clock.advance(29)
        assert config.refresh() is False
        assert (scene.wanted(), scene.asked()) == ([], [])


def test_an_answer_of_dns_is_kept_for_an_hour(load: Loader) -> None:
    """However often everybody is down within an hour, DNS is asked once; later, once more."""
    with contoso() as scene, load(**scene.keywords()) as config:
        scene.down()
        for _ in range(3):
            config.refresh(force=True)
        assert scene.asked() == LOOK_UP
        scene.clock.advance(HOUR - 1)
        config.refresh(force=True)
        assert scene.asked() == []
        scene.clock.advance(2)
        config.refresh(force=True)
        assert scene.asked() == LOOK_UP


def test_an_answer_that_names_nobody_is_kept_as_long(load: Loader) -> None:
    """A store without replicas costs one question an hour."""
    with contoso() as scene, load(**scene.keywords()) as config:
        scene.dns.answers.clear()
        scene.down()
        for _ in range(3):
            config.refresh(force=True)
            scene.clock.advance(HOUR / 4)
        assert scene.asked() == [ORIGIN]
        scene.clock.advance(HOUR / 4 + 1)
        config.refresh(force=True)
        assert scene.asked() == [ORIGIN]


def test_a_replica_that_dns_names_later_is_found_by_a_later_look_up(load: Loader) -> None:
    """A new look-up replaces what the last one said."""
    with contoso() as scene, load(**scene.keywords()) as config:
        scene.dns.name_replicas(MAIN, EAST)
        scene.down(MAIN, EAST)
        config.refresh(force=True)
        scene.dns.name_replicas(MAIN, WEST)
        scene.clock.advance(HOUR + 1)
        scene.wanted()
        assert config.refresh(force=True) is False
        assert scene.wanted() == [MAIN, EAST, WEST]
        config.refresh(force=True)
        assert scene.wanted() == [MAIN]
        assert config.status.endpoint == f"https://{WEST}"


def test_with_load_balancing_dns_is_asked_at_load(load: Loader) -> None:
    """Load that is to be spread is spread over the replicas that DNS names, from the start on."""
    with contoso() as scene:
        with load(**scene.keywords(load_balancing_enabled=True)) as config:
            assert scene.asked() == LOOK_UP
            ends = [config.status.endpoint]
            for _ in range(5):
                config.refresh(force=True)
                ends.append(config.status.endpoint)
        assert ends[:3] == ends[3:]
        assert set(ends) == {f"https://{host}" for host in (MAIN, EAST, WEST)}
        assert scene.asked() == []


OWN_NAMES = ["localhost", "127.0.0.1", "config.example.com", "azconfig.io", "myazconfig.io"]


@pytest.mark.parametrize("host", OWN_NAMES)
def test_dns_knows_nothing_of_names_of_ones_own(load: Loader, host: str) -> None:
    """For localhost, addresses and custom domains DNS is not asked, whatever is down or spread."""
    with contoso() as scene:
        for balanced in (False, True):
            keywords = scene.keywords(host, load_balancing_enabled=balanced)
            with pytest.raises(StartupTimeout), load(**keywords):
                pass
        assert scene.asked() == []


@pytest.mark.parametrize("balanced", [False, True])
def test_discovery_can_be_switched_off(load: Loader, balanced: bool) -> None:
    """With replica_discovery_enabled=False only what was given is asked."""
    with contoso() as scene:
        keywords = scene.keywords(replica_discovery_enabled=False, load_balancing_enabled=balanced)
        with load(**keywords) as config:
            scene.down(MAIN)
            assert config.refresh(force=True) is False
            assert config.status.last_error is not None
        with pytest.raises(StartupTimeout), load(**keywords):
            pass
        assert scene.asked() == []
        assert set(scene.wanted()) == {MAIN}


def test_clients_of_a_store_that_fails_spread_over_its_replicas(load: Loader) -> None:
    """Which replica is asked first is left to chance."""
    random.seed(7)
    with contoso() as scene:
        scene.down(MAIN)
        firsts = Counter[str]()
        for _ in range(8):
            with load(**scene.keywords()) as config:
                firsts[config.status.endpoint] += 1
    assert set(firsts) == {f"https://{EAST}", f"https://{WEST}"}


def test_a_replica_keeps_its_back_off_through_a_new_look_up(load: Loader) -> None:
    """What is known of an endpoint is not forgotten because DNS names it again."""
    with contoso() as scene, load(**scene.keywords(refresh_interval=1)) as config:
        scene.down(MAIN, EAST)
        config.refresh(force=True)
        assert config.status.endpoint == f"https://{WEST}"
        scene.down(WEST)
        with scene.endpoints[EAST].respond(
            lambda _: Scripted(status=429, headers={"Retry-After": "600"})
        ):
            scene.endpoints[EAST].up()
            scene.clock.advance(HOUR - 60)
            config.refresh(force=True)
        scene.clock.advance(120)  # EAST is to be left alone for 480 s more
        scene.asked()
        scene.wanted()
        config.refresh()
        assert scene.asked() == LOOK_UP
        assert sorted(scene.wanted()) == [WEST, MAIN]
        scene.endpoints[EAST].clear_requests()
        scene.clock.advance(60)
        config.refresh()
        assert sorted(scene.wanted()) == [WEST, MAIN]
        assert scene.endpoints[EAST].requests == []


def test_a_replica_keeps_its_sync_tokens_through_a_new_look_up(load: Loader) -> None:
    """A replica is shown the tokens it gave, even when DNS has named it anew meanwhile."""
    with contoso() as scene, load(**scene.keywords(refresh_interval=1)) as config:
        scene.dns.name_replicas(MAIN, EAST)
        scene.down(MAIN)
        replica = scene.endpoints[EAST]
        config.refresh(force=True)
        assert "sync-token" not in replica.requests[0].headers
        scene.down(EAST)
        scene.clock.advance(HOUR + 1)
        scene.asked()
        config.refresh(force=True)
        assert scene.asked() == LOOK_UP
        replica.up()
        replica.clear_requests()
        config.refresh(force=True)
        assert "sync-token" in replica.requests[0].headers


def test_a_long_answer_comes_by_tcp(load: Loader) -> None:
    """A thousand replicas do not fit into a packet; sixteen of them are tried, at most."""
    with contoso() as scene:
        names = [f"contoso-{number}.azconfig.io" for number in range(1000)]
        scene.dns.answers[FIRST_REPLICAS] = too_long(srv(*names))
        scene.down(MAIN)
        with pytest.raises(StartupTimeout), load(**scene.keywords()):
            pass
        asked = scene.wanted()
        assert asked[0] == MAIN
        assert len(asked) == len(set(asked)) == 17
        assert set(asked[1:]) <= set(names)
        assert scene.asked() == LOOK_UP[:2]


def test_sets_of_replicas_are_asked_for_until_one_is_empty(load: Loader) -> None:
    """`_alt0`, `_alt1` and so on: every set counts, and an endless row of them has an end."""
    with contoso() as scene:
        scene.dns.answers[FIRST_REPLICAS] = srv("contoso-dead.azconfig.io")
        scene.dns.answers[f"_alt1._tcp.{MAIN}"] = srv(EAST)
        scene.down(MAIN)
        with load(**scene.keywords()) as config:
            assert config.status.endpoint == f"https://{EAST}"
        assert len(scene.asked()) == 4
        scene.dns.otherwise = srv(EAST)
        scene.down(EAST)
        with pytest.raises(StartupTimeout), load(**scene.keywords()):
            pass
        assert len(scene.asked()) < 20


def test_the_replica_of_a_replica_is_its_origin(load: Loader) -> None:
    """Given a replica, its origin and the origin's other replicas are found, and itself not."""
    with contoso() as scene:
        scene.dns.answers[f"_origin._tcp.{EAST}"] = srv(MAIN)
        scene.down(EAST, WEST)
        with load(**scene.keywords(EAST)) as config:
            assert config.status.endpoint == f"https://{MAIN}"
        assert scene.asked() == [f"_origin._tcp.{EAST}", *LOOK_UP[1:]]
        scene.down(MAIN)
        scene.wanted()
        with pytest.raises(StartupTimeout), load(**scene.keywords(EAST)):
            pass
        assert sorted(scene.wanted()) == sorted([EAST, MAIN, WEST])


def test_an_alias_is_followed(load: Loader) -> None:
    """SRV records behind a CNAME count; a CNAME that leads nowhere is no record."""
    with contoso() as scene:
        scene.dns.answers[FIRST_REPLICAS] = alias("records.example.com", EAST)
        scene.down(MAIN)
        with load(**scene.keywords()) as config:
            assert config.status.endpoint == f"https://{EAST}"
        scene.dns.answers[ORIGIN] = alias("records.example.com")
        with pytest.raises(StartupTimeout), load(**scene.keywords()):
            pass


FOREIGN: list[str | tuple[bytes, ...]] = [
    "contoso.example.com",
    "azconfig.io.evil",
    "contoso.azconfig.io.evil",
    "azconfig.io",
    "evilazconfig.io",
    "contoso.appconfig.azure.com",
    "contoso.azconfig.azure.us",
    "10.0.0.1",
    "localhost",
    ".",
    (b"evil.io/", b"azconfig", b"io"),
    (b"evil.io?", b"azconfig", b"io"),
    (b"evil.io#", b"azconfig", b"io"),
    (b"user@evil", b"azconfig", b"io"),
    (b"evil:443", b"azconfig", b"io"),
    (b"evil.example", b"azconfig", b"io"),
    (b"e vil", b"azconfig", b"io"),
    (b"evil\x00", b"azconfig", b"io"),
    (b"evil\r\nhost", b"azconfig", b"io"),
    (b"*", b"azconfig", b"io"),
    ("évil".encode(), b"azconfig", b"io"),
    (b"contoso", b"azconfig.io"),
]
"""What must not be asked for anything, least of all with credentials."""


def endpoints_of(scene: Contoso, load: Loader, auth: str = "key") -> set[str]:
    """Load while everybody is down, and return who was asked."""
    with pytest.raises(AzureError), load(**scene.keywords(auth=auth)):
        pass
    return set(scene.wanted())


@pytest.mark.parametrize("auth", ["key", "token"])
def test_names_outside_the_stores_domain_are_not_believed(load: Loader, auth: str) -> None:
    """Whoever answers for DNS gets no credentials sent to a host that is not the service's."""
    with contoso() as scene:
        scene.down()
        scene.dns.answers[FIRST_REPLICAS] = srv(*FOREIGN, EAST)
        assert endpoints_of(scene, load, auth) == {MAIN, EAST}
        for name in FOREIGN:
            scene.dns.answers[ORIGIN] = srv(name)
            assert endpoints_of(scene, load, auth) == {MAIN}, name
        assert set(scene.credential.scopes) <= {"https://azconfig.io/.default"}


def test_odd_spellings_of_a_replica_are_one_replica(load: Loader) -> None:
    """Case and repetition make no second endpoint, and the store itself is none."""
    with contoso() as scene:
        scene.down()
        names = [EAST, EAST.upper(), MAIN, MAIN.title(), EAST, "a.b.azconfig.io", "a_b.azconfig.io"]
        scene.dns.answers[FIRST_REPLICAS] = srv(*names)
        with pytest.raises(StartupTimeout), load(**scene.keywords()):
            pass
        wanted = scene.wanted()
        scene.dns.answers[FIRST_REPLICAS] = srv(EAST.upper())
        assert endpoints_of(scene, load) == {MAIN, EAST}
        assert sorted(wanted) == sorted([MAIN, EAST, "a.b.azconfig.io", "a_b.azconfig.io"])


@pytest.mark.parametrize("cloud", CLOUDS)
def test_replicas_are_found_in_every_cloud(load: Loader, cloud: str) -> None:
    """A store's replicas share its domain, whichever cloud that is; a trailing name does not."""
    with contoso() as scene:
        main, east = f"contoso.{cloud}", f"contoso-east.{cloud}"
        scene.proxy.ports = {east: scene.proxy.ports[EAST]}
        others = [f"contoso.{other}" for other in CLOUDS if other != cloud]
        scene.dns.name_replicas(main, east, *others)
        with load(**scene.keywords(main.upper(), auth="token")) as config:
            assert config.status.endpoint == f"https://{east}"
        assert scene.wanted()[0] == main
        assert not set(scene.wanted()) & set(others)
        assert set(scene.credential.scopes) == {f"https://{cloud}/.default"}
