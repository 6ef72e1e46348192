"""From references to values: which secrets are read, how, and what a policy makes of failures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import pytest

from appconfig_provider._azure.context import Secret
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.options import SecretPolicy
from appconfig_provider._azure.secrets.resolving import resolve
from appconfig_provider._azure.secrets.rotation import (
    Reading,
    ReadResults,
    Reads,
    Resolved,
    anything_wanted,
    is_wanted,
    skipped,
    still_owed,
)
from appconfig_provider._azure.settings.records import Setting
from appconfig_provider._azure.settings.references import UnresolvedReference
from appconfig_provider._fetch.backoff import Backoff
from appconfig_provider._fetch.budget import Allowed
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._plan import AcquireToken, Effect, Invoke, Request, Response, Schedule, Send
from appconfig_provider.errors import HttpResponseError
from appconfig_provider.testing import FakeClock, StaticCredential
from tests.support.scripted import CONNECTION, ScriptedDriver, context_for, status

VAULT = "https://v.vault.azure.net"
CHALLENGE = {"www-authenticate": 'Bearer resource="https://vault.azure.net"'}


def url(name: str) -> str:
    """Return the address of a secret."""
    return f"{VAULT}/secrets/{name}"


def reference(uri: object, key: str = "pw") -> Setting:
    """Return a Key Vault reference."""
    return Setting(key, None, json.dumps({"uri": uri}), None)


def references(*names: str) -> dict[str, Setting]:
    """Return a reference for each name, under its first letter."""
    return {name[0]: reference(url(name), name[0]) for name in names}


class Driver(ScriptedDriver):
    """A vault of secrets that are called what they are; some are in trouble."""

    def __init__(self, **trouble: Response) -> None:
        super().__init__(self.open, FakeClock())
        self.trouble = trouble
        self.tokens: list[AcquireToken] = []
        self.read: list[str] = []
        self.refusing: dict[str, Response] = {}
        self.called: list[Invoke] = []
        self.displaced = 0
        """How many answers more come with others that nobody asked for."""

    def open(self, request: Request) -> Response:
        """Ask for a token."""
        return status(401, CHALLENGE)

    def _perform(self, effect: Effect[object]) -> object:
        match effect:
            case AcquireToken():
                self.tokens.append(effect)
                return StaticCredential(f"t{len(self.tokens)}").get_token(effect.scope)
            case Send(request, sign, _) if sign is not None and sign(request, 0.0):
                return self._secret(request, dict(sign(request, 0.0))["authorization"])
            case Invoke():
                self.called.append(effect)
        return super()._perform(effect)

    def _secret(self, request: Request, authorization: str) -> Response:
        if authorization in self.refusing:
            return self.refusing[authorization]
        name = request.target.removeprefix("/secrets/").partition("?")[0]
        self.read.append(name)
        if self.displaced:
            self.displaced -= 1
            raise RequestFailed(Kind.UNSOLICITED, VAULT, "more came than was asked for")
        body = json.dumps({"value": f"value of {name}"}).encode()
        return self.trouble.get(name, Response(200, {}, body))


def resolved(
    driver: Driver,
    settings: Mapping[str, Setting],
    held: Mapping[str, Secret] | None = None,
    reading: Reading = Reading.OWED,
    policy: str = "keep_last",
    **keywords: Any,
) -> Resolved:
    """Resolve references with a credential, unless other keywords are given."""
    vaults = keywords or {"keyvault_credential": StaticCredential()}
    options = Keywords(connection_string=CONNECTION, retry_total=0, **vaults).checked()
    context = context_for(driver.clock, options, random=1.0)
    reads = Reads(
        Allowed(driver.clock.monotonic() + 100, "the time"), SecretPolicy(policy), reading
    )
    return driver.run(resolve(context, settings, held or {}, reads))


def test_each_secret_is_read_once_for_all_keys_that_point_to_it() -> None:
    """One question without a token tells the scope, and one token serves the vault."""
    driver = Driver()
    settings = {"a": reference(url("x")), "b": reference(url("x")), "c": reference(url("y/1"))}
    found = resolved(driver, settings)
    assert found.values == {"a": "value of x", "b": "value of x", "c": "value of y/1"}
    assert driver.read == ["x", "y/1"]
    (token,) = driver.tokens
    assert (token.scope, token.refused, token.claims) == (
        "https://vault.azure.net/.default", None, None,
    )  # fmt: skip
    assert found.secrets == {
        url("x"): Secret("value of x", driver.clock.monotonic()),
        url("y/1"): Secret("value of y/1", driver.clock.monotonic(), fixed=True),
    }
    assert (found.problems, found.left_out, found.trouble) == ((), frozenset(), None)


def test_requests_to_a_vault_have_the_user_agent_alone() -> None:
    """Headers that are meant for the store do not go elsewhere."""
    driver = Driver()
    resolved(driver, references("x"))
    (opening,) = driver.requests
    assert opening.headers == (("user-agent", "test"), ("accept", "application/json"))
    assert opening.target == "/secrets/x?api-version=7.4"


def test_a_token_that_the_vault_refuses_is_replaced_once() -> None:
    """The credential is told which one, and what the next one must hold."""
    claims = {"www-authenticate": 'Bearer claims="eyJhIjoxfQ"'}
    driver = Driver()
    driver.refusing["Bearer t1"] = status(401, claims)
    assert resolved(driver, references("x")).values == {"x": "value of x"}
    assert [(one.refused, one.claims) for one in driver.tokens] == [
        (None, None),
        ("t1", '{"a":1}'),
    ]
    driver = Driver()
    driver.refusing = {f"Bearer t{number}": status(401, claims) for number in (1, 2)}
    with pytest.raises(UnresolvedReference, match="answered 401"):
        resolved(driver, references("x"))
    assert len(driver.tokens) == 2


def test_a_secret_is_read_again_where_more_came_than_was_asked_for() -> None:
    """Once, on a new connection; the second time it is a failure."""
    driver = Driver()
    driver.displaced = 1
    assert resolved(driver, references("x")).values == {"x": "value of x"}
    assert driver.read == ["x", "x"]
    driver = Driver()
    driver.displaced = 2
    with pytest.raises(UnresolvedReference, match="more came than was asked for"):
        resolved(driver, references("x"))
    assert driver.read == ["x", "x"]
    driver = Driver(x=status(503))
    with pytest.raises(UnresolvedReference):
        resolved(driver, references("x"))
    assert driver.read == ["x"]


def test_a_vault_that_asks_for_a_foreign_token_gets_none() -> None:
    """The failure says so, for each of its secrets."""
    driver = Driver()
    foreign = {"www-authenticate": 'Bearer resource="https://management.azure.com"'}
    driver.answer = lambda _request: status(401, foreign)
    with pytest.raises(UnresolvedReference, match="asking for a foreign one"):
        resolved(driver, references("x"))
    assert driver.tokens == []
    assert len(driver.requests) == 1, "it is asked once"


def test_a_token_that_was_replaced_meanwhile_is_used() -> None:
    """Of several readers with a refused token only the first asks for another."""
    driver = Driver()
    driver.refusing["Bearer t1"] = status(401)
    options = Keywords(
        connection_string=CONNECTION, keyvault_credential=StaticCredential()
    ).checked()
    reads = Reads(
        Allowed(driver.clock.monotonic() + 100, "the time"), SecretPolicy.RAISE, Reading.OWED
    )
    plan = resolve(context_for(driver.clock, options), references("x", "y"), {}, reads)
    schedule = Schedule(plan)
    waiting = schedule.start()
    while waiting:
        pending = waiting.pop()  # the newest first, so that one reader is through before the other
        waiting += schedule.answer(pending, driver.attempt(pending.effect))
    assert schedule.result().values == {"x": "value of x", "y": "value of y"}
    assert [token.refused for token in driver.tokens] == [None, "t1"]


@pytest.mark.parametrize(
    ("answer", "words", "heals", "wait"),
    [
        (status(403), "answered 403", False, None),
        (status(404), "answered 404", False, None),
        (status(503), "answered 503", True, None),
        (status(429, {"retry-after": "40"}), "answered 429", True, 40.0),
        (Response(200, {}, b"{}"), "answered without a value", False, None),
        (Response(200, {}, b'{"value": 7}'), "answered without a value", False, None),
        (Response(200, {}, b"<html>"), "did not answer with JSON", False, None),
    ],
)
def test_a_secret_that_cannot_be_read_is_reported(
    answer: Response, words: str, heals: bool, wait: float | None
) -> None:
    """The failure says why, whether it may heal, and for how long the vault wants to be left."""
    with pytest.raises(UnresolvedReference, match=words) as caught:
        resolved(Driver(x=answer), references("x"))
    failure = caught.value
    assert (failure.may_heal, failure.retry_after, failure.out_of_time) == (heals, wait, False)
    assert failure.secret_id == url("x")
    if answer.status == 200:
        assert failure.original is None, "its frames would hold the answer"
    else:
        assert isinstance(failure.original, HttpResponseError), "what azure-core would raise"


HELD = {url("x"): Secret("old", -200.0), url("y"): Secret("value of y", -200.0)}


@pytest.mark.parametrize(
    ("policy", "held", "values", "left_out", "reported"),
    [
        ("keep_last", HELD, {"x": "old", "y": "value of y"}, set(), "keeps its last value"),
        ("omit", HELD, {"y": "value of y"}, {"x"}, "is left out"),
        ("omit", {}, {"y": "value of y"}, {"x"}, "is left out"),
    ],
)
def test_a_policy_says_what_becomes_of_a_key_whose_secret_was_not_read(
    policy: str,
    held: Mapping[str, Secret],
    values: dict[str, str],
    left_out: set[str],
    reported: str,
) -> None:
    """The secret stays owed, with a back-off, and the problem names its key."""
    driver = Driver(x=status(503))
    found = resolved(driver, references("x", "y"), held, Reading.EVERY, policy)
    assert found.values == values
    assert found.left_out == left_out
    (problem,) = found.problems
    assert problem.key == "x"
    assert reported in problem.message
    assert found.trouble is not None
    assert found.trouble.setting.key == "x"
    owed = found.secrets[url("x")]
    now = driver.clock.monotonic()
    assert owed.value == (held[url("x")].value if held else None)
    assert (owed.backoff, owed.due) == (Backoff(1, now + 37.5), now + 37.5)
    assert "answered 503" in owed.trouble
    assert found.secrets[url("y")].due == math.inf


@pytest.mark.parametrize(("policy", "held"), [("raise", HELD), ("raise", {}), ("keep_last", {})])
def test_without_a_value_that_may_be_kept_the_failure_is_raised(
    policy: str, held: Mapping[str, Secret]
) -> None:
    """`raise` refuses even where there is a last value; `keep_last` only where there is none."""
    with pytest.raises(UnresolvedReference, match="answered 503"):
        resolved(Driver(x=status(503)), references("x", "y"), held, Reading.EVERY, policy)


def test_a_reference_that_names_no_secret_is_refused_or_left_out() -> None:
    """Nothing is read before it is refused."""
    settings = {"bad": reference(7, "bad"), **references("x")}
    driver = Driver()
    for policy in ("raise", "keep_last"):
        with pytest.raises(UnresolvedReference, match="'bad'"):
            resolved(driver, settings, policy=policy)
    assert driver.read == []
    found = resolved(driver, settings, policy="omit")
    assert found.values == {"x": "value of x"}
    assert found.left_out == {"bad"}
    assert [problem.key for problem in found.problems] == ["bad"]
    assert found.trouble is None


@pytest.mark.parametrize(("name", "fixed"), [("x", False), ("x/1", True)])
def test_a_secret_that_was_never_read_is_owed_as_what_it_is(name: str, fixed: bool) -> None:
    """One with a version is read once, when it can be; then it never changes."""
    driver = Driver(**{name: status(503)})
    owed = resolved(driver, {"x": reference(url(name))}, policy="omit").secrets[url(name)]
    assert (owed.value, owed.fixed) == (None, fixed)
    assert is_wanted(owed, Reading.OWED, owed.due)
    assert not is_wanted(owed, Reading.OWED, owed.due - 1)
    assert is_wanted(owed, Reading.AGED, owed.due - 1), "it was never young"


def test_a_value_that_did_not_change_stays_the_same_object() -> None:
    """One that did is replaced; what nobody points to any more is forgotten."""
    driver = Driver()
    held = {**HELD, url("gone"): Secret("gone", 0.0)}
    found = resolved(driver, references("x", "y"), held, Reading.EVERY)
    assert found.values == {"x": "value of x", "y": "value of y"}
    assert found.secrets[url("y")].value is HELD[url("y")].value
    assert found.secrets.keys() == {url("x"), url("y")}


def test_what_is_not_wanted_is_not_read_and_its_vault_not_opened() -> None:
    """The secrets that are held serve."""
    driver = Driver()
    found = resolved(driver, references("x", "y"), HELD)
    assert found.values == {"x": "old", "y": "value of y"}
    assert driver.requests == []
    assert found.secrets == HELD


def test_without_anything_to_resolve_with_a_reference_is_refused() -> None:
    """The error says what to pass; a secret that is held already needs nothing."""
    with pytest.raises(UnresolvedReference, match="pass keyvault_credential"):
        resolved(Driver(), references("x"), secret_refresh_interval=None)
    found = resolved(Driver(), references("x"), HELD, secret_refresh_interval=None)
    assert found.values == {"x": "old"}


def test_a_vault_without_a_credential_is_left_to_the_resolver() -> None:
    """A plain one is called one time after the other, with the text that stands in the store."""
    other = "https://other.vault.azure.net/secrets/z"
    settings = {**references("x"), "z": reference(other), "y": reference(f"{other}2")}
    driver = Driver()
    configs = {VAULT: {"credential": StaticCredential()}}
    found = resolved(
        driver, settings, keyvault_client_configs=configs, secret_resolver=lambda uri: f"own {uri}"
    )
    assert found.values == {"x": "value of x", "z": f"own {other}", "y": f"own {other}2"}
    assert all(one.blocking for one in driver.called)
    with pytest.raises(UnresolvedReference, match="no credential may be sent to that host"):
        resolved(Driver(), {"z": reference(other)}, keyvault_client_configs=configs)


@pytest.mark.parametrize(
    ("keywords", "understood"),
    [
        ({"secret_resolver": lambda uri: f"own {uri}"}, True),
        ({"keyvault_credential": StaticCredential()}, False),
        ({"secret_refresh_interval": None}, False),
        (
            {
                "secret_resolver": lambda uri: f"own {uri}",
                "keyvault_client_configs": {VAULT: {"credential": StaticCredential()}},
            },
            False,
        ),
    ],
)
def test_an_address_of_another_kind_is_left_to_a_resolver_alone(
    keywords: dict[str, Any], understood: bool
) -> None:
    """Beside credentials every address must be one of Key Vault, or a token might go astray."""
    settings = {"x": reference("vault:pw")}
    if understood:
        assert resolved(Driver(), settings, **keywords).values == {"x": "own vault:pw"}
        return
    with pytest.raises(UnresolvedReference, match="its uri is not https"):
        resolved(Driver(), settings, **keywords)


@pytest.mark.parametrize(
    ("answer", "words"),
    [(lambda _: 7, "secret_resolver returned no str"), (lambda _: 1 // 0, "ZeroDivisionError")],
)
def test_a_resolver_that_gives_no_text_is_reported(answer: Any, words: str) -> None:
    """Of what it raised only the type is reported; its error is the cause of ours."""
    with pytest.raises(UnresolvedReference, match=words) as caught:
        resolved(Driver(), references("x"), secret_resolver=answer)
    assert not caught.value.may_heal
    cause = caught.value.original
    assert isinstance(cause, ZeroDivisionError) if "Zero" in words else cause is None


async def coroutine_resolver(uri: str) -> str:
    """Be awaited."""
    return uri


@pytest.mark.parametrize(
    ("keywords", "most"),
    [
        ({"secret_resolver": coroutine_resolver}, 16),
        ({"secret_resolver": lambda uri: uri}, 1),
    ],
)
def test_how_many_secrets_are_asked_for_at_once(keywords: dict[str, Any], most: int) -> None:
    """Sixteen, but a plain resolver need not be safe for several threads."""
    settings = {str(number): reference(f"secret {number}") for number in range(40)}
    options = Keywords(connection_string=CONNECTION, **keywords).checked()
    context = context_for(FakeClock(), options)
    reads = Reads(Allowed(math.inf, "the time"), SecretPolicy.RAISE, Reading.OWED)
    schedule = Schedule(resolve(context, settings, {}, reads))
    waiting, widest, calls = schedule.start(), 0, 0
    while waiting:
        widest = max(widest, len(waiting))
        pending = waiting.pop(0)
        assert isinstance(pending.effect, Invoke)
        assert pending.effect.blocking is (most == 1)
        calls += 1
        waiting += schedule.answer(pending, "value")
    assert (widest, calls) == (most, 40)
    assert len(schedule.result().values) == 40


def test_nothing_is_asked_once_the_time_is_used_up() -> None:
    """The failure says which time, and that nobody was asked."""
    driver = Driver()
    options = Keywords(connection_string=CONNECTION, secret_resolver=str).checked()
    now = driver.clock.monotonic()
    reads = Reads(Allowed(now, "the time of a reload (30 s)"), SecretPolicy.RAISE, Reading.OWED)
    plan = resolve(context_for(driver.clock, options), references("x"), {}, reads)
    with pytest.raises(UnresolvedReference, match="the time of a reload") as caught:
        driver.run(plan)
    assert caught.value.out_of_time
    assert caught.value.may_heal
    assert driver.called == []


@pytest.mark.parametrize(
    ("secret", "every", "aged", "owed"),
    [
        (None, True, True, True),
        (Secret("x", 0.0), True, True, False),
        (Secret("x", 40.0), True, True, False),
        (Secret("x", 40.1), True, False, False),
        (Secret("x", 0.0, fixed=True), False, False, False),
        (Secret(None, 0.0, fixed=True), True, True, False),
        (Secret("x", 90.0, due=100.0), True, True, True),
        (Secret("x", 90.0, due=100.1), True, False, False),
        (Secret("x", 90.0, fixed=True, due=100.0), True, True, True),
    ],
)
def test_which_secrets_are_read_again(
    secret: Secret | None, every: bool, aged: bool, owed: bool
) -> None:
    """One that is owed and due, and by the kind of reading; a version never changes."""
    readings = (Reading.EVERY, Reading.AGED, Reading.OWED)
    wanted = [is_wanted(secret, reading, 100.0) for reading in readings]
    assert wanted == [every, aged, owed]
    if secret is not None:
        fixed = Secret("y", 0.0, fixed=True)
        found = [anything_wanted({"x": secret, "y": fixed}, one, 100.0) for one in readings]
        assert found == wanted


@pytest.mark.parametrize(
    ("secret", "reading", "due"),
    [
        (Secret("x", 90.0), Reading.AGED, 150.0),
        (Secret("x", 90.0, due=120.0), Reading.AGED, 120.0),
        (Secret("x", 90.0), Reading.OWED, math.inf),
        (Secret("x", 90.0, fixed=True), Reading.AGED, math.inf),
    ],
)
def test_a_young_secret_that_a_changed_page_spared_is_owed_from_its_minute_on(
    secret: Secret, reading: Reading, due: float
) -> None:
    """Nothing else of it changes."""
    assert skipped(secret, reading) == Secret("x", 90.0, fixed=secret.fixed, due=due)


def test_what_was_not_published_stays_owed() -> None:
    """Those that failed with why, those that were read and refused without; the rest is spared."""
    driver = Driver()
    options = Keywords(connection_string=CONNECTION, secret_resolver=str).checked()
    driver.clock.advance(100.0)
    now = driver.clock.monotonic()
    failure = UnresolvedReference(reference(url("b")), "the vault is down", url("b"))
    failure.retry_after = 90.0
    asked = ReadResults(found={"a": Secret("new", now)}, failed={"b": failure})
    reads = Reads(Allowed(now + 30, "the time"), SecretPolicy.KEEP_LAST, Reading.AGED, asked)
    secrets = {
        "a": Secret("old", now - 60),
        "b": Secret("old", now - 60, backoff=Backoff(1, 0.0), trouble="before"),
        "c": Secret("young", now - 10),
    }
    found = still_owed(context_for(driver.clock, options), secrets, reads)
    assert found["a"] == Secret("old", now - 60, due=now + 30, backoff=Backoff(1, now + 30))
    assert found["b"].value == "old"
    assert found["b"].backoff == Backoff(2, now + 90.0)
    assert (found["b"].due, found["b"].trouble) == (now + 90.0, "the vault is down")
    assert found["c"] == Secret("young", now - 10, due=now + 50)
