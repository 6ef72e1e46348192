"""A program for `featuremanagement` runs with our import: that package's own tests do.

Its tests come from the source archive of the installed version (``make clients``) and are run with
their imports rewritten, twice: as programs are, and with every manager `strict`.
"""

from __future__ import annotations

import os

import pytest

from tests.contract.suites.archives import Unavailable
from tests.contract.suites.rewritten import run

pytestmark = pytest.mark.heavy

WHITE_BOX = "looks into a private cache of that package"
RAISES = "expects an error of a flag's content, which only a strict manager raises"

REFRESH = "test_feature_manager_refresh.py::TestFeatureManagerRefresh"
BY_BOTH = {
    f"{REFRESH}::test_refresh": WHITE_BOX,
    f"{REFRESH}::test_refresh_async": WHITE_BOX,
}
INVALID = "TestDefaultFeatureFlags::test_feature_manager_invalid_feature_flag"
UNKNOWN = "TestFeatureManager::test_unknown_feature_filter"
BY_OTHERS = {
    f"test_default_feature_flags.py::{INVALID}": RAISES,
    f"test_default_feature_flags_async.py::{INVALID}": RAISES,
    f"test_feature_manager.py::{UNKNOWN}": RAISES,
    f"test_feature_manager_async.py::{UNKNOWN}": RAISES,
}
"""What is left out besides where managers are not strict."""


@pytest.mark.parametrize(("strict", "count"), [(True, 60), (False, 56)], ids=["strict", "plain"])
def test_their_tests_pass_with_our_import(strict: bool, count: int) -> None:
    """Every test passes that is not named above with the reason."""
    left_out = BY_BOTH if strict else {**BY_BOTH, **BY_OTHERS}
    try:
        passed, others, output = run(strict=strict, left_out=tuple(left_out))
    except Unavailable as reason:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up(str(reason))
    print(f"featuremanagement's tests: {len(passed)} passed, left out: {sorted(left_out)}")
    assert (len(passed), sorted(others)) == (count, []), output
