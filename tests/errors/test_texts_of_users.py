"""Of an exception of a user's function only the type is reported: its text may quote a value."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from appconfig_provider import Polling
from appconfig_provider.testing import Emulator, FakeClock
from tests.support.adapter import Loader
from tests.support.content import secret_id

PLANTED = "planted-value"


class Quoting(ValueError):
    """Says what it was about, as pydantic's ValidationError does."""

    def __repr__(self) -> str:
        return f"Quoting({PLANTED!r})"


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """Give a store with a value that nobody is to see."""
    with Emulator(clock=clock) as emulator:
        emulator.set_many({"a": PLANTED, "sentinel": "1"})
        emulator.set_secret("pw", secret_id("pw"))
        yield emulator


class Raising:
    """A function of the user that works at first, and then raises what quotes the value."""

    def __init__(self) -> None:
        self.raises = False

    def __call__(self, *_: object) -> Any:
        if self.raises:
            try:
                raise KeyError(PLANTED)
            except KeyError as error:
                try:
                    raise Quoting(PLANTED) from error
                except Quoting:
                    raise Quoting(f"input_value={PLANTED}")  # noqa: B904 - a context, too
        return None


def logged(records: list[logging.LogRecord]) -> str:
    """Return all that a formatter could print of log records."""
    formatter = logging.Formatter()
    return "\n".join(
        f"{formatter.format(record)} {record.args!r} {record.exc_info!r}"
        for record in records
        if record.name == "appconfig_provider"
    )


def resolver(raising: Raising) -> Callable[[str], str]:
    """Return a resolver of secrets that works as long as a function does."""

    def resolve(_: str) -> str:
        raising()
        return "secret"

    return resolve


@pytest.mark.parametrize(
    "kind",
    [
        "validate",
        "configuration_mapper",
        "secret_resolver",
    ],
)
def test_a_failed_refresh_shows_the_type_alone(
    load: Loader,
    store: Emulator,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    kind: str,
) -> None:
    """Log and repr of the status tell the type; the callback and `last_error` get all of it."""
    caplog.set_level(logging.DEBUG)
    raising = Raising()
    errors: list[Exception] = []
    keywords: dict[str, Any] = {"secret_resolver": lambda _: "secret", kind: raising}
    if kind == "secret_resolver":
        keywords |= {kind: resolver(raising), "secret_policy": "raise"}
    with load(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        on_refresh_error=errors.append,
        **keywords,
    ) as config:
        raising.raises = True
        store.set("sentinel", "2")
        clock.advance(61)
        assert not config.refresh()
        (error,) = errors
        assert config.status.last_error is error
        shown = f"{config.status!r} {config.status}"
        if kind != "secret_resolver":
            assert isinstance(error, Quoting)
            assert PLANTED in str(error)
        assert PLANTED not in logged(caplog.records)
        assert PLANTED not in shown
    assert type(error).__name__ in shown
    assert ("Quoting" in logged(caplog.records)) or kind == "secret_resolver"


def test_the_log_says_where_a_user_function_raised(
    load: Loader, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The one line names type, file, line and function of the user's code, not ours."""
    raising = Raising()
    with load(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        secret_resolver=lambda _: "secret",
        validate=raising,
    ) as config:
        raising.raises = True
        store.set("sentinel", "2")
        clock.advance(61)
        assert not config.refresh()
    (line,) = [one.getMessage() for one in caplog.records if one.name == "appconfig_provider"]
    assert "Quoting raised at" in line
    assert f"{__file__}:" in line
    assert "in __call__" in line
    assert "_azure" not in line
    assert line.isprintable()


def test_a_callback_that_raises_is_reported_without_its_text(
    load: Loader, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the exception, nor what it is chained to, nor what is bound to the callback shows."""
    raising = Raising()
    raising.raises = True
    with load(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        secret_resolver=lambda _: "secret",
        on_refresh_success=[raising, partial(raising, PLANTED)],
    ) as config:
        store.set("sentinel", "2")
        clock.advance(61)
        assert config.refresh()
    reported = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert len(reported) == 2
    assert PLANTED not in logged(caplog.records)
    assert "Quoting" in reported[0].getMessage()
    assert "Raising" in reported[0].getMessage()


def test_a_poller_that_goes_on_tells_the_type_alone(caplog: pytest.LogCaptureFixture) -> None:
    """An exit that a callback asked for with a text is logged without the text."""
    from appconfig_provider import load

    called = threading.Event()

    def leave() -> None:
        called.set()
        raise SystemExit(PLANTED)

    with FakeClock() as clock, Emulator(clock=clock) as store:
        store.set("sentinel", "1")
        with load(
            connection_string=store.connection_string,
            refresh_on=["sentinel"],
            polling=Polling.auto(),
            on_refresh_success=leave,
        ):
            store.set("sentinel", "2")
            clock.advance(60)
            assert called.wait(10)
    assert "goes on" in logged(caplog.records)
    assert PLANTED not in logged(caplog.records)


def test_our_own_words_are_shown(
    load: Loader, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """What the package says of a store itself stands in the log and in the repr of the status."""
    with load(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        secret_resolver=lambda _: "secret",
    ) as config:
        store.set("snap", "{}", content_type=SNAPSHOT_REFERENCE)
        store.set("sentinel", "2")
        clock.advance(61)
        assert not config.refresh()
        assert "'snap'" in repr(config.status)
    assert "'snap'" in logged(caplog.records)


SNAPSHOT_REFERENCE = (
    'application/json; profile="https://azconfig.io/mime-profiles/snapshot-ref"; charset=utf-8'
)


def test_an_error_about_a_function_shows_nothing_bound_to_it() -> None:
    """A function that cannot be a callback is named; its arguments, which a repr shows, are not."""
    from appconfig_provider import load

    def wants_more(bound: str, *, required: int) -> None:
        """Require a keyword, which no callback is given."""

    for function in (partial(wants_more, PLANTED), partial(lambda _a, _b, _c: None, PLANTED)):
        with pytest.raises(TypeError) as caught:
            load(
                connection_string="Endpoint=https://a.azconfig.io;Id=i;Secret=eA==",
                on_refresh_success=function,
            )
        assert PLANTED not in str(caught.value)


@pytest.mark.parametrize("kind", ["validate", "configuration_mapper", "secret_resolver"])
def test_an_iterator_that_ended_is_told_by_its_type(
    load: Loader, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """`next()` of an empty iterator, not the RuntimeError that Python makes of it."""
    ended = False

    def function(_: object) -> Any:
        return next(iter(())) if ended else "secret" if kind == "secret_resolver" else None

    keywords: dict[str, Any] = {"secret_resolver": lambda _: "secret", kind: function}
    with load(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        secret_policy="raise",
        **keywords,
    ) as config:
        ended = True
        store.set("sentinel", "2")
        clock.advance(61)
        assert not config.refresh()
        shown = repr(config.status)
    text = logged(caplog.records)
    assert "StopIteration" in text
    assert "RuntimeError" not in text
    if kind != "secret_resolver":
        assert f"StopIteration raised at {__file__}:" in text
        assert "StopIteration" in shown
