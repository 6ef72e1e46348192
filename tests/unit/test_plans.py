"""Plans, and the schedule that steps them."""

from __future__ import annotations

import itertools

import pytest

from appconfig_provider._plan import (
    Failure,
    Pending,
    Plan,
    Schedule,
    Sleep,
    Steps,
    gather,
    perform,
    plan,
)


@plan
def nap(seconds: float) -> Steps[float]:
    """Sleep, and say how long."""
    yield from perform(Sleep(seconds))
    return seconds


@plan
def naps(*seconds: float) -> Steps[tuple[float, ...]]:
    """Sleep one after the other."""
    slept: tuple[float, ...] = ()
    for each in seconds:
        slept += ((yield from nap(each)),)
    return slept


@plan
def side_by_side(*plans: Plan[float]) -> Steps[tuple[float, ...]]:
    """Run plans together."""
    return (yield from gather(*plans))


def seconds_of(pending: Pending) -> float:
    """Return what a pending sleeps."""
    assert isinstance(pending.effect, Sleep)
    return pending.effect.seconds


def test_a_plan_returns_what_its_steps_return() -> None:
    """A plan of several effects runs them in order and returns its result."""
    schedule = Schedule(naps(1, 2))
    (first,) = schedule.start()
    (second,) = schedule.answer(first, None)
    assert (seconds_of(first), seconds_of(second)) == (1, 2)
    assert schedule.answer(second, None) == []
    assert schedule.result() == (1, 2)


def test_a_failed_effect_raises_inside_the_plan() -> None:
    """The error of an effect comes out of `yield from perform(...)`, where a plan can handle it."""

    @plan
    def careful() -> Steps[str]:
        try:
            yield from nap(1)
        except OSError as error:
            return f"handled {error}"
        return "slept"

    schedule = Schedule(careful())
    (pending,) = schedule.start()
    schedule.answer(pending, Failure(OSError("no")))
    assert schedule.result() == "handled no"


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_plans_side_by_side_answer_in_their_own_order(order: tuple[int, ...]) -> None:
    """Results of `gather` stand in the order of the plans, however their effects finish."""
    schedule = Schedule(side_by_side(nap(1), nap(2), nap(3)))
    effects = schedule.start()
    assert [seconds_of(pending) for pending in effects] == [1, 2, 3]
    for place in order:
        assert schedule.answer(effects[place], None) == []
    assert schedule.result() == (1, 2, 3)


def test_each_plan_steps_when_its_own_answers_are_in() -> None:
    """A plan does not wait for a slower sibling before its next step."""

    @plan
    def both() -> Steps[tuple[object, ...]]:
        return (yield from gather(naps(1, 2), naps(9)))

    schedule = Schedule(both())
    quick, slow = schedule.start()
    (following,) = schedule.answer(quick, None)
    assert seconds_of(following) == 2
    schedule.answer(following, None)
    schedule.answer(slow, None)
    assert schedule.result() == ((1, 2), (9,))


def test_when_one_plan_raises_the_others_are_closed_before_anything_is_sent() -> None:
    """Siblings of a failed plan run their `finally` blocks, and their effects are void."""
    closed = []

    @plan
    def watched() -> Steps[float]:
        try:
            return (yield from nap(5))
        finally:
            closed.append(True)

    schedule = Schedule(side_by_side(nap(1), watched()))
    failing, sibling = schedule.start()
    assert schedule.answer(failing, Failure(OSError("no"))) == []
    assert closed == [True]
    assert sibling.void
    assert schedule.answer(sibling, None) == []
    with pytest.raises(OSError, match="no"):
        schedule.result()


def test_effects_of_a_plan_that_was_closed_at_once_are_not_handed_out() -> None:
    """Where a sibling raises before it asks for anything, nothing is begun for the others."""

    @plan
    def raising() -> Steps[float]:
        raise OSError("at once")
        yield ()

    schedule = Schedule(side_by_side(nap(1), raising(), nap(2)))
    assert schedule.start() == []
    with pytest.raises(OSError, match="at once"):
        schedule.result()


def test_gather_with_nothing_to_run_answers_at_once() -> None:
    """No plans, no waiting."""
    schedule = Schedule(side_by_side())
    assert schedule.start() == []
    assert schedule.result() == ()


def test_closing_runs_finally_blocks_children_first() -> None:
    """Closing a schedule closes every running plan, the inner ones before the outer."""
    closed = []

    @plan
    def inner() -> Steps[float]:
        try:
            return (yield from nap(1))
        finally:
            closed.append("inner")

    @plan
    def outer() -> Steps[tuple[float, ...]]:
        try:
            return (yield from gather(inner(), inner()))
        finally:
            closed.append("outer")

    schedule = Schedule(outer())
    schedule.start()
    schedule.close()
    assert closed == ["inner", "inner", "outer"]


def test_a_loop_of_plans_that_never_wait_does_not_grow_the_stack() -> None:
    """Stepping is a loop, not a recursion."""

    @plan
    def busy() -> Steps[int]:
        for _ in range(5_000):
            yield from gather()
        return 1

    schedule = Schedule(busy())
    schedule.start()
    assert schedule.result() == 1


def test_a_plan_that_was_never_run_warns() -> None:
    """A forgotten `yield from` is noticed, because no type checker sees it."""
    forgotten = [nap(1)]
    with pytest.warns(RuntimeWarning, match="'nap' was never run"):
        forgotten.clear()


def test_asking_for_the_result_of_an_unfinished_plan_is_an_error() -> None:
    """A result exists only once the plan has finished."""
    schedule = Schedule(nap(1))
    schedule.start()
    with pytest.raises(RuntimeError, match="not finished"):
        schedule.result()
    schedule.close()
