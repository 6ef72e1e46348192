"""The single-flight flag by itself: one owner at a time, and room behind one that is gone."""

from __future__ import annotations

import contextlib
import gc
import sys
import threading

import pytest

from appconfig_provider._live.flight import Flight, Owner

pytestmark = pytest.mark.unmeasured


class Interrupt(BaseException):
    """What ends a call before it can release the flag."""


def call(flight: Flight, kept: list[object], *, ends: str) -> bool:
    """Take the flag, and end in some way; return whether it was to be had."""
    for owner in flight.begin(0.0, 1.0):
        kept.append(owner)
        if not flight.take(owner):
            return False
        if ends == "interrupted":
            raise Interrupt
        if ends == "released":
            flight.release(owner)
        return True
    return False


@pytest.mark.parametrize("ends", ["released", "returned", "interrupted"])
def test_the_flag_is_free_when_its_owners_call_is_over(ends: str) -> None:
    """However the call ended, and whatever of it somebody keeps."""
    flight, kept = Flight(), list[object]()
    for _ in range(3):
        try:
            assert call(flight, kept, ends=ends)
        except Interrupt as error:
            kept.append(error)
        assert not flight.locked()
        assert flight.holder is None


def test_an_owner_inside_another_one_has_to_wait() -> None:
    """The same thread gets it no second time while its first call runs."""
    flight, kept = Flight(), list[object]()
    for owner in flight.begin(0.0, 1.0):
        assert flight.take(owner)
        assert flight.holder is owner
        assert not call(flight, kept, ends="released")
        assert flight.held_by(owner)
        flight.release(owner)
    assert call(flight, kept, ends="released")


class Racers:
    """Threads that want one flag, and end their calls in all ways."""

    def __init__(self) -> None:
        self.flight = Flight()
        self.inside: list[Owner] = []
        self.had = 0
        self.errors = 0

    def race(self) -> None:
        """Try many times."""
        for step in range(400):
            with contextlib.suppress(Interrupt):
                for owner in self.flight.begin(0.0, 1.0):
                    if self.flight.take(owner):
                        self.have(owner, step % 3)

    def have(self, owner: Owner, way: int) -> None:
        """Have the flag, alone, and end in one of three ways."""
        self.inside.append(owner)
        self.had += 1
        self.errors += self.inside != [owner]
        self.inside.remove(owner)
        if way == 0:
            raise Interrupt
        if way == 1:
            self.flight.release(owner)


def test_threads_that_race_never_have_it_both() -> None:
    """Of many threads, whose calls end in all ways, one has the flag at a time."""
    racers, before = Racers(), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=racers.race) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert racers.errors == 0
    assert racers.had >= 400
    assert not racers.flight.locked()


def test_an_owner_that_somebody_keeps_keeps_no_other() -> None:
    """A traceback may hold an owner for long; those that come after it are let go all the same."""
    flight, kept = Flight(), list[object]()
    assert call(flight, kept, ends="returned")
    first = kept.pop()
    for _ in range(50):
        assert call(flight, [], ends="released")
    gc.collect()
    reached, seen = [first], set[int]()
    while reached:
        one = reached.pop()
        if id(one) not in seen:
            seen.add(id(one))
            reached += [other for other in gc.get_referents(one) if isinstance(other, dict | Owner)]
    owners = [one for one in gc.get_objects() if isinstance(one, Owner) and id(one) in seen]
    assert owners == [first]
