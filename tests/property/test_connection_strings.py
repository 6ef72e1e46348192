"""Connection strings: any order of the fields, and no secret in a message."""

from __future__ import annotations

import base64
from itertools import permutations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from appconfig_provider._azure.arguments import parse_connection_string
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider.models import AccessKey, Store

NAMES = ("Endpoint", "Id", "Secret")
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_+/=:."

HOSTS = st.from_regex(r"[a-z][a-z0-9]{1,8}\.azconfig\.io", fullmatch=True)
IDS = st.text(LETTERS, min_size=1, max_size=12)
SECRETS = st.binary(min_size=12, max_size=40)
ORDERS = st.sampled_from(list(permutations(NAMES)))
JUNK = st.text(LETTERS + " ;", max_size=10)


def encoded(secret: bytes) -> str:
    return base64.b64encode(secret).decode()


def fields_of(host: str, name: str, secret: bytes) -> dict[str, str]:
    return {"Endpoint": f"https://{host}", "Id": name, "Secret": encoded(secret)}


def joined(fields: dict[str, str], order: tuple[str, ...] = NAMES) -> str:
    return ";".join(f"{name}={fields[name]}" for name in order if name in fields)


def reported(text: str) -> str:
    """Return what the ValueError a text is refused with says, and the errors shown with it."""
    with pytest.raises(ValueError, match=r"^connection_string") as caught:
        parse_connection_string(text)
    seen: list[str] = []
    error: BaseException | None = caught.value
    while error is not None:
        seen.append(repr(error))
        hidden = error.__suppress_context__
        error = error.__cause__ if hidden else error.__context__
    return " ".join(seen)


@given(HOSTS, IDS, SECRETS, ORDERS, st.sampled_from(["", ";", " "]), st.sampled_from(["", "/"]))
def test_the_fields_may_come_in_any_order(
    host: str, name: str, secret: bytes, order: tuple[str, ...], end: str, slash: str
) -> None:
    """Endpoint, Id and Secret are found by name, base64's own `=` and a closing `;` included."""
    fields = fields_of(host, name, secret)
    fields["Endpoint"] += slash
    expected = Store(f"https://{host}", AccessKey(name, secret))
    assert parse_connection_string(joined(fields, order) + end) == expected


@given(HOSTS, IDS, SECRETS, ORDERS, st.sampled_from(NAMES))
def test_a_missing_field_is_reported_without_the_secret(
    host: str, name: str, secret: bytes, order: tuple[str, ...], missing: str
) -> None:
    """A field left out or left empty is a ValueError that repeats nothing secret."""
    fields = fields_of(host, name, secret)
    del fields[missing]
    assert encoded(secret) not in reported(joined(fields, order))
    assert encoded(secret) not in reported(joined({**fields, missing: ""}, order))


@given(HOSTS, IDS, SECRETS, ORDERS, st.sampled_from(NAMES))
def test_a_doubled_field_is_reported_without_the_secret(
    host: str, name: str, secret: bytes, order: tuple[str, ...], twice: str
) -> None:
    """A field given twice, even with the same value, is a ValueError."""
    fields = fields_of(host, name, secret)
    text = joined(fields, order)
    assert encoded(secret) not in reported(f"{text};{twice}={fields[twice]}")


@given(HOSTS, IDS, SECRETS, ORDERS, st.sampled_from(["secret", "Key", "EndPoint", "", " "]))
def test_an_unknown_field_is_reported_without_the_secret(
    host: str, name: str, secret: bytes, order: tuple[str, ...], unknown: str
) -> None:
    """A field of another name, beside the three or instead of one, is a ValueError."""
    fields = fields_of(host, name, secret)
    assert encoded(secret) not in reported(f"{joined(fields, order)};{unknown}=x")
    for known in NAMES:
        renamed = {unknown if one == known else one: value for one, value in fields.items()}
        assert encoded(secret) not in reported(joined(renamed, tuple(renamed)))


@given(HOSTS, IDS, SECRETS, ORDERS, st.sampled_from(["!", "=a", "ä", "a"]))
def test_a_secret_that_is_not_base64_is_reported_without_it(
    host: str, name: str, secret: bytes, order: tuple[str, ...], damage: str
) -> None:
    """A damaged Secret is a ValueError that does not print it."""
    fields = fields_of(host, name, secret)
    fields["Secret"] += damage
    assert encoded(secret)[:12] not in reported(joined(fields, order))


@given(HOSTS, IDS, SECRETS, st.sampled_from(["contoso", "ftp://{}", "//{}", "https://", "{}:x"]))
def test_an_endpoint_that_is_none_is_reported_without_the_secret(
    host: str, name: str, secret: bytes, endpoint: str
) -> None:
    """An Endpoint that is no http address is a ValueError without the secret."""
    fields = {**fields_of(host, name, secret), "Endpoint": endpoint.format(host)}
    assert encoded(secret) not in reported(joined(fields))


@given(JUNK, JUNK, SECRETS)
def test_text_around_a_secret_is_never_repeated(before: str, after: str, secret: bytes) -> None:
    """Any text that is no connection string is refused without repeating what stands in it."""
    text = f"{before}Secret={encoded(secret)}{after}"
    assume("Endpoint" not in text)
    assert encoded(secret) not in reported(text)


@given(HOSTS, IDS, SECRETS)
def test_the_options_do_not_show_the_secret(host: str, name: str, secret: bytes) -> None:
    """Neither the secret nor its decoded bytes stand in the repr of what was parsed."""
    shown = repr(Keywords(connection_string=joined(fields_of(host, name, secret))).checked())
    assert encoded(secret) not in shown
    assert repr(secret) not in shown
