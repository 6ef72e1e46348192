"""Steps a plan and the plans inside it; the part that both drivers share.

Theory of operation. A *strand* is one running generator. A strand that yields effects waits until
all of them are answered; a strand that yields `Together` waits for its child strands. The driver
takes *tickets* (one effect each), performs them in any order and hands the answers back; each
answer may make strands step and yield new tickets. Nothing here blocks, and everything here runs
on the driver's own thread.

When one child raises, its siblings are closed before anything else is stepped, so that nothing new
is sent on behalf of a plan that has already failed. Tickets of closed strands are void: the driver
drops those it has not begun, and answers to the others are ignored.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar, cast

from appconfig_provider._plan.effects import Effect, Failure
from appconfig_provider._plan.plans import Plan, Together

T = TypeVar("T")


class _Strand:
    """One running plan: what it waits for, and who waits for it."""

    __slots__ = ("alive", "answers", "children", "missing", "parent", "place", "steps")

    def __init__(self, running: Plan[object], parent: _Strand | None, place: int) -> None:
        self.steps = iter(running)
        self.parent = parent
        self.place = place
        self.answers: list[object] = []
        self.missing = 0
        self.children: tuple[_Strand, ...] = ()
        self.alive = True

    def close(self) -> None:
        for child in self.children:
            child.close()
        if self.alive:
            self.alive = False
            self.steps.close()


class Ticket(NamedTuple):
    """One effect to perform, and the strand that waits for it."""

    strand: _Strand
    place: int
    effect: Effect[object]

    @property
    def void(self) -> bool:
        """True when nobody waits for this effect any more."""
        return not self.strand.alive


_Resume: TypeAlias = "tuple[object, ...] | Failure | None"


class Schedule(Generic[T]):
    """Runs one plan to its end, given somebody who performs effects."""

    def __init__(self, plan: Plan[T]) -> None:
        self._root = _Strand(plan, None, 0)
        self._ready: deque[tuple[_Strand, _Resume]] = deque([(self._root, None)])
        self._outcome: tuple[object] | None = None

    @property
    def finished(self) -> bool:
        """True when the plan has returned or raised."""
        return self._outcome is not None

    def start(self) -> list[Ticket]:
        """Run up to the first effects."""
        return self._step()

    def answer(self, ticket: Ticket, outcome: object) -> list[Ticket]:
        """Take the answer to one effect; return the effects that it made possible."""
        strand = ticket.strand
        if strand.alive:
            self._settle(strand, ticket.place, outcome)
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
        """Close what still runs, children first; their `finally` blocks run."""
        self._root.close()

    def _settle(self, strand: _Strand, place: int, outcome: object) -> None:
        strand.answers[place] = outcome
        strand.missing -= 1
        if strand.missing == 0:
            self._ready.append((strand, tuple(strand.answers)))

    def _step(self) -> list[Ticket]:
        tickets: list[Ticket] = []
        while self._ready:
            strand, resume = self._ready.popleft()
            if strand.alive:
                self._advance(strand, resume, tickets)
        return [ticket for ticket in tickets if not ticket.void]

    def _advance(self, strand: _Strand, resume: _Resume, tickets: list[Ticket]) -> None:
        strand.children = ()
        try:
            if isinstance(resume, Failure):
                asked = strand.steps.throw(resume.error)
            else:
                asked = strand.steps.send(cast("Any", resume))
        except StopIteration as stop:
            self._finish(strand, stop.value)
        except BaseException as error:
            self._finish(strand, Failure(error))
        else:
            self._wait(strand, asked, tickets)

    def _wait(self, strand: _Strand, asked: object, tickets: list[Ticket]) -> None:
        if isinstance(asked, Together):
            plans = enumerate(asked.plans)
            strand.children = tuple([_Strand(child, strand, place) for place, child in plans])
            self._ready.extend([(child, None) for child in strand.children])
            strand.missing = len(strand.children)
        else:
            effects = cast("tuple[Effect[object], ...]", asked)
            tickets += [Ticket(strand, place, effect) for place, effect in enumerate(effects)]
            strand.missing = len(effects)
        strand.answers = [None] * strand.missing
        if strand.missing == 0:
            self._ready.append((strand, ()))

    def _finish(self, strand: _Strand, outcome: object) -> None:
        strand.alive = False
        parent = strand.parent
        if parent is None:
            self._outcome = (outcome,)
        elif isinstance(outcome, Failure):
            for sibling in parent.children:
                sibling.close()
            self._ready.append((parent, outcome))
        else:
            self._settle(parent, strand.place, outcome)
