"""Answers that are nothing the service says: the next endpoint is asked, nothing of it is kept."""

from __future__ import annotations

import pytest

from appconfig_provider._plan import Response
from tests.support.deployment import ENDPOINTS, Deployment, Fault, whole

PAGES = {
    "nothing": "",
    "null": "null",
    "no object": "[]",
    "too deep": "[" * 100_000,
    "items that are an object": '{"items": {}}',
    "items that are a text": '{"items": ""}',
    "an item that is null": '{"items": [null]}',
    "an item without key": '{"items": [{"value": "x"}]}',
    "a key that is a number": '{"items": [{"key": 1}]}',
    "a label that is a list": '{"items": [{"key": "k", "label": []}]}',
    "a label that is a number": '{"items": [{"key": "k", "label": 5}]}',
    "a value that is an object": '{"items": [{"key": "k", "value": {"a": 1}}]}',
    "a value that is a number": '{"items": [{"key": "k", "value": 5}]}',
    "a content type that is a number": '{"items": [{"key": "k", "content_type": 5}]}',
    "a link that is no text": '{"items": [], "@nextLink": 5}',
    "a link that is no address": '{"items": [], "@nextLink": "//["}',
    "a link with a letter that no request can have": '{"items": [], "@nextLink": "/kv\u00e9?a=b"}',
    "a link to somewhere else": '{"items": [], "@nextLink": "/locks?a=b"}',
    "a link to itself": '{"items": [], "@nextLink": "/kv?after=host"}',
}


def saying(body: str) -> Fault:
    """Answer 200 with a body, and an ETag."""
    return lambda _deployment, _send: Response(200, {"etag": '"x"'}, body.encode())


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("body", PAGES)
def test_a_page_that_is_none_is_the_endpoints_failure(body: str, mapped: bool) -> None:
    """A page that breaks the format moves load and refresh to the next endpoint, whatever is wrong.

    An empty configuration, or an error that is none of the documented ones, would be worse.
    """
    mapper = (lambda setting: setting) if mapped else None
    deployment = Deployment({"configuration_mapper": mapper, "retry_total": 0})
    deployment.afflict(ENDPOINTS[:1], "later page", saying(PAGES[body]))
    state = deployment.start()
    assert whole(state) == 1
    assert state.attempt.endpoint == ENDPOINTS[1]
    assert state.endpoints.all[0].backoff.failures == 1
    deployment.version = 2
    outcome = deployment.refresh(state, force=True)
    assert outcome.error is None
    assert whole(outcome.state) == 2
    assert outcome.state.endpoints.all[0].backoff.failures == 2


SENTINELS = {
    "a page": PAGES["items that are an object"],
    "nothing": "",
    "a list": "[]",
    "a text": '"sentinel"',
}


@pytest.mark.parametrize("body", SENTINELS)
def test_a_sentinel_that_is_none_is_no_change(body: str) -> None:
    """A sign-in page in the place of a sentinel is the endpoint's failure and loads nothing."""
    deployment = Deployment({"retry_total": 0})
    state = deployment.start()
    deployment.afflict(ENDPOINTS[:2], "sentinel", saying(SENTINELS[body]))
    outcome = deployment.when_due(state)
    assert outcome.error is None
    assert outcome.changes is None
    assert deployment.asked() == list(ENDPOINTS)
    assert len(deployment.driver.requests) == 3


@pytest.mark.parametrize(
    "wait",
    ["Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "soon", "-5", "1e9", "", "9" * 40],
)
def test_a_retry_after_that_says_nothing_is_passed_over(wait: str) -> None:
    """A Retry-After that is neither seconds nor a date is as good as none."""
    deployment = Deployment({"retry_total": 0})
    deployment.afflict(
        ENDPOINTS[:1], "", lambda _deployment, _send: Response(503, {"retry-after": wait})
    )
    state = deployment.start()
    assert state.attempt.endpoint == ENDPOINTS[1]
    assert state.endpoints.all[0].backoff.until == 30
