"""`config.bind(...)`: a value of the program's own type that changes together with the settings."""

from __future__ import annotations

import copy
import gc
import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from appconfig_provider import AzureAppConfigurationProvider, Binding, BindingError, load
from appconfig_provider.testing import Emulator, FakeClock
from appconfig_provider.value_errors import FieldError
from tests.support.adapter import Opener, Provider
from tests.support.content import VAULT_TYPE, Resolver, secret_id

PLANTED = "planted-secret"


class Pool(BaseModel):
    """What most tests bind."""

    model_config = ConfigDict(frozen=True)

    size: int = 3
    hosts: list[str] = []


@dataclass(frozen=True)
class Limits:
    """A dataclass of the standard library."""

    low: int
    high: int = 10


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """Give a store with a sentinel and a pool."""
    with Emulator(clock=clock) as emulator:
        emulator.set_many({"sentinel": "1", "pool:size": "5", "pool:hosts": '["north"]'})
        yield emulator


@pytest.fixture
def config(opened: Opener, store: Emulator) -> Provider:
    """Give a provider that watches the sentinel."""
    return opened(connection_string=store.connection_string, refresh_on=["sentinel"])


def publish(store: Emulator, clock: FakeClock, **changed: str) -> None:
    """Change settings (`__` stands for a colon) and then the sentinel; time passes."""
    store.set_many({name.replace("__", ":"): value for name, value in changed.items()})
    sentinel = store.get("sentinel")
    assert sentinel is not None
    store.set("sentinel", f"{sentinel.value}+")
    clock.advance(60)


def test_a_value_is_swapped_with_the_settings(
    config: Provider, store: Emulator, clock: FakeClock
) -> None:
    """It is the instance of the generation in force, and agrees with the snapshot."""
    binding = config.provider.bind(Pool, "pool")
    assert binding.value == Pool(size=5, hosts=["north"])
    before, first = config.snapshot, binding.value
    publish(store, clock, pool__size="6")
    assert config.refresh()
    assert binding.value == Pool(size=6, hosts=["north"])
    assert binding.of(config.snapshot) is binding.value
    assert binding.of(before) is first


def test_the_same_settings_give_the_same_instance(
    config: Provider, store: Emulator, clock: FakeClock
) -> None:
    """No validator is called for a part that did not change, however often others do."""
    calls: list[int] = []

    class Counted(Pool):
        @field_validator("size")
        @classmethod
        def counted(cls, size: int) -> int:
            calls.append(size)
            return size

    binding = config.provider.bind(Counted, "pool")
    first = binding.value
    for number in range(3):
        publish(store, clock, other=str(number))
        assert config.refresh()
        assert binding.value is first
    publish(store, clock, pool__size="6")
    assert config.refresh()
    assert binding.value is not first
    assert calls == [5, 6]


@pytest.mark.parametrize(
    ("model", "prefix", "value"),
    [
        (int, "pool:size", 5),
        (str, "pool:size", "5"),
        (list[str], "pool:hosts", ["north"]),
        (Limits, "limits", Limits(1)),
        (dict[str, int], "limits", {"low": 1}),
        (Annotated[int, Field(gt=4)], "pool:size", 5),
        (Pool, "nothing", Pool()),
        (dict[str, Any], "nothing", {}),
        (Pool | None, "nothing", None),
        (list[int] | None, "nothing", None),
        (Pool, "whole", Pool(size=7)),
        (Pool, "pool:", Pool(size=5, hosts=["north"])),
        (list[int], "places", [4, 5]),
    ],
)
def test_what_can_be_bound(
    opened: Opener, store: Emulator, model: Any, prefix: str, value: object
) -> None:
    """Models, dataclasses and plain types; a prefix names a branch, or a key with a value."""
    store.set_many({"limits:low": "1", "whole": {"size": 7}, "places:0": "4", "places:1": "5"})
    config = opened(connection_string=store.connection_string)
    assert config.provider.bind(model, prefix).value == value


def test_other_separators_and_cases(opened: Opener, store: Emulator) -> None:
    """`separator` is that of `nested`; names match fields whatever their case if wanted."""
    store.set_many({"Web__Pool__Size": "8", "Web__Pool__HOSTS": '["south"]'})
    config = opened(connection_string=store.connection_string)
    bound = config.provider.bind(Pool, "Web__Pool", separator="__", case_sensitive=False)
    assert bound.value == Pool(size=8, hosts=["south"])
    assert config.provider.bind(Pool, "Web__Pool", "__").value == Pool()


def test_a_generation_that_does_not_fit_is_not_published(
    opened: Opener, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The old one stays, the error is told once and without inputs, and a right one recovers."""
    errors: list[Exception] = []
    config = opened(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        on_refresh_error=errors.append,
    )
    binding = config.provider.bind(Pool, "pool")
    before, first = config.snapshot, binding.value
    publish(store, clock, pool__size=PLANTED, pool__hosts="[" + PLANTED)
    assert not config.refresh()
    assert not config.refresh()
    assert (config.snapshot, binding.value) == (before, first)
    (error,) = errors
    assert isinstance(error, BindingError)
    assert config.status.last_error is error
    assert str(error) == "the settings below 'pool' do not fit Pool: hosts: json_invalid"
    assert (error.__cause__, error.__context__, error.__traceback__) == (None, None, None)
    publish(store, clock, pool__hosts="[]")
    assert not config.refresh()
    assert isinstance(errors[1], BindingError)
    assert errors[1].errors == (FieldError(("size",), "int_parsing"),)
    publish(store, clock, pool__size="9")
    assert config.refresh()
    assert binding.value == Pool(size=9)
    assert config.status.last_error is None
    assert PLANTED not in caplog.text + repr([config.status, errors, binding])
    assert "a binding refused the new one, the old one stays" in caplog.text


def test_what_does_not_fit_cannot_be_bound(config: Provider) -> None:
    """`bind` raises at once, without context or input; nothing is refused afterwards."""
    with pytest.raises(BindingError, match="'pool' do not fit Limits: low: missing") as caught:
        config.provider.bind(Limits, "pool")
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    with pytest.raises(BindingError, match="do not fit int: the whole: missing"):
        config.provider.bind(int, "nothing")
    assert caught.value.errors == (FieldError(("low",), "missing"),)
    del caught
    assert config.refresh(force=True) is False
    assert config.status.last_error is None


def test_a_misspelt_prefix_names_the_one_that_is_meant(opened: Opener, store: Emulator) -> None:
    """At the depth of the prefix, whatever its separator; without a hint where none is like it."""
    store.set_many({"app.db.low": "1", "app.cache.low": "1"})
    config = opened(connection_string=store.connection_string)
    with pytest.raises(BindingError, match=r"low: missing; did you mean 'app\.db'\?$"):
        config.provider.bind(Limits, "app.dbs", separator=".")
    with pytest.raises(BindingError, match=r"; did you mean 'pool'\?$"):
        config.provider.bind(Limits, "Pol")
    with pytest.raises(BindingError, match=r"whole: missing$"):
        config.provider.bind(int, "unlike")


def test_keys_that_make_no_tree_cannot_be_bound(
    config: Provider, store: Emulator, clock: FakeClock
) -> None:
    """A key with a value and keys below it: both are named, now or when they come."""
    binding = config.provider.bind(Pool, "pool")
    publish(store, clock, pool="1")
    assert not config.refresh()
    assert str(config.status.last_error).startswith(
        "the settings below 'pool' make no tree: 'pool' has a value, and so has 'pool:"
    )
    assert binding.value.size == 5


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((Pool, "pool", "|"), ValueError),
        ((Pool, 5), TypeError),
    ],
)
def test_wrong_arguments_are_named(
    config: Provider, arguments: tuple[Any, ...], error: type[Exception]
) -> None:
    """They are no matter of the settings."""
    with pytest.raises(error, match="must be") as caught:
        config.provider.bind(*arguments)
    assert type(caught.value) is error


def test_an_exception_of_a_validator_is_told_by_its_type(
    opened: Opener, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """What a validator raises refuses the generation, too; its text may quote a value."""

    class Odd(Pool):
        @field_validator("size")
        @classmethod
        def odd(cls, size: int) -> int:
            if size % 2 == 0:
                raise LookupError(f"{PLANTED} {size}")
            return size

    errors: list[Exception] = []
    config = opened(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        on_refresh_error=errors.append,
    )
    binding = config.provider.bind(Odd, "pool")
    publish(store, clock, pool__size="6")
    assert not config.refresh()
    assert [type(error) for error in errors] == [LookupError]
    assert binding.value.size == 5
    assert PLANTED not in caplog.text + repr(config.status)
    assert "LookupError" in caplog.text
    publish(store, clock, pool__size="7")
    assert config.refresh()
    assert binding.value.size == 7


def test_the_message_of_a_validation_is_no_text_of_a_validator(
    config: Provider, store: Emulator, clock: FakeClock
) -> None:
    """A ValueError of a validator becomes `value_error`: pydantic's text would quote it."""

    class Quoting(Pool):
        @field_validator("size")
        @classmethod
        def quoting(cls, size: int) -> int:
            if size > 5:
                raise ValueError(f"{PLANTED} is too much")
            return size

    config.provider.bind(Quoting, "pool")  # nobody holds it, so it refuses nothing
    binding = config.provider.bind(Quoting, "pool")
    publish(store, clock, pool__size="6")
    assert not config.refresh()
    assert str(config.status.last_error).endswith("Quoting: size: value_error")
    assert binding.value.size == 5


def test_validators_see_the_generation_before(store: Emulator, clock: FakeClock) -> None:
    """While they run nothing is published yet, and no refresh begins inside of them."""
    seen: list[object] = []
    loaded: list[AzureAppConfigurationProvider] = []

    class Curious(Pool):
        @field_validator("size")
        @classmethod
        def look(cls, size: int) -> int:
            seen.extend((each["pool:size"], each.refresh(force=True)) for each in loaded)
            return size

    with load(connection_string=store.connection_string, refresh_on=["sentinel"]) as config:
        binding = config.bind(Curious, "pool")
        loaded.append(config)
        publish(store, clock, pool__size="6")
        assert config.refresh()
        assert binding.value.size == 6
        assert seen == [("5", False)]


def test_binding_works_inside_callbacks(opened: Opener, store: Emulator, clock: FakeClock) -> None:
    """The new generation is in force there, and what is bound follows from then on."""
    bound: list[Binding[Pool]] = []
    live: Provider = opened(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        on_refresh_success=lambda: bound.append(live.provider.bind(Pool, "pool")),
    )
    publish(store, clock, pool__size="6")
    assert live.refresh()
    assert bound[0].value.size == 6
    publish(store, clock, pool__size="7")
    assert live.refresh()
    assert bound[0].value.size == 7


def test_what_nobody_holds_refuses_nothing(
    config: Provider, store: Emulator, clock: FakeClock
) -> None:
    """A binding lives as long as it is held; it keeps its configuration alive, too."""
    binding = config.provider.bind(Pool, "pool")
    del binding
    gc.collect()
    publish(store, clock, pool__size="many")
    assert config.refresh()
    assert config.snapshot["pool:size"] == "many"


def test_a_binding_reads_on_after_close(config: Provider) -> None:
    """The last generation stays readable, and so does what is bound to it."""
    binding = config.provider.bind(Pool, "pool")
    config.close()
    assert binding.value.size == 5
    assert config.provider.bind(int, "pool:size").value == 5


def test_a_rotated_secret_reaches_the_value(
    opened: Opener, store: Emulator, clock: FakeClock
) -> None:
    """Secrets are settings like others; one that does not fit is not published, nor shown."""
    store.set("pool:size", f'{{"uri": "{secret_id("size")}"}}', content_type=VAULT_TYPE)
    resolver = Resolver(size="5")
    config = opened(
        connection_string=store.connection_string,
        secret_resolver=resolver,
        secret_refresh_interval=60,
    )
    binding = config.provider.bind(Pool, "pool")
    resolver.values["size"] = PLANTED
    clock.advance(60)
    assert not config.refresh()
    assert (binding.value.size, config.snapshot["pool:size"]) == (5, "5")
    assert PLANTED not in repr(config.status)
    assert isinstance(config.status.last_error, BindingError)
    resolver.values["size"] = "6"
    clock.advance(600)
    assert config.refresh()
    assert binding.value.size == 6
    assert config.status.last_error is None


@pytest.mark.parametrize("extra", ["ignore", "forbid"])
def test_names_in_a_secret_are_not_shown(
    opened: Opener, store: Emulator, caplog: pytest.LogCaptureFixture, extra: str
) -> None:
    """A secret may be JSON; where it does not fit, only names of keys and of fields are shown."""

    class Door(BaseModel):
        model_config = ConfigDict(extra="forbid" if extra == "forbid" else "ignore")
        size: int

    class Doors(BaseModel):
        keys: dict[str, int] | None = None
        door: Door | None = None
        twice: Door | None = None

    for name in ("keys", "door", "twice"):
        reference = f'{{"uri": "{secret_id(name)}"}}'
        store.set(f"api:{name}", reference, content_type=VAULT_TYPE)
    resolver = Resolver(
        keys=json.dumps({PLANTED: "tenant"}),
        door=json.dumps({PLANTED: 1, "size": "x"}),
        twice=json.dumps({"SIZE": 1, "Size": 2}),
    )
    config = opened(connection_string=store.connection_string, secret_resolver=resolver)
    with pytest.raises(BindingError, match=r"keys\.\*: int_parsing") as caught:
        config.provider.bind(Doors, "api")
    assert "door.size: int_parsing" in str(caught.value)
    with pytest.raises(BindingError, match=r"twice\.\*: ambiguous_name"):
        config.provider.bind(Doors, "api", case_sensitive=False)
    assert PLANTED not in f"{caught.value} {caught.value.errors} {caplog.text}"


def test_a_binding_shows_its_type_and_prefix() -> None:
    """Its repr has no value; nothing of it can be assigned."""
    with Emulator() as store:
        store.set("pool:size", "4711")
        with load(connection_string=store.connection_string) as config:
            binding = config.bind(Pool, "pool")
            assert repr(binding) == "<Binding Pool, prefix='pool'>"
            shown = repr(config.bind(list[int] | None, "no"))
            assert shown == "<Binding list[int] | None, prefix='no'>"
            with pytest.raises(AttributeError):
                binding.value = Pool()  # type: ignore[misc]


def test_without_pydantic_the_extra_is_named(
    config: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package runs without it; only `bind` needs it, and says what to install."""
    monkeypatch.setitem(sys.modules, "pydantic", None)
    with pytest.raises(ImportError, match=r'pip install "appconfig-provider\[pydantic\]"'):
        config.provider.bind(Pool, "pool")


def test_only_bind_imports_pydantic() -> None:
    """Who does not bind pays nothing for it."""
    program = (
        "import sys; from appconfig_provider import load; from appconfig_provider.testing import "
        "Emulator\nwith Emulator() as store, load(connection_string=store.connection_string) as c:"
        "\n    c.snapshot.nested(); print('pydantic' in sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert shown.stdout == "False\n"


def test_an_error_travels() -> None:
    """It can be copied and pickled, as a worker of a process pool must send it."""
    error = BindingError("the settings do not fit", [FieldError(("a", 0), "int_parsing")])
    for arrived in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (str(arrived), arrived.errors) == (str(error), error.errors)


def test_long_lists_of_errors_are_cut(config: Provider, store: Emulator, clock: FakeClock) -> None:
    """The message names twenty places, the error has a hundred, and says how many there were."""
    store.set("many", list(range(300)))
    publish(store, clock)
    config.refresh()
    with pytest.raises(BindingError) as caught:
        config.provider.bind(list[str], "many")
    message = str(caught.value)
    assert message.count("string_type") == 20
    assert message.endswith("and 80 more, 300 errors in all")
    assert len(caught.value.errors) == 100
