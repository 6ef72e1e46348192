"""The hash that decides who is let in: the same as in all public libraries."""

from __future__ import annotations

import hashlib

import pytest

from appconfig_provider.flags import percentage as module
from appconfig_provider.flags.percentage import percentage
from tests.support.vectors import vectors


def test_hash_vectors() -> None:
    """Each of the 20 worked values comes out to the last bit."""
    cases = vectors("Hash.derived.json")
    assert len(cases) == 20
    for case in cases:
        user, _, hint = case["context"].partition("\n")
        assert percentage(user, hint) == case["percentage"], case


def test_no_user_is_the_empty_text() -> None:
    """None falls into the same place as the empty text, and not where a user `None` does."""
    assert percentage(None, "x") == percentage("", "x") != percentage("None", "x")


def test_every_sha256_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the interpreter has none of its own, that of hashlib serves."""

    def missing(name: str) -> object:
        raise ImportError(name)

    expected = percentage("Adam", "x")
    monkeypatch.setattr(module, "import_module", missing)
    assert module.own_sha256() is hashlib.sha256
    monkeypatch.setattr(module, "hashed", module.own_sha256())
    assert percentage("Adam", "x") == expected
