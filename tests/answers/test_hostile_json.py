"""JSON with anything in any place: a value or a documented error comes of it, and nothing else."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appconfig_provider._azure.push import Notice, change_of, read_events
from appconfig_provider._azure.settings.content import parse_json
from appconfig_provider._azure.settings.flags import read_flags
from appconfig_provider._azure.settings.records import Details, Page, Setting, columns_of
from appconfig_provider._azure.settings.references import (
    BrokenReference,
    UnresolvedReference,
    UnusableSnapshot,
    secret_of,
    snapshot_of,
)
from appconfig_provider._azure.state import State
from appconfig_provider._fetch.failures import RequestFailed
from appconfig_provider._plan import Response
from tests.support.content import FLAG_TYPE, VAULT_TYPE
from tests.support.deployment import ENDPOINTS, Deployment, whole

SNAPSHOT_TYPE = 'application/json; profile="https://azconfig.io/mime-profiles/snapshot-ref"'
JSON_TYPE = "application/json"
DOCUMENTED = (BrokenReference, UnresolvedReference, UnusableSnapshot, RequestFailed)


def nested(depth: int) -> Any:
    """Return arrays inside each other."""
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


HOSTILE = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        -1,
        10**400,
        1.5,
        math.inf,
        -math.inf,
        math.nan,
        "",
        " ",
        "\0",
        "\ud800",
        "\r\nx: y",
        "\u202e",
        "x" * 5000,
        "*",
        "https://[",
        "https://a.vault.azure.net/secrets/s",
        "9999-99-99T99:99:99Z",
        [],
        {},
        [None],
        {"": None},
        [[]],
        {"a": []},
        nested(50),
        nested(150),
    ]
)

FLAG = {
    "id": "f",
    "enabled": True,
    "conditions": {"requirement_type": "All", "client_filters": [{"name": "N", "parameters": {}}]},
    "variants": [{"name": "a", "configuration_value": {"x": [1]}}, {"name": "b"}],
    "allocation": {
        "seed": "s",
        "default_when_enabled": "a",
        "percentile": [{"from": 0, "to": 50, "variant": "a"}],
        "user": [{"variant": "a", "users": ["u"]}],
    },
    "telemetry": {"enabled": True, "metadata": {"a": "b"}},
}
EVENT = {
    "eventType": "Microsoft.AppConfiguration.KeyValueModified",
    "subject": "https://one.azconfig.io/kv/a?label=b",
    "data": {"key": "a", "syncToken": "zone=abc;sn=3"},
}


def setting(key: str, value: object, content_type: str | None = None) -> dict[str, Any]:
    """Return a setting as the service writes it."""
    return {
        "etag": "e",
        "key": key,
        "label": None,
        "content_type": content_type,
        "value": value if isinstance(value, str) else json.dumps(value),
        "tags": {"t": "u"},
        "locked": False,
        "last_modified": "2024-01-01T00:00:00+00:00",
    }


def page(flag: object, secret: object, reference: object) -> dict[str, Any]:
    """Return a page with settings of every kind."""
    items = [
        setting("plain", "text"),
        setting("json", {"a": [1, {"b": None}]}, JSON_TYPE),
        setting(".appconfig.featureflag/f", flag, FLAG_TYPE),
        setting("secret", secret, VAULT_TYPE),
        setting("snapshot", reference, SNAPSHOT_TYPE),
    ]
    return {"items": items, "etag": "e", "@nextLink": None}


SECRET = {"uri": "https://v.vault.azure.net/secrets/s"}
REFERENCE = {"snapshot_name": "release"}
DESCRIPTION = {"name": "release", "status": "ready", "composition_type": "key", "tags": {}}
SENTINEL = setting("sentinel", "x")


def changed(draw: st.DrawFn, value: Any) -> Any:
    """Return a JSON value in which one place, at any depth, holds something hostile or nothing."""
    inside = list(value) if isinstance(value, dict) else list(range(len(value)))
    if not inside or draw(st.integers(0, 3)) == 0:
        return draw(HOSTILE)
    place = draw(st.sampled_from(inside))
    child = value[place]
    if isinstance(value, dict) and draw(st.integers(0, 5)) == 0:
        return {key: item for key, item in value.items() if key != place}
    new = changed(draw, child) if isinstance(child, dict | list) and child else draw(HOSTILE)
    if isinstance(value, dict):
        return {**value, place: new}
    return [*value[:place], new, *value[place + 1 :]]


@st.composite
def mutated(draw: st.DrawFn, value: Any) -> Any:
    """Give a JSON value with up to three hostile places."""
    for _ in range(draw(st.integers(0, 3))):
        if isinstance(value, dict | list) and value:
            value = changed(draw, value)
    return value


@st.composite
def written(draw: st.DrawFn, value: Any) -> str:
    """Give the text of such a value, now and then cut, doubled or with something after it."""
    text = json.dumps(draw(mutated(value)), ensure_ascii=draw(st.booleans()))
    return draw(
        st.sampled_from(
            [text, text, text, text[: len(text) // 2], text + text, text + "//", "\ufeff" + text]
        )
    )


PAGES = st.builds(page, mutated(FLAG), mutated(SECRET), mutated(REFERENCE)).flatmap(written)
BODIES = {
    "page": PAGES,
    "sentinel": written(SENTINEL),
    "description": written(DESCRIPTION),
    "error": written({"title": "t", "detail": "d", "status": 503}),
}


def failure_of(call: Callable[[], object], *kinds: type[Exception]) -> Exception | None:
    """Return the error of one of these kinds that a call ended with, if it did."""
    try:
        call()
    except kinds as error:
        return error
    return None


def go_through(state: State) -> None:
    """Use everything that was published, as programs do."""
    for key, value in state.snapshot.items():
        state.snapshot.explain(key)
        repr(value)
    assert isinstance(state.snapshot["feature_management"], dict)


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("place", BODIES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_answers_with_anything_anywhere(place: str, mapped: bool, data: st.DataObject) -> None:
    """Load and refresh publish or tell a documented error; once healed, the newest is there."""
    body = data.draw(BODIES[place]).encode("utf-8", "surrogatepass")
    other = json.dumps(page(FLAG, SECRET, REFERENCE)).encode()
    description = json.dumps(DESCRIPTION).encode()
    deployment = Deployment(
        {
            "retry_total": 0,
            "feature_flag_enabled": True,
            "feature_flag_refresh_enabled": True,
            "secret_resolver": lambda address: f"secret of {address}",
            "startup_timeout": 0,
            "configuration_mapper": (lambda _: None) if mapped else None,
        }
    )

    def hostile(_: Deployment, send: Any) -> Response:
        target = send.request.target
        if place == "error":
            return Response(503, {}, body)
        if "/snapshots/" in target:
            return Response(200, {}, body if place == "description" else description)
        if target.startswith("/kv/"):
            return Response(200, {"etag": '"x"'}, body if place == "sentinel" else _sentinel())
        return Response(200, {"etag": '"x"'}, body if place == "page" else other)

    good = deployment.start()
    deployment.afflict(ENDPOINTS[:1], "", hostile)
    refusal = failure_of(lambda: go_through(deployment.start()), *DOCUMENTED)
    assert str(refusal).isprintable()
    outcome = deployment.refresh(good, force=True)
    assert str(outcome.error).isprintable()
    go_through(outcome.state)
    deployment.trouble.clear()
    deployment.version = 2
    healed = deployment.refresh(outcome.state, force=True)
    assert healed.error is None
    assert whole(healed.state) == 2


def _sentinel() -> bytes:
    return json.dumps(SENTINEL).encode()


def one_page(text: str, content_type: str) -> list[tuple[Page]]:
    """Return the only page of the only selector."""
    key = ".appconfig.featureflag/f"
    one = Setting(key, None, text, content_type, None, Details("e", None, locked=False))
    return [(Page("", None, columns_of([one]), None),)]


@settings(max_examples=150, deadline=None)
@given(written(FLAG))
def test_flags_with_anything_anywhere(text: str) -> None:
    """A flag is read, or left out and reported."""
    flags, problems, _ = read_flags(one_page(text, FLAG_TYPE), "https://one.azconfig.io")
    assert len(flags) + len(problems) == 1


@settings(max_examples=150, deadline=None)
@given(written(SECRET) | written(REFERENCE) | written(FLAG))
def test_references_with_anything_anywhere(text: str) -> None:
    """A reference names something, or is an error that names its key; JSON is a value or none."""
    one = Setting("the key", None, text, None)
    for refusal in (
        failure_of(lambda: secret_of(one), UnresolvedReference),
        failure_of(lambda: snapshot_of(one), BrokenReference),
    ):
        assert refusal is None or "the key" in str(refusal)
        assert str(refusal).isprintable()
    assert len(str(failure_of(lambda: parse_json(text), ValueError))) < 200


@settings(max_examples=150, deadline=None)
@given(written(EVENT) | written([EVENT, EVENT]) | mutated(EVENT) | mutated([EVENT, EVENT]))
def test_events_with_anything_anywhere(event: Any) -> None:
    """An event counts, or is a ValueError; what it brings can be sent."""
    state = Deployment().start()
    read: list[Notice] = []
    refusal = failure_of(lambda: read.extend(read_events(event)[0]), ValueError)
    assert refusal is None or type(refusal) is ValueError
    change = change_of(read, state.endpoints, 0.0)
    for tokens in change.tokens.values() if change else ():
        assert all(f"{name}={token.value}".isascii() for name, token in tokens.items())
