"""The fixtures of the tests with JavaScript packages, for their ``pytest_plugins``."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from appconfig_provider.testing import Emulator

from .packages import Unavailable, ready
from .process import Named, Node


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    """Run one node process for all tests; where that cannot be, skip, but fail in CI."""
    try:
        path = ready()
    except Unavailable as reason:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up(f"the official JavaScript client cannot be run: {reason}")
    process = Node(path)
    try:
        yield process
    finally:
        process.close()


@pytest.fixture
def js(node: Node, store: Emulator) -> Named:
    """Give the official JavaScript client, connected to the test's store."""
    node.do("connect", "client", store.connection_string)
    return Named(node, "client")
