"""A log line says which of the user's functions raised, on what, what and where; never the text."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest

from appconfig_provider import ConfigurationSetting, ConfigurationSnapshot
from appconfig_provider.errors import KeyVaultReferenceError
from appconfig_provider.testing import Emulator, FakeClock, Vault
from tests.support.adapter import LOADERS, Loader
from tests.support.content import secret, secret_id

PLANTED = "planted-value"


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """Give a store with a reference and a sentinel."""
    with Emulator(clock=clock) as emulator:
        emulator.set_many({"a": PLANTED, "sentinel": "1"})
        emulator.set_secret("pw", secret_id("pw"))
        yield emulator


class Moody:
    """Functions of the user that work until they are told to raise."""

    raises = False

    def fail(self) -> None:
        """Raise what quotes a value, once it is time to."""
        if self.raises:
            raise ZeroDivisionError(PLANTED)

    def check(self, _: ConfigurationSnapshot) -> None:
        """Be a `validate`."""
        self.fail()

    def shape(self, setting: ConfigurationSetting) -> None:
        """Be a mapper."""
        if setting.key == "a":
            self.fail()

    def resolve(self, _uri: str) -> str:
        """Be a resolver."""
        self.fail()
        return "secret"

    async def resolve_later(self, uri: str) -> str:
        """Be a resolver of the aio provider."""
        return self.resolve(uri)


def keywords(store: Emulator, **more: Any) -> dict[str, Any]:
    """Return what these tests load with."""
    return {
        "connection_string": store.connection_string,
        "refresh_on": ["sentinel"],
        "secret_resolver": lambda _: "secret",
        "secret_policy": "raise",
        **more,
    }


def failed_refresh(
    load: Loader, store: Emulator, clock: FakeClock, moody: Moody, given: dict[str, Any]
) -> Exception | None:
    """Refresh with functions that raise; return the error that is kept of it."""
    with load(**given) as config:
        moody.raises = True
        store.set("sentinel", "2")
        clock.advance(61)
        config.refresh()
        return config.status.last_error


def line_of(caplog: pytest.LogCaptureFixture) -> str:
    """Return the one warning."""
    (line,) = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert PLANTED not in line
    assert line.isprintable()
    return line


def test_a_refusal_by_validate_says_so(
    load: Loader, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """What was refused, by whom, and what is served."""
    moody = Moody()
    error = failed_refresh(load, store, clock, moody, keywords(store, validate=moody.check))
    line = line_of(caplog)
    beginning = "configuration not refreshed: validate refused the new one, the old one stays: "
    assert line.startswith(f"{beginning}ZeroDivisionError raised at {__file__}:")
    assert "in check" in line
    assert type(error) is ZeroDivisionError
    assert str(error) == PLANTED


def test_a_mapper_that_raises_is_reported_with_its_setting(
    load: Loader, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The key and the label of the setting that it was shown."""
    moody, given = Moody(), keywords(store)
    store.set("a", PLANTED, label="x")
    given |= {"configuration_mapper": moody.shape, "selects": [_with_label("x")]}
    failed_refresh(load, store, clock, moody, given)
    beginning = "configuration_mapper failed on setting 'a' (label 'x'): ZeroDivisionError"
    assert line_of(caplog).startswith(f"configuration not refreshed: {beginning} raised at ")


def _with_label(label: str) -> Any:
    from appconfig_provider import SettingSelector

    return SettingSelector(key_filter="*", label_filter=label)


@pytest.mark.parametrize("policy", ["raise", "keep_last", "omit"])
def test_a_resolver_that_raises_is_reported_with_its_place(
    load: Loader, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture, policy: str
) -> None:
    """In the warning and in the public error, under every policy."""
    moody = Moody()
    given = keywords(store, secret_resolver=moody.resolve, secret_policy=policy)
    error = failed_refresh(load, store, clock, moody, given)
    expected = f": secret_resolver: ZeroDivisionError raised at {__file__}:"
    assert expected in line_of(caplog)
    assert isinstance(error, KeyVaultReferenceError)
    assert expected in str(error)
    assert PLANTED not in str(error)


def test_an_async_resolver_that_raises_is_reported_with_its_place(
    store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where it was awaited."""
    moody = Moody()
    given = keywords(store, secret_resolver=moody.resolve_later)
    failed_refresh(LOADERS["aio"], store, clock, moody, given)
    assert f"secret_resolver: ZeroDivisionError raised at {__file__}:" in line_of(caplog)
    assert "in resolve_later" in line_of(caplog)


def test_a_first_load_tells_where_a_resolver_raised(load: Loader, store: Emulator) -> None:
    """The error of `load()` names type and place, and is chained to the exception itself."""
    moody = Moody()
    moody.raises = True
    given = keywords(store, secret_resolver=moody.resolve)
    with pytest.raises(KeyVaultReferenceError) as caught, load(**given):
        pass
    assert f"secret_resolver: ZeroDivisionError raised at {__file__}:" in str(caught.value)
    assert PLANTED not in str(caught.value)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


class _Broken:
    """A credential that gives no token."""

    def get_token(self, *_scopes: str, **_more: Any) -> NoReturn:
        raise ZeroDivisionError(PLANTED)


def test_a_credential_for_a_vault_that_raises_is_reported_with_its_place(store: Emulator) -> None:
    """Who was asked for a token, and where that failed."""
    with Vault() as vault:
        secret(store, vault, "pw", "value")
        given = keywords(store) | {"secret_resolver": None, "verify": vault.ca_file}
        given["keyvault_client_configs"] = {vault.url: {"credential": _Broken()}}
        with pytest.raises(KeyVaultReferenceError) as caught, LOADERS["sync"](**given):
            pass
    expected = f"the credential for Key Vault: ZeroDivisionError raised at {__file__}:"
    assert expected in str(caught.value)
    assert PLANTED not in str(caught.value)
