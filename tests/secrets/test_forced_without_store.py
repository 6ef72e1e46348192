"""`refresh(force=True)` reads secrets, whatever becomes of the store."""

from __future__ import annotations

from typing import Any

from appconfig_provider.testing import AsyncStaticCredential, Emulator, FakeClock, StaticCredential
from tests.support.adapter import Loader
from tests.support.content import secret_id


def test_a_credential_that_raises_does_not_lose_the_forced_read(
    load: Loader, clock: FakeClock
) -> None:
    """The secret is read though the store's credential fails by an error of its own."""
    secret, broken = ["old"], [False]
    aio = "aio" in load.__name__  # type: ignore[attr-defined]  # a function

    class Credential:
        def get_token(self, *scopes: str, **more: Any) -> Any:
            if broken[0]:
                raise ValueError("no file")
            return StaticCredential().get_token(*scopes, **more)._replace(expires_on=0)

    class AsyncCredential(Credential):
        async def get_token(self, *scopes: str, **more: Any) -> Any:
            if broken[0]:
                raise ValueError("no file")
            token = await AsyncStaticCredential().get_token(*scopes, **more)
            return token._replace(expires_on=0)

    with Emulator(clock=clock, tls=True) as store:
        store.set_secret("k", secret_id("a"))
        store.set("sentinel", "1")
        with load(
            endpoint=store.endpoint,
            credential=AsyncCredential() if aio else Credential(),
            verify=store.ca_file,
            refresh_on=["sentinel"],
            secret_resolver=lambda _: secret[0],
        ) as config:
            secret[0], broken[0] = "new", True
            config.refresh(force=True)
            assert config.snapshot["k"] == "new"
            assert isinstance(config.status.last_error, ValueError)
            assert config.status.last_error.__cause__ is None
