"""DNS in trouble: what load() and refresh() do is what they would have done anyway, and in time."""

from __future__ import annotations

import asyncio
import logging
import sys
import time

import dns.asyncresolver
import dns.resolver
import pytest

import appconfig_provider.aio
from appconfig_provider._azure.endpoints import discovery
from appconfig_provider._azure.endpoints.order import first_endpoints
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._plan import Effect, ResolveSrv, Response
from appconfig_provider.errors import AzureError, StartupTimeout
from appconfig_provider.testing import Scripted
from tests.support.adapter import Loader
from tests.support.contoso import (
    EAST,
    FIRST_REPLICAS,
    LOOK_UP,
    MAIN,
    ORIGIN,
    Contoso,
    contoso,
)
from tests.support.dns_server import (
    Behaviour,
    alias,
    code,
    misaddressed,
    noise,
    nothing,
    silence,
    srv,
    too_long,
    unknown,
)
from tests.support.scripted import CONNECTION, ScriptedDriver, context_for

SHORT = 0.1
"""Seconds for DNS in these tests, instead of five."""

NO_RECORDS: dict[str, Behaviour] = {
    "unknown": unknown,
    "nothing": nothing,
    "an alias of nothing": alias("records.example.com"),
    "foreign": srv("contoso.example.com"),
}
REFUSALS: dict[str, Behaviour] = {
    "SERVFAIL": code("SERVFAIL"),
    "REFUSED": code("REFUSED"),
    "YXDOMAIN": code("YXDOMAIN"),
    "NOTIMP": code("NOTIMP"),
    "noise by TCP": too_long(noise(b"\xff" * 40)),
    "a header and noise by TCP": too_long(noise(b"\xff" * 40, kept=12)),
    "an empty answer by TCP": too_long(noise(b"")),
}
SILENCES: dict[str, Behaviour] = {
    "silence": silence,
    "silence by TCP": too_long(silence),
    "somebody who guesses": misaddressed(srv(EAST)),
    "noise": noise(b"\xff" * 40),
    "a header and noise": noise(b"\xff" * 40, kept=12),
}
TROUBLES = NO_RECORDS | REFUSALS | SILENCES


@pytest.fixture(autouse=True)
def short_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let silence take less of a test's time."""
    monkeypatch.setattr(discovery, "BUDGET", SHORT)


def raised(load: Loader, keywords: dict[str, object]) -> AzureError:
    """Return what load() raises."""
    with pytest.raises(AzureError) as caught, load(**keywords):
        pass
    return caught.value


def shown(error: BaseException) -> tuple[type, str, list[tuple[type, str]]]:
    """Return what a program can see of an error."""
    causes = getattr(error, "causes", ())
    return type(error), str(error), [(type(cause), str(cause)) for cause in causes]


@pytest.mark.parametrize("troubles", [NO_RECORDS, REFUSALS, SILENCES])
def test_trouble_with_dns_changes_nothing(load: Loader, troubles: dict[str, Behaviour]) -> None:
    """With a store that is down, load() and refresh() end as if there were no discovery."""
    with contoso() as scene, load(**scene.keywords()) as config:
        scene.down()
        plain = raised(load, scene.keywords(replica_discovery_enabled=False))
        assert isinstance(plain, StartupTimeout)
        for name, trouble in troubles.items():
            scene.dns.answers[ORIGIN] = trouble
            began = time.monotonic()
            assert shown(raised(load, scene.keywords())) == shown(plain), name
            assert time.monotonic() - began < SHORT + 0.7
            assert config.refresh(force=True) is False
            assert config.snapshot["k"] == "v1"
            assert shown(config.status.last_error or plain) == shown(plain.causes[0]), name
            assert set(scene.wanted()) == {MAIN}
            assert scene.asked()[:1] == [ORIGIN]
            scene.clock.advance(3601)


SOME = ["unknown", "nothing", "SERVFAIL", "silence"]


@pytest.mark.parametrize("status", [403, 404])
def test_a_permanent_error_stays_what_it_is(load: Loader, status: int) -> None:
    """A store that refuses is reported at once by azure-core's own error, whatever DNS says."""
    with contoso() as scene, scene.store.respond(lambda _: Scripted(status=status)):
        keywords = scene.keywords(startup_timeout=100, refresh_on=())
        plain = raised(load, keywords | {"replica_discovery_enabled": False})
        assert getattr(plain, "status_code", None) == status
        for trouble in SOME:
            scene.dns.answers[ORIGIN] = TROUBLES[trouble]
            assert shown(raised(load, keywords)) == shown(plain)
            assert scene.asked()[:1] == [ORIGIN]
        assert scene.clock.monotonic() == 0


def test_a_store_that_answers_is_loaded_whatever_dns_says(load: Loader) -> None:
    """Even where DNS is asked first, with load balancing, its trouble costs time at most."""
    with contoso() as scene:
        for trouble in SOME:
            scene.dns.answers[ORIGIN] = TROUBLES[trouble]
            began = time.monotonic()
            with load(**scene.keywords(load_balancing_enabled=True)) as config:
                assert config.snapshot["k"] == "v1"
                assert time.monotonic() - began < SHORT + 0.7
                assert config.refresh(force=True) is False
                assert config.status.last_error is None
            assert scene.asked()[:1] == [ORIGIN]


def test_a_machine_without_resolver_changes_nothing(
    load: Loader, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where no name server is configured there are no replicas, and that is all."""

    def unconfigured() -> None:
        raise dns.resolver.NoResolverConfiguration

    with contoso() as scene:
        scene.down()
        plain = raised(load, scene.keywords(replica_discovery_enabled=False))
        monkeypatch.setattr(dns.resolver, "get_default_resolver", unconfigured)
        monkeypatch.setattr(dns.asyncresolver, "get_default_resolver", unconfigured)
        assert shown(raised(load, scene.keywords())) == shown(plain)
        assert "replicas of the store could not be looked up" in caplog.text


def test_without_dnspython_everything_else_works(
    load: Loader, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning says what to install or to switch off; known endpoints are used as ever."""
    with contoso() as scene:
        monkeypatch.setitem(sys.modules, "dns", None)
        with load(**scene.keywords(replicas=[f"https://{EAST}"])) as config:
            assert caplog.messages == []
            scene.down(MAIN)
            scene.store.set_many({"k": "v2", "sentinel": "2"})
            assert config.refresh(force=True)
            assert config.snapshot["k"] == "v2"
            assert caplog.messages == []
            scene.down()
            assert config.refresh(force=True) is False
            assert config.refresh(force=True) is False
        warnings = [text for text in caplog.messages if "dnspython" in text]
        assert len(warnings) == 1
        for advice in ('"appconfig-provider[dns]"', "replicas=", "replica_discovery_enabled=False"):
            assert advice in warnings[0]
        for endpoint in scene.endpoints.values():
            endpoint.up()
        with load(**scene.keywords(load_balancing_enabled=True)) as config:
            assert config.snapshot["k"] == "v2"


def test_silence_half_way_is_bounded_in_all(load: Loader) -> None:
    """All look-ups share one budget; a row of slow ones takes no longer than a single one."""
    with contoso() as scene:
        scene.down()

        def slow(behaviour: Behaviour) -> Behaviour:
            def behave(question: object, by_tcp: bool) -> bytes | None:
                time.sleep(SHORT / 4)
                scene.clock.advance(SHORT / 4)  # what passes is part of the budget
                return behaviour(question, by_tcp)

            return behave

        scene.dns.answers[ORIGIN] = slow(srv(MAIN))
        scene.dns.otherwise = slow(srv("contoso-gone.azconfig.io"))
        del scene.dns.answers[FIRST_REPLICAS]
        began = time.monotonic()
        assert isinstance(raised(load, scene.keywords()), StartupTimeout)
        assert time.monotonic() - began < SHORT + 0.7
        assert 2 <= len(scene.asked()) <= 5


def test_dns_gets_five_seconds_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look-up must be over five seconds after the first began, and before load() must."""
    monkeypatch.undo()
    deadlines: list[float] = []

    class Slow(ScriptedDriver):
        def _perform(self, effect: Effect[object]) -> object:
            if isinstance(effect, ResolveSrv):
                deadlines.append(effect.deadline)
                self.clock.advance(1)
            return super()._perform(effect)

    def answer(_: object) -> Response:
        raise RequestFailed(Kind.UNREACHABLE, "https://one.azconfig.io", "gone")

    for budget in (100, 3):
        deadlines.clear()
        driver = Slow(answer, names=lambda _: ("one.azconfig.io",))
        options = Keywords(connection_string=CONNECTION, startup_timeout=budget).checked()
        context = context_for(driver.clock, options)
        driver.run(discovery.discover(context, first_endpoints(options), float(budget)))
        assert len(deadlines) > 1
        assert set(deadlines) == {min(5.0, budget)}


def test_a_failure_is_tried_again_after_a_back_off(load: Loader) -> None:
    """DNS that failed is not asked at every refresh, but long before an hour has passed."""
    with contoso() as scene, load(**scene.keywords()) as config:
        scene.dns.answers[ORIGIN] = code("SERVFAIL")
        scene.down(MAIN)
        for _ in range(3):
            config.refresh(force=True)
        assert scene.asked() == [ORIGIN]
        scene.dns.name_replicas(MAIN, EAST)
        scene.clock.advance(38)
        assert config.refresh(force=True) is False
        assert config.status.endpoint == f"https://{EAST}"
        assert scene.asked() == LOOK_UP


def test_a_back_off_of_dns_begins_when_dns_has_failed() -> None:
    """Time spent waiting for DNS is no pause: the next question keeps its distance from the end."""
    driver = ScriptedDriver(lambda _: Response(503, {}))

    def slow(name: str) -> tuple[str, ...]:
        driver.clock.advance(5)
        raise TimeoutError

    driver.names = slow
    options = Keywords(connection_string=CONNECTION, refresh_interval=1, retry_total=0).checked()
    context = context_for(driver.clock, options)
    endpoints = driver.run(discovery.discover(context, first_endpoints(options), 100.0))
    assert endpoints.discovery.until == driver.clock.monotonic() + 1


def silent(scene: Contoso) -> dict[str, object]:
    """Return how to load when the store is down and DNS silent."""
    scene.down()
    scene.dns.answers[ORIGIN] = silence
    return scene.keywords()


def test_the_loop_goes_on_while_dns_is_silent() -> None:
    """In asyncio other tasks run while a name is looked up."""
    with contoso() as scene:
        keywords = silent(scene)

        async def main() -> int:
            ticks = 0
            loading = asyncio.ensure_future(appconfig_provider.aio.load(**keywords))  # type: ignore[arg-type]  # as they come
            while not loading.done():
                await asyncio.sleep(0.01)
                ticks += bool(scene.dns.asked)
            with pytest.raises(StartupTimeout):
                await loading
            return ticks

        assert asyncio.run(main()) > 10


def test_a_look_up_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who cancels load() in asyncio does not wait for DNS."""
    monkeypatch.setattr(discovery, "BUDGET", 30.0)
    with contoso() as scene:
        keywords = silent(scene)

        async def main() -> None:
            loading = asyncio.ensure_future(appconfig_provider.aio.load(**keywords))  # type: ignore[arg-type]  # as they come
            await asyncio.to_thread(scene.dns.heard.wait)
            loading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await loading

        began = time.monotonic()
        asyncio.run(main())
        assert time.monotonic() - began < 2


def test_a_warning_tells_of_dns_and_of_no_secret(
    load: Loader, caplog: pytest.LogCaptureFixture
) -> None:
    """One line says that replicas could not be looked up, and holds nothing that is secret."""
    caplog.set_level(logging.DEBUG, "appconfig_provider")
    with contoso() as scene:
        scene.dns.answers[ORIGIN] = code("SERVFAIL")
        scene.down()
        raised(load, scene.keywords())
        secret = scene.store.connection_string.partition("Secret=")[2]
        about = [text for text in caplog.messages if "could not be looked up" in text]
        assert len(about) == 1
        assert ORIGIN in about[0]
        assert secret not in caplog.text
