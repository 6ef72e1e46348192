"""A key that is not there: a KeyError with a note about what may have been meant."""

from __future__ import annotations

import copy
import pickle
import time
import timeit
import traceback
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import pytest

from appconfig_provider import ConfigurationSnapshot, MissingKey
from appconfig_provider.snapshot import Provenance, make_snapshot
from appconfig_provider.testing import Emulator
from tests.support.adapter import Opener, Provider

SECRET = "planted-value"


@pytest.fixture
def store() -> Iterator[Emulator]:
    """Give a store with some keys."""
    with Emulator() as emulator:
        keys = ("app/message", "app/messages", "app/db:host", "app/color", "other:color")
        emulator.set_many(dict.fromkeys(keys, SECRET))
        yield emulator


@pytest.fixture
def config(opened: Opener, store: Emulator) -> Provider:
    """Give a provider that trims a prefix."""
    return opened(connection_string=store.connection_string, trim_prefixes=["app/"])


def nowhere(key: str) -> Any:
    """Explain nothing."""
    raise KeyError(key)


def snapshot_of(*keys: str) -> ConfigurationSnapshot:
    """Return a generation with these keys."""
    values = dict.fromkeys(keys, SECRET)
    moment = datetime.now(timezone.utc)
    return make_snapshot(values, Provenance(1, moment), explain=nowhere)


def missed(read: Callable[[], object]) -> MissingKey:
    """Return what a read raises."""
    with pytest.raises(MissingKey) as caught:
        read()
    return caught.value


def test_a_miss_is_a_key_error_of_the_key(config: Provider) -> None:
    """Programs that catch KeyError and read its argument go on working."""
    for read in (
        lambda: config.provider["nowhere"],
        lambda: config.snapshot["nowhere"],
        lambda: config.snapshot.explain("nowhere"),
    ):
        error = missed(read)
        assert isinstance(error, KeyError)
        assert error.args == ("nowhere",)
        assert (str(error), error.note) == ("'nowhere'", "")
        assert (error.__cause__, error.__context__) == (None, None)


@pytest.mark.parametrize(
    ("key", "note"),
    [
        ("mesage", "did you mean 'message' or 'messages'?"),
        ("Message", "did you mean 'message' or 'messages'?"),
        ("DB:HOST", "did you mean 'db:host'?"),
        ("app/message", "trim_prefixes made it 'message'"),
        ("db_host", "did you mean 'db:host'?"),
        ("host", "did you mean 'db:host'?"),
    ],
)
def test_the_note_says_what_may_have_been_meant(config: Provider, key: str, note: str) -> None:
    """Keys that are like it, or its name without the prefix; a traceback shows that."""
    for read in (lambda: config.provider[key], lambda: config.snapshot[key]):
        error = missed(read)
        assert str(error) == f"{key!r}: {note}"
        assert note in "".join(traceback.format_exception(error))
        assert SECRET not in str(error)


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_a_copy_says_the_same(config: Provider, way: Callable[[MissingKey], MissingKey]) -> None:
    """A worker of a process pool sends it on its way: key and note arrive."""
    error = missed(lambda: config.provider["mesage"])
    arrived = way(error)
    assert (type(arrived), arrived.args, str(arrived)) == (MissingKey, error.args, str(error))
    assert str(way(arrived)) == str(error)


def test_one_of_the_program_has_no_note() -> None:
    """What was not raised by a configuration is an ordinary KeyError."""

    class Asked:
        def ask(self) -> None:
            raise MissingKey("x")

    assert str(MissingKey("x")) == "'x'"
    assert str(missed(Asked().ask)) == "'x'"
    assert str(missed(lambda: snapshot_of("a")[5])) == "5"  # type: ignore[index]


def test_other_ways_to_read_are_as_they_were(config: Provider) -> None:
    """`get`, `in` and format strings treat a missing key as those of any dict do."""
    assert config.provider.get("nowhere", 5) == 5
    assert config.snapshot.get("nowhere") is None
    assert "nowhere" not in config.provider
    assert "nowhere" not in config.snapshot
    with pytest.raises(KeyError, match="nowhere"):
        "{nowhere}".format_map(config.snapshot)
    with pytest.raises(TypeError, match="unhashable"):
        config.provider[[]]  # type: ignore[index]


@pytest.mark.parametrize(
    "key", ["app:module7:kye70007", "nothing like that at all, not even a bit"]
)
def test_the_note_of_a_large_store_takes_milliseconds(key: str) -> None:
    """Of a hundred thousand keys few are compared letter by letter; 20 ms on a quiet machine."""
    snapshot = snapshot_of(*(f"app:module{n % 200}:key{n:05}" for n in range(100_000)))
    error = missed(lambda: snapshot[key])
    # Processor time, so that other work on the machine does not count.
    times = timeit.repeat(lambda: error.note, timer=time.process_time, number=1, repeat=7)
    assert min(times) < 0.25


def test_a_mistake_in_a_large_store_is_found() -> None:
    """A key with one mistake keeps its first half or its second, which singles out the others."""
    snapshot = snapshot_of(*(f"team{n}:service:setting-{n}" for n in range(10_000)))
    assert (
        "'team4711:service:setting-4711'"
        in missed(lambda: snapshot["team4711:service:seting-4711"]).note
    )


@pytest.mark.unmeasured
def test_a_caught_miss_stays_cheap() -> None:
    """At most twice what it took before; three times are allowed here, where others are busy."""
    snapshot = snapshot_of("a")
    plain = type("Plain", (dict,), {})(a=1)

    def misses(mapping: Any) -> Callable[[], None]:
        def run() -> None:
            for _ in range(1000):
                try:  # noqa: SIM105 - that would cost more than what is measured
                    mapping["b"]
                except KeyError:
                    pass

        return run

    ours, theirs = misses(snapshot), misses(plain)
    times = [(timeit.timeit(ours, number=1), timeit.timeit(theirs, number=1)) for _ in range(20)]
    assert min(one for one, _ in times) < 3 * min(other for _, other in times)
