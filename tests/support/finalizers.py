"""Objects that notice when the garbage collector ends them where little of the stack is left."""

from __future__ import annotations

import gc
from collections.abc import Callable

ROOM = 100
"""Frames that a finalizer may need, for example to write a line to the log."""


class _Finalized:
    """Garbage in a circle, which only the collector frees; its finalizer needs some frames."""

    def __init__(self, short_of_stack: list[int]) -> None:
        self._itself = self
        self._short_of_stack = short_of_stack

    def __del__(self) -> None:
        try:
            _descend(ROOM)
        except RecursionError:
            self._short_of_stack.append(1)


def _descend(frames: int) -> None:
    if frames:
        _descend(frames - 1)


def finalizers_short_of_stack(call: Callable[[], object]) -> int:
    """Return how many finalizers lacked stack while calling, over many moments of a collection."""
    before = gc.get_threshold()
    short: list[int] = []
    gc.collect()
    gc.freeze()  # so that the collections below have little to look through
    try:
        for allocations in range(20, 1_100, 40):
            _Finalized(short)
            gc.set_threshold(allocations)
            call()
            gc.set_threshold(*before)
            gc.collect()
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
    return len(short)
