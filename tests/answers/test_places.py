"""Bodies that are nothing the service says, wherever they come: the next endpoint answers."""

from __future__ import annotations

import json

import pytest

from appconfig_provider._plan import Response
from tests.support.content import FLAG_TYPE
from tests.support.deployment import ENDPOINTS, Deployment, Fault, whole

PLACES = ("sentinel", "first page", "later page", "sentinel again")


def item(**parts: object) -> str:
    """Return a page of one setting."""
    return json.dumps({"items": [{"key": "k", "value": "v", **parts}]})


FLAG = {
    "key": ".appconfig.featureflag/f",
    "content_type": FLAG_TYPE,
}
BODIES = {
    "brackets": "[" * 100_000,
    "objects": '{"a":' * 100_000,
    "JSON that ends": "[" * 100_000 + "]" * 100_000,
    "something deep": '{"key": "k", "items": [], "x": ' + "[" * 100 + "]" * 100 + "}",
    "a number that is too long": '{"key": "k", "items": [], "x": ' + "1" * 5000 + "}",
    "bytes": "\udcff{}",
    "two objects": "{}{}",
    "NaN": "NaN",
}
PAGES = {
    "tags that are a number": item(tags=5),
    "tags that are zero": item(tags=0),
    "tags that are a list": item(tags=["a"]),
    "a tag that is a number": item(tags={"a": 5}),
    "a tag that is a list": item(tags={"a": []}),
    "an ETag that is a number": item(etag=5, **FLAG),
    "a date that is a list": item(last_modified=[], **FLAG),
    "a link that is zero": '{"items": [], "@nextLink": 0}',
    "a link that is a list": '{"items": [], "@nextLink": []}',
    "a link that is long": json.dumps({"items": [], "@nextLink": "/kv?" + "a" * 100_000}),
    "a link to a host of marks": json.dumps({"items": [], "@nextLink": "//a\u0301\u0316/kv?a"}),
}


def saying(status: int, body: str) -> Fault:
    """Answer with a body and an ETag."""
    sent = body.encode("utf-8", "surrogateescape")
    return lambda _deployment, _send: Response(status, {"etag": '"x"'}, sent)


def check_that_the_next_answers(place: str, fault: Fault) -> None:
    """Load and refresh while the first endpoint is at fault."""
    deployment = Deployment({"retry_total": 0})
    deployment.afflict(ENDPOINTS[:1], place, fault)
    state = deployment.start()
    assert whole(state) == 1
    assert state.attempt.endpoint == ENDPOINTS[1]
    deployment.version = 2
    outcome = deployment.refresh(state, force=True)
    assert outcome.error is None
    assert whole(outcome.state) == 2


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("status", [200, 503])
@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_is_no_answer_is_its_endpoints_failure(
    place: str, status: int, body: str
) -> None:
    """Whatever is asked for, and whatever the status: load and refresh move to the next one."""
    check_that_the_next_answers(place, saying(status, BODIES[body]))


@pytest.mark.parametrize("place", ["first page", "later page"])
@pytest.mark.parametrize("body", PAGES)
def test_a_page_with_a_part_of_the_wrong_type_is_its_endpoints_failure(
    place: str, body: str
) -> None:
    """A page is read strictly: what would fail later, or cut a listing short, fails here."""
    check_that_the_next_answers(place, saying(200, PAGES[body]))
