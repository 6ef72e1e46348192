"""Being let in at an endpoint: keys, tokens that are refused, and answers that were displaced."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import pytest
from azure.core.exceptions import AzureError, ClientAuthenticationError

from appconfig_provider._azure.endpoints.access import StoreAccess, claims_of, rules
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._fetch.access import EndpointAttempt
from appconfig_provider._fetch.backoff import Backoff
from appconfig_provider._fetch.budget import Allowance, Budget
from appconfig_provider._fetch.endpoints import Endpoint, Endpoints
from appconfig_provider._fetch.exchange import read
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._fetch.first_answer import Answered, Exhausted, first_answer
from appconfig_provider._plan import (
    AcquireToken,
    Effect,
    Request,
    Response,
    Send,
    Steps,
    VerifyConnections,
    plan,
)
from appconfig_provider.models import AccessKey, Store
from appconfig_provider.testing import FakeClock, StaticCredential
from tests.support.scripted import CONNECTION, ScriptedDriver, context_for, status

ORIGIN = "https://one.azconfig.io"
CLAIMS = {"www-authenticate": 'Bearer error="insufficient_claims", claims="eyJhIjoxfQ"'}


class Driver(ScriptedDriver):
    """Answers in turn; remembers tokens that were asked for and what was sent as authorization."""

    def __init__(self, *answers: Response | Exception) -> None:
        super().__init__(self.next, FakeClock())
        self.answers = deque(answers)
        self.tokens: list[AcquireToken] = []
        self.sent_as: list[str] = []
        self.verified: deque[Exception | None] = deque()
        self.checks = 0
        self.broken: Exception | None = None

    def next(self, _request: Request) -> Response:
        """Give the next answer."""
        answer = self.answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _perform(self, effect: Effect[object]) -> object:
        match effect:
            case AcquireToken():
                self.tokens.append(effect)
                if self.broken is not None:
                    raise self.broken
                return StaticCredential(f"t{len(self.tokens)}").get_token(effect.scope)
            case VerifyConnections():
                self.checks += 1
                error = self.verified.popleft() if self.verified else None
                if error is not None:
                    raise error
                return None
            case Send(request, sign, _) if sign is not None:
                self.sent_as.append(dict(sign(request, 0.0))["authorization"].partition("&")[0])
        return super()._perform(effect)


@plan
def job(attempt: EndpointAttempt) -> Steps[int]:
    """Send one request."""
    answer = yield from read(attempt.session, "/kv", None)
    return answer.status


def run(driver: Driver, key: AccessKey | None = None) -> int:
    """Do the job at the endpoint."""
    options = Keywords(connection_string=CONNECTION, retry_total=0).checked()
    context = context_for(driver.clock, options)
    given: dict[str, Any] = {name: getattr(context, name) for name in context.__slots__}
    context = type(context)(**{**given, "credential": StaticCredential()})
    budget = Budget(driver.clock.monotonic() + 12.0, Allowance(12.0, "the time"))
    endpoints = Endpoints((Endpoint(Store(ORIGIN, key)),), Backoff(until=math.inf))
    answer: Answered[int] | Exhausted = driver.run(
        first_answer(StoreAccess(context), rules(context), endpoints, budget, job)
    )
    if isinstance(answer, Exhausted):
        raise answer.failures[0]
    return answer.result


def test_an_access_key_signs_and_asks_for_no_token() -> None:
    """An attempt has its share of the time, so that two more endpoints get theirs."""
    driver = Driver(status(200))
    assert run(driver, AccessKey("the-id", b"x")) == 200
    assert driver.sent_as == ["HMAC-SHA256 Credential=the-id"]
    assert driver.tokens == []


def test_a_key_that_is_refused_is_not_tried_again() -> None:
    """There is no other."""
    driver = Driver(status(401))
    with pytest.raises(RequestFailed, match="answered 401"):
        run(driver, AccessKey("the-id", b"x"))


@pytest.mark.parametrize(
    ("challenge", "claims"),
    [(CLAIMS, '{"a":1}'), ({"www-authenticate": "Bearer"}, None), ({}, None)],
)
def test_a_token_that_is_refused_is_replaced_once(
    challenge: dict[str, str], claims: str | None
) -> None:
    """The credential is told which one was refused, and what the next one must hold."""
    driver = Driver(status(401, challenge), status(200))
    assert run(driver) == 200
    assert driver.sent_as == ["Bearer t1", "Bearer t2"]
    first, second = driver.tokens
    assert (first.scope, first.refused, first.claims) == (
        "https://azconfig.io/.default", None, None,
    )  # fmt: skip
    assert (second.scope, second.refused, second.claims) == (first.scope, "t1", claims)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ((status(401), status(401)), "answered 401"),
        ((status(403),), "answered 403"),
        ((status(401), status(403)), "answered 403"),
    ],
)
def test_a_refusal_that_no_token_heals_is_raised(answers: tuple[Response, ...], words: str) -> None:
    """A second token is asked for only after a 401, and no third one."""
    driver = Driver(*answers)
    with pytest.raises(RequestFailed, match=words):
        run(driver)
    assert not driver.answers
    assert len(driver.tokens) == len(answers)


def failure(kind: Kind) -> RequestFailed:
    """Return what a driver raises."""
    return RequestFailed(kind, ORIGIN, "it went wrong")


def test_a_job_begins_again_when_answers_may_have_been_displaced() -> None:
    """Once, on new connections; the second time it is a failure of the endpoint."""
    driver = Driver(failure(Kind.UNSOLICITED), status(200))
    assert run(driver) == 200
    driver = Driver(failure(Kind.UNSOLICITED), failure(Kind.UNSOLICITED))
    with pytest.raises(RequestFailed, match="it went wrong"):
        run(driver)


def test_an_answer_that_makes_no_sense_is_displaced_where_more_has_come() -> None:
    """The connections are checked; if nothing waits there, it is a failure as it is."""
    driver = Driver(failure(Kind.MALFORMED), status(200))
    driver.verified.append(failure(Kind.UNSOLICITED))
    assert run(driver) == 200
    assert driver.checks == 1
    driver = Driver(failure(Kind.MALFORMED))
    with pytest.raises(RequestFailed, match="it went wrong"):
        run(driver)
    assert driver.checks == 1
    driver = Driver(failure(Kind.UNANSWERED))
    with pytest.raises(RequestFailed, match="it went wrong"):
        run(driver)
    assert driver.checks == 0


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (ClientAuthenticationError("no identity"), Kind.REFUSED, 401),
        (AzureError("no network"), Kind.UNREACHABLE, None),
    ],
)
def test_a_credential_that_fails_counts_as_the_endpoints_answer(
    error: AzureError, kind: Kind, code: int | None
) -> None:
    """So that another endpoint is tried; the user is handed the credential's own error."""
    driver = Driver()
    driver.broken = error
    with pytest.raises(RequestFailed, match="the credential gave no token") as caught:
        run(driver)
    assert (caught.value.kind, caught.value.status) == (kind, code)
    assert caught.value.as_public() is error


def test_any_other_error_of_a_credential_is_raised_as_it_is() -> None:
    """It is the program's own."""
    driver = Driver()
    driver.broken = OSError("broken")
    with pytest.raises(OSError, match="broken"):
        run(driver)


@pytest.mark.parametrize(
    ("challenge", "claims"),
    [
        ('Bearer claims="eyJhIjoxfQ=="', '{"a":1}'),
        ('Bearer claims="eyJhIjoxfQ"', '{"a":1}'),
        ('Bearer realm="x", claims="eyJhIjoi8J-YgCJ9", error="y"', '{"a":"😀"}'),
        ('Bearer claims=""', None),
        ('Bearer claims="/w"', None),
        ('Bearer claims="a"', None),
        ("Bearer", None),
        ("", None),
    ],
)
def test_claims_are_read_from_a_challenge(challenge: str, claims: str | None) -> None:
    """Base64 for addresses, with or without its padding; what is none is no claim."""
    assert claims_of(challenge) == claims
