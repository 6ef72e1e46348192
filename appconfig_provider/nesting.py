"""Builds a tree from keys with separators; the values are not changed or validated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args

from appconfig_provider.flag_values import FEATURE_MANAGEMENT
from appconfig_provider.readonly import ReadOnlyDict, ReadOnlyList
from appconfig_provider.texts import argument, quoted

Separator: TypeAlias = Literal[".", ",", ";", "-", "_", "__", "/", ":"]
"""The separators that providers in other languages accept."""
SEPARATORS: tuple[Separator, ...] = get_args(Separator)


def check_separator(separator: str) -> None:
    """Raise `ValueError` for what is no separator."""
    if separator not in SEPARATORS:
        known = " ".join(SEPARATORS)
        raise ValueError(f"separator must be one of {known}, not {argument(separator)}")


def nested(values: Mapping[str, Any], prefix: str, separator: str, *, lists: bool) -> Any:
    """Return the values below a prefix as a tree of read-only dicts and lists.

    Raises:
        ValueError: a key has a value and keys below it, or the separator is not one.
    """
    check_separator(separator)
    branches = _Branches(values, prefix, separator)
    branches.fill()
    return branches.finished(lists=lists)


class _Branches:
    """The members of each branch by its path: what its keys have before the last separator.

    `_made` has each branch with the members that hold it, and its name there. A branch comes after
    the one that holds it. So in reversed order each is finished before its holder.
    """

    def __init__(self, values: Mapping[str, Any], prefix: str, separator: str) -> None:
        self._values = values
        self._separator = separator
        self._root = prefix.removesuffix(separator) if prefix else None
        self._below = "" if self._root is None else self._root + separator
        """What the keys of the tree begin with."""
        self._tree: dict[str, Any] = {}
        # None is no key of it: CPython finds texts faster in a dict that has no other keys.
        self._members = {} if self._root is None else {self._root: self._tree}
        self._made: list[tuple[dict[str, Any], str, dict[str, Any]]] = []

    def fill(self) -> None:
        """Put each value into its branch."""
        separator, branch_at, tree = self._separator, self._members.get, self._tree
        # Few steps for each key, and no call of Python: a store may have ten thousand.
        for key, value in self._keys_below().items():
            path, found, name = key.rpartition(separator)
            if (branch := branch_at(path)) is not None and found:
                branch[name] = value
            elif found:
                self._add(key, value)
            else:
                tree[name] = value
        if self._root is None:
            if FEATURE_MANAGEMENT in self._values:
                tree[FEATURE_MANAGEMENT] = self._values[FEATURE_MANAGEMENT]
        elif self._root in self._values and tree:
            raise _both(self._root, self._below + next(iter(tree)))

    def finished(self, *, lists: bool) -> Any:
        """Return the tree: each branch is put into its holder."""
        for holder, name, members in reversed(self._made):
            holder[name] = _read_only(members, lists=lists)
        return _read_only(self._tree, lists=lists)

    def _keys_below(self) -> Mapping[str, Any]:
        """Return the values whose keys are split."""
        below = self._below
        if not below and self._separator not in FEATURE_MANAGEMENT:
            return self._values
        return {
            k: v for k, v in self._values.items() if k.startswith(below) and k != FEATURE_MANAGEMENT
        }

    def _add(self, key: str, value: Any) -> None:
        """Put a value into its branch, which may have to be made, with those that hold it."""
        path, name = self._place(key)
        place, missing = path, list[tuple[str, str]]()
        while place is not None and place not in self._members:
            if place in self._values:
                raise _both(place, key)
            above, inner = self._place(place)
            missing.append((place, inner))
            place = above
        branch = self._tree if place is None else self._members[place]
        for made, inner in reversed(missing):
            branch[inner] = None  # keeps the order of members; replaced in `finished`
            members: dict[str, Any] = {}
            self._made.append((branch, inner, members))
            self._members[made] = branch = members
        branch[name] = value

    def _place(self, key: str) -> tuple[str | None, str]:
        """Return the path of the branch that holds a key or a branch, and the name it has there."""
        path, found, name = key.rpartition(self._separator)
        if path.endswith("_") and found == "__" and path != self._root:
            # Split from the left: `a___b` is `a` and `_b`.
            *_, name = key[len(self._below) :].split(found)
            path = key[: -len(found + name)]
        return path if found else None, name


def _both(holder: str, key: str) -> ValueError:
    return ValueError(
        f"{quoted(holder)} has a value, and so has {quoted(key)} below it; rename one of them, or "
        "choose another separator"
    )


def _read_only(members: dict[str, Any], *, lists: bool) -> Any:
    if lists and "0" in members and all(str(place) in members for place in range(len(members))):
        items: ReadOnlyList = ReadOnlyList.__new__(ReadOnlyList)
        list.extend(items, [members[str(place)] for place in range(len(members))])
        return items
    frozen: ReadOnlyDict = ReadOnlyDict.__new__(ReadOnlyDict)
    dict.update(frozen, members)
    return frozen
