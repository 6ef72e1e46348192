"""Texts of the store and of others are shown on one line, printable and bounded."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from appconfig_provider.testing import Emulator, FakeClock, Scripted, StaticCredential, Vault
from tests.support.adapter import Loader
from tests.support.content import FLAG_TYPE, VAULT_TYPE
from tests.support.raw_server import raw_server

ORDERS = "\nERROR forged\r\x1b[2J\x1b]0;title\x07\u202eesrever\u2028line\x85\x00\u200b"
HOSTILE = ORDERS + "x" * 50_000
HALF = HOSTILE[:40] + "\ud800"
LONGEST = 4_200
SNAPSHOT_REFERENCE = (
    'application/json; profile="https://azconfig.io/mime-profiles/snapshot-ref"; charset=utf-8'
)


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """Give a store with a sentinel."""
    with Emulator(clock=clock) as emulator:
        emulator.set("sentinel", "1")
        yield emulator


def fit(texts: list[str]) -> None:
    """Check that there are texts, and that each is one bounded line that can be shown."""
    assert texts
    for text in texts:
        assert text.isprintable(), text[:500]
        assert len(text) <= LONGEST
        text.encode("utf-8")


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the lines that the package logged."""
    return [one.getMessage() for one in caplog.records if one.name == "appconfig_provider"]


def problem(title: str, status: int = 400) -> Scripted:
    """Return a refusal whose reason is hostile."""
    return Scripted(status, body=json.dumps({"title": title, "detail": title}))


def item(**fields: object) -> dict[str, object]:
    """Return a setting as the service writes it."""
    return {"key": "k", "value": "v", "label": None, "etag": "e", **fields}


def page(*items: dict[str, object], **more: object) -> Scripted:
    """Return a page of settings."""
    return Scripted(200, headers={"etag": '"p"'}, body=json.dumps({"items": items, **more}))


def reference(uri: str) -> str:
    """Return the text of a Key Vault reference."""
    return json.dumps({"uri": uri})


LISTED: dict[str, Scripted] = {
    "title": problem(HOSTILE),
    "half a character": problem(HALF),
    "title of a 503": problem(HOSTILE, 503),
    "next link": page(item(), **{"@nextLink": "/elsewhere" + HOSTILE}),
    "link header": Scripted(
        200, headers={"link": '</x\x7f>; rel="next"'}, body=json.dumps({"items": [item()]})
    ),
    "key of a reference": page(
        item(key="k" + HOSTILE, label=HALF, value="{}", content_type=VAULT_TYPE)
    ),
    "address": page(
        item(value=reference("https://v" + HOSTILE + "/secrets/x"), content_type=VAULT_TYPE)
    ),
    "host": page(
        item(
            value=reference("https://v\x1b[2J\u202e.vault.azure.net/secrets/x"),
            content_type=VAULT_TYPE,
        )
    ),
    "snapshot": page(
        item(value=json.dumps({"snapshot_name": "s" + HOSTILE}), content_type=SNAPSHOT_REFERENCE)
    ),
    "key of a broken reference": page(
        item(key="k" + HALF, value="{", content_type=SNAPSHOT_REFERENCE)
    ),
}
"""What a listing is answered with."""


WARNED: dict[str, Scripted] = {
    "key of broken JSON": page(
        item(key="k" + HOSTILE, label=HALF, value="{", content_type="application/json")
    ),
    "key of a broken flag": page(
        item(key=".appconfig.featureflag/" + HOSTILE, value="{", content_type=FLAG_TYPE)
    ),
}
"""The same, where it is a warning."""


def answering(answer: Scripted) -> Callable[[Any], Scripted | None]:
    """Answer every listing so, and nothing else."""
    return lambda request: answer if request.target.startswith("/kv?") else None


@pytest.mark.parametrize("place", LISTED)
def test_the_words_of_a_failed_load(
    load: Loader, store: Emulator, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    """However hostile an answer is, what `load()` raises and logs is a plain line."""
    with (
        store.respond(answering(LISTED[place])),
        pytest.raises(Exception) as caught,
        load(
            connection_string=store.connection_string,
            secret_resolver=lambda _: 1 / 0,
            retry_total=0,
            startup_timeout=3,
        ),
    ):
        pass
    fit([str(caught.value), *map(str, getattr(caught.value, "causes", ()))])
    assert all(line.isprintable() for line in logged(caplog))


@pytest.mark.parametrize("place", LISTED)
def test_the_words_of_a_failed_refresh(
    load: Loader,
    store: Emulator,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    place: str,
) -> None:
    """The same answers to a refresh: log, status and callback get a plain line."""
    errors: list[Exception] = []
    with load(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        secret_resolver=lambda _: 1 / 0,
        secret_policy="raise",
        retry_total=0,
        on_refresh_error=errors.append,
    ) as config:
        store.set("sentinel", "2")
        with store.respond(answering(LISTED[place])):
            clock.advance(61)
            assert not config.refresh()
        fit([str(config.status.last_error), repr(config.status)])
    fit(list(map(str, errors)))
    fit(logged(caplog))


@pytest.mark.parametrize("place", list(WARNED))
def test_the_words_of_a_warning(
    load: Loader, store: Emulator, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    """A warning about a setting shows its key and label as a plain line."""
    with (
        store.respond(answering(WARNED[place])),
        load(connection_string=store.connection_string, feature_flag_enabled=True),
    ):
        pass
    fit(logged(caplog))


def test_the_words_of_a_snapshot(load: Loader, store: Emulator) -> None:
    """The status of a snapshot that cannot be used is shown as a plain line."""
    body = json.dumps({"name": "s", "status": HOSTILE, "composition_type": "key"})
    described = Scripted(200, body=body)
    store.set("ref", '{"snapshot_name": "s"}', content_type=SNAPSHOT_REFERENCE)
    with (
        store.respond(lambda one: described if one.target.startswith("/snapshots") else None),
        pytest.raises(ValueError) as caught,
        load(connection_string=store.connection_string),
    ):
        pass
    fit([str(caught.value)])


@pytest.mark.parametrize(
    "answer",
    [
        Scripted(401, headers={"www-authenticate": 'Bearer resource="https://\x1b[2J/x"'}),
        Scripted(401, headers={"www-authenticate": "Bearer \x1b[2J" + "x" * 5000}),
        problem(HOSTILE, 403),
    ],
    ids=["scope", "challenge", "title"],
)
def test_the_words_of_a_vault(load: Loader, store: Emulator, answer: Scripted) -> None:
    """What a vault says, its challenge included, is shown as a plain line."""
    with Vault(clock=FakeClock()) as vault:
        store.set_secret("pw", vault.id("pw"))
        with (
            vault.respond(lambda _: answer),
            pytest.raises(ValueError) as caught,
            load(
                connection_string=store.connection_string,
                keyvault_client_configs={vault.url: {"credential": StaticCredential()}},
                verify=vault.ca_file,
                startup_timeout=0,
            ),
        ):
            pass
    fit([str(caught.value)])


def test_a_reason_phrase_is_not_repeated(load: Loader) -> None:
    """The words behind a status are nobody's orders."""

    def behave(connection: socket.socket, _: threading.Event) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 403 \x1b[2J forged\r\nContent-Length: 0\r\n\r\n")

    with (
        raw_server(behave) as connection_string,
        pytest.raises(Exception) as caught,
        load(connection_string=connection_string, startup_timeout=0, retry_total=0),
    ):
        pass
    fit([str(caught.value)])


@pytest.mark.parametrize(
    "event",
    [
        HOSTILE,
        {"eventType": HOSTILE},
        {"eventType": "Microsoft.AppConfiguration." + HOSTILE, "subject": HOSTILE},
        {
            "eventType": "Microsoft.AppConfiguration.KeyValueModified",
            "subject": f"https://a{HOSTILE}:99999999/kv/x",
            "data": {"syncToken": 5},
        },
        {"eventType": "Microsoft.AppConfiguration.KeyValueModified", "data": HOSTILE},
    ],
)
def test_the_words_of_an_event(load: Loader, store: Emulator, event: Any) -> None:
    """What `notify()` says of something that is no event is a plain line."""
    with load(connection_string=store.connection_string, refresh_on=["sentinel"]) as config:
        try:
            config.provider.notify(event)
        except ValueError as error:
            fit([str(error)])


def test_the_words_of_a_credential(
    load: Loader, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Why a credential gave no token stands in the log, on one line."""
    from azure.core.exceptions import ClientAuthenticationError

    class Ending(StaticCredential):
        ended = False

        def get_token(self, *scopes: str, **options: Any) -> Any:
            if self.ended:
                raise ClientAuthenticationError("AADSTS7000222: the secret has expired" + HOSTILE)
            return super().get_token(*scopes, **options)

    caplog.set_level(logging.WARNING)
    credential = Ending()
    with Emulator(clock=clock, tls=True) as emulator:
        emulator.set("sentinel", "1")
        with load(
            endpoint=emulator.endpoint,
            credential=credential,
            refresh_on=["sentinel"],
            verify=emulator.ca_file,
        ) as config:
            credential.ended = True
            clock.advance(3600)
            with emulator.respond(lambda _: Scripted(401)):
                assert not config.refresh()
    fit(logged(caplog))
    assert "AADSTS7000222" in logged(caplog)[-1]
