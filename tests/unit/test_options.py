"""The keywords of `load()`: what is accepted, what is refused, and in which words."""

from __future__ import annotations

import copy
import inspect
import math
import ssl
from collections.abc import Callable, Iterable
from dataclasses import FrozenInstanceError
from fractions import Fraction
from operator import attrgetter
from typing import Any, cast

import pytest

import appconfig_provider
import appconfig_provider.aio
from appconfig_provider import Overrides, Polling, SettingSelector, WatchKey, load
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.options import NetworkOptions, Options
from appconfig_provider._azure.rest.requests import list_target
from appconfig_provider.models import AccessKey
from appconfig_provider.selectors import NO_LABEL

STORE = "Endpoint=http://127.0.0.1:1;Id=i;Secret=c2VjcmV0"
REPLICA = "Endpoint=http://127.0.0.1:2;Id=r;Secret=cmVwbGljYQ=="
HTTPS = "https://contoso.azconfig.io"

KEYWORDS = tuple(inspect.signature(load).parameters)
WHICH_STORE = ("endpoint", "credential", "connection_string")
LISTS = ("selects", "trim_prefixes", "refresh_on", "replicas")
SECONDS = ("refresh_interval", "startup_timeout", "connect_timeout", "read_timeout")


class Credential:
    """What counts is get_token()."""

    def get_token(self, *scopes: str) -> None: ...


def options(**keywords: Any) -> Options:
    """Check keywords of `load()`, with a store to load from unless they name one."""
    if not keywords.keys() & WHICH_STORE:
        keywords["connection_string"] = STORE
    return Keywords(**keywords).checked()


def load_nowhere(**keywords: Any) -> None:
    """Call `load()` with wrong keywords; nobody listens where it would ask."""
    if not keywords.keys() & WHICH_STORE:
        keywords["connection_string"] = STORE
    load(**{"startup_timeout": 0, **keywords}).close()


# Which store


def test_a_connection_string_names_the_store_and_its_key() -> None:
    """The endpoint and the decoded access key come from the connection string."""
    (store,) = options(connection_string=STORE).store.endpoints
    assert store.url == "http://127.0.0.1:1"
    assert store.access_key == AccessKey("i", b"secret")


@pytest.mark.parametrize(
    "written",
    [
        "https://contoso.azconfig.io",
        "https://contoso.azconfig.io/",
        "HTTPS://Contoso.AzConfig.io",
        "https://contoso.azconfig.io:443",
        " https://contoso.azconfig.io ",
    ],
)
def test_an_endpoint_has_one_form(written: str) -> None:
    """Case, a closing slash, blanks and the default port make no other endpoint."""
    (store,) = options(endpoint=written, credential=Credential()).store.endpoints
    assert store.url == HTTPS
    assert store.access_key is None


def test_an_endpoint_may_be_an_ipv6_address_with_a_port() -> None:
    """Brackets and ports that are not the default stay."""
    string = STORE.replace("127.0.0.1:1", "[::1]:8483")
    assert options(connection_string=string).store.endpoints[0].url == "http://[::1]:8483"


@pytest.mark.parametrize(
    "keywords",
    [
        {"connection_string": None},
        {"connection_string": STORE, "endpoint": HTTPS},
        {"connection_string": STORE, "credential": Credential()},
        {"credential": Credential()},
        {"endpoint": "contoso", "credential": Credential()},
        {"endpoint": "ftp://contoso.azconfig.io", "credential": Credential()},
        {"endpoint": "https://contoso.azconfig.io/kv", "credential": Credential()},
        {"endpoint": "https://contoso.azconfig.io:x", "credential": Credential()},
        {"endpoint": "", "credential": Credential()},
    ],
)
def test_a_store_is_named_in_exactly_one_way(keywords: dict[str, Any]) -> None:
    """Both ways, none, or an endpoint that is none: a ValueError that shows how to write one."""
    with pytest.raises(ValueError, match=r"https://|not both"):
        load_nowhere(**keywords)


def test_a_token_does_not_travel_over_plain_http() -> None:
    """A credential with an http endpoint, or an http replica, is a ValueError that says so."""
    for keywords in ({"endpoint": "http://x.io"}, {"endpoint": HTTPS, "replicas": ["http://y.io"]}):
        with pytest.raises(ValueError, match="https"):
            load_nowhere(credential=Credential(), **keywords)


def test_replicas_follow_the_store_in_their_order() -> None:
    """Replicas are endpoints with the store's key, or connection strings with their own."""
    stores = options(replicas=["http://127.0.0.1:3", REPLICA]).store.endpoints
    assert [store.url[-1] for store in stores] == ["1", "3", "2"]
    assert [store.access_key and store.access_key.id for store in stores] == ["i", "i", "r"]


@pytest.mark.parametrize(
    "replicas", [[STORE], ["http://127.0.0.1:1/"], [REPLICA, "http://127.0.0.1:2"]]
)
def test_an_endpoint_given_twice_is_refused(replicas: list[str]) -> None:
    """A replica that is the store, or another replica, is a ValueError that names it."""
    with pytest.raises(ValueError, match=r"replicas: http://127\.0\.0\.1:\d is given twice"):
        load_nowhere(replicas=replicas)


def test_a_missing_connection_string_asks_for_the_environment() -> None:
    """`os.environ.get()` gives None for a variable that is not set; the error asks for it."""
    with pytest.raises(ValueError, match=r"is the environment variable set\?"):
        options(connection_string=None)


def test_numbers_belong_to_automatic_polling() -> None:
    """`Polling(interval=60)` would check by hand, which nobody who writes it wants."""
    with pytest.raises(ValueError, match=r"Polling\.auto"):
        Polling(interval=60)
    with pytest.raises(ValueError, match=r"Polling\.auto"):
        Polling(on_read=True, init_wait=60)


def test_a_ttl_takes_the_place_of_the_refresh_interval() -> None:
    """`Polling.lazy(ttl)` is what all timers without a number of their own are armed with."""
    lazy = options(refresh_on=["s"], polling=Polling.lazy(5)).refresh
    assert (lazy.on_read, lazy.polls, lazy.interval) == (True, False, 5.0)
    flags = {"feature_flag_enabled": True, "feature_flag_refresh_enabled": True}
    assert options(polling=Polling.lazy(5), **flags).refresh.flag_interval == 5.0
    own = options(polling=Polling.lazy(5), feature_flag_refresh_interval=7, **flags)
    assert own.refresh.flag_interval == 7.0


def test_a_ttl_and_an_interval_exclude_each_other() -> None:
    """Which of two numbers counts nobody has to guess; the default is no number that was given."""
    for interval in (10, 31.0, 3600):
        with pytest.raises(ValueError, match=r"Polling\.lazy\(ttl\).*refresh_interval"):
            options(refresh_on=["s"], polling=Polling.lazy(5), refresh_interval=interval)
    for default in (None, 30, 30.0):
        told = options(refresh_on=["s"], polling=Polling.lazy(5), refresh_interval=default)
        assert told.refresh.interval == 5.0


def test_reads_and_a_poller_exclude_each_other() -> None:
    """Nobody makes a `Polling` of both kinds, not even by hand."""
    with pytest.raises(ValueError, match="exclude each other"):
        Polling(automatic=True, on_read=True)


@pytest.mark.parametrize("polling", [Polling.auto(), Polling.lazy(5)])
def test_polling_needs_something_to_check(polling: Polling) -> None:
    """Both kinds say so in the same words, with what to pass."""
    kind = r"auto\(\)" if polling.automatic else r"lazy\(ttl\)"
    words = rf"polling=Polling\.{kind} has nothing to check; pass refresh_on=\[\.\.\.\]"
    for watched in ({}, {"refresh_on": ["s"], "refresh_enabled": False}):
        with pytest.raises(ValueError, match=words):
            options(polling=polling, **watched)
    assert options(polling=polling, refresh_enabled=True).watches_anything


# Wrong types and wrong values

WRONG_TYPES: dict[str, list[object]] = {
    "endpoint": [5, b"https://contoso.azconfig.io", ["https://contoso.azconfig.io"]],
    "credential": ["key", 5, 5.0],
    "connection_string": [5, STORE.encode(), [STORE]],
    "selects": ["*", b"*", 5, ["*"], [None], [("*", "prod")], SettingSelector(key_filter="*")],
    "trim_prefixes": ["app/", b"app/", 5, [None], [b"app/"], [["app/"]]],
    "refresh_on": [b"s", 5, [5], [None], [("a", "b", "c")], [("a", 5)], [["a", "b"]]],
    "refresh_interval": ["30", True, [30], Fraction(30)],
    "on_refresh_success": ["print", 5, [5], [print, None]],
    "on_refresh_error": ["print", 5, [5], [print, None]],
    "replicas": [HTTPS, 5, [5], [None], [HTTPS.encode()]],
    "replica_discovery_enabled": [1, "yes"],
    "load_balancing_enabled": [1, "yes"],
    "consistency": [],
    "polling": [True, "auto", 30, Polling, Polling.lazy, Polling.lazy(cast("float", "30"))],
    "overrides": [{"a": 1}, "dev.json", 5, [{"a": 1}], Overrides],
    "cache": ["copy.json", b"copy.json", 5, {"path": "copy.json"}],
    "optional": [1, "yes"],
    "push_delay": ["30", True],
    "startup_timeout": ["100", True, [100]],
    "headers": [{"a": 5}, {5: "a"}, {"a": None}, [("a", "b")], "a: b"],
    "audience": [5],
    "user_agent": [5, b"agent"],
    "proxy": [5],
    "verify": [5, 1.0],
    "keyvault_credential": ["key", 5],
    "keyvault_client_configs": [{"https://v.vault.azure.net": {"retry_total": 3}}],
    "secret_resolver": ["resolve", 5],
    "key_vault_options": ["options", 5],
    "secret_refresh_interval": ["60", True],
    "secret_policy": [],
    "refresh_enabled": [1, "yes"],
    "feature_flag_enabled": [1, "yes"],
    "feature_flag_selectors": ["*", [None]],
    "feature_flag_refresh_enabled": [1],
    "feature_flag_refresh_interval": ["30"],
    "configuration_mapper": ["map", 5],
    "validate": ["check", 5],
    "connect_timeout": ["10", False],
    "read_timeout": ["10", True],
    "retry_total": ["2", 2.0, True],
}

WRONG_VALUES: dict[str, list[object]] = {
    "refresh_on": [
        "",
        "a*",
        WatchKey("a*"),
        ["a*"],
        [""],
        [("a", "p*")],
        [("a", "p,q")],
        [WatchKey("*")],
        [("", "l")],
    ],
    "refresh_interval": [0, 0.99, -1, math.nan, math.inf, -math.inf, 10**400],
    "startup_timeout": [-1, -0.001, math.nan, math.inf],
    "connect_timeout": [0, -1, math.nan, math.inf],
    "read_timeout": [0, -1, math.nan, math.inf],
    "retry_total": [-1],
    "headers": [
        {"a": "b\r\nc: d"},
        {"a\n": "b"},
        {"a": "\0"},
        {"a b": "c"},
        {"x": "\u00e9"},
        {"Host": "x"},
        {"Content-Length": "5"},
        {"If-None-Match": "*"},
        {"Authorization": "x"},
    ],
    "audience": ["", "\u00e9"],
    "user_agent": ["a\r\nb"],
    "proxy": ["nonsense", "http://a b"],
    "verify": ["/no/such/file"],
    "secret_policy": ["ignore", ""],
    "consistency": ["eventual", "", 5],
    "polling": [Polling.auto(0.5), Polling.auto(init_wait=-1), Polling.auto(), Polling.lazy(0.9)],
    "push_delay": [-1, math.nan, math.inf],
    "secret_refresh_interval": [0],
    "feature_flag_refresh_interval": [0.5],
    "keyvault_client_configs": [{"http://v.vault.azure.net": {}}],
    "replicas": [["contoso"], [""], ["https://"], ["Endpoint=x;Id=a;Secret=b"]],
}


def rows(table: dict[str, list[object]]) -> list[Any]:
    return [
        pytest.param(keyword, wrong, id=f"{keyword}-{wrong!r:.40}")
        for keyword, several in table.items()
        for wrong in several
    ]


@pytest.mark.parametrize(("keyword", "wrong"), rows(WRONG_TYPES))
def test_a_wrong_type_is_reported_by_the_name_of_its_keyword(keyword: str, wrong: object) -> None:
    """An argument of a wrong type is a TypeError that names the keyword."""
    store = {"endpoint": HTTPS} if keyword == "credential" else {}
    with pytest.raises(TypeError, match=keyword):
        load_nowhere(**{keyword: wrong}, **store)


@pytest.mark.parametrize(("keyword", "wrong"), rows(WRONG_VALUES))
def test_a_wrong_value_is_reported_by_the_name_of_its_keyword(keyword: str, wrong: object) -> None:
    """An argument of the right type that makes no sense is a ValueError about the keyword."""
    with pytest.raises(ValueError, match=rf"{keyword}|connection_string"):
        load_nowhere(**{keyword: wrong})


@pytest.mark.parametrize("keyword", SECONDS)
def test_a_number_of_seconds_out_of_range_is_answered_with_the_least(keyword: str) -> None:
    """What to write instead stands in the message: the least number of seconds."""
    with pytest.raises(ValueError, match=rf"{keyword} must be a number of seconds from [\d.]+"):
        load_nowhere(**{keyword: -5})


@pytest.mark.parametrize("keyword", ["select", "refresh_intervall", "Endpoint", "logging_enable"])
def test_a_misspelt_keyword_is_refused(keyword: str) -> None:
    """A keyword that does not exist is a TypeError that names it."""
    with pytest.raises(TypeError, match=keyword):
        load_nowhere(connection_string=STORE, **{keyword: None})


def test_everything_after_the_credential_is_keyword_only() -> None:
    """A third positional argument is a TypeError."""
    with pytest.raises(TypeError, match="positional"):
        load(HTTPS, Credential(), STORE)  # type: ignore[call-arg,arg-type]


# What is accepted


@pytest.mark.parametrize("keyword", [name for name in KEYWORDS if name not in WHICH_STORE])
def test_none_is_the_default_of_every_keyword(keyword: str) -> None:
    """`None` written out reads like the keyword left out."""
    assert options(**{keyword: None}) == options()


@pytest.mark.parametrize("keyword", WHICH_STORE)
def test_none_for_a_part_of_the_store_is_as_if_left_out(keyword: str) -> None:
    """`endpoint=None` beside a connection string, and the other way round, is no conflict."""
    for named in ({"connection_string": STORE}, {"endpoint": HTTPS}):
        assert options(**{keyword: None, **named}) == options(**named)


def test_the_defaults_are_those_of_the_documentation() -> None:
    """Every key without label, nothing watched, 30 s, 100 s, 10 s and 10 s, two retries."""
    checked = options()
    assert checked.selection.settings == (SettingSelector(key_filter="*", label_filter=NO_LABEL),)
    assert (checked.selection.prefixes, checked.refresh.watch) == ((), ())
    assert checked.network.headers == ()
    assert (checked.refresh.interval, checked.startup.seconds) == (30.0, 100.0)
    assert checked.network == NetworkOptions(
        connect_timeout=10.0,
        read_timeout=10.0,
        retries=2,
        proxy=None,
        tls=True,
        audience=None,
        user_agent=None,
        headers=(),
    )


CONTAINERS: list[Callable[[list[Any]], Iterable[Any]]] = [
    list,
    tuple,
    iter,
    lambda items: (item for item in items),
    lambda items: dict.fromkeys(items).keys(),
]
ENTRIES: dict[str, tuple[str, list[Any]]] = {
    "selects": ("selection.settings", [SettingSelector(key_filter=key) for key in "ab"]),
    "trim_prefixes": ("selection.prefixes", ["app/", "b/"]),
    "refresh_on": ("refresh.watch", [WatchKey("a"), WatchKey("a", "prod")]),
    "replicas": ("store.endpoints", [REPLICA, "http://127.0.0.1:3"]),
    "on_refresh_success": ("callbacks.success", [print, repr]),
    "on_refresh_error": ("callbacks.error", [print, repr]),
}


@pytest.mark.parametrize("make", CONTAINERS)
@pytest.mark.parametrize("keyword", ENTRIES)
def test_a_list_argument_may_be_any_iterable(
    keyword: str, make: Callable[[list[Any]], Iterable[Any]]
) -> None:
    """Lists, tuples, iterators, generators and views are read alike, once."""
    derived, entries = ENTRIES[keyword]
    expected = attrgetter(derived)(options(**{keyword: entries}))
    assert len(expected) == len(entries) + (keyword == "replicas")
    assert attrgetter(derived)(options(**{keyword: make(entries)})) == expected


def test_a_set_of_selectors_is_accepted() -> None:
    """Selectors are hashable and equal by value, so users put them into sets."""
    one, same_one = SettingSelector(key_filter="a"), SettingSelector(key_filter="a")
    assert options(selects={one, same_one}).selection.settings == (one,)


@pytest.mark.parametrize(
    ("entry", "watched"),
    [
        ("ab", WatchKey("ab")),
        (("ab", "prod"), WatchKey("ab", "prod")),
        (("ab", ""), WatchKey("ab")),
        (("ab", "\0"), WatchKey("ab")),
        (WatchKey("ab"), WatchKey("ab")),
        (WatchKey("ab", "prod"), WatchKey("ab", "prod")),
    ],
)
def test_a_watched_key_may_be_written_in_three_ways(entry: Any, watched: WatchKey) -> None:
    """WatchKey, (key, label) and a bare key are the same; an empty label is none."""
    assert options(refresh_on=[entry]).refresh.watch == (watched,)
    assert options(refresh_on=[entry, watched]).refresh.watch == (watched,)


@pytest.mark.parametrize(
    ("alone", "watched"),
    [
        ("sentinel", WatchKey("sentinel")),
        (WatchKey("sentinel"), WatchKey("sentinel")),
        (WatchKey("sentinel", "prod"), WatchKey("sentinel", "prod")),
    ],
)
def test_one_watched_key_may_stand_by_itself(alone: Any, watched: WatchKey) -> None:
    """A single key or `WatchKey` needs no list; its letters and parts are not taken for keys."""
    assert options(refresh_on=alone).refresh.watch == (watched,)


def test_a_plain_tuple_of_two_texts_is_two_keys() -> None:
    """Only a `WatchKey` is a key with its label when it stands alone; a tuple is a list."""
    assert options(refresh_on=("a", "b")).refresh.watch == (WatchKey("a"), WatchKey("b"))


def test_an_empty_label_filter_is_handed_back_as_it_was_given() -> None:
    """`label_filter=""` reads back as `""`, and means no label: as a value and to the store."""
    empty = SettingSelector(key_filter="*", label_filter="")
    plain = SettingSelector(key_filter="*")
    assert empty.label_filter == ""
    assert {empty} == {plain}
    assert options(selects=[empty, plain]).selection.settings == (plain,)
    assert list_target(empty) == list_target(plain)


@pytest.mark.parametrize("keyword", SECONDS)
def test_seconds_may_be_whole_or_broken(keyword: str) -> None:
    """An int and a float mean the same number of seconds."""
    whole, broken = options(**{keyword: 7}), options(**{keyword: 7.0})
    assert whole.network == broken.network
    assert whole.refresh.interval == broken.refresh.interval
    assert whole.startup == broken.startup


def test_the_least_values_are_accepted() -> None:
    """One second between checks, no start-up budget, no retry."""
    checked = options(refresh_interval=1, startup_timeout=0, retry_total=0)
    assert (checked.refresh.interval, checked.startup.seconds) == (1.0, 0.0)
    assert checked.network.retries == 0


def test_verify_takes_a_file_a_context_or_a_bool() -> None:
    """What `verify` may be is handed on as it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for verify in (True, False, __file__, context):
        assert options(verify=verify).network.tls is verify


# What belongs to the caller


def test_the_callers_objects_are_not_written_to() -> None:
    """Lists and mappings are afterwards what they were before."""
    given: dict[str, Any] = {
        "selects": [SettingSelector(key_filter="b"), SettingSelector(key_filter="a")] * 2,
        "trim_prefixes": ["a", "abc", "", "ab"],
        "refresh_on": ["s", ("s", "l"), "s"],
        "headers": {"X-Mine": "1"},
        "replicas": [REPLICA],
        "on_refresh_success": [print],
        "on_refresh_error": [print],
    }
    before = {name: copy.copy(value) for name, value in given.items()}
    options(**given)
    assert given == before


def test_what_the_caller_changes_later_does_not_matter() -> None:
    """What counts is what was passed when `load()` was called."""
    given: dict[str, Any] = {
        "selects": [SettingSelector(key_filter="a")],
        "trim_prefixes": ["a"],
        "refresh_on": ["s"],
        "headers": {"a": "b"},
        "replicas": [REPLICA],
        "on_refresh_success": [print],
    }
    checked = options(**given)
    for value in given.values():
        value.clear()
    assert checked.selection.settings == (SettingSelector(key_filter="a"),)
    assert (checked.selection.prefixes, checked.refresh.watch) == (("a",), (WatchKey("s"),))
    assert checked.network.headers == (("a", "b"),)
    assert (len(checked.store.endpoints), len(checked.callbacks.success)) == (2, 1)


def test_checked_options_are_frozen_and_keep_secrets_to_themselves() -> None:
    """Options cannot be assigned to, and their repr shows no key, header or proxy password."""
    checked = options(
        connection_string=STORE,
        replicas=[],
        headers={"x": "hush-header"},
        proxy="http://user:hush-proxy@localhost",
    )
    with pytest.raises(FrozenInstanceError):
        checked.refresh.interval = 1.0  # type: ignore[misc]
    for secret in ("c2VjcmV0", "b'secret'", "hush"):
        assert secret not in repr(checked)


# The two providers, sync and aio


def test_aio_load_has_the_signature_of_load() -> None:
    """Names, order, kinds and defaults of the keywords are the same, awaited or not."""

    def shape(function: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
        parameters = inspect.signature(function).parameters.values()
        return [(one.name, one.kind, one.default) for one in parameters]

    assert shape(appconfig_provider.aio.load) == shape(load)
    assert inspect.iscoroutinefunction(appconfig_provider.aio.load)
    assert not inspect.iscoroutinefunction(load)


def test_no_keyword_disappears_in_a_catch_all() -> None:
    """There is no `*args` and no `**kwargs`, and every parameter is annotated."""
    for parameter in inspect.signature(load).parameters.values():
        assert parameter.kind not in {parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL}
        assert parameter.annotation is not parameter.empty


def test_both_providers_have_the_same_public_names() -> None:
    """What is public on one provider class is public on the other, with the same parameters."""
    one = appconfig_provider.AzureAppConfigurationProvider
    other = appconfig_provider.aio.AzureAppConfigurationProvider
    names = {name for name in dir(one) if not name.startswith("_")}
    assert names == {name for name in dir(other) if not name.startswith("_")}
    assert names >= {"refresh", "close", "snapshot", "status", "get", "keys", "items", "values"}
    for name in names:
        method = getattr(one, name)
        if callable(method):
            ours, theirs = (inspect.signature(getattr(cls, name)) for cls in (one, other))
            assert list(ours.parameters.values()) == list(theirs.parameters.values()), name


def test_every_keyword_is_checked_for_its_type_or_known_not_to_be() -> None:
    """A keyword added to `load()` gets a row in the table of wrong types."""
    assert set(KEYWORDS) == set(WRONG_TYPES)


@pytest.mark.parametrize("given", [0, 0.5, -3, float("nan")])
def test_a_number_out_of_range_is_repeated(given: float) -> None:
    """The error about a number of seconds names the keyword, its bounds and the number."""
    with pytest.raises(ValueError) as caught:
        options(refresh_interval=given)
    assert str(caught.value).startswith("refresh_interval must be a number of seconds from 1 to ")
    assert str(caught.value).endswith(f", not {given!r}")


def test_a_choice_names_what_may_be_given() -> None:
    """A word that is none of the few is told what the few are, None among them."""
    with pytest.raises(ValueError) as one:
        options(consistency="strong")
    assert str(one.value) == "consistency must be 'point_in_time' or None, not 'strong'"
    with pytest.raises(ValueError) as three:
        options(secret_policy="last")
    allowed = "'raise', 'keep_last', 'omit' or None"
    assert str(three.value) == f"secret_policy must be {allowed}, not 'last'"


def test_a_watched_key_is_shown_as_somebody_types_it() -> None:
    """A watched key in a message can be copied into a program."""
    assert repr(WatchKey("sentinel")) == "WatchKey('sentinel')"
    assert repr(WatchKey("sentinel", "prod")) == "WatchKey('sentinel', 'prod')"


def test_a_false_label_filter_is_no_text() -> None:
    """A label filter that is false but no text is a TypeError."""
    from appconfig_provider import SettingSelector

    with pytest.raises(TypeError):
        SettingSelector(key_filter="a", label_filter=0)  # type: ignore[arg-type]


def test_an_endpoint_with_a_query_or_a_user_is_none() -> None:
    """An endpoint is scheme, host and port; what would be lost is refused."""
    from appconfig_provider._azure.keywords import Keywords

    for endpoint in (
        "https://contoso.azconfig.io?a=b",
        "https://me:hush@contoso.azconfig.io",
        "https://c.azconfig.io#x",
    ):
        with pytest.raises(ValueError):
            Keywords(endpoint=endpoint).checked()
