"""The vault: versions of secrets, the challenge, errors in the service's form."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appconfig_provider.testing import FakeClock, RequestRecord, Scripted, Vault
from appconfig_provider.testing.credentials import unsigned_token

TOKEN = unsigned_token("https://vault.azure.net")
VERSION = "?api-version=7.4"


@pytest.fixture
def vault() -> Iterator[Vault]:
    """An empty vault."""
    with Vault(clock=FakeClock()) as running:
        yield running


@pytest.fixture
def client(vault: Vault) -> Iterator[httpx.Client]:
    """A client with a good token."""
    context = ssl.create_default_context(cafile=vault.ca_file)
    headers = {"authorization": f"Bearer {TOKEN}"}
    with httpx.Client(
        base_url=vault.url, verify=context, headers=headers, trust_env=False
    ) as opened:
        yield opened


def code(reply: httpx.Response) -> tuple[int, Any]:
    """Status and error code."""
    return reply.status_code, reply.json()["error"]["code"]


def test_versions(vault: Vault, client: httpx.Client) -> None:
    """Without a version a secret is the last one set; each version stays readable."""
    first, second = vault.set("db-Password", "1"), vault.set("db-password", "")
    assert first != second
    reply = client.get(f"/secrets/db-password{VERSION}")
    assert reply.status_code == 200
    body = reply.json()
    assert (body["value"], body["id"]) == ("", vault.id("db-password", second))
    assert body["attributes"]["enabled"] is True
    assert client.get(f"/secrets/DB-PASSWORD/{VERSION}").json()["value"] == ""
    old = client.get(f"/secrets/db-password/{first}{VERSION}").json()
    assert (old["value"], old["id"]) == ("1", vault.id("db-Password", first))


def test_errors(vault: Vault, client: httpx.Client) -> None:
    """What is missing, disabled or asked for wrongly is an error with a code."""
    version = vault.set("s", "v")
    assert code(client.get(f"/secrets/gone{VERSION}")) == (404, "SecretNotFound")
    assert code(client.get(f"/secrets/s/{'0' * 32}{VERSION}")) == (404, "SecretNotFound")
    assert code(client.get("/secrets/s")) == (400, "BadParameter")
    assert code(client.get(f"/secrets/s/{version}/x{VERSION}")) == (400, "BadParameter")
    assert code(client.get(f"/keys/s{VERSION}"))[0] == 404
    assert code(client.post(f"/secrets/s{VERSION}"))[0] == 405
    vault.enable("s", enabled=False)
    reply = client.get(f"/secrets/s{VERSION}")
    assert code(reply) == (403, "Forbidden")
    assert reply.json()["error"]["innererror"] == {"code": "SecretDisabled"}
    vault.enable("s", enabled=True)
    assert client.get(f"/secrets/s{VERSION}").status_code == 200
    assert vault.delete("S")
    assert not vault.delete("s")
    assert code(client.get(f"/secrets/s{VERSION}")) == (404, "SecretNotFound")


@pytest.mark.parametrize("token", [None, "wrong", unsigned_token("https://appconfig.azure.com")])
def test_challenge(vault: Vault, client: httpx.Client, token: str | None) -> None:
    """Without a good token there is a challenge that says where to get one, and no secret."""
    vault.set("s", "v")
    del client.headers["authorization"]
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    reply = client.get(f"/secrets/s{VERSION}", headers=headers)
    assert code(reply) == (401, "Unauthorized")
    challenge = reply.headers["www-authenticate"]
    assert challenge.startswith('Bearer authorization="https://login.microsoftonline.com/')
    assert 'resource="https://vault.azure.net"' in challenge
    vault.tokens.add(token or "")
    assert client.get(f"/secrets/s{VERSION}", headers=headers).status_code in (200, 401)


def test_scripts(vault: Vault, client: httpx.Client) -> None:
    """A vault is watched and scripted like the store."""
    vault.set("s", "v")

    def respond(record: RequestRecord) -> Scripted | None:
        return Scripted(429, {"Retry-After": "1"}) if "/busy" in record.target else None

    with vault.respond(respond):
        assert client.get(f"/secrets/busy{VERSION}").status_code == 429
        assert client.get(f"/secrets/s{VERSION}").status_code == 200
    assert [record.status for record in vault.requests] == [429, 200]


@pytest.mark.parametrize(("name", "value"), [("", "v"), ("a_b", "v"), ("s", "x" * 25_601)])
def test_refused_secrets(vault: Vault, name: str, value: str) -> None:
    """A name or a value the service would refuse is a ValueError without the value."""
    with pytest.raises(ValueError, match="secret") as caught:
        vault.set(name, value)
    assert "xxx" not in str(caught.value)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=6))
def test_any_path(vault: Vault, client: httpx.Client, name: str, version: str, api: str) -> None:
    """Any path gets an answer below 500."""
    vault.set("s", "v")
    path = quote(f"/secrets/{name}/{version}", safe="/")
    assert client.get(path, params={"api-version": api}).status_code < 500


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("localhost:9", 'resource="https://vault.azure.net"'),
        ("127.0.0.1:9", 'resource="https://vault.azure.net"'),
        ("[::1]:9", 'resource="https://vault.azure.net"'),
        ("db.localhost:9", 'resource="https://vault.azure.net"'),
        (
            "db.vault.localhost:9",
            'resource="https://vault.localhost", scope="https://vault.localhost:9/.default"',
        ),
        (
            "a.b.vault.test",
            'resource="https://b.vault.test", scope="https://b.vault.test/.default"',
        ),
    ],
)
def test_domain_of_the_challenge(host: str, asked: str) -> None:
    """The challenge names the domain that the vault is in, where it is called by such a name."""
    with Vault(hosts=["a.b.vault.test"]) as vault:
        trusted = ssl.create_default_context(cafile=vault.ca_file)
        with httpx.Client(base_url=vault.url, verify=trusted, trust_env=False) as client:
            reply = client.get(f"/secrets/s{VERSION}", headers={"host": host})
    assert reply.headers["www-authenticate"].endswith(f", {asked}")


@pytest.mark.parametrize("name", ["", "ab", "a" * 25, "-ab", "ab-", "a.b", "a_b", "über", "a b"])
def test_names_of_vaults(name: str) -> None:
    """A vault's name is what Azure takes for one."""
    with pytest.raises(ValueError, match="3 to 24"):
        Vault(name)


@pytest.mark.parametrize("target", ["/secrets/s", "/keys/s"])
def test_headers_of_every_answer(vault: Vault, client: httpx.Client, target: str) -> None:
    """Every answer has a date, at the vault's clock, and an id; also one that a test made up."""
    vault.set("s", "v")
    dates = set()
    for answer in (None, Scripted(503)):
        with vault.respond(partial(lambda scripted, _record: scripted, answer)):
            headers = client.get(f"{target}{VERSION}").headers
        dates.add(headers["date"])
        assert len(headers["x-ms-request-id"]) == 36
    assert len(dates) == 1
