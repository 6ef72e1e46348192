"""Bindings that are made while a generation is built or published: each sees it, one way."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator

import pytest
from pydantic import BaseModel, field_validator

from appconfig_provider import AzureAppConfigurationProvider, Binding, BindingError, load
from appconfig_provider.testing import Emulator, FakeClock
from tests.support.adapter import Opener, Provider


class Even(BaseModel, frozen=True):
    """Fits even sizes only."""

    size: int

    @field_validator("size")
    @classmethod
    def even(cls, size: int) -> int:
        """Refuse the others."""
        if size % 2:
            raise ValueError("odd")
        return size


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """Give a store with a sentinel and a size."""
    with Emulator(clock=clock) as emulator:
        emulator.set_many({"sentinel": "1", "pool:size": "2"})
        yield emulator


def publish(store: Emulator, clock: FakeClock, size: int) -> None:
    """Change the size, and the sentinel; time passes."""
    store.set_many({"pool:size": str(size), "sentinel": str(size)})
    clock.advance(600)


def calling(function: Callable[[], object]) -> type[BaseModel]:
    """Return a model that calls a function once, when it is validated after `arm` was called."""

    class Calling(BaseModel, frozen=True):
        size: int

        @field_validator("size")
        @classmethod
        def call(cls, size: int) -> int:
            function()
            return size

    return Calling


def test_a_binding_made_during_validate_counts(
    opened: Opener, store: Emulator, clock: FakeClock
) -> None:
    """It is registered when the generation is judged, so it may refuse that."""
    made: list[Binding[Even]] = []
    live: list[Provider] = []
    live.append(
        opened(
            connection_string=store.connection_string,
            refresh_on=["sentinel"],
            validate=lambda _: made.extend(each.provider.bind(Even, "pool") for each in live),
        )
    )
    publish(store, clock, 3)
    assert not live[0].refresh()
    assert (live[0].snapshot["pool:size"], made[0].value.size) == ("2", 2)


def test_a_binding_that_comes_too_late_keeps_its_value(
    opened: Opener, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The generation is published, counts as rejected and is told once; the next one counts."""
    made: list[Binding[Even]] = []
    errors: list[Exception] = []
    changes: list[int] = []

    def bind() -> None:
        if started and not made:
            made.append(config.provider.bind(Even, "pool"))

    started = False
    config: Provider = opened(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        on_refresh_error=errors.append,
        on_refresh_success=lambda: changes.append(1),
    )
    other = config.provider.bind(calling(bind), "pool")  # held, so that it is validated
    started = True
    publish(store, clock, 3)
    assert config.refresh()
    assert (config.snapshot["pool:size"], made[0].value.size) == ("3", 2)
    assert [str(error) for error in errors] == [
        "the settings below 'pool' do not fit Even: size: value_error"
    ]
    assert config.status.last_error is errors[0]
    assert "version 2 is published, but <Binding Even, prefix='pool'> was made" in caplog.text
    with pytest.raises(BindingError, match="do not fit"):
        made[0].of(config.snapshot)
    clock.advance(600)
    assert not config.refresh()
    assert (len(errors), len(changes), config.status.last_error) == (1, 1, errors[0])
    publish(store, clock, 5)
    assert not config.refresh()
    assert (config.snapshot["pool:size"], len(errors)) == ("3", 2)
    publish(store, clock, 4)
    assert config.refresh()
    assert (made[0].value.size, other.value.model_dump()) == (4, {"size": 4})
    assert config.status.last_error is None


def test_a_late_binding_is_told_beside_another_error(
    opened: Opener, store: Emulator, clock: FakeClock
) -> None:
    """A refresh that has failed in part already tells of the binding, too."""
    store.set_secret("password", "https://contoso.vault.azure.net/secrets/db")
    made: list[Binding[Even]] = []
    errors: list[Exception] = []
    live: list[Provider] = []

    def bind() -> None:
        made.extend(each.provider.bind(Even, "pool") for each in live if not made)

    def resolve(_uri: str) -> str:
        if live:
            raise OSError
        return "hunter2"

    config = opened(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        secret_resolver=resolve,
        on_refresh_error=errors.append,
    )
    held = config.provider.bind(calling(bind), "pool")  # held, so that it is validated
    live.append(config)
    publish(store, clock, 3)
    assert config.refresh()
    assert (config.snapshot["pool:size"], made[0].value.size) == ("3", 2)
    assert held.value is not None
    assert [type(error).__name__ for error in errors] == ["KeyVaultReferenceError", "BindingError"]


def test_a_late_binding_that_fits_has_the_new_value(
    opened: Opener, store: Emulator, clock: FakeClock
) -> None:
    """It is validated right after the generation was published, before anybody is called."""
    made: list[Binding[Even]] = []
    seen: list[int] = []

    def bind() -> None:
        if started and not made:
            made.append(config.provider.bind(Even, "pool"))

    started = False
    config: Provider = opened(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        on_refresh_success=lambda: seen.append(made[0].value.size),
    )
    other = config.provider.bind(calling(bind), "pool")  # held, so that it is validated
    started = True
    publish(store, clock, 4)
    assert config.refresh()
    assert (seen, made[0].of(config.snapshot).size) == ([4], 4)
    assert other.value.model_dump() == {"size": 4}


@pytest.fixture
def config(store: Emulator) -> Iterator[AzureAppConfigurationProvider]:
    """Give a provider that can refresh inside of a validator."""
    with load(connection_string=store.connection_string, refresh_on=["sentinel"]) as provider:
        yield provider


def refreshing(config: AzureAppConfigurationProvider) -> type[Even]:
    """Return a model whose validator refreshes, once."""
    calls: list[bool] = []

    class Refreshing(Even, frozen=True):
        @field_validator("size")
        @classmethod
        def refresh(cls, size: int) -> int:
            if not calls:
                calls.append(True)
                assert config.refresh()
            return size

    return Refreshing


def test_a_generation_published_during_bind_is_validated_too(
    config: AzureAppConfigurationProvider, store: Emulator, clock: FakeClock
) -> None:
    """That refresh did not know of the binding, so `bind` begins anew."""
    publish(store, clock, 4)
    binding = config.bind(refreshing(config), "pool")
    assert (config["pool:size"], binding.value.size) == ("4", 4)
    assert binding.of(config.snapshot) is binding.value


def test_bind_raises_where_a_generation_published_meanwhile_does_not_fit(
    config: AzureAppConfigurationProvider, store: Emulator, clock: FakeClock
) -> None:
    """As if it had been called a moment later; nothing is refused afterwards."""
    publish(store, clock, 3)
    with pytest.raises(BindingError):
        config.bind(refreshing(config), "pool")
    assert config.status.last_error is None
    publish(store, clock, 5)
    assert config.refresh()


def test_bindings_that_race_with_refreshes_miss_nothing(
    config: AzureAppConfigurationProvider, store: Emulator, clock: FakeClock
) -> None:
    """Whenever it was made, a binding has the instance of the generation in force at the end."""
    done = threading.Event()
    made: deque[Binding[Even]] = deque(maxlen=20)  # each refresh validates those that are held

    def binding() -> None:
        while not done.wait(0.001):
            made.append(config.bind(Even, "pool"))

    threads = [threading.Thread(target=binding) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for size in range(4, 44, 2):
            publish(store, clock, size)
            assert config.refresh(force=True)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert len(made) > 2
    assert {each.value.size for each in made} == {42}
    assert {each.of(config.snapshot).size for each in made} == {42}


def test_an_interrupted_late_validation_loses_no_callback(
    store: Emulator, clock: FakeClock
) -> None:
    """The generation is out by then: the next refresh calls back, and validates what is left."""
    changes: list[int] = []
    made: list[Binding[BaseModel]] = []
    interrupted: list[bool] = []

    def interrupt() -> None:
        if made and not interrupted:
            interrupted.append(True)
            raise KeyboardInterrupt

    def bind() -> None:
        if started and not made:
            made.append(config.bind(calling(interrupt), "pool"))

    started = False
    with load(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        on_refresh_success=lambda: changes.append(1),
    ) as config:
        held = config.bind(calling(bind), "pool")
        started = True
        publish(store, clock, 4)
        with pytest.raises(KeyboardInterrupt):
            config.refresh()
        assert (config["pool:size"], changes) == ("4", [])
        config.refresh(force=True)
        assert changes == [1]
        assert [each.value.model_dump() for each in (held, made[0])] == [{"size": 4}] * 2
