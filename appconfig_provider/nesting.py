"""Builds a tree from keys with separators; the values are not changed or validated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from appconfig_provider.flag_values import FEATURE_MANAGEMENT
from appconfig_provider.readonly import ReadOnlyDict, ReadOnlyList
from appconfig_provider.texts import argument, quoted

SEPARATORS = (".", ",", ";", "-", "_", "__", "/", ":")
"""The separators that providers in other languages accept."""


def nested(values: Mapping[str, Any], prefix: str, separator: str, *, lists: bool) -> Any:
    """Return the values below a prefix as a tree of read-only dicts and lists.

    Raises:
        ValueError: a key has a value and keys below it, or the separator is not one.
    """
    if separator not in SEPARATORS:
        known = " ".join(SEPARATORS)
        raise ValueError(f"separator must be one of {known}, not {argument(separator)}")
    root = prefix if not prefix or prefix.endswith(separator) else prefix + separator
    branches = _Branches(values, root, separator)
    branches.fill()
    return branches.finished(lists=lists)


class _Branches:
    """The members of each branch of the tree, by its path.

    A path ends in the separator; the path of the whole tree is `root`. In the dict each branch
    comes after the branch that holds it. So in reversed order each is finished before its holder.
    """

    def __init__(self, values: Mapping[str, Any], root: str, separator: str) -> None:
        self._values = values
        self._root = root
        self._separator = separator
        self._members: dict[str, dict[str, Any]] = {root: {}}

    def fill(self) -> None:
        """Put each value into its branch."""
        root, members, separator = self._root, self._members, self._separator
        simple = len(separator) == 1
        for key, value in self._values.items():
            if simple and key != FEATURE_MANAGEMENT:
                # The same as `_place`, but without a call: a store may have ten thousand keys.
                above, found, name = key.rpartition(separator)
                path = above + found
            else:
                path, name = self._place(key)
            branch = members.get(path)
            if branch is None:
                if not key.startswith(root):
                    continue
                branch = self._branch(path, key)
            branch[name] = value
        holder = root.removesuffix(self._separator)
        if root and members[root] and holder in self._values:
            raise _both(holder, root + next(iter(members[root])))

    def finished(self, *, lists: bool) -> Any:
        """Return the tree: each branch is put into its holder."""
        for path in reversed(self._members):
            branch = _read_only(self._members[path], lists=lists)
            if path != self._root:
                above, name = self._place(path[: -len(self._separator)])
                self._members[above][name] = branch
        return branch

    def _place(self, key: str) -> tuple[str, str]:
        """Return the path of the branch that holds a key, and the name it has there."""
        if key == FEATURE_MANAGEMENT:
            # Never split: it is not a key of the store, and libraries read it by this name.
            return self._root, key
        # Split from the left, so that with the separator `__` the key `a___b` is `a` and `_b`.
        names = key[len(self._root) :].split(self._separator)
        return key[: len(key) - len(names[-1])], names[-1]

    def _branch(self, path: str, key: str) -> dict[str, Any]:
        """Make the branch for a key, and the missing branches that hold it."""
        missing = []
        while path not in self._members:
            holder = path[: -len(self._separator)]
            if holder in self._values:
                raise _both(holder, key)
            missing.append(path)
            path, _ = self._place(holder)
        for each in reversed(missing):
            above, name = self._place(each[: -len(self._separator)])
            self._members[above][name] = None  # keeps the order of members; replaced in `finished`
            self._members[each] = {}
        return self._members[missing[0]]


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
