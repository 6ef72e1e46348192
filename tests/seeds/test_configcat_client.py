"""ConfigCat's page on clients, `get_value()` and users: every statement is a test."""

from __future__ import annotations

import inspect
import logging
import threading
import time
from typing import Any

import pytest

from appconfig_provider import configcat as configcatclient
from appconfig_provider.configcat import ConfigCatClient, ConfigCatClientException, User
from appconfig_provider.testing import ConfigCatEmulator, FakeClock
from tests.support.waiting import eventually

from .configcat_page import GET_VALUE, GETTING_STARTED, USER, USER_WITH_ATTRIBUTES
from .running import ADDRESS, KEY, asked, path_of, run
from .statements import EMAIL, says

UUID = "435170f4-8a8b-4b67-a723-505ac7cdea92"
CREATORS = [
    configcatclient.create_client_with_auto_poll,
    configcatclient.create_client_with_lazy_load,
    configcatclient.create_client_with_manual_poll,
]


def rule(attribute: str, text: str, key: str = "targeted") -> dict[str, Any]:
    """Return a config whose one setting is True for users whose attribute contains a text."""
    targeting = {"o": 0, "a": attribute, "t": 2, "c": text, "v": True, "i": "on"}
    return {"f": {key: {"v": False, "i": "off", "t": 0, "p": [], "r": [targeting]}}}


@pytest.mark.parametrize("value", [True, False])
def test_getting_started(cdn: ConfigCatEmulator, value: bool) -> None:
    """The block does the new thing where the flag is on, the old one where it is off."""
    cdn.set("isMyAwesomeFeatureEnabled", value)
    done: list[str] = []
    run(
        GETTING_STARTED,
        do_the_new_thing=lambda: done.append("new"),
        do_the_old_thing=lambda: done.append("old"),
    )
    assert done == ["new" if value else "old"]


@says("You can safely shut down the client instance")
def test_stop_releases_everything(cdn: ConfigCatEmulator, clock: FakeClock) -> None:
    """After `stop()` no thread is left and nothing is sent; a second `stop()` does nothing."""
    before = set(threading.enumerate())
    client = configcatclient.create_client(KEY)
    client.get_value("key", None)
    client.stop()
    client.stop()
    eventually(lambda: set(threading.enumerate()) <= before)
    asked(cdn)
    clock.advance(600)
    assert not client.force_refresh().is_success
    assert asked(cdn) == []


@says("managing the communication between your application and ConfigCat")
def test_the_client_talks_to_the_servers(cdn: ConfigCatEmulator) -> None:
    """A program asks for a value; the client asks for the file of its SDK key."""
    cdn.set("key", "from server")
    assert configcatclient.create_client(KEY).get_value("key", None) == "from server"
    assert [one.target for one in asked(cdn)] == [path_of()]


@says("caching your setting values and feature flags.")
def test_values_are_cached(cdn: ConfigCatEmulator) -> None:
    """A thousand reads of two settings take one request."""
    cdn.set("flag", True)
    cdn.set("setting", 5)
    client = configcatclient.create_client(KEY)
    for _ in range(1000):
        assert client.get_value("flag", False) is True
        assert client.get_value("setting", 0) == 5
    assert len(asked(cdn)) == 1


@says("serving values quickly in a failsafe way.")
def test_values_are_served_quickly_and_without_the_server(
    cdn: ConfigCatEmulator, clock: FakeClock
) -> None:
    """While the server is down the last values are served, ten thousand well within a second."""
    cdn.set("flag", True)
    client = configcatclient.create_client(KEY)
    assert client.get_value("flag", False) is True
    cdn.down()
    clock.advance(120)
    began = time.perf_counter()
    assert all(client.get_value("flag", False) for _ in range(10_000))
    assert time.perf_counter() - began < 1


@says("create_client() returns a client with default options.")
def test_create_client_has_the_defaults_of_auto_polling(
    cdn: ConfigCatEmulator, clock: FakeClock
) -> None:
    """It takes two arguments, polls in the background, and does so every 60 seconds."""
    parameters = inspect.signature(configcatclient.create_client).parameters
    assert list(parameters) == ["sdk_key", "data_governance"]
    client = configcatclient.create_client(KEY)
    client.get_value("key", None)
    (first,) = asked(cdn)
    assert first.headers["x-configcat-useragent"].startswith("ConfigCat-Python/a-")
    clock.advance(53)
    assert asked(cdn) == []
    clock.advance(13.1)
    eventually(lambda: asked(cdn))


@says("sdk-keyREQUIRED.")
@pytest.mark.parametrize("create", [configcatclient.create_client, *CREATORS])
def test_the_sdk_key_is_required(create: Any) -> None:
    """Without an SDK key there is no client, and the exception says why."""
    assert inspect.signature(create).parameters["sdk_key"].default is inspect.Parameter.empty
    with pytest.raises(TypeError, match="sdk_key"):
        create()
    with pytest.raises(ConfigCatClientException, match=r"SDK Key is required\."):
        create(None)


@says("SDK Key to access your feature flags and configurations.")
def test_the_sdk_key_names_the_config(cdn: ConfigCatEmulator) -> None:
    """Each SDK key leads to a config of its own."""
    for key in ("one/key", "another/key"):
        cdn.set("whose", key, sdk_key=key)
        assert configcatclient.create_client(key).get_value("whose", None) == key


@says("data_governanceOptional, defaults to DataGovernance.Global.", "Global, EuOnly.")
@pytest.mark.parametrize("create", [configcatclient.create_client, *CREATORS, ConfigCatClient])
def test_data_governance_is_global_by_default(create: Any) -> None:
    """There are two places, and without a word it is the whole world."""
    governance = configcatclient.DataGovernance
    assert inspect.signature(create).parameters["data_governance"].default is governance.Global
    assert [one.name for one in governance] == ["Global", "EuOnly"]


@says("Describes the location of your feature flag and setting data")
@pytest.mark.parametrize("name", ["Global", "EuOnly"])
def test_data_governance_is_the_place_that_is_asked(
    cdn: ConfigCatEmulator, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Of the two servers the one that is named is asked, and the other one is not."""
    with ConfigCatEmulator() as europe:
        monkeypatch.setenv(ADDRESS, f"{cdn.base_url},{europe.base_url}")
        cdn.set("place", "Global")
        europe.set("place", "EuOnly")
        governance = configcatclient.DataGovernance[name]
        client = configcatclient.create_client(KEY, data_governance=governance)
        assert client.get_value("place", None) == name
        assert len(cdn.requests) + len(europe.requests) == 1


@says("This parameter needs to be in sync with your Data Governance preferences.")
def test_data_governance_out_of_sync_is_told_and_put_right(
    cdn: ConfigCatEmulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who asks the wrong place gets the right values all the same, and one warning."""
    with ConfigCatEmulator() as europe:
        monkeypatch.setenv(ADDRESS, f"{cdn.base_url},{europe.base_url}")
        cdn.redirect(europe.base_url, 1)
        europe.set("place", "EuOnly")
        assert configcatclient.create_client(KEY).get_value("place", None) == "EuOnly"

    def warned() -> list[int | None]:
        warnings = [one for one in caplog.records if one.levelno == logging.WARNING]
        return [getattr(one, "event_id", None) for one in warnings]

    # A read goes on as soon as there is a config, and the poller logs after that.
    eventually(lambda: warned() == [3002])


@says(
    "create_client_with_auto_poll(), create_client_with_lazy_load(),",
    "Creating the client is different for each polling mode.",
)
@pytest.mark.parametrize(("create", "letter"), list(zip(CREATORS, "alm", strict=True)))
def test_each_mode_has_a_function(cdn: ConfigCatEmulator, create: Any, letter: str) -> None:
    """Each function makes a client of its mode, which the server is told."""
    client = create(KEY)
    if letter == "m":
        client.force_refresh()
    client.get_value("key", None)
    (request,) = asked(cdn)
    assert request.headers["user-agent"].startswith(f"ConfigCat-Python/{letter}-")


@says("We strongly recommend you to use the ConfigCat Client as a Singleton")
def test_a_second_client_of_a_key_is_warned_of(
    cdn: ConfigCatEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A second client with the same key works; one warning says so, without the key."""
    cdn.set("key", 1)
    first = configcatclient.create_client(KEY)
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []
    second = configcatclient.create_client(KEY)
    assert second is not first
    assert first.get_value("key", 0) == second.get_value("key", 0) == 1
    (warning,) = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert KEY not in warning.getMessage()


@says("If you want to use multiple SDK Keys in the same application")
def test_clients_of_several_keys_are_not_warned_of(
    cdn: ConfigCatEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """One client for each SDK key is as it should be."""
    for key in ("one/key", "another/key", "third/key"):
        cdn.set("key", key, sdk_key=key)
    made = [configcatclient.create_client(key) for key in ("one/key", "another/key", "third/key")]
    values = [client.get_value("key", None) for client in made]
    assert values == ["one/key", "another/key", "third/key"]
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []


def test_the_block_about_get_value(cdn: ConfigCatEmulator) -> None:
    """The block gets the value that a rule has for its user."""
    cdn.load(rule("Identifier", UUID, key="keyOfMySetting"))
    assert run(GET_VALUE)["value"] is True


@says("keyREQUIRED.", "Setting-specific key.")
def test_the_key_is_required_and_chooses_the_setting(cdn: ConfigCatEmulator) -> None:
    """There is no value without a key, and each key has its own."""
    cdn.set("one", 1)
    cdn.set("two", 2)
    client = configcatclient.create_client(KEY)
    without: Any = client.get_value
    with pytest.raises(TypeError, match="key"):
        without()
    assert (client.get_value("one", 0), client.get_value("two", 0)) == (1, 2)


@says("default_valueREQUIRED.", "This value will be returned in case of an error.")
def test_the_default_value_is_required_and_returned_for_errors(cdn: ConfigCatEmulator) -> None:
    """A setting that is not there, one that is broken, and a failing server give the default."""
    config = {"f": {"broken": {"t": 0}, "fine": {"v": 1, "t": 2}}}
    cdn.load({"config_v5.json": config, "config_v6.json": {}})
    client = configcatclient.create_client(KEY)
    without: Any = client.get_value
    with pytest.raises(TypeError, match="default_value"):
        without("key")
    default = object()
    assert client.get_value("fine", default) == 1
    assert client.get_value("absent", default) is default
    assert client.get_value("broken", default) is default
    cdn.fail(500)
    other = configcatclient.create_client("other/key")
    assert other.get_value("fine", default) is default


@says("userOptional, User Object.")
def test_the_user_is_optional(cdn: ConfigCatEmulator) -> None:
    """Without a user a setting has a value, too; `get_all_values()` needs none either."""
    cdn.load(rule("Email", EMAIL))
    client = configcatclient.create_client(KEY)
    assert client.get_value("targeted", None) is False
    assert client.get_all_values() == {"targeted": False}
    for function in (client.get_value, client.get_all_values):
        assert inspect.signature(function).parameters["user"].default is None


@says(
    "Essential when using Targeting.",
    "The User Object is essential if you'd like to use ConfigCat's Targeting",
)
def test_the_user_is_essential_for_targeting(
    cdn: ConfigCatEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A rule is for users alone: without one it is passed over, and a warning says so."""
    cdn.load(rule("Identifier", UUID))
    client = configcatclient.create_client(KEY)
    assert client.get_value("targeted", None, User(UUID)) is True
    assert client.get_value("targeted", None, User("somebody else")) is False
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []
    assert client.get_value("targeted", None) is False
    (warning,) = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert getattr(warning, "event_id", None) == 3001


def test_the_blocks_about_users() -> None:
    """The blocks make users with the attributes that they are given."""
    made = run(USER)
    assert made["by_identifier"].get_identifier() == UUID
    assert made["user_object"].get_identifier() == EMAIL
    user = run(USER_WITH_ATTRIBUTES)["user_object"]
    names = ("Identifier", "Email", "Country", "SubscriptionType", "UserRole")
    attributes = [user.get_attribute(name) for name in names]
    assert attributes == [UUID, EMAIL, "United Kingdom", "Pro", "Admin"]


@says("identifierREQUIRED.", "Unique identifier of a user", "Can be any value, even an email")
def test_the_identifier_is_required_and_may_be_anything(cdn: ConfigCatEmulator) -> None:
    """Users are told apart by what identifies them: a number, an address, any text."""
    without: Any = User
    with pytest.raises(TypeError, match="identifier"):
        without()
    values: list[Any] = [UUID, EMAIL, 12345, "Ä ü", ""]
    options = [{"o": 0, "v": "a", "p": 50, "i": "a"}, {"o": 1, "v": "b", "p": 50, "i": "b"}]
    cdn.load({"f": {"half": {"v": "nobody's", "t": 1, "p": options, "r": []}}})
    client = configcatclient.create_client(KEY)
    for value in values:
        first = client.get_value("half", "default", User(value))
        assert first == client.get_value("half", "default", User(value))
        assert first in {"a", "b"}
    halves = {client.get_value("half", "default", User(str(number))) for number in range(50)}
    assert halves == {"a", "b"}


@says("emailOptional parameter for easier targeting", "countryOptional parameter for easier")
@pytest.mark.parametrize(("name", "attribute"), [("email", "Email"), ("country", "Country")])
def test_email_and_country_are_optional_and_targeted(
    cdn: ConfigCatEmulator, name: str, attribute: str
) -> None:
    """Rules look at the attribute by its name; a user without it matches none of them."""
    cdn.load(rule(attribute, "some"))
    client = configcatclient.create_client(KEY)
    assert inspect.signature(User).parameters[name].default is None
    given: dict[str, Any] = {name: "something"}
    assert client.get_value("targeted", None, User("x", **given)) is True
    assert client.get_value("targeted", None, User("x")) is False


@says("customOptional dictionary for custom attributes", "User role, Subscription type.")
def test_custom_attributes_are_optional_and_targeted(cdn: ConfigCatEmulator) -> None:
    """A rule looks at a custom attribute as at any other one."""
    cdn.load(rule("SubscriptionType", "Pro"))
    client = configcatclient.create_client(KEY)
    assert inspect.signature(User).parameters["custom"].default is None
    assert client.get_value("targeted", None, User("x", custom={"SubscriptionType": "Pro"}))
    assert not client.get_value("targeted", None, User("x", custom={"UserRole": "Pro"}))
