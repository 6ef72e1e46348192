"""One round over the endpoints, by itself: what it needs no refresh or start to show."""

from __future__ import annotations

from dataclasses import replace

from azure.core.credentials import AccessToken
from azure.core.exceptions import ServiceRequestError

from appconfig_provider._azure.endpoints.access import StoreAccess, rules
from appconfig_provider._azure.listing.content import Known, Loaded
from appconfig_provider._azure.listing.load import load
from appconfig_provider._azure.refresh import refresh
from appconfig_provider._fetch.access import EndpointAttempt
from appconfig_provider._fetch.budget import Allowance, Budget
from appconfig_provider._fetch.endpoints import Endpoints
from appconfig_provider._fetch.first_answer import Exhausted, first_answer
from appconfig_provider._plan import Plan
from appconfig_provider.models import Store
from appconfig_provider.testing import StaticCredential
from tests.support.deployment import ENDPOINTS, Deployment, cut, silent


def test_a_round_without_any_time_asks_the_first_endpoint_all_the_same() -> None:
    """Its failure says that there was no time; without one there would be nothing to tell."""
    deployment = Deployment()
    context, endpoints = deployment.context, deployment.start().endpoints
    deployment.clock.advance(1)
    over = Budget(deployment.clock.monotonic(), Allowance(0.0, "a budget of nothing"))

    def job(attempt: EndpointAttempt) -> Plan[Loaded]:
        return load(attempt.session, deployment.options, Known())

    answer = deployment.driver.run(
        first_answer(StoreAccess(context), rules(context), endpoints, over, job, force=True)
    )
    assert isinstance(answer, Exhausted)
    assert len(answer.failures) == 3
    assert all("a budget of nothing was used up" in str(one) for one in answer.failures[:1])


def test_silence_until_the_end_names_the_share_of_the_budget() -> None:
    """An attempt that was cut off by its share says so, whatever the driver calls it."""
    deployment = Deployment()
    state = deployment.start()
    deployment.afflict(ENDPOINTS, "", silent)
    outcome = deployment.when_due(state)
    share = "its share of the time of a check (20 s, connect_timeout + read_timeout) was used up"
    assert share in str(outcome.error)


def test_what_broke_off_before_the_end_names_no_budget() -> None:
    """Half an answer is what ended the attempt; there was time left, and no budget is reported."""
    deployment = Deployment()
    state = deployment.start()
    deployment.afflict(ENDPOINTS, "", cut)
    outcome = deployment.when_due(state)
    assert "half an answer" in str(outcome.error)
    assert "used up" not in str(outcome.error)


def test_the_error_of_a_credential_stays_its_own() -> None:
    """A credential that failed after the time was over is reported as what it raised."""
    raised = ServiceRequestError("no way to the identity service")
    deployment = Deployment()
    clock = deployment.clock

    class Late(StaticCredential):
        def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
            clock.advance(1000)
            raise raised

    state = deployment.start()
    endpoints = without_keys(state.endpoints)
    context = replace(deployment.context, credential=Late())
    clock.advance(30)
    outcome = deployment.driver.run(
        refresh(context, replace(state, endpoints=endpoints), force=False)
    )
    assert outcome.error is raised


def without_keys(endpoints: Endpoints) -> Endpoints:
    """Return endpoints that want tokens."""
    stores = (replace(one, store=Store(one.store.url)) for one in endpoints.all)
    return replace(endpoints, all=tuple(stores))
