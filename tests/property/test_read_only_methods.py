"""No method of dict or list writes to a value of the configuration.

The methods are found by introspection, so that one a later Python adds is tried too: whatever
changes an ordinary dict or list must raise TypeError here and leave everything as it is.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest

from appconfig_provider.models import Explanation
from appconfig_provider.readonly import read_only
from appconfig_provider.snapshot import Provenance, make_snapshot

CONTENTS: dict[str, Any] = {
    "dict": {"b": 1, "a": [2], "0": None},
    "list": [3, 1, [2], 1],
    "empty dict": {},
    "empty list": [],
}

ARGUMENTS: list[tuple[Any, ...]] = [
    (),
    (0,),
    (1,),
    (2,),
    ("a",),
    ("0", "new"),
    ("a", "new"),
    ("new", "new"),
    (0, "new"),
    ({"new": 1},),
    ([("new", 1)],),
    ([7, 8],),
    (slice(None),),
    (slice(None), [7]),
    (slice(0, 1), []),
    ("__class__", dict),
    ("__class__", list),
]
NAMED: list[dict[str, Any]] = [{}, {"new": 1}, {"reverse": True}, {"key": repr}]


def nowhere(key: str) -> Explanation:
    """Explain nothing: the values here come from no store."""
    raise KeyError(key)


def as_snapshot(values: dict[str, Any]) -> Any:
    """Return a whole generation, which is a read-only dict as well."""
    moment = datetime.now(timezone.utc)
    return make_snapshot(values, Provenance(1, moment), explain=nowhere)


def calls_of(kind: type) -> Iterator[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """Give every method of a type with every combination of arguments."""
    for name in dir(kind):
        for arguments in ARGUMENTS:
            for named in NAMED:
                yield name, arguments, named


def call(value: Any, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    method = getattr(value, name)
    if callable(method):
        method(*copy.deepcopy(arguments), **named)


def changes_a_plain_one(
    content: Any, name: str, arguments: tuple[Any, ...], named: dict[str, Any]
) -> bool:
    """Tell whether the call changes an ordinary value; what it raises is no answer."""
    plain = copy.deepcopy(content)
    with contextlib.suppress(Exception):
        call(plain, name, arguments, named)
    return bool(repr(plain) != repr(content))


def read_only_ones() -> Iterator[Any]:
    """Give each content as a value, and the objects as whole generations too."""
    for name, content in CONTENTS.items():
        yield pytest.param(content, read_only(content), id=name)
        if isinstance(content, dict):
            yield pytest.param(content, as_snapshot(content), id=f"{name} as snapshot")


@pytest.mark.parametrize(("content", "value"), list(read_only_ones()))
def test_no_method_changes_a_read_only_value(content: Any, value: Any) -> None:
    """Every method of the type, called in every way tried here, leaves the value as it is."""
    kind = type(value)
    for name, arguments, named in calls_of(kind):
        with contextlib.suppress(Exception):
            call(value, name, arguments, named)
        assert value == content, (name, arguments, named)
        assert list(value) == list(content), (name, arguments, named)
        assert type(value) is kind, (name, arguments, named)


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_a_call_that_would_write_says_so(content: Any) -> None:
    """What changes an ordinary value raises TypeError with a way out, instead of doing nothing."""
    tried = set()
    for name, arguments, named in calls_of(type(content)):
        if changes_a_plain_one(content, name, arguments, named):
            tried.add(name)
            with pytest.raises(TypeError, match="deepcopy"):
                call(read_only(content), name, arguments, named)
    assert len(tried) > 3, "the arguments above reach the writing methods"


STATEMENTS = {
    "dict": ["v['a'] = 1", "del v['a']", "v |= {'a': 2}", "v.update(a=2)", "v.x = 1"],
    "list": ["v[0] = 1", "del v[0]", "v += [1]", "v *= 2", "v[:] = []", "v[1:1] = [5]", "v.x = 1"],
}


@pytest.mark.parametrize(
    ("kind", "statement"),
    [(kind, statement) for kind, lines in STATEMENTS.items() for statement in lines],
)
def test_no_statement_writes_to_a_read_only_value(kind: str, statement: str) -> None:
    """Assignments, deletions and in-place operators raise, at the top and inside."""
    content = CONTENTS[kind]
    nested: Any = read_only([{"deep": content}])
    for value in (read_only(content), nested[0]["deep"]):
        with pytest.raises((TypeError, AttributeError)):
            exec(statement, {"v": value})
        assert value == content


def test_what_a_generation_says_of_itself_cannot_be_assigned() -> None:
    """`version`, `loaded_at`, `stale`, `consistent` and `origin` of a snapshot are read-only."""
    snapshot = as_snapshot({})
    for name in ("version", "loaded_at", "stale", "consistent", "origin", "another"):
        with pytest.raises(AttributeError):
            setattr(snapshot, name, 1)
