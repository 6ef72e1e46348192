"""The settings of the benchmark of ConfigCat's clients, in both forms of a config."""

from __future__ import annotations

import hashlib
import json
from typing import Any

SALT = "salt"
EMAIL = "brittney@example.com"
USER = ("Brittney", EMAIL, "UK", {"Version": "1.9.4"})
"""The arguments that every side makes its user of."""
LOCAL = {f"local{number}": True for number in range(5)}
"""Settings of a program's own."""

_LISTED = [f"user{number}@example.com" for number in range(9)] + [EMAIL]
_OPTIONS = ("A", "B", "C", "D")
_IN_V6 = {"u": {"a": "Email", "c": 2, "l": ["@example.com"]}}
_IN_V5 = {"o": 0, "a": "Email", "t": 2, "c": "@example.com", "v": True}


def config(plain: int = 0) -> str:
    """Return a config in both forms: so many settings without rules, or one of each kind."""
    keys = [f"flag{number}" for number in range(plain)]
    new = {key: _plain6() for key in keys} or _kinds6()
    old = {key: _plain5() for key in keys} or _kinds5()
    preferences = {"u": "https://localhost", "r": 0}
    return json.dumps(
        {
            "config_v5.json": {"p": preferences, "f": old},
            "config_v6.json": {"p": {**preferences, "s": SALT}, "f": new},
        }
    )


def _plain6() -> dict[str, Any]:
    return {"t": 0, "v": {"b": True}, "i": "on"}


def _plain5() -> dict[str, Any]:
    return {"t": 0, "v": True, "i": "on", "p": [], "r": []}


def _kinds6() -> dict[str, Any]:
    hashes = [_sha256(text, "hashed") for text in _LISTED]
    return {
        "simple": _plain6(),
        "rule": _rule6(_IN_V6),
        "options": {
            "t": 1,
            "v": {"s": "none"},
            "p": [{"p": 25, "v": {"s": name}} for name in _OPTIONS],
        },
        "hashed": _rule6({"u": {"a": "Email", "c": 16, "l": hashes}}),
        "semver": _rule6({"u": {"a": "Version", "c": 6, "s": "2.0.0"}}),
    }


def _rule6(condition: dict[str, Any]) -> dict[str, Any]:
    return {"t": 0, "v": {"b": False}, "r": [{"c": [condition], "s": {"v": {"b": True}}}]}


def _kinds5() -> dict[str, Any]:
    hashes = ",".join(hashlib.sha1(text.encode()).hexdigest() for text in _LISTED)
    options = [{"o": 0, "v": name, "p": 25} for name in _OPTIONS]
    return {
        "simple": _plain5(),
        "rule": {**_plain5(), "v": False, "r": [_IN_V5]},
        "options": {"t": 1, "v": "none", "p": options, "r": []},
        "hashed": {**_plain5(), "v": False, "r": [{**_IN_V5, "t": 16, "c": hashes}]},
        "semver": {
            **_plain5(),
            "v": False,
            "r": [{**_IN_V5, "a": "Version", "t": 6, "c": "2.0.0"}],
        },
    }


def _sha256(text: str, key: str) -> str:
    return hashlib.sha256((text + SALT + key).encode()).hexdigest()
