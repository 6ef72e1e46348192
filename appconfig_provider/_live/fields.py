"""What becomes of a tree of settings before pydantic validates it.

Settings are texts, and a store has no way to write a list or an object but as JSON. So a text is
decoded where the model has no scalar: where pydantic-settings would decode it. Names are matched
with the fields here, too, where case does not count.

Which fields there are is read from the core schema that pydantic builds for a type. A kind of
schema that is not known here counts as a scalar: its text stays, and pydantic judges it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from appconfig_provider.decoding import Undecodable, decode
from appconfig_provider.value_errors import FieldError

Schema: TypeAlias = Mapping[str, Any]
Path: TypeAlias = tuple[str | int, ...]

_WITHIN = {
    **dict.fromkeys(
        ("default", "nullable", "model", "dataclass", "custom-error", "function-after"), "schema"
    ),
    **dict.fromkeys(("function-before", "function-wrap", "definitions"), "schema"),
    "json-or-python": "json_schema",
    "lax-or-strict": "lax_schema",
    "call": "arguments_schema",
}
"""Kinds that say something about another schema, and the name they have it under."""
_OWN_WAY = {"function-before", "function-wrap"}
"""A function of the program comes first, and may want the text as it is."""
_FIELDS = {
    **dict.fromkeys(("model-fields", "typed-dict", "dataclass-args", "named-tuple"), "fields"),
    "arguments": "arguments_schema",
}
"""Kinds that have fields, and the name they have them under."""
_ITEMS = {"list", "set", "frozenset", "deque", "generator", "tuple"}
_NO_SCALARS = {*_FIELDS, *_ITEMS, "dict"}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a model has at one place: all schemas that may count there."""

    schemas: tuple[Schema, ...]
    certain: bool
    """True when a text that is no JSON cannot be right."""
    nullable: bool

    @property
    def kinds(self) -> set[str]:
        """The kinds of the schemas."""
        return {schema["type"] for schema in self.schemas}


class Fields:
    """The fields of a type, down to its scalars."""

    def __init__(self, schema: Schema, *, case_sensitive: bool) -> None:
        self._schema = schema
        self._case_sensitive = case_sensitive
        self._definitions: dict[str, Schema] = {}
        self._known: dict[tuple[int, ...], _Wanted] = {}
        """What `_wanted` has returned, by the identities of its schemas."""
        self._named: dict[int, dict[str, list[Schema]]] = {}
        """The fields of a schema by the names that they are read by, by its identity."""

    @property
    def nothing(self) -> tuple[Any, ...]:
        """What stands for settings that are not there: None, an empty object, or there is none."""
        wanted = self._wanted([self._schema])
        if wanted.nullable:
            return (None,)
        return () if wanted.kinds.isdisjoint({*_FIELDS, "dict", "any"}) else ({},)

    def prepared(self, tree: object) -> tuple[Any, list[FieldError]]:
        """Return a private copy of a tree, its texts decoded, and what is wrong with it.

        It does not recurse: a tree that is nested deeply must not end in a `RecursionError`.
        """
        whole: dict[Any, Any] = {None: tree}
        problems: list[FieldError] = []
        places: list[tuple[Any, Any, _Wanted, Path]] = [
            (whole, None, self._wanted([self._schema]), ())
        ]
        for holder, name, wanted, path in places:  # more are appended meanwhile
            value = holder[name]
            if isinstance(value, str):
                value = _decoded(value, wanted, path, problems)
            if isinstance(value, dict):
                holder[name] = members = self._renamed(value, wanted, path, problems)
                places += [
                    (members, one, self._member(wanted, one), (*path, one)) for one in members
                ]
            elif isinstance(value, list):
                holder[name] = items = list(list.__iter__(value))
                item = self._item(wanted)
                places += [(items, place, item, (*path, place)) for place in range(len(items))]
            else:
                holder[name] = value
        return whole[None], problems

    def _wanted(self, schemas: Iterable[Schema]) -> _Wanted:
        """Return what counts of some schemas, without what is only said about others."""
        left = list(schemas)
        known = tuple(map(id, left))
        if known not in self._known:
            self._known[known] = self._resolved(left)
        return self._known[known]

    def _resolved(self, left: list[Schema]) -> _Wanted:
        found: list[Schema] = []
        seen: set[int] = set()
        certain, nullable = True, False
        for schema in left:  # those that they refer to are appended meanwhile
            if id(schema) in seen:
                continue
            seen.add(id(schema))
            certain = certain and schema["type"] not in _OWN_WAY
            nullable = nullable or schema["type"] == "nullable"
            inner = self._inside(schema)
            if inner is None:
                found.append(schema)
            else:
                left += inner
        return _Wanted(tuple(found), certain and len(found) == 1, nullable)

    def _inside(self, schema: Schema) -> list[Schema] | None:
        """Return the schemas that this one only says something about; None where it counts."""
        kind = schema["type"]
        if kind == "definitions":
            self._definitions.update({each["ref"]: each for each in schema["definitions"]})
        if kind == "definition-ref":
            return [self._definitions[schema["schema_ref"]]]
        if kind == "chain":
            return [schema["steps"][0]]
        if kind == "union":
            return [each[0] if isinstance(each, tuple) else each for each in schema["choices"]]
        if kind == "tagged-union":
            return list(schema["choices"].values())
        return [schema[_WITHIN[kind]]] if kind in _WITHIN else None

    def _member(self, wanted: _Wanted, name: str) -> _Wanted:
        """Return what is wanted of a member of an object."""
        found: list[Schema] = []
        for schema in wanted.schemas:
            if schema["type"] == "dict" and "values_schema" in schema:
                found.append(schema["values_schema"])
            elif schema["type"] in _FIELDS:
                found += self._names(schema).get(name, ())
        return self._wanted(found)

    def _item(self, wanted: _Wanted) -> _Wanted:
        """Return what is wanted of the items of an array."""
        found: list[Schema] = []
        for schema in wanted.schemas:
            items = schema.get("items_schema") if schema["type"] in _ITEMS else None
            found += items if isinstance(items, list) else [items] if items else []
        return self._wanted(found)

    def _names(self, schema: Schema) -> dict[str, list[Schema]]:
        """Return the fields of a schema by the names that they are read by, aliases first."""
        if id(schema) not in self._named:
            fields = schema[_FIELDS[schema["type"]]]
            pairs = fields.items() if isinstance(fields, dict) else ((f["name"], f) for f in fields)
            names: dict[str, list[Schema]] = {}
            self._named[id(schema)] = names
            for own, one in pairs:
                for path in (*_aliases(one), [own]):
                    # A path that leads on does not name the field itself, but must be found.
                    names.setdefault(path[0], []).extend([one["schema"]] if len(path) == 1 else [])
        return self._named[id(schema)]

    def _renamed(
        self, value: dict[str, Any], wanted: _Wanted, path: Path, problems: list[FieldError]
    ) -> dict[str, Any]:
        """Return a copy of an object; where case does not count, fields have their own names."""
        if self._case_sensitive:
            return dict(value)
        fielded = [schema for schema in wanted.schemas if schema["type"] in _FIELDS]
        names = [name for schema in fielded for name in self._names(schema)]
        folded = {name.casefold(): name for name in reversed(names)}
        spellings = {
            written: written if written in names else folded[written.casefold()]
            for written in value
            if written.casefold() in folded
        }
        taken = list(spellings.values())
        problems += [
            FieldError((*path, written), "ambiguous_name")
            for written, name in spellings.items()
            if taken.count(name) > 1
        ]
        return {spellings.get(written, written): item for written, item in value.items()}


def _aliases(one: Schema) -> Iterator[list[Any]]:
    """Yield the paths that a field is read by instead of its name."""
    alias = one.get("validation_alias", one.get("alias"))
    if isinstance(alias, str):
        yield [alias]
    elif alias:
        yield from alias if isinstance(alias[0], list) else [alias]


def _decoded(value: str, wanted: _Wanted, path: Path, problems: list[FieldError]) -> object:
    """Return what a text holds where no scalar is wanted; else the text."""
    if wanted.kinds.isdisjoint(_NO_SCALARS):
        return value
    try:
        found = decode(value)
    except Undecodable:
        if wanted.certain:
            problems.append(FieldError(path, "json_invalid"))
        return value
    # Where a text may be right as well, JSON counts only if it cannot be meant as a scalar.
    return found if wanted.certain or isinstance(found, dict | list) else value
