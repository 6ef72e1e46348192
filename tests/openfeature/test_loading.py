"""What OpenFeature's `initialize` and `shutdown` do: loading, failing, closing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
)
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent
from openfeature.exception import ProviderFatalError
from openfeature.provider import ProviderStatus

import appconfig_provider.aio
from appconfig_provider import AzureAppConfigurationProvider, BindingError, load
from appconfig_provider.errors import SnapshotNotFoundError, StartupTimeout
from appconfig_provider.flags import FeatureManager
from appconfig_provider.integrations.openfeature import AppConfigurationFeatureProvider
from appconfig_provider.testing import Emulator
from tests.openfeature.clients import client_of
from tests.support.adapter import loop_on_thread
from tests.support.content import set_flag
from tests.support.managers import flag, holding

NOBODY = EvaluationContext()
FOLLOWED: Any = {"feature_flag_enabled": True, "feature_flag_refresh_enabled": True}


def answered(status: int) -> HttpResponseError:
    """Return the error of a store that answered with a status."""
    error = HttpResponseError(f"status {status}")
    error.status_code = status
    return error


def loader(store: Emulator, made: list[AzureAppConfigurationProvider]) -> Callable[[], Any]:
    """Return a function that loads the flags of a store, and notes what it loaded."""

    def run() -> AzureAppConfigurationProvider:
        made.append(load(connection_string=store.connection_string, **FOLLOWED))
        return made[-1]

    return run


def is_closed(config: AzureAppConfigurationProvider) -> bool:
    """Tell whether a configuration is closed: it sends no request, even if it is forced to."""
    sent = config.status.requests_sent
    config.refresh(force=True)
    return config.status.requests_sent == sent


def test_a_function_is_called_by_initialize_and_not_before(store: Emulator) -> None:
    """A provider is NOT_READY until `initialize` has loaded, and after `shutdown`."""
    set_flag(store, "beta")
    made: list[AzureAppConfigurationProvider] = []
    provider = AppConfigurationFeatureProvider(loader(store, made))
    assert not made
    ask = provider.resolve_boolean_details
    assert ask("beta", default_value=False).error_code == "PROVIDER_NOT_READY"
    assert asyncio.run(
        provider.resolve_boolean_details_async("beta", default_value=False)
    ).error_code == "PROVIDER_NOT_READY"  # fmt: skip
    provider.initialize(NOBODY)
    assert len(made) == 1
    assert ask("beta", default_value=False).value is True
    provider.shutdown()
    assert ask("beta", default_value=False).error_code == "PROVIDER_NOT_READY"


def test_shutdown_closes_what_was_loaded_and_may_be_repeated(store: Emulator) -> None:
    """What was loaded is closed, also below a manager; a second `shutdown` does nothing."""
    made: list[AzureAppConfigurationProvider] = []
    run = loader(store, made)
    for each in (run, lambda: FeatureManager(run())):
        provider = AppConfigurationFeatureProvider(each)
        provider.initialize(NOBODY)
        assert not is_closed(made[-1])
        provider.shutdown()
        assert is_closed(made[-1])
        provider.shutdown()


def test_shutdown_leaves_open_what_was_given(store: Emulator) -> None:
    """A configuration that the program has loaded belongs to the program."""
    with load(connection_string=store.connection_string, **FOLLOWED) as config:
        for given in (config, FeatureManager(config)):
            provider = AppConfigurationFeatureProvider(given)
            provider.initialize(NOBODY)
            provider.shutdown()
            assert not is_closed(config)
        provider.initialize(NOBODY)
        ask = provider.resolve_boolean_details
        assert ask("beta", default_value=False).error_code == "FLAG_NOT_FOUND"


def test_a_second_initialize_replaces_what_the_first_has_loaded(store: Emulator) -> None:
    """Whoever initializes again gets a new configuration, and the old one is closed."""
    made: list[AzureAppConfigurationProvider] = []
    provider = AppConfigurationFeatureProvider(loader(store, made))
    provider.initialize(NOBODY)
    provider.initialize(NOBODY)
    assert [is_closed(one) for one in made] == [True, False]
    provider.shutdown()


def test_what_comes_after_shutdown_is_closed_at_once(store: Emulator) -> None:
    """A configuration that is loaded while OpenFeature shuts the provider down does not leak."""
    made: list[AzureAppConfigurationProvider] = []
    run, begun, go_on = loader(store, made), threading.Event(), threading.Event()

    def slowly() -> Any:
        begun.set()
        assert go_on.wait(20)
        return run()

    provider = AppConfigurationFeatureProvider(slowly)
    thread = threading.Thread(target=provider.initialize, args=[NOBODY])
    thread.start()
    assert begun.wait(20)
    provider.shutdown()
    go_on.set()
    thread.join(20)
    assert is_closed(made[0])
    ask = provider.resolve_boolean_details
    assert ask("beta", default_value=False).error_code == "PROVIDER_NOT_READY"


@pytest.mark.parametrize(
    ("error", "fatal"),
    [
        (ValueError("wrong"), True),
        (TypeError("wrong"), True),
        (ClientAuthenticationError("refused"), True),
        (answered(400), True),
        (answered(401), True),
        (answered(403), True),
        (answered(429), False),
        (answered(503), False),
        (ResourceNotFoundError("gone"), False),
        (ServiceRequestError("nobody answers"), False),
        (StartupTimeout("too late"), False),
        (SnapshotNotFoundError("gone", name="s"), False),
        (BindingError("does not fit"), False),
        (OSError("broken"), False),
    ],
    ids=repr,
)
def test_only_refused_arguments_and_credentials_are_fatal(
    error: Exception, fatal: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """FATAL ends all evaluations for good, so it is for what no repetition heals."""

    def fail() -> NoReturn:
        raise error

    with pytest.raises(ProviderFatalError if fatal else type(error)):
        client_of(fail)
    client = api.get_client()
    status = ProviderStatus.FATAL if fatal else ProviderStatus.ERROR
    assert client.get_provider_status() is status
    code = "PROVIDER_FATAL" if fatal else "PROVIDER_NOT_READY"
    assert client.get_boolean_details("beta", default_value=True).error_code == code
    assert len(caplog.records) == 1
    assert str(error) not in caplog.text


async def later() -> None:
    """Be a callback that only `aio` could await."""


@pytest.mark.parametrize(
    ("keywords", "told"),
    [
        ({"connection_string": "Endpoint=x;Id=y;Secret=hunter2"}, "Secret is not base64"),
        ({"refresh_interval": -1}, "refresh_interval"),
        ({"refresh_interval": "hunter2"}, "refresh_interval"),
        ({"on_refresh_success": later}, "later is a coroutine function"),
    ],
)
def test_what_load_says_of_its_arguments_is_shown(
    keywords: dict[str, Any], told: str, store: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Event and log have the reason of `load()` itself, which holds no secret."""
    given = {"connection_string": store.connection_string, **keywords}
    with pytest.raises(ProviderFatalError, match=told) as caught:
        client_of(lambda: load(**given))
    (record,) = caplog.records
    assert told in record.getMessage()
    assert "hunter2" not in caplog.text + str(caught.value)


@pytest.mark.parametrize("wrong", [map(int, ["hunter2"]), (int(one) for one in ["hunter2"])])
def test_what_the_program_raises_meanwhile_is_not_shown(
    wrong: Any, store: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A ValueError of an argument's own code may quote values: only its type is told."""
    with pytest.raises(ProviderFatalError, match="ValueError") as caught:
        client_of(lambda: load(connection_string=store.connection_string, selects=wrong))
    assert "hunter2" not in caplog.text + str(caught.value)


def test_a_store_that_refuses_a_key_is_fatal(store: Emulator) -> None:
    """The error of a real `load()` with a wrong key is FATAL, and says what was refused."""
    wrong = store.connection_string.rpartition("=Y")[0] + "=" + "A" * 44
    with pytest.raises(ProviderFatalError, match="401"):
        client_of(lambda: load(connection_string=wrong, startup_timeout=0))


def test_asynchronous_functions_are_refused(store: Emulator) -> None:
    """What `initialize` would have to await is refused: at once, else when it comes back."""

    async def later() -> dict[str, Any]:
        return {}

    with pytest.raises(TypeError, match="later is asynchronous"):
        AppConfigurationFeatureProvider(later)  # type: ignore[arg-type]  # the mistake
    with pytest.raises(ProviderFatalError, match="has to be awaited"):
        client_of(lambda: later())  # noqa: PLW0108 - it hides the function
    with loop_on_thread() as wait:
        config = wait(appconfig_provider.aio.load(connection_string=store.connection_string))
        with pytest.raises(ProviderFatalError, match="only asyncio can close"):
            client_of(lambda: config)
        wait(config.close())


def test_a_function_may_return_any_mapping() -> None:
    """A plain Mapping will do, and what is none is FATAL."""
    client = client_of(lambda: holding(flag("beta")))
    assert client.get_boolean_value("beta", default_value=False)
    with pytest.raises(ProviderFatalError, match=r"the wrong thing: .* not an int"):
        client_of(lambda: 7)


def test_loading_in_the_background_answers_defaults_until_then(store: Emulator) -> None:
    """`set_provider` does not wait: the client is NOT_READY until the flags are there."""
    set_flag(store, "beta")
    go_on = threading.Event()
    ready = threading.Event()
    made: list[AzureAppConfigurationProvider] = []
    run = loader(store, made)

    def slowly() -> Any:
        assert go_on.wait(20)
        return run()

    client = api.get_client()
    client.add_handler(ProviderEvent.PROVIDER_READY, lambda _: ready.set())
    ready.clear()  # the provider that does nothing is ready
    api.set_provider(AppConfigurationFeatureProvider(slowly))
    found = client.get_boolean_details("beta", default_value=False)
    assert (found.value, found.error_code) == (False, "PROVIDER_NOT_READY")
    go_on.set()
    while client.get_provider_status() is ProviderStatus.NOT_READY:
        assert ready.wait(20)
    assert client.get_boolean_value("beta", default_value=False)
