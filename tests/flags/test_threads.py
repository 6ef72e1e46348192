"""Threads that evaluate while flags are replaced: every answer is of one generation."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from appconfig_provider.flags import FeatureManager
from appconfig_provider.readonly import read_only
from tests.support.managers import flag, holding, targeting

SWAPS = 1_000
THREADS = 8


def generation(number: int) -> Any:
    """Return flags that tell of which generation they are, and one that is on in even ones."""
    numbered = {
        "variants": [{"name": "N", "configuration_value": number}],
        "allocation": {"percentile": [{"variant": "N", "from": 0, "to": 100}]},
    }
    plain = {"id": "plain", "enabled": number % 2 == 0}
    aimed = flag("aimed", targeting(Users=["u"] if number % 2 == 0 else []))
    return holding(flag("a", **numbered), flag("b", **numbered), plain, aimed)["feature_management"]


class Live(Mapping[str, Any]):
    """A Mapping like a provider's: each generation is read-only, one assignment replaces it."""

    _clock_of_flags = None

    def __init__(self) -> None:
        self.current: Any = read_only(generation(0))

    def __getitem__(self, key: str) -> Any:
        return {"feature_management": self.current}[key]

    def __iter__(self) -> Iterator[str]:
        return iter(["feature_management"])

    def __len__(self) -> int:
        return 1


@pytest.fixture(autouse=True)
def _hurried() -> Iterator[None]:
    """Let threads take turns as often as the interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def published(config: Any, number: int) -> None:
    """Replace the flags of a Mapping."""
    if isinstance(config, Live):
        config.current = read_only(generation(number))
    else:
        config["feature_management"] = generation(number)


class Evaluating:
    """A thread's work: evaluate until told to stop, and write down what cannot be."""

    def __init__(self, manager: FeatureManager, begun: threading.Barrier) -> None:
        self.manager = manager
        self.begun = begun
        self.over = False
        self.wrong: list[object] = []
        self.last = 0

    def __call__(self) -> None:
        """Work."""
        self.begun.wait()
        while not self.over:
            self.together()
            self.one_by_one()

    def together(self) -> None:
        """All flags at once are of one generation, and of none before the last one seen."""
        found = self.manager.evaluate_all("u")
        numbers = {found[name].variant.configuration for name in "ab"}  # type: ignore[union-attr]
        states = {found[name].enabled for name in ("plain", "aimed")}
        if len(numbers) > 1 or states != {max(numbers) % 2 == 0} or min(numbers) < self.last:
            self.wrong.append((numbers, states, self.last))
        self.last = max(numbers)

    def one_by_one(self) -> None:
        """What is asked later is of the same generation or of a later one."""
        first, second = (self.manager.get_value(name, -1, "u") for name in "ab")
        self.manager.is_enabled("plain")
        if not self.last <= first <= second:
            self.wrong.append((first, second, self.last))
        self.last = second


@pytest.mark.parametrize("make", [Live, lambda: holding() | {"k": 1}], ids=["provider", "dict"])
def test_every_answer_is_of_one_generation(make: Callable[[], Any]) -> None:
    """No mixture, none that goes back in time, and after the last swap only the last one."""
    config = make()
    published(config, 0)
    manager = FeatureManager(config, strict=True)
    begun = threading.Barrier(THREADS + 1)
    jobs = [Evaluating(manager, begun) for _ in range(THREADS)]
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    begun.wait()
    for number in range(1, SWAPS + 1):
        published(config, number)
    for job in jobs:
        job.over = True
    for thread in threads:
        thread.join()
    assert [job.wrong for job in jobs] == [[]] * THREADS
    assert manager.get_value("a", -1, "u") == SWAPS
    for number in (SWAPS, SWAPS + 1):
        published(config, number)
        assert manager.is_enabled("plain") is (number % 2 == 0)
        assert manager.is_enabled("aimed", "u") is (number % 2 == 0)
