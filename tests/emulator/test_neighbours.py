"""Beside a request that looks at a whole store others are served as if it were not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.local_store import neighbour_times, percentile, running_local_store, write_seed

pytestmark = [pytest.mark.heavy, pytest.mark.unmeasured]

#: Seconds; `make bench` has the goal of 25 ms, here a busy machine has to pass too.
BOUND = 0.06


def test_nobody_waits_for_a_slow_request(tmp_path: Path) -> None:
    """Reads beside requests that look at 50,000 settings take milliseconds, nine of ten at least.

    The best of five tries counts, because a machine that does other things only makes it slower.
    """
    seed = write_seed(tmp_path / "seed.json", 50_000)
    with running_local_store("--seed", str(seed)) as store:
        best = float("inf")
        for _ in range(5):
            times, slow = neighbour_times(store.endpoint, 100)
            assert slow > 0
            best = min(best, percentile(times, 0.9))
            if best < BOUND:
                break
        assert best < BOUND
