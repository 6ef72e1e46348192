"""From keys with separators to a tree, and no further: values stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from appconfig_provider.readonly import ReadOnlyDict, ReadOnlyList
from appconfig_provider.texts import argument, quoted

SEPARATORS = (".", ",", ";", "-", "_", "__", "/", ":")
"""Those that the providers of other languages know."""

WHOLE = "feature_management"
"""The key that is never split: it is not of the store, and libraries look for it by name."""


def nested(values: Mapping[str, Any], prefix: str, separator: str, *, lists: bool) -> Any:
    """Return the values below a prefix as a tree of read-only dicts and lists.

    Raises:
        ValueError: a key has a value and keys below it, or the separator is not one.
    """
    if separator not in SEPARATORS:
        known = " ".join(SEPARATORS)
        raise ValueError(f"separator must be one of {known}, not {argument(separator)}")
    root = prefix if not prefix or prefix.endswith(separator) else prefix + separator
    grown = _Branches(values, root, separator)
    grown.grow()
    return grown.finished(lists=lists)


class _Branches:
    """The members of each branch, by its path; a path ends in the separator, that of all is `root`.

    A branch stands behind the one that holds it, so that each is finished before its holder.
    """

    def __init__(self, values: Mapping[str, Any], root: str, separator: str) -> None:
        self._values = values
        self._root = root
        self._separator = separator
        self._members: dict[str, dict[str, Any]] = {root: {}}

    def grow(self) -> None:
        """Put each value into its branch."""
        root, members, separator = self._root, self._members, self._separator
        simple = len(separator) == 1
        for key, value in self._values.items():
            if simple and key != WHOLE:
                # `_place`, written out: a store may have ten thousand keys.
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
        """Return the root, every branch in its place."""
        for path in reversed(self._members):
            branch = _read_only(self._members[path], lists=lists)
            if path != self._root:
                above, name = self._place(path[: -len(self._separator)])
                self._members[above][name] = branch
        return branch

    def _place(self, key: str) -> tuple[str, str]:
        """Return the path of the branch that holds a key, and the name it has there."""
        if key == WHOLE:
            return self._root, key
        # Split from the left, so that `a___b` is `a` and `_b`.
        names = key[len(self._root) :].split(self._separator)
        return key[: len(key) - len(names[-1])], names[-1]

    def _branch(self, path: str, key: str) -> dict[str, Any]:
        """Make a branch for a key, and those that hold it."""
        missing = []
        while path not in self._members:
            holder = path[: -len(self._separator)]
            if holder in self._values:
                raise _both(holder, key)
            missing.append(path)
            path, _ = self._place(holder)
        for each in reversed(missing):
            above, name = self._place(each[: -len(self._separator)])
            self._members[above][name] = None  # its place among the members; filled at the end
            self._members[each] = {}
        return self._members[missing[0]]


def _both(holder: str, key: str) -> ValueError:
    return ValueError(
        f"{quoted(holder)} has a value, and so has {quoted(key)} below it; rename one of them, or "
        "choose another separator"
    )


def _read_only(members: dict[str, Any], *, lists: bool) -> Any:
    if lists and "0" in members and all(str(place) in members for place in range(len(members))):
        made: ReadOnlyList = ReadOnlyList.__new__(ReadOnlyList)
        list.extend(made, [members[str(place)] for place in range(len(members))])
        return made
    frozen: ReadOnlyDict = ReadOnlyDict.__new__(ReadOnlyDict)
    dict.update(frozen, members)
    return frozen
