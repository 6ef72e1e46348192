"""What texts and names become before pydantic sees them; the type decides, place by place."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    Field,
    Json,
    RootModel,
    SecretStr,
    TypeAdapter,
    model_validator,
)
from typing_extensions import TypedDict

from appconfig_provider._live.fields import Fields
from appconfig_provider.readonly import read_only
from appconfig_provider.value_errors import FieldError


class Pool(BaseModel):
    """A model of scalars and a list."""

    size: int = 3
    tags: list[str] = []


class Node(BaseModel):
    """A model that refers to itself."""

    name: str = ""
    child: Node | None = None
    children: list[Node] = []


class Before(BaseModel):
    """A model whose own function comes first."""

    words: Annotated[list[str], BeforeValidator(lambda text: text.split(","))]

    @model_validator(mode="before")
    @classmethod
    def unchanged(cls, values: Any) -> Any:
        """Return what came."""
        return values


class Circle(BaseModel):
    """One of two shapes."""

    kind: Literal["circle"]
    sizes: list[int]


class Square(BaseModel):
    """The other one."""

    kind: Literal["square"]
    sizes: dict[str, int]


@dataclass
class Point:
    """A dataclass of the standard library."""

    places: tuple[int, ...]


class Named(NamedTuple):
    """A named tuple with a list."""

    first: int
    rest: list[int]


class Typed(TypedDict, total=False):
    """A typed dict."""

    ports: frozenset[int]


class Roots(RootModel[list[int]]):
    """A model that is a list."""


def prepared(kind: Any, tree: Any, *, case_sensitive: bool = True) -> Any:
    """Return what pydantic gets, and what is wrong already."""
    fields = Fields(TypeAdapter(kind).core_schema, case_sensitive=case_sensitive)
    return fields.prepared(read_only(tree))


@pytest.mark.parametrize(
    ("kind", "text", "decoded"),
    [
        (list[int], "[1, 2]", [1, 2]),
        (set[str], '["a"]', ["a"]),
        (frozenset[str], '["a"]', ["a"]),
        (deque[int], "[1]", [1]),
        (tuple[int, str], '[1, "a"]', [1, "a"]),
        (Sequence[int], "[1]", [1]),
        (Iterable[int], "[1]", [1]),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (Mapping[str, int], '{"a": 1}', {"a": 1}),
        (Pool, '{"size": 5}', {"size": 5}),
        (Pool | None, "null", None),
        (Pool | None, '{"tags": "[1]"}', {"tags": [1]}),
        (Node, '{"child": "{}"}', {"child": {}}),
        (Point, '{"places": [1]}', {"places": [1]}),
        (Named, '{"first": 1, "rest": [2]}', {"first": 1, "rest": [2]}),
        (Typed, '{"ports": [1]}', {"ports": [1]}),
        (Roots, "[1]", [1]),
        (Annotated[list[int], Field(min_length=1)], "[1]", [1]),
        (str | list[int], "[1]", [1]),
        (Circle | Square, '{"kind": "circle"}', {"kind": "circle"}),
    ],
)
def test_text_where_no_scalar_is_wanted_is_json(kind: Any, text: str, decoded: Any) -> None:
    """As pydantic-settings does: for models, lists, dicts and the like, at the root and below."""
    assert prepared(kind, text) == (decoded, [])
    assert prepared(dict[str, kind], {"at": text}) == ({"at": decoded}, [])


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (str, "[1]"),
        (int, "5"),
        (bool, "true"),
        (Any, "[1]"),
        (SecretStr, '{"a": 1}'),
        (Literal["[]"], "[]"),
        (Json[list[int]], "[1]"),
        (str | int, "5"),
        (int | None, "null"),
        (str | list[int], "5"),
        (str | list[int], "plain"),
        (Annotated[list[str], BeforeValidator(lambda text: text.split(","))], "a,b"),
        (Annotated[list[str], BeforeValidator(lambda text: text.split(","))], "8080"),
    ],
)
def test_text_that_may_be_meant_stays(kind: Any, text: str) -> None:
    """Scalars get their text, and so does what may be text, or comes first in a function."""
    assert prepared(kind, text) == (text, [])


@pytest.mark.parametrize("kind", [list[int], Pool, Pool | None, dict[str, int], Typed])
def test_broken_json_is_told_by_its_place(kind: Any) -> None:
    """The place and the type are named; what else is broken is named as well."""
    found = prepared(dict[str, kind], {"one": "{secret", "two": "[secret"})[1]
    assert found == [FieldError(("one",), "json_invalid"), FieldError(("two",), "json_invalid")]


def test_fields_are_found_by_their_aliases() -> None:
    """A text is decoded for the field that reads it, by whichever of its names."""

    class Model(BaseModel):
        one: list[int] = Field([], alias="uno")
        two: list[int] = Field([], validation_alias=AliasChoices("dos", AliasPath("deep", "dos")))

    tree = {"uno": "[1]", "dos": "[2]", "deep": {"dos": "x"}, "other": "[3]"}
    assert prepared(Model, tree) == ({**tree, "uno": [1], "dos": [2]}, [])


def test_a_union_of_models_counts_field_by_field() -> None:
    """Where several models may fit, text is JSON if any of them wants no scalar there."""
    either = Annotated[Circle | Square, Field(discriminator="kind")]
    tree = {"at": {"kind": "circle", "sizes": "[1]"}}
    assert prepared(dict[str, either], tree) == ({"at": {"kind": "circle", "sizes": [1]}}, [])


def test_names_match_fields_whatever_their_case() -> None:
    """Only names of fields are matched; the keys of a dict stay as they are written."""

    class Model(BaseModel):
        pool: Pool = Pool()
        data: dict[str, int] = {}
        host: str = Field("", alias="HostName")

    tree = {"POOL": '{"Size": 5}', "Data": {"KEY": 1}, "hostname": "h", "Other": 1}
    expected = {"pool": {"size": 5}, "data": {"KEY": 1}, "HostName": "h", "Other": 1}
    assert prepared(Model, tree, case_sensitive=False) == (expected, [])
    assert prepared(Model, tree)[0] == tree


def test_two_names_of_one_field_are_told() -> None:
    """One of them would be lost, so both are named."""
    found = prepared(dict[str, Pool], {"at": {"size": 1, "SIZE": 2}}, case_sensitive=False)[1]
    assert found == [
        FieldError(("at", "size"), "ambiguous_name"),
        FieldError(("at", "SIZE"), "ambiguous_name"),
    ]


def test_what_came_is_not_changed() -> None:
    """The tree belongs to the snapshot; a function of the program may change the copy it gets."""
    tree = read_only({"pool": {"tags": ["a"]}, "any": [{"b": 1}]})
    fields = Fields(TypeAdapter(dict[str, Any]).core_schema, case_sensitive=True)
    copy, _ = fields.prepared(tree)
    copy["pool"]["tags"].append("b")
    copy["any"][0]["b"] = 2
    assert tree == {"pool": {"tags": ["a"]}, "any": [{"b": 1}]}


def test_a_deep_tree_needs_no_stack() -> None:
    """A key of many segments must not end in a RecursionError, whatever the type refers to."""
    tree: Any = {"name": "innermost"}
    for _ in range(5000):
        tree = {"child": tree}
    fields = Fields(TypeAdapter(Node).core_schema, case_sensitive=False)
    copy, problems = fields.prepared(tree)
    while "child" in copy:
        copy = copy["child"]
    assert (copy, problems) == ({"name": "innermost"}, [])


def test_a_model_with_a_function_of_its_own_is_descended_into() -> None:
    """What its function gets is a dict, in which the texts of certain fields are decoded."""
    assert prepared(dict[str, Before], {"at": {"words": "a,b"}}) == ({"at": {"words": "a,b"}}, [])
    assert prepared(dict[str, Before], {"at": "no json"}) == ({"at": "no json"}, [])
    assert prepared(dict[str, Before], {"at": '{"words": "a"}'}) == ({"at": {"words": "a"}}, [])
