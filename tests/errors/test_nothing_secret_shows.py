"""Law 12: what is planted where secrets live is never told to anybody."""

from __future__ import annotations

import base64
import gc
import logging
import math
import traceback
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any

import pytest

import appconfig_provider
from appconfig_provider import ChangeSet, ConfigurationSetting, load
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider.emulator import AccessKey
from appconfig_provider.errors import AzureError
from appconfig_provider.testing import Emulator, FakeClock, Scripted, StaticCredential, Vault
from tests.support.adapter import Loader
from tests.support.content import (
    FLAG_PREFIX,
    FLAG_TYPE,
    SNAPSHOT_REFERENCE,
    VAULT_TYPE,
    Resolver,
    secret_id,
    set_flag,
)

KEY = base64.b64encode(b"planted-access-key").decode()
CONTAINERS = (dict, list, tuple, set, frozenset, deque, partial, MethodType, CellType)
PLANTED = (KEY, "planted-access-key", "planted-token", "planted-secret", "planted-value")


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """A store whose access key is planted."""
    with Emulator(clock=clock, access_keys=[AccessKey("id", KEY)]) as emulator:
        yield emulator


@pytest.fixture
def vault(clock: FakeClock) -> Iterator[Vault]:
    """A vault that takes the planted token and holds the planted secret."""
    with Vault(clock=clock) as emulated:
        emulated.tokens.add("planted-token")
        emulated.set("pw", "planted-secret")
        yield emulated


@pytest.fixture
def all_records(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Everything that is logged, by us and by the libraries below us."""
    caplog.set_level(logging.DEBUG)
    return caplog


def vault_keywords(vault: Vault) -> dict[str, Any]:
    """Return how to read from the vault with the planted token."""
    credential = StaticCredential("planted-token")
    return {
        "keyvault_client_configs": {vault.url: {"credential": credential}},
        "verify": vault.ca_file,
    }


def found_in(text: str) -> list[str]:
    """Return what is planted in a text."""
    return [planted for planted in PLANTED if planted in text]


def held_by(root: object) -> list[object]:
    """Return the objects of the client that one leads to, by whatever attribute or closure."""
    seen: dict[int, object] = {}
    waiting = [root]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type | ModuleType):
            continue
        seen[id(one)] = one
        if isinstance(one, FunctionType):
            waiting += one.__closure__ or ()
        elif isinstance(one, CONTAINERS) or is_of_the_client(one):
            waiting += gc.get_referents(one)
    return [one for one in seen.values() if is_of_the_client(one)]


def is_of_the_client(one: object) -> bool:
    """Tell whether an object is made by the client, and not by what the tests bring along."""
    module = type(one).__module__
    return module.startswith("appconfig_provider.") and ".testing." not in module


def whole(error: BaseException) -> str:
    """Return an exception with its traceback and chain, in words and as it was made."""
    parts = ["".join(traceback.format_exception(error))]
    link: BaseException | None = error
    while link is not None:
        parts += [repr(link), str(link), repr(link.args)]
        link = link.__cause__ or link.__context__
    return "\n".join(parts)


def logged(records: list[logging.LogRecord]) -> str:
    """Return all that a formatter could print of log records."""
    format_exception = logging.Formatter().formatException
    return "\n".join(
        f"{record.getMessage()} {record.args!r} "
        + (format_exception(record.exc_info) if record.exc_info else "")
        for record in records
        if not record.name.startswith(("uvicorn", "hypothesis"))
    )


def test_a_healthy_life_tells_nothing(
    load: Loader,
    store: Emulator,
    vault: Vault,
    clock: FakeClock,
    all_records: pytest.LogCaptureFixture,
) -> None:
    """Load, reload, rotation: no log record, repr, status or change set holds a planted text."""
    store.set_secret("pw", vault.id("pw"))
    store.set("a", "planted-value")
    set_flag(store, "beta")
    news: list[ChangeSet] = []
    with load(
        connection_string=store.connection_string,
        refresh_enabled=True,
        secret_refresh_interval=60,
        feature_flag_enabled=True,
        on_refresh_success=news.append,
        **vault_keywords(vault),
    ) as config:
        assert config.snapshot["pw"] == "planted-secret"
        vault.set("pw", "planted-secret-2")
        store.set("a", "planted-value-2")
        store.set("b", "planted-value-3")
        clock.advance(60)
        assert config.refresh()
        assert config.snapshot["pw"] == "planted-secret-2"
        shown = f"{config.snapshot!r} {config.status!r} {news!r} {config.snapshot}"
    assert found_in(shown) == []
    assert found_in(logged(all_records.records)) == []


def test_no_repr_holds_a_secret(store: Emulator, vault: Vault) -> None:
    """The reprs of provider, snapshot, options, context, driver and all the rest tell nothing."""
    store.set_secret("pw", vault.id("pw"))
    store.set("a", "planted-value")
    with load(connection_string=store.connection_string, **vault_keywords(vault)) as config:
        held = held_by(config)
        kinds = {type(one).__name__ for one in held}
        assert kinds >= {"Context", "Options", "Endpoints", "State", "SyncDriver", "Tokens"}
        for one in (*held, config.status):
            assert found_in(f"{one!r} {one}") == []


def test_no_repr_of_options_holds_a_credential() -> None:
    """Options made with keys, tokens and resolvers can be printed."""
    options = Keywords(
        connection_string=f"Endpoint=https://a.azconfig.io;Id=id;Secret={KEY}",
        headers={"X-Key": "planted-token"},
        proxy="http://user:planted-value@proxy:8080",
        keyvault_credential=StaticCredential("planted-token"),
    ).checked()
    assert found_in(f"{options!r} {options}") == []


BROKEN: dict[str, tuple[str, str]] = {
    "reference without JSON": ("planted-value", VAULT_TYPE),
    "reference elsewhere": ('{"uri": "https://h/planted-value"}', VAULT_TYPE),
    "snapshot reference": ("planted-value", SNAPSHOT_REFERENCE),
    "nothing to resolve with": (
        f'{{"uri": "{secret_id("pw")}", "x": "planted-value"}}',
        VAULT_TYPE,
    ),
}


@pytest.mark.parametrize("kind", list(BROKEN))
def test_a_broken_setting_is_reported_without_its_text(
    load: Loader, store: Emulator, all_records: pytest.LogCaptureFixture, kind: str
) -> None:
    """A load that fails over a setting names the key and never repeats the text."""
    text, content_type = BROKEN[kind]
    store.set("broken", text, content_type=content_type)
    with (
        pytest.raises((AzureError, ValueError)) as caught,
        load(connection_string=store.connection_string),
    ):
        pass
    assert "'broken'" in str(caught.value)
    assert found_in(whole(caught.value)) == []
    assert found_in(logged(all_records.records)) == []


def test_a_warning_about_a_setting_has_no_text(
    load: Loader, store: Emulator, all_records: pytest.LogCaptureFixture
) -> None:
    """Broken JSON and a broken flag are warned of by key, without their text."""
    store.set("json", '{"a": planted-value', content_type="application/json")
    store.set(FLAG_PREFIX + "f", '{"a": planted-value', content_type=FLAG_TYPE)
    with load(connection_string=store.connection_string, feature_flag_enabled=True):
        pass
    warned = [record for record in all_records.records if record.levelno == logging.WARNING]
    assert len(warned) == 2
    assert found_in(logged(all_records.records)) == []


def test_a_mapper_that_errs_is_reported_without_the_text(load: Loader, store: Emulator) -> None:
    """A mapper that makes a value of the wrong type is told so by key and type."""
    store.set("a", "planted-value")

    def err(setting: ConfigurationSetting) -> None:
        setting.value = {"a": setting.value}  # type: ignore[assignment]  # the user's mistake

    with (
        pytest.raises(TypeError) as caught,
        load(connection_string=store.connection_string, configuration_mapper=err),
    ):
        pass
    assert found_in(whole(caught.value)) == []


@pytest.mark.parametrize(
    "answer",
    [
        Scripted(403, body='{"error": {"message": "planted-secret"}}'),
        Scripted(200, body='{"value": "planted-secret"'),
        Scripted(200, body='{"value": ["planted-secret"]}'),
        Scripted(200, body='"planted-secret"'),
        Scripted(302, headers={"location": "https://h/planted-secret"}),
        Scripted(cut_after=20),
    ],
    ids=["403", "half", "list", "text", "redirect", "cut"],
)
def test_a_vault_that_errs_is_reported_without_the_secret(
    load: Loader,
    store: Emulator,
    vault: Vault,
    all_records: pytest.LogCaptureFixture,
    answer: Scripted,
) -> None:
    """Whatever a vault answers, neither the secret nor the token is in the error or the log."""
    store.set_secret("pw", vault.id("pw"))
    with (
        vault.respond(lambda record: answer if "authorization" in record.headers else None),
        pytest.raises(AzureError) as caught,
        load(connection_string=store.connection_string, startup_timeout=0, **vault_keywords(vault)),
    ):
        pass
    assert found_in(whole(caught.value)) == []
    messages = [record for record in all_records.records if not record.name.startswith("httpcore")]
    assert found_in(logged(messages)) == []


def test_a_refused_key_is_reported_without_it(
    load: Loader, store: Emulator, all_records: pytest.LogCaptureFixture
) -> None:
    """A 401 of the store shows neither the access key nor the signature's input."""
    with (
        store.respond(lambda _: Scripted(401)),
        pytest.raises(AzureError) as caught,
        load(connection_string=store.connection_string),
    ):
        pass
    assert found_in(whole(caught.value)) == []
    assert found_in(logged(all_records.records)) == []


def test_a_failed_refresh_tells_nothing(
    load: Loader, store: Emulator, clock: FakeClock, all_records: pytest.LogCaptureFixture
) -> None:
    """Errors of a refresh, in the log, in `last_error` and in the callback, hold no secret."""
    store.set_secret("pw", secret_id("pw"))
    store.set("sentinel", "planted-value")
    secrets = Resolver(pw="planted-secret")
    errors: list[Exception] = []
    with load(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        secret_resolver=secrets,
        secret_refresh_interval=60,
        secret_policy="raise",
        on_refresh_error=errors.append,
    ) as config:
        secrets.values.clear()
        clock.advance(60)
        assert not config.refresh()
        with store.respond(lambda _: Scripted(403)):
            clock.advance(60)
            assert not config.refresh()
        assert found_in(repr(config.status)) == []
    assert len(errors) == 2
    assert found_in("".join(map(whole, errors))) == []
    assert found_in(logged(all_records.records)) == []


@pytest.mark.parametrize(
    "text",
    [f"Endpoint=h;Id=id;Secret={KEY}", f"Secret={KEY}", f"Endpoint=https://h;Id=i;Secret=={KEY}"],
)
def test_a_wrong_connection_string_is_not_repeated(load: Loader, text: str) -> None:
    """An argument error about a connection string does not repeat it, wherever it was given."""
    for keywords in (
        {"connection_string": text},
        {"endpoint": text, "credential": StaticCredential()},
        {"connection_string": "Endpoint=https://h;Id=i;Secret=eA==", "replicas": [text]},
    ):
        with suppress(TypeError), pytest.raises(ValueError) as caught, load(**keywords):
            pass
        assert found_in(whole(caught.value)) == []


def test_no_repr_holds_what_replicas_or_headers_hold(store: Emulator) -> None:
    """Connection strings among `replicas`, and headers, stay out of the reprs."""
    replica = "Endpoint=https://b.azconfig.io;Id=i;Secret=cGxhbnRlZA=="
    options = Keywords(
        connection_string="Endpoint=https://a.azconfig.io;Id=i;Secret=eA==", replicas=[replica]
    ).checked()
    assert "cGxhbnRlZA" not in repr(options)
    with appconfig_provider.load(
        connection_string=store.connection_string, headers={"X-Key": "planted"}
    ) as config:
        held = held_by(config)
        assert "Context" in {type(one).__name__ for one in held}
        assert [one for one in held if "planted" in repr(one)] == []


def test_no_repr_of_the_state_shows_a_value() -> None:
    """Tools that print local variables print the state; a rejected generation is no exception."""
    with Emulator() as store:
        store.set_many({"k": "hush-1", "sentinel": "1"})
        with load(
            connection_string=store.connection_string,
            refresh_on=["sentinel"],
            validate=lambda snapshot: math.log(snapshot["k"] == "hush-1"),
        ) as config:
            store.set_many({"k": "hush-22", "sentinel": "2"})
            config.refresh(force=True)
            held = held_by(config)
            kinds = {type(one).__name__ for one in held}
            assert kinds >= {"State", "Rejected", "ConfigurationSnapshot"}
            assert [one for one in held if "hush" in repr(one)] == []
