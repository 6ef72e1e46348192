"""Generated stores and options."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from appconfig_provider.testing import Draft, Emulator
from tests.support.content import FLAG_TYPE

from .sides import FLAG_PREFIX

examples = settings(
    max_examples=15,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
"""An example loads three times over real HTTP, so there are few."""

JSON_TYPES = (
    "application/json",
    "application/json; charset=utf-8",
    "Application/JSON",
    "application/vnd.acme+json",
    "application/json+acme",
    'application/json; profile="https://azconfig.io/mime-profiles/ai/chat-completion"',
)
TEXT_TYPES = (None, "", "text/plain", "text/json", "application/xml", "application/jsonx", "json")

KEYS = ("app/a", "app/b", "app/sub/a", "app/sub/c", "other", "x,y", "s*r", "b\\s", "key/é", "a b")
LABELS = (None, "prod", "dev", "p,q")
NAMES = ("one", "two", "three", "four", "five")
FLAG_KEYS = tuple(FLAG_PREFIX + name for name in NAMES)

keys = st.sampled_from(KEYS)
labels = st.sampled_from(LABELS)
tags = st.fixed_dictionaries(
    {},
    optional={
        "team": st.sampled_from(["a", "b", ""]),
        "env": st.sampled_from(["x", None]),
        "a=b": st.just("c"),
    },
)

# No floats: the emulator and the peers agree about them, but not every text of one is canonical.
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4) | st.just("// no"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
comments = st.sampled_from(["", " ", "// a\n", "/* b */", '/* \n ** " */', '// "c\n'])


@st.composite
def json_texts(draw: st.DrawFn) -> str:
    """Return JSON, perhaps with comments around its tokens, or something that is no JSON."""
    if draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from(["", "{", "nope", "/* open", '"a', "[1,]", "// only"]))
    whole = json.dumps(draw(json_values), indent=1)
    lines = [draw(comments) + line for line in whole.split("\n")]
    return "\n".join([*lines, draw(comments)])


@st.composite
def drafts(draw: st.DrawFn) -> Draft:
    """Return a setting with a value."""
    content_type = draw(st.sampled_from(JSON_TYPES + TEXT_TYPES))
    value = draw(json_texts() if content_type in JSON_TYPES else st.text(max_size=6))
    return Draft(draw(keys), draw(labels), value, content_type, draw(tags))


stores = st.lists(drafts(), max_size=10)

key_filters = st.sampled_from(
    ["*", "app/*", "app/a", "app/sub/*", "other,app/b", "x\\,y", "s\\*r", "b\\\\s", "key*", "a b"]
)
label_filters = st.sampled_from(["\0", "prod", "dev", "*", "p*", "prod,dev", "\0,prod", "p\\,q"])
tag_filters = st.none() | st.lists(
    st.sampled_from(["team=a", "team=", "env=x", "env=\0", "a\\=b=c"]), min_size=1, max_size=2
)
selectors = st.fixed_dictionaries(
    {"key_filter": key_filters},
    optional={"label_filter": label_filters, "tag_filters": tag_filters},
)
trims = st.lists(st.sampled_from(["app/", "app/sub/", "o", "key/"]), max_size=3)

names = st.sampled_from(NAMES)
shares = st.lists(st.sampled_from(["On", "Off"]), max_size=3)

TELEMETRY: tuple[dict[str, Any] | None, ...] = (
    None,
    {},
    {"enabled": True},
    {"enabled": True, "metadata": {"own": "x"}},
    {"enabled": False, "metadata": {}},
)


@st.composite
def flags(draw: st.DrawFn) -> Draft:
    """Return a feature flag that says all that the official client would add."""
    name = draw(names)
    telemetry = draw(st.sampled_from(TELEMETRY))
    flag: dict[str, Any] = {
        "id": name,
        "enabled": draw(st.booleans()),
        "display_name": draw(st.none() | st.text(max_size=3)),
        "description": "",
        "conditions": {"client_filters": draw(st.lists(filters, max_size=2))},
        "variants": [{"name": "On", "configuration_value": draw(json_values)}, {"name": "Off"}],
    }
    if telemetry is not None:
        flag["telemetry"] = telemetry
    if draw(st.booleans()):
        flag["allocation"] = draw(allocations())
    return Draft(FLAG_PREFIX + name, draw(labels), json.dumps(flag), FLAG_TYPE, draw(tags))


filters = st.fixed_dictionaries(
    {"name": st.sampled_from(["Microsoft.Targeting", "Microsoft.TimeWindow", "Own"])},
    optional={"parameters": st.just({"Value": 50})},
)


@st.composite
def allocations(draw: st.DrawFn) -> dict[str, Any]:
    """Return how a flag distributes its variants."""
    bounds = [0, 10, 10, 100]
    percentile = [
        {"variant": variant, "from": bounds[place], "to": bounds[place + 1]}
        for place, variant in enumerate(draw(shares))
    ]
    optional = {
        "seed": st.sampled_from(["", "s"]),
        "default_when_enabled": st.sampled_from(["On", "Off"]),
        "percentile": st.just(percentile[::-1]),
        "user": st.just([{"variant": "On", "users": ["u"]}]),
    }
    return draw(st.fixed_dictionaries({}, optional=optional))


@contextmanager
def holding(store: Emulator, settings: list[Draft]) -> Iterator[None]:
    """Let a store hold settings, and be empty again but for its snapshots after an example."""
    try:
        store.set_many(settings)
        yield
    finally:
        for key, label in product((*KEYS, *FLAG_KEYS, "sentinel", "z/ref"), LABELS):
            store.delete(key, label)
