"""The official Python clients' own tests, from their source archives, against the emulator.

They are run in their live form, over TLS with bearer tokens: sync and async client, sync and async
provider with the secrets of a vault. ``make clients`` gets the archives.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract.suites.archives import PACKAGES, Unavailable, folder_of
from tests.contract.suites.running import Result, Suite, run

pytestmark = pytest.mark.heavy

BUSY = "asks no store, and waits busily for ten seconds"
AWAY = "asks a vault on the internet, to find that it cannot be had"
DISCOVERY = "discovery.py::TestDiscovery::test_request_record"
NO_CLIENT = "test_resolve_keyvault_reference_no_client_no_resolver"
ASYNC_SECRETS = "test_async_secret_provider.py::TestSecretProviderAsync"
SUITES = [
    Suite("client", "azure-appconfiguration"),
    Suite(
        "provider",
        "azure-appconfiguration-provider",
        chosen=("--ignore=aio", "."),
        left_out={
            f"test_{DISCOVERY}": BUSY,
            f"key_vault/test_secret_provider.py::TestSecretProvider::{NO_CLIENT}": AWAY,
        },
    ),
    Suite(
        "provider, async",
        "azure-appconfiguration-provider",
        chosen=("aio",),
        left_out={
            f"aio/test_async_{DISCOVERY}": BUSY,
            f"aio/key_vault/{ASYNC_SECRETS}::{NO_CLIENT}": AWAY,
        },
    ),
]
TESTS = {"client": 284, "provider": 233, "provider, async": 92}
"""How many tests each has; fewer would mean that they were not all run."""


@pytest.fixture(scope="module")
def results() -> Mapping[str, Result]:
    """Run all of them at once, since they mostly wait; skip where the archives are not here."""
    try:
        for package in PACKAGES:
            folder_of(package)
    except Unavailable as reason:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up(str(reason))
    with ThreadPoolExecutor(len(SUITES)) as pool:
        return dict(zip(TESTS, pool.map(run, SUITES), strict=True))


@pytest.mark.parametrize("name", TESTS)
def test_passes(results: Mapping[str, Result], name: str) -> None:
    """Every test passes, none is skipped, and all of them were run."""
    result = results[name]
    assert (len(result.passed), sorted(result.others)) == (TESTS[name], []), result.output


@pytest.mark.parametrize(("name", "fewest"), [("client", 2_000), ("provider", 100)])
def test_speaks_to_the_store(results: Mapping[str, Result], name: str, fewest: int) -> None:
    """The requests arrived at the emulator."""
    assert results[name].requests >= fewest
