"""Mistakes that were found by attacking the library, each kept from coming back."""

from __future__ import annotations

import asyncio
import functools
import gc
import sys
import warnings
from typing import Any

import pytest

from appconfig_provider import aio, load
from appconfig_provider.testing import Emulator

CS = "Endpoint=http://127.0.0.1:1;Id=abc;Secret=c2VjcmV0c2VjcmV0"
SECRET = "c2VjcmV0c2VjcmV0"


def fails(**keywords: Any) -> BaseException:
    """Return what load() raises."""
    with pytest.raises(BaseException) as caught:
        load(**{"startup_timeout": 0, **keywords})
    return caught.value


def test_a_connection_string_given_as_endpoint_does_not_show_its_secret() -> None:
    """An endpoint that is really a connection string is refused without showing its secret."""
    assert SECRET not in str(fails(endpoint=CS))


@pytest.mark.parametrize("replicas", [CS, CS.encode(), [CS.encode()]])
def test_connection_strings_wrongly_given_as_replicas_do_not_show_their_secret(
    replicas: Any,
) -> None:
    """Replicas of a wrong type are refused without showing what was passed."""
    assert SECRET not in str(fails(connection_string=CS, replicas=replicas))


def test_aio_close_under_another_loop() -> None:
    """close() works under another loop than the one that loaded."""
    with Emulator() as store, warnings.catch_warnings():
        # asyncio cannot close what belongs to a loop that is gone; the collector does.
        warnings.simplefilter("ignore", ResourceWarning)
        config = asyncio.run(aio.load(connection_string=store.connection_string))
        asyncio.run(config.close())
        gc.collect()


def test_a_generation_that_was_not_published_is_not_announced() -> None:
    """A refresh that ends after close() publishes nothing and announces nothing."""
    with Emulator() as store:
        called: list[Any] = []
        config = load(
            connection_string=store.connection_string,
            refresh_on=["s"],
            on_refresh_success=called.append,
        )
        store.set("s", "1")
        with store.after_answer(lambda _: config.close()):
            assert not config.refresh(force=True)
        assert "s" not in config
        assert called == []


@pytest.mark.skipif(
    sys.version_info < (3, 11), reason="Python 3.10 cannot tell whose cancellation it is"
)
def test_a_cancelled_error_inside_a_callback_does_not_escape() -> None:
    """A cancellation inside a callback is that callback's own trouble."""

    async def main() -> None:
        called: list[str] = []

        async def callback() -> None:
            task = asyncio.ensure_future(asyncio.sleep(10))
            task.cancel()
            await task

        with Emulator() as store:
            config = await aio.load(
                connection_string=store.connection_string,
                refresh_on=["s"],
                on_refresh_success=[callback, lambda: called.append("second")],
            )
            store.set("s", "1")
            async with config:
                assert await config.refresh(force=True)
            assert called == ["second"]

    asyncio.run(main())


def test_deep_json_that_loads_does_not_stop_every_later_refresh() -> None:
    """Values that are as deep as they may be, or deeper, do not stop a refresh."""
    with Emulator() as store:
        for depth in (100, 380):
            value = '{"a":' * depth + "1" + "}" * depth
            store.set(f"deep{depth}", value, content_type="application/json")
        store.set("s", "1")
        with load(connection_string=store.connection_string, refresh_on=["s"]) as config:
            assert isinstance(config["deep100"], dict)
            assert isinstance(config["deep380"], str)
            store.set("k", "new")
            store.set("s", "2")
            assert config.refresh(force=True)


def test_a_partial_of_an_async_object_is_a_coroutine_function() -> None:
    """A coroutine function is recognised behind functools.partial."""

    class Listener:
        async def __call__(self) -> None: ...

    error = fails(connection_string=CS, on_refresh_success=functools.partial(Listener()))
    assert isinstance(error, TypeError), repr(error)


def test_a_false_label_filter_is_no_text() -> None:
    """A label filter that is false but no text is a TypeError."""
    from appconfig_provider import SettingSelector

    with pytest.raises(TypeError):
        SettingSelector(key_filter="a", label_filter=0)  # type: ignore[arg-type]


def test_an_endpoint_with_a_query_or_a_user_is_none() -> None:
    """An endpoint is scheme, host and port; what would be lost is refused."""
    from appconfig_provider._azure.options import Keywords

    for endpoint in (
        "https://contoso.azconfig.io?a=b",
        "https://me:hush@contoso.azconfig.io",
        "https://c.azconfig.io#x",
    ):
        with pytest.raises(ValueError):
            Keywords(endpoint=endpoint).checked()
