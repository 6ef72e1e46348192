"""Whatever DNS says: load() and refresh() go on at replicas that are valid, or as without any."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appconfig_provider._azure.endpoints import discovery
from appconfig_provider._azure.endpoints.order import trusted_domain
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.rest.signing import token_scope
from appconfig_provider._azure.startup import start
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._plan import Request, Response
from appconfig_provider.errors import StartupTimeout
from tests.support.adapter import LOADERS
from tests.support.contoso import EAST, FIRST_REPLICAS, MAIN, ORIGIN, Contoso, contoso
from tests.support.dns_server import Behaviour, noise, srv, too_long
from tests.support.scripted import CONNECTION, ScriptedDriver, context_for

HOST = "one.azconfig.io"
LABEL = st.text("aB0-_./@:\\#? é\x00", max_size=6)
NAME = st.one_of(
    st.text(max_size=20),
    LABEL.map(lambda label: f"{label}.azconfig.io"),
    LABEL.map(lambda label: f"azconfig.io{label}"),
    st.sampled_from([HOST, HOST.upper(), "azconfig.io", ".azconfig.io", "two.azconfig.io", ""]),
)
ANSWER = st.lists(NAME, max_size=20).map(tuple)


@given(ANSWER, st.lists(ANSWER, max_size=20))
def test_only_hosts_of_the_stores_domain_are_asked(
    origin: tuple[str, ...], replicas: list[tuple[str, ...]]
) -> None:
    """Whatever names come, requests go to at most 16 more hosts, all of them in the domain."""
    answers = iter([origin, *replicas])

    def answer(request: Request) -> Response:
        raise RequestFailed(Kind.UNREACHABLE, request.origin, "gone")

    driver = ScriptedDriver(answer, names=lambda _: next(answers, ()))
    options = Keywords(connection_string=CONNECTION, startup_timeout=0).checked()
    with pytest.raises(Exception, match="no usable answer"):
        driver.run(start(context_for(driver.clock, options)))
    origins = [request.origin for request in driver.requests]
    assert origins[0] == f"https://{HOST}"
    assert len(origins) == len(set(origins)) <= 17
    for url in origins:
        parts = urlsplit(url)
        assert parts.netloc == parts.hostname
        assert url == f"https://{parts.netloc}"
        assert parts.netloc.isascii()
        assert parts.netloc.endswith(".azconfig.io")
        assert token_scope(url, None) == "https://azconfig.io/.default"
    believed = {"two.azconfig.io"} & {name for names in replicas for name in names}
    if HOST in origin[:1] and believed and len(replicas) == 1 and len(replicas[0]) <= 16:
        assert "https://two.azconfig.io" in origins


@given(st.text("abpconfigz.-", min_size=1, max_size=30))
def test_a_trusted_domain_is_a_true_part_of_its_host(host: str) -> None:
    """A domain begins at a dot, names the service, and leaves the store's own name out."""
    domain = trusted_domain(host)
    if domain:
        assert host.endswith(domain)
        assert host != domain
        assert domain.startswith((".appconfig.", ".azconfig."))
    else:
        assert ".azconfig." not in host[1:]
        assert ".appconfig." not in host[1:]


@pytest.fixture(scope="module")
def scene() -> Iterator[Contoso]:
    """A store that is down, and a replica that answers if DNS names it."""
    with contoso() as made:
        made.down(MAIN)
        yield made


WIRE_LABEL = st.binary(min_size=1, max_size=20)
WIRE_NAME = st.one_of(
    st.lists(WIRE_LABEL, max_size=3).map(tuple),
    WIRE_LABEL.map(lambda label: (label, b"azconfig", b"io")),
    st.text("ab-_", min_size=1, max_size=63).map(
        lambda label: (label.encode(), b"azconfig", b"io")
    ),
    st.sampled_from([EAST, MAIN, "xn--zz.azconfig.io", "-.azconfig.io", "0x7f.azconfig.io"]),
)
RECORDS = st.lists(WIRE_NAME, max_size=4).map(lambda names: srv(*names))
NOISE = st.builds(
    lambda content, kept: too_long(noise(content, kept=kept)),
    st.binary(max_size=80),
    st.sampled_from([0, 2, 4, 12, 20, 60]),
)


@settings(max_examples=25)
@given(
    mode=st.sampled_from(sorted(LOADERS)),
    origin=st.one_of(st.just(srv(MAIN)), RECORDS, NOISE),
    replicas=st.one_of(RECORDS, NOISE),
)
def test_any_answer_of_a_dns_server_leaves_load_and_refresh_as_they_are(
    scene: Contoso, mode: str, origin: Behaviour, replicas: Behaviour
) -> None:
    """Random names and random bytes: the store's own failure is raised, or a replica answers."""
    scene.dns.answers = {ORIGIN: origin, FIRST_REPLICAS: replicas}
    scene.wanted()
    caught: StartupTimeout | None = None
    with mock.patch.object(discovery, "BUDGET", 0.1):
        try:
            with LOADERS[mode](**scene.keywords()) as config:
                assert config.status.endpoint == f"https://{EAST}"
                assert config.snapshot["k"] == "v1"
                assert config.refresh(force=True) is False
                assert config.status.last_error is None
        except StartupTimeout as error:
            caught = error
            assert EAST not in scene.proxy.wanted
    assert caught is None or MAIN in str(caught.causes[0])
    assert all(host.endswith(".azconfig.io") for host in scene.wanted())


@settings(max_examples=6)
@given(mode=st.sampled_from(sorted(LOADERS)), packet=st.binary(min_size=1, max_size=600))
def test_any_packet_of_a_dns_server_leaves_refresh_as_it_is(
    scene: Contoso, mode: str, packet: bytes
) -> None:
    """Random packets: refresh() keeps its values and tells of its store, not of DNS."""
    scene.store.up()
    try:
        scene.dns.answers = {ORIGIN: noise(packet)}
        with (
            mock.patch.object(discovery, "BUDGET", 0.05),
            LOADERS[mode](**scene.keywords()) as config,
        ):
            scene.down(MAIN)
            assert config.refresh(force=True) is False
            assert config.snapshot["k"] == "v1"
            assert MAIN in str(config.status.last_error)
    finally:
        scene.down(MAIN)
