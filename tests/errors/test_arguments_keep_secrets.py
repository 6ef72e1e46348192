"""What is said of a wrong argument never repeats what may be a secret."""

from __future__ import annotations

import inspect
import logging
from typing import Any

import pytest

import appconfig_provider
from appconfig_provider import Polling, SettingSelector, WatchKey
from appconfig_provider.testing import StaticCredential
from tests.support.adapter import LOADERS, Loader

SECRET = "bm90IGEgcmVhbCBrZXksIGJ1dCBhcyBsb25n"
STRING = f"Endpoint=https://contoso.azconfig.io;Id=abcd;Secret={SECRET}"
NOBODY = "Endpoint=http://127.0.0.1:9;Id=id;Secret=c2VjcmV0"
VAULT = "https://v.vault.azure.net"

SHAPES: dict[str, Any] = {
    "alone": STRING,
    "bytes": STRING.encode(),
    "key by itself": SECRET,
    "list": [STRING],
    "pair": [(STRING, STRING)],
    "mapping": {STRING: STRING},
    "vault": {VAULT: STRING},
    "credential": {VAULT: {"credential": STRING}},
    "option": {VAULT: {STRING: STRING}},
    "header": {"x-name": STRING + "\n"},
}
KEYWORDS = sorted(set(inspect.signature(appconfig_provider.load).parameters))


@pytest.mark.parametrize("keyword", KEYWORDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_no_wrong_argument_is_repeated(
    keyword: str, shape: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A connection string given to any keyword, in any shape, stands in no error and no log."""
    caplog.set_level(logging.DEBUG)
    # What is checked last is wrong, too, so that nothing is ever sent.
    keywords = {"connection_string": NOBODY, "user_agent": 5, keyword: SHAPES[shape]}
    if keyword == "user_agent":
        keywords["audience"] = 5
    if keyword in {"endpoint", "credential"}:
        del keywords["connection_string"]
        keywords.setdefault("endpoint", "https://contoso.azconfig.io")
    if keyword == "connection_string" and shape == "alone":
        keywords[keyword] = STRING.replace("Id=abcd", "Id=")
    with pytest.raises(Exception) as caught:
        appconfig_provider.load(**keywords).close()
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value)
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "keywords",
    [
        {"key_filter": STRING},
        {"key_filter": STRING.encode()},
        {"key_filter": f"a;Secret={SECRET}*b"},
        {"key_filter": "a", "label_filter": STRING},
        {"snapshot_name": STRING},
        {"key_filter": "a", "tag_filters": [STRING]},
        {"key_filter": "a", "tag_filters": [SECRET]},
    ],
)
def test_a_selector_repeats_no_secret(keywords: dict[str, Any]) -> None:
    """A connection string is no filter: it would be sent in a URL, which servers write down."""
    with pytest.raises((TypeError, ValueError)) as caught:
        SettingSelector(**keywords)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "refresh_on",
    [
        pytest.param(STRING, id="alone"),
        [STRING],
        WatchKey(STRING),
        [("a", STRING)],
        [STRING + "*"],
        [STRING.encode()],
    ],
)
def test_a_watched_key_repeats_no_secret(load: Loader, refresh_on: Any) -> None:
    """A connection string is no key to watch: it would be sent in a URL."""
    with (
        pytest.raises((TypeError, ValueError)) as caught,
        load(connection_string=NOBODY, user_agent=5, refresh_on=refresh_on),
    ):
        pass
    assert "refresh_on" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("configs", "said"),
    [
        (
            {VAULT: "hunter2"},
            f"keyvault_client_configs['{VAULT}'] takes {{\"credential\": ...}}, not str",
        ),
        pytest.param(
            {VAULT: StaticCredential()},
            f"keyvault_client_configs['{VAULT}'] takes {{\"credential\": ...}}, "
            "not StaticCredential",
        ),
        pytest.param(
            {VAULT: {"credential": "hunter2"}},
            f"keyvault_client_configs['{VAULT}']: the credential must have get_token(), as those "
            "of azure.identity do; str has not",
        ),
        (VAULT, 'keyvault_client_configs takes {vault_url: {"credential": ...}}, not str'),
        pytest.param(
            {b"https://v.vault.azure.net": {}},
            'keyvault_client_configs takes {vault_url: {"credential": ...}}; a vault_url is a '
            "str, not bytes",
        ),
    ],
)
@pytest.mark.parametrize("way", ["keyword", "options"])
def test_client_configs_say_what_to_write(load: Loader, way: str, configs: Any, said: str) -> None:
    """What is no mapping from vaults to credentials is a TypeError that says what to write."""
    options = appconfig_provider.AzureAppConfigurationKeyVaultOptions
    given = (
        {"keyvault_client_configs": configs}
        if way == "keyword"
        else {"key_vault_options": options(client_configs=configs)}
    )
    with pytest.raises(TypeError) as caught, load(connection_string=NOBODY, user_agent=5, **given):
        pass
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("keyword", "wrong", "reported"),
    [
        ("refresh_interval", "30", "'30'"),
        ("refresh_interval", "30 s", "'30 s'"),
        ("retry_total", 2.5, "2.5"),
        ("retry_total", True, "True"),
        ("consistency", "point-in-time", "'point-in-time'"),
        ("secret_policy", "hunter2", "a str of 7 characters"),
        ("polling", 30, "30"),
        ("polling", Polling, "a type"),
        ("validate", {}, "a dict"),
        ("refresh_enabled", [], "a list"),
        ("startup_timeout", Exception(), "an Exception"),
        ("refresh_interval", "", "''"),
        pytest.param("retry_total", -(10**5000), "a very large int", id="huge"),
    ],
)
def test_numbers_and_plain_words_are_repeated(keyword: str, wrong: Any, reported: str) -> None:
    """What cannot be a secret is repeated, and everything else named by its type and length."""
    with pytest.raises((TypeError, ValueError)) as caught:
        appconfig_provider.load(connection_string=NOBODY, **{keyword: wrong})
    assert reported in str(caught.value)
    assert keyword in str(caught.value)


def test_both_providers_check_the_same() -> None:
    """The keywords of the table are those of both providers."""
    assert set(LOADERS) == {"sync", "aio"}
    other = inspect.signature(appconfig_provider.aio.load).parameters
    assert set(other) == set(KEYWORDS)
