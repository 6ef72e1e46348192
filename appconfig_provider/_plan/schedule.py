"""Steps a plan and the plans inside it; the part that both drivers share.

Theory of operation. A *frame* is one running generator. A frame that yields an effect waits until
it is performed; a frame that yields `Gather` waits for its child frames. The driver takes *pending
effects*, performs them in any order and hands their outcomes back; each outcome may make frames
step and yield new pending effects. Nothing here blocks, and everything here runs on the driver's
own thread.

When one child raises, its siblings are closed before anything else is stepped, so that nothing new
is sent for a plan that has already failed. Pending effects of closed frames are void: the driver
does not perform those that it has not begun, and outcomes of the others are ignored.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, NamedTuple, TypeVar, cast

from appconfig_provider._plan.effects import Effect, Failure
from appconfig_provider._plan.plans import Gather, Plan

T = TypeVar("T")


class _Frame:
    """One running plan: what it waits for, and who waits for it."""

    __slots__ = ("alive", "children", "missing", "parent", "place", "results", "steps")

    def __init__(self, running: Plan[object], parent: _Frame | None, place: int) -> None:
        self.steps = iter(running)
        self.parent = parent
        self.place = place
        """Which of its parent's children it is."""
        self.children: tuple[_Frame, ...] = ()
        self.results: list[object] = []
        """What the children have returned, in the order of the children."""
        self.missing = 0
        """How many children have not returned yet."""
        self.alive = True

    def close(self) -> None:
        for child in self.children:
            child.close()
        if self.alive:
            self.alive = False
            self.steps.close()


class Pending(NamedTuple):
    """One effect to perform, and the frame that waits for it."""

    frame: _Frame
    effect: Effect[object]

    @property
    def void(self) -> bool:
        """True when the plan that waited for this effect is closed."""
        return not self.frame.alive


class Schedule(Generic[T]):
    """Steps one plan to its end; the driver performs the effects."""

    def __init__(self, plan: Plan[T]) -> None:
        self._root = _Frame(plan, None, 0)
        self._ready: deque[tuple[_Frame, object]] = deque([(self._root, None)])
        """Frames to step, and what each is sent."""
        self._outcome: tuple[object] | None = None

    def start(self) -> list[Pending]:
        """Run up to the first effects."""
        return self._step()

    def answer(self, pending: Pending, outcome: object) -> list[Pending]:
        """Take the outcome of one effect; return the effects that the plan yields because of it."""
        if pending.frame.alive:
            self._ready.append((pending.frame, outcome))
        return self._step()

    def result(self) -> T:
        """Return what the plan returned, or raise what it raised."""
        if self._outcome is None:
            raise RuntimeError("the plan has not finished")
        (outcome,) = self._outcome
        if isinstance(outcome, Failure):
            raise outcome.error
        return cast("T", outcome)

    def close(self) -> None:
        """Close all frames that still run, children first; their `finally` blocks run."""
        self._root.close()

    def _step(self) -> list[Pending]:
        effects: list[Pending] = []
        while self._ready:
            frame, outcome = self._ready.popleft()
            if frame.alive:
                self._advance(frame, outcome, effects)
        return [pending for pending in effects if not pending.void]

    def _advance(self, frame: _Frame, outcome: object, effects: list[Pending]) -> None:
        frame.children = ()
        try:
            if isinstance(outcome, Failure):
                yielded = frame.steps.throw(outcome.error)
            else:
                yielded = frame.steps.send(outcome)
        except StopIteration as stop:
            self._finish(frame, stop.value)
        except BaseException as error:
            self._finish(frame, Failure(error))
        else:
            if isinstance(yielded, Gather):
                self._branch(frame, yielded.plans)
            else:
                effects.append(Pending(frame, yielded))

    def _branch(self, frame: _Frame, plans: tuple[Plan[object], ...]) -> None:
        frame.children = tuple([_Frame(one, frame, place) for place, one in enumerate(plans)])
        frame.missing = len(plans)
        frame.results = [None] * len(plans)
        self._ready.extend([(child, None) for child in frame.children])
        if not plans:
            self._ready.append((frame, ()))

    def _finish(self, frame: _Frame, outcome: object) -> None:
        frame.alive = False
        parent = frame.parent
        if parent is None:
            self._outcome = (outcome,)
        elif isinstance(outcome, Failure):
            for sibling in parent.children:
                sibling.close()
            self._ready.append((parent, outcome))
        else:
            parent.results[frame.place] = outcome
            parent.missing -= 1
            if not parent.missing:
                self._ready.append((parent, tuple(parent.results)))
