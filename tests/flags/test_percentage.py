"""The hash that decides who is let in: the same as in all public libraries."""

from __future__ import annotations

from appconfig_provider.flags.percentage import percentage
from tests.support.vectors import vectors


def test_hash_vectors() -> None:
    """Each of the 20 worked values comes out to the last bit."""
    cases = vectors("Hash.derived.json")
    assert len(cases) == 20
    for case in cases:
        user, _, hint = case["context"].partition("\n")
        assert percentage(user, hint) == case["percentage"], case
