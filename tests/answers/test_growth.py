"""Texts from outside are read in a time that grows with their length, not with its square."""

from __future__ import annotations

import contextlib
import gc
import json
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import appconfig_provider
from appconfig_provider._azure import push
from appconfig_provider._azure.endpoints.order import in_domain
from appconfig_provider._azure.rest.refusals import refusal
from appconfig_provider._azure.rest.responses import parse_date, read_page
from appconfig_provider._azure.rest.services import StoreService
from appconfig_provider._azure.settings import layering
from appconfig_provider._azure.settings.content import kind_of, parse_json
from appconfig_provider._azure.settings.flags import read_flags
from appconfig_provider._azure.settings.records import Page, Setting, columns_of
from appconfig_provider._azure.settings.references import UnresolvedReference, secret_of
from appconfig_provider._azure.vaults import parse_secret_id
from appconfig_provider._fetch.exchange import Session
from appconfig_provider._fetch.waiting import retry_after
from appconfig_provider._io.answers import read_headers
from appconfig_provider._live.inspection import inspect
from appconfig_provider._plan import Request, Response
from appconfig_provider.selectors import key_matcher
from appconfig_provider.snapshot import same
from appconfig_provider.testing import Emulator, FakeClock, RequestRecord, Scripted
from tests.support.adapter import Loader
from tests.support.content import FLAG_TYPE

pytestmark = pytest.mark.unmeasured

MODIFIED = "Microsoft.AppConfiguration.KeyValueModified"
JSON = "application/json"


def seconds(function: Callable[[], object]) -> float:
    """Return the processor time of a call, whatever it says about what it was given."""
    began = time.thread_time()
    with contextlib.suppress(ValueError, TypeError, UnresolvedReference):
        function()
    return time.thread_time() - began


def page(body: str, **headers: str) -> object:
    """Read a page."""
    return read_page(Response(200, headers, body.encode("utf-8", "surrogatepass")), "/kv?a=b")


def event(subject: str = "https://one.azconfig.io/kv/a", token: str = "a=b;sn=1") -> dict[str, Any]:
    """Return an event of App Configuration."""
    return {"eventType": MODIFIED, "subject": subject, "data": {"syncToken": token}}


def read_flag(text: str) -> object:
    """Read a feature flag."""
    content_type = FLAG_TYPE
    setting = Setting(".appconfig.featureflag/x", None, text, content_type)
    pages = Page("", None, columns_of([setting]), None)
    return read_flags([(pages,)], "https://one.azconfig.io")[:2]


def allocation(number: int) -> str:
    """Return a flag that is given out in as many shares."""
    shares = [{"from": one % 7, "to": 9, "variant": f"v{one}"} for one in range(number)]
    variants = [{"name": f"v{one}"} for one in range(number)]
    flag = {"allocation": {"percentile": shares}, "variants": variants}
    return json.dumps({"id": "x", "telemetry": {"enabled": True}, **flag})


def learn(header: str) -> object:
    """Read a header of sync tokens as it comes with an answer."""
    session = Session(
        origin="",
        sign=None,
        service=StoreService(()),
        deadline=0.0,
        max_retry_wait=0.0,
        retries=0,
        clock=FakeClock(),
        random=lambda: 0.0,
    )
    session.learn(Response(200, {"sync-token": header}), 0.0)
    return session.service.headers()


def wait_of(header: str) -> object:
    """Read a Retry-After header."""
    return retry_after(Response(503, {"retry-after": header}), 0.0)


def claims_in(challenge: str) -> object:
    """Read a WWW-Authenticate header."""
    from appconfig_provider._azure.endpoints.access import claims_of

    return claims_of(challenge)


def secret_in(uri: str) -> object:
    """Read a Key Vault reference."""
    return secret_of(Setting("k", None, json.dumps({"uri": uri}), None))


def refused_with(body: str) -> object:
    """Read the body of an error."""
    origin = "https://one.azconfig.io"
    return refusal(origin, Request("GET", origin, "/kv"), Response(503, {}, body.encode()))


def copies(value: object) -> tuple[object, object]:
    """Return a value twice, so that no part of one is a part of the other."""
    text = json.dumps(value)
    return json.loads(text), json.loads(text)


TEXTS: dict[str, tuple[Callable[[Any], object], Callable[[int], object]]] = {
    "a link header that opens": (lambda text: page('{"items":[]}', link=text), lambda n: "<" * n),
    "a link header of links": (
        lambda text: page('{"items":[]}', link=text),
        lambda n: "<a>rel=" * n,
    ),
    "a link of steps back": (
        lambda text: page(json.dumps({"items": [], "@nextLink": text})),
        lambda n: "/kv" + "/a/.." * n + "?a",
    ),
    "a link to a host of marks": (
        lambda text: page(json.dumps({"items": [], "@nextLink": text})),
        lambda n: "//a" + "\u0301" * n + "\u0316" * n,
    ),
    "a page of brackets": (page, lambda n: '{"items":' + "[" * n),
    "a page of digits": (page, lambda n: '{"items":[],"x":' + "1" * n + "}"),
    "a page of empty arrays": (page, lambda n: '{"items":[],"x":[' + "[]," * n + "1]}"),
    "JSON of escaped quotes": (parse_json, lambda n: '"\\' * n),
    "JSON in a string without end": (parse_json, lambda n: '["/' + '\\"' * n),
    "JSON of comments that begin": (parse_json, lambda n: '"" /*' * n),
    "JSON of slashes": (parse_json, lambda n: "/" * n),
    "JSON of short comments": (parse_json, lambda n: "/**/" * n + "1"),
    "JSON of lines of comments": (parse_json, lambda n: "//\n" * n),
    "JSON of digits": (parse_json, lambda n: "1" * n),
    "JSON of a broken number": (parse_json, lambda n: "0." + "0" * n + "1e" + "9" * n),
    "JSON of equal names": (parse_json, lambda n: "{" + '"a":1,' * n + '"b":1}'),
    "JSON that is wide": (parse_json, lambda n: "[" + "[]," * n + "1]"),
    "values that are compared": (lambda pair: same(*pair), lambda n: copies([[]] * n)),
    "sync tokens": (learn, lambda n: ",".join(f"a{one}=b;sn=1" for one in range(n))),
    "sync tokens of one name": (learn, lambda n: "a=b;sn=1," * n),
    "a sync token without end": (learn, lambda n: "a=" * n),
    "a wait of spaces": (wait_of, lambda n: " " * n),
    "a wait until a date of names": (wait_of, lambda n: "Mon, " * n),
    "a date of dots": (parse_date, lambda n: ".1" * n),
    "a content type of parameters": (kind_of, lambda n: 'application/json;profile="h' * n),
    "a content type of spaces": (kind_of, lambda n: " " * n + "application/json" + " " * n),
    "a secret's address of marks": (
        parse_secret_id,
        lambda n: "https://a" + "\u0301" * n + "\u0316" * n,
    ),
    "a secret's address of steps": (secret_in, lambda n: "https://a/secrets/" + "a/" * n),
    "a challenge of claims": (claims_in, lambda n: 'claims="' * n),
    "a name of DNS": (lambda text: in_domain(text, "a"), lambda n: "a." * n + "!a"),
    "a key filter": (key_matcher, lambda n: "\\" * 2 * n),
    "headers of one name": (read_headers, lambda n: [(b"a", b"b")] * 4 * n),
    "a batch of events": (
        push.read_events,
        lambda n: json.dumps([event(token=f"a{one}=b;sn=1") for one in range(n // 10)]),
    ),
    "an event about a host of marks": (
        push.read_events,
        lambda n: json.dumps(event("https://b" + "\u0301" * n + "\u0316" * n)),
    ),
    "an event about a long port": (
        push.read_events,
        lambda n: json.dumps(event("https://a:" + "1" * n)),
    ),
    "a flag of many shares": (read_flag, lambda n: allocation(n // 10)),
    "the body of an error": (
        refused_with,
        lambda n: json.dumps({"title": "a" * n, "detail": "[" * n}),
    ),
}


@pytest.mark.parametrize("text", TEXTS)
def test_four_times_the_text_takes_no_sixteen_times_the_time(text: str) -> None:
    """A reader that goes back over what it has read would take the square, and is seen by it."""
    read, make = TEXTS[text]
    short, long = make(5_000), make(20_000)
    for _ in range(5):  # what is measured on a busy machine may be disturbed, but not each time
        slowly = seconds(lambda: read(long))
        quickly = seconds(lambda: read(short))
        if slowly < max(0.02, 10 * quickly):
            return
        if slowly > 1:
            break
    pytest.fail(f"{text}: {quickly:.3f} s, and {slowly:.3f} s for four times as much")


def test_many_sync_tokens_are_read_in_no_time() -> None:
    """What does not fit into a header is left out at once, not token by token."""
    headers = [",".join(f"a{place}=b{turn};sn=1" for place in range(5000)) for turn in range(8)]
    assert seconds(lambda: [learn(header) for header in headers]) < 1


def test_a_megabyte_of_events_is_read_in_no_time(store: Emulator) -> None:
    """Events may come in batches, each event with as many sync tokens as it may have."""
    token = ",".join(f"{{0}}_{place}=b;sn=1" for place in range(250))
    store.set("s", "1")
    batch = [store.event("s") for _ in range(300)]
    for number, one in enumerate(batch):
        one["data"]["syncToken"] = token.replace("{0}", f"t{number}")
    text = json.dumps(batch)
    assert len(text) > 1_000_000
    with appconfig_provider.load(
        connection_string=store.connection_string, refresh_on=["s"]
    ) as config:
        assert seconds(lambda: config.notify(text)) < 1


def test_a_link_header_without_end_holds_up_nobody(load: Loader, store: Emulator) -> None:
    """Whatever stands in a Link header, a page is read, and the next one is found, at once."""

    def opening(_: RequestRecord) -> Scripted:
        return Scripted(200, {"link": "<" * 60_000}, '{"items": [{"key": "k", "value": "v"}]}')

    with store.respond(opening):
        began = time.process_time()
        with load(connection_string=store.connection_string) as config:
            assert config.snapshot == {"k": "v"}
        assert time.process_time() - began < 4


def test_what_is_no_json_is_tried_once(
    load: Loader, store: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text that does not decode is remembered as such, and reported as before."""
    tried: list[str | None] = []

    def counted(text: str | None) -> object:
        tried.append(text)
        return parse_json(text)

    monkeypatch.setattr(layering, "parse_json", counted)
    broken = "/* no end " * 100
    store.set("a", broken, content_type=JSON)
    store.set("b", broken, content_type=JSON)
    store.set("s", "1")
    with load(connection_string=store.connection_string, refresh_on=["s"]) as config:
        for number in range(3):
            store.set("s", str(number))
            store.set("c", str(number))
            assert config.refresh(force=True)
            assert config.snapshot["a"] == config.snapshot["b"] == broken
        assert tried == [broken]
        problems = inspect(config.provider).state.generation.problems
        assert {one.key for one in problems} == {"a", "b"}


def test_a_long_content_type_is_not_remembered() -> None:
    """Only content types of a usual length are kept for the next setting that has them."""

    class Text(str):
        __slots__ = ("__weakref__",)

    long = Text("application/json;" + "a" * 1000)
    gone = weakref.ref(long)
    assert kind_of(long) is kind_of("application/json")
    del long
    gc.collect()
    assert gone() is None
