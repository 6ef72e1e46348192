"""What an error tracker shows of the frames of a failure: local variables, never a secret."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from pydantic import BaseModel, field_validator

import appconfig_provider
from appconfig_provider import BindingError, SettingSelector
from appconfig_provider.emulator import AccessKey
from appconfig_provider.testing import Emulator, FakeClock, Scripted, StaticCredential, Vault
from tests.support.adapter import Loader

pytestmark = pytest.mark.unmeasured

PACKAGE = str(Path(appconfig_provider.__file__).parent)
THE_EMULATOR = str(Path(PACKAGE) / "emulator")
KEY = base64.b64encode(b"planted-access-key").decode()
PROXY = "http://planted-user:planted-password@127.0.0.1:9"
PLANTED = (KEY, "planted-")
SNAPSHOT_REFERENCE = (
    'application/json; profile="https://azconfig.io/mime-profiles/snapshot-ref"; charset=utf-8'
)


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """Give a store with a planted access key, a planted token and planted values."""
    with Emulator(clock=clock, access_keys=[AccessKey("id", KEY)], tls=True) as emulator:
        emulator.tokens.add("planted-token")
        emulator.set_many({"a": "planted-value", "sentinel": "1"})
        emulator.set("json", '{"a": "planted-json"}', content_type="application/json")
        yield emulator


@pytest.fixture
def vault(clock: FakeClock) -> Iterator[Vault]:
    """Give a vault with a planted secret and a planted token."""
    with Vault(clock=clock) as emulated:
        emulated.tokens.add("planted-token")
        emulated.set("pw", "planted-secret")
        yield emulated


def errors_of(error: BaseException) -> list[BaseException]:
    """Return an error with all it is chained to."""
    found: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is not None and not any(one is other for other in found):
            found.append(one)
            left += [one.__cause__, one.__context__, *getattr(one, "causes", ())]
    return found


def frames_of(error: BaseException) -> list[FrameType]:
    """Return the frames of the package that the tracebacks of an error lead to."""
    frames: list[FrameType] = []
    for one in errors_of(error):
        traceback = one.__traceback__
        while traceback is not None:
            frames.append(traceback.tb_frame)
            traceback = traceback.tb_next
    return [
        frame
        for frame in frames
        if frame.f_code.co_filename.startswith(PACKAGE)
        and not frame.f_code.co_filename.startswith(THE_EMULATOR)
    ]


def shown(error: BaseException) -> list[str]:
    """Return where a planted text shows: file, function and variable."""
    return sorted(
        {
            f"{Path(frame.f_code.co_filename).name}:{frame.f_code.co_name}:{name}"
            for frame in frames_of(error)
            for name, value in frame.f_locals.items()
            if any(planted in repr(value) for planted in PLANTED)
        }
    )


def refuse(*_: object) -> Any:
    """Raise, as a function of the user may."""
    raise ValueError("planted-refusal")


def interrupt(*_: object) -> Any:
    """End the program, as a signal may at any moment."""
    raise KeyboardInterrupt


class Refusing:
    """A credential that gives no token."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def get_token(self, *_: object, **__: object) -> Any:
        """Raise."""
        raise self.error


KINDS: dict[str, Mapping[str, Any]] = {
    "401": {"answer": Scripted(401)},
    "429": {"answer": Scripted(429, headers={"retry-after": "60"})},
    "500": {"answer": Scripted(500, body='{"title": "out of order"}')},
    "malformed": {"answer": Scripted(200, body='{"items": [{"key": "planted-value"}, 5]}')},
    "no connection": {"answer": "down"},
    "validate": {"validate": refuse},
    "mapper": {"configuration_mapper": refuse},
    "wrong mapper": {"configuration_mapper": lambda _: 5},
    "resolver": {"secret_resolver": refuse, "keyvault_client_configs": None},
    "broken reference": {"text": ('{"a": "planted-value"}', SNAPSHOT_REFERENCE)},
    "missing snapshot": {"selects": [SettingSelector(snapshot_name="release")]},
    "proxy that is not there": {"proxied": True},
    "interrupt": {"validate": interrupt},
    "no token": {"credential": Refusing(ClientAuthenticationError("refused"))},
    "broken credential": {"credential": Refusing(ValueError("refused"))},
    "argument": {"refresh_interval": 0},
    "vault 403": {"vault": Scripted(403, body='{"error": {"message": "planted-secret"}}')},
    "vault 500": {"vault": Scripted(500)},
    "vault malformed": {"vault": Scripted(200, body='{"value": ["planted-secret"]}')},
    "vault cut": {"vault": Scripted(cut_after=20)},
}


NOT_KEYWORDS = {"answer", "text", "vault", "proxied"}


def keywords(
    store: Emulator, vault: Vault, kind: Mapping[str, Any], *, token: bool
) -> dict[str, Any]:
    """Return what to load with: every secret that `load()` can be given."""
    signed = (
        {"endpoint": store.endpoint, "credential": StaticCredential("planted-token")}
        if token
        else {"connection_string": store.connection_string}
    )
    return {
        **signed,
        "refresh_on": ["sentinel"],
        "keyvault_client_configs": {
            vault.url: {"credential": StaticCredential("planted-token")},
        },
        "headers": {"x-key": "planted-header"},
        "proxy": PROXY if kind.get("proxied") else None,
        "verify": vault.ca_file,
        "startup_timeout": 0,
        "retry_total": 0,
        **{name: value for name, value in kind.items() if name not in NOT_KEYWORDS},
    }


def trouble(
    store: Emulator, vault: Vault, kind: Mapping[str, Any], failing: Callable[[], bool]
) -> ExitStack:
    """Bring the trouble of a kind to store and vault, as long as it is wanted."""
    stack = ExitStack()
    answer = kind.get("answer")
    if isinstance(answer, Scripted):
        stack.enter_context(store.respond(lambda _: answer if failing() else None))
    said = kind.get("vault")
    stack.enter_context(
        vault.respond(
            lambda record: said if failing() and "authorization" in record.headers else None
        )
    )
    return stack


AT_LOAD = {
    "proxy that is not there",
    "missing snapshot",
    "interrupt",
    "argument",
    "no token",
    "broken credential",
}


@pytest.mark.parametrize("token", [False, True], ids=["key", "token"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_frames_of_a_failed_load_show_nothing(
    load: Loader, store: Emulator, vault: Vault, kind: str, token: bool
) -> None:
    """However `load()` fails, no local variable of the package shows a secret or a value."""
    what = KINDS[kind]
    store.set_secret("pw", vault.id("pw"))
    if "text" in what:
        store.set("reference", what["text"][0], content_type=what["text"][1])
    given = keywords(store, vault, what, token=token)
    if what.get("answer") == "down":
        store.down()
    with (
        trouble(store, vault, what, lambda: True),
        pytest.raises(BaseException) as caught,
        load(**given),
    ):
        pass
    assert frames_of(caught.value)
    assert shown(caught.value) == []


@pytest.mark.parametrize("token", [False, True], ids=["key", "token"])
@pytest.mark.parametrize(
    "kind",
    [one for one in KINDS if one not in AT_LOAD],
)
def test_frames_of_a_failed_refresh_show_nothing(
    load: Loader, store: Emulator, vault: Vault, clock: FakeClock, kind: str, token: bool
) -> None:
    """However a refresh fails, what a callback sees of the frames shows no secret and no value."""
    what = KINDS[kind]
    failing = False
    found: list[list[str]] = []
    given = keywords(store, vault, what, token=token)
    for name in ("validate", "configuration_mapper", "secret_resolver"):
        if name in what:
            given[name] = right(what[name], RIGHT.get(name), lambda: failing)
    store.set_secret("pw", vault.id("pw"))
    with (
        trouble(store, vault, what, lambda: failing),
        load(
            **given,
            secret_policy="raise",
            on_refresh_error=lambda error: found.append(shown(error)),
        ) as config,
    ):
        failing = True
        if "text" in what:
            store.set("reference", what["text"][0], content_type=what["text"][1])
        store.set_many({"a": "planted-other", "sentinel": "2"})
        if what.get("answer") == "down":
            store.down()
        for _ in range(2):  # the second time there is an error of before in the state
            clock.advance(61)
            assert not config.refresh(force=True)
    assert found == [[], []]


def right(
    wrong: Callable[..., object], answer: object, failing: Callable[[], bool]
) -> Callable[..., object]:
    """Return a function of the user that does right until it fails."""
    return lambda one: wrong(one) if failing() else answer


RIGHT = {"secret_resolver": "planted-secret"}
"""What the functions of the user return as long as they do not fail."""


def test_frames_of_a_refused_binding_show_nothing(load: Loader, store: Emulator) -> None:
    """What a validator raises, or pydantic, leads through no frame of the package with a value."""

    class Refusing(BaseModel):
        a: str
        number: int = 0

        @field_validator("a")
        @classmethod
        def refuse(cls, text: str) -> str:
            if bound:
                raise LookupError("no")
            return text

    bound: list[object] = []
    errors: list[str] = []
    with load(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        verify=store.ca_file,
        on_refresh_error=lambda error: errors.append(f"{type(error).__name__}: {shown(error)}"),
    ) as config:
        bound.append(config.provider.bind(Refusing))
        with pytest.raises(LookupError) as caught:
            config.provider.bind(Refusing)
        assert shown(caught.value) == []
        with pytest.raises(BindingError) as unfit:
            config.provider.bind(dict[str, int])
        assert shown(unfit.value) == []
        for text in ("planted-new", "planted-newer"):
            store.set_many({"a": text, "sentinel": text})
            config.refresh(force=True)
    assert errors == ["LookupError: []"] * 2
