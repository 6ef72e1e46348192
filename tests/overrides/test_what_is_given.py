"""What a program may pass as overrides, what becomes of it, and what is said of the rest."""

from __future__ import annotations

import copy
from enum import Enum, IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from appconfig_provider import OverrideBehaviour, Overrides, load
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider.overrides.layers import Layer
from appconfig_provider.overrides.values import BadOverride, copied

STORE = "Endpoint=http://127.0.0.1:1;Id=i;Secret=c2VjcmV0"


class Colour(str, Enum):
    """Text of a class of its own."""

    RED = "red"


class Size(IntEnum):
    """A number of a class of its own."""

    BIG = 9


def layer(values: Any, **more: Any) -> Layer:
    """Return the layer of a dict."""
    source = Overrides.from_dict(values, **more).source
    assert isinstance(source, Layer)
    return source


def held(depth: int) -> Any:
    """Return lists inside each other."""
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


def holding_itself() -> list[Any]:
    """Return a list that is its own item, twice."""
    value: list[Any] = []
    value += [value, value]
    return value


def shared() -> Any:
    """Return few lists that count as very many, because each is an item of the next one twice."""
    value: Any = ["x"]
    for _ in range(90):
        value = [value, value]
    return value


def test_a_dict_is_copied() -> None:
    """Later changes of the dict, at any depth, are not seen, and nothing is written to it."""
    given: dict[str, Any] = {"a": {"b": [1, {"c": 2}]}, "feature_management": {"feature_flags": []}}
    before = copy.deepcopy(given)
    values = layer(given).values
    assert given == before
    given["a"]["b"][1]["c"] = 3
    given["new"] = 1
    assert values == {"a": {"b": [1, {"c": 2}]}}


def test_values_are_what_json_has() -> None:
    """Subclasses, tuples and mappings become plain JSON that cannot be written to."""
    given = {
        "text": Colour.RED,
        "number": Size.BIG,
        "bool": True,
        "none": None,
        "tuple": (1, 2.5),
        "mapping": MappingProxyType({"a": 1}),
    }
    values = layer(given).values
    assert values == {
        "text": "red",
        "number": 9,
        "bool": True,
        "none": None,
        "tuple": [1, 2.5],
        "mapping": {"a": 1},
    }
    assert [type(values[name]) for name in ("text", "number", "bool")] == [str, int, bool]
    with pytest.raises(TypeError, match="read-only"):
        values["tuple"].append(3)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"planted-value"}, "holds a set; a value is what JSON has"),
        (b"planted-value", "holds a bytes"),
        ([{"x": object()}], "holds an object"),
        ({1: "planted-value"}, "has an int as the name of a member"),
    ],
)
def test_a_wrong_type_names_the_key(value: object, said: str) -> None:
    """A value that JSON has not is a TypeError that names its key, and never the value."""
    with pytest.raises(TypeError) as caught:
        Overrides.from_dict({"good": 1, "db": value})
    assert str(caught.value).startswith("overrides: the value of 'db' ")
    assert said in str(caught.value)
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize("value", [held(101), holding_itself()], ids=["deep", "circle"])
def test_what_is_too_deep_names_the_key(value: object) -> None:
    """A value that is nested too deeply, or holds itself, is a ValueError that names its key."""
    said = "'db' is nested deeper than 100 levels, or holds itself"
    with pytest.raises(ValueError, match=said):
        Overrides.from_dict({"db": value})


def test_the_deepest_value_is_accepted() -> None:
    """One hundred levels are within the bounds, as for JSON of the store."""
    assert layer({"db": held(100)}).values["db"] == held(100)


@pytest.mark.heavy
def test_shared_values_do_not_fill_the_memory() -> None:
    """Lists that hold each other twice count as often as they are reached."""
    with pytest.raises(ValueError, match="more than 1000000 values"):
        Overrides.from_dict({"db": shared()})


def test_a_key_is_text() -> None:
    """A key of another type is a TypeError."""
    with pytest.raises(TypeError, match="a key is an int; keys are str"):
        Overrides.from_dict({5: "x"})  # type: ignore[dict-item]


@pytest.mark.parametrize("given", [[("a", 1)], "a=1", None, 5])
def test_a_dict_is_a_mapping(given: Any) -> None:
    """What is no mapping is refused by its type."""
    with pytest.raises(ValueError, match="keys and values are wanted, not"):
        Overrides.from_dict(given)


def test_the_error_keeps_no_values_in_its_frames() -> None:
    """Error trackers show the locals of frames; below the caller's own there is none."""
    with pytest.raises(TypeError) as caught:
        Overrides.from_dict({"password": "planted-value", "db": {1}})
    assert caught.value.__context__ is None
    frames = [frame.frame.f_locals for frame in caught.traceback[1:]]
    assert "planted-value" not in repr(frames)


def test_objects_are_flattened_where_a_separator_says_so() -> None:
    """Members become keys; lists, scalars and empty objects stay values."""
    given = {"a": {"b": {"c": 1}, "list": [{"x": 1}], "empty": {}}, "plain": 2}
    assert layer(given, separator=":").values == {
        "a:b:c": 1,
        "a:list": [{"x": 1}],
        "a:empty": {},
        "plain": 2,
    }
    assert layer(given).values == given


@pytest.mark.parametrize(
    "given", [{"Beta": True}, [{"id": "Beta"}], {"feature_flags": {"Beta": True}}, "Beta"]
)
def test_feature_management_of_another_shape_is_told(
    given: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It stays an ordinary value, and one warning says that it holds no flags."""
    overrides = Overrides.from_dict(
        {"feature_management": given}, behaviour=OverrideBehaviour.LOCAL_ONLY
    )
    with load(overrides=overrides) as config:
        assert config["feature_management"] == given
    (told,) = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert told == (
        "overrides: feature_management holds no feature flags, for it is no object with a list "
        "'feature_flags'; it is an ordinary value"
    )


@pytest.mark.parametrize("flags", [[{"id": "Beta", "enabled": True}], []])
def test_flags_of_overrides_are_loaded_flags(flags: Any, caplog: pytest.LogCaptureFixture) -> None:
    """`feature_flags` warns that no flags are loaded only where nobody brings any."""
    given = {"feature_management": {"feature_flags": flags}}
    for values, warnings in ((given, 0), ({"a": 1}, 1)):
        overrides = Overrides.from_dict(values, behaviour=OverrideBehaviour.LOCAL_ONLY)
        with load(overrides=overrides) as config:
            assert config.feature_flags.names() == [one["id"] for one in flags if not warnings]
        told = [one for one in caplog.records if "no feature flags are loaded" in one.getMessage()]
        assert len(told) == warnings


def test_feature_management_is_never_flattened() -> None:
    """Libraries look for flags under this one name."""
    given = {"feature_management": {"feature_flags": [{"id": "Beta"}]}}
    found = layer(given, separator=":")
    assert not found.values
    assert found.flags == {"Beta": {"id": "Beta"}}


def test_a_key_in_two_spellings_is_refused() -> None:
    """A key that stands there both as a name and as members is a ValueError that names it."""
    with pytest.raises(ValueError, match="the key 'a:b' is given twice"):
        Overrides.from_dict({"a:b": 1, "a": {"b": 2}}, separator=":")


def test_flattening_has_a_bound() -> None:
    """Long names above many members are refused before they fill the memory."""
    given = {"n" * 100_000: {str(number): 0 for number in range(1000)}}
    with pytest.raises(ValueError, match="too long once it is flattened"):
        Overrides.from_dict(given, separator=":")


@pytest.mark.parametrize("separator", ["", "::", "x", 5, True])
def test_separators_are_those_of_nested(separator: Any) -> None:
    """Any other separator is refused."""
    with pytest.raises(ValueError, match="separator must be one of"):
        Overrides.from_dict({}, separator=separator)
    with pytest.raises(ValueError, match="separator must be one of"):
        Overrides.from_file("a.json", separator=separator)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([{"enabled": True}], "an object with an 'id'"),
        (["Beta"], "an object with an 'id'"),
        ([{"id": 5}], "an object with an 'id'"),
        ([{"id": "Beta", "conditions": []}], "feature flag 'Beta' is malformed"),
        ([{"id": "Beta", "conditions": {"client_filters": [None]}}], "'Beta' is malformed"),
    ],
)
def test_flags_have_the_shape_that_libraries_need(flags: Any, said: str) -> None:
    """A list of something else is refused, with the id of the flag if it has one."""
    with pytest.raises(ValueError, match=said):
        Overrides.from_dict({"feature_management": {"feature_flags": flags}})


@pytest.mark.parametrize("path", [5, b"dev.json", None])
def test_a_path_is_text_or_a_path(path: Any) -> None:
    """Another type is a TypeError."""
    with pytest.raises(TypeError, match=r"path must be a str or a pathlib\.Path"):
        Overrides.from_file(path)


@pytest.mark.parametrize("path", ["", "a\0.json", STORE])
def test_a_path_that_no_file_can_have_is_refused(path: str) -> None:
    """So is a connection string; neither is quoted."""
    with pytest.raises(ValueError, match="path must be the path of a file") as caught:
        Overrides.from_file(path)
    assert "c2VjcmV0" not in str(caught.value)


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"prefix": ""}, "prefix must not be empty"),
        ({"prefix": "A_", "separator": ""}, "separator must not be empty"),
        ({"prefix": "A_", "key_separator": ""}, "key_separator must not be empty"),
    ],
)
def test_texts_of_from_env_are_not_empty(keywords: dict[str, Any], said: str) -> None:
    """Without a prefix every variable of the machine would become a key."""
    with pytest.raises(ValueError, match=said):
        Overrides.from_env(**keywords)


@pytest.mark.parametrize(
    "keywords",
    [
        {"prefix": 5},
        {"prefix": "A_", "separator": 5},
        {"prefix": "A_", "case_sensitive": 1},
        {"prefix": "A_", "parse_json": "yes"},
    ],
)
def test_arguments_of_from_env_have_their_types(keywords: dict[str, Any]) -> None:
    """Another type is a TypeError that names the argument."""
    with pytest.raises(TypeError, match=list(keywords)[-1]):
        Overrides.from_env(**keywords)


@pytest.mark.parametrize("behaviour", ["LOCAL_ONLY", 1, None])
def test_the_behaviour_is_one_of_three(behaviour: Any) -> None:
    """What is no OverrideBehaviour is a TypeError that names the three."""
    said = "LOCAL_ONLY, LOCAL_OVER_REMOTE, REMOTE_OVER_LOCAL"
    with pytest.raises(TypeError, match=said):
        Overrides.from_dict({}, behaviour=behaviour)
    with pytest.raises(TypeError, match=said):
        Overrides.from_file("a.json", behaviour=behaviour)
    with pytest.raises(TypeError, match=said):
        Overrides.from_env("A_", behaviour=behaviour)


def test_the_override_wins_unless_something_else_is_said() -> None:
    """LOCAL_OVER_REMOTE is the default of all three."""
    made = (Overrides.from_dict({}), Overrides.from_file("a.json"), Overrides.from_env("A_"))
    assert {one.behaviour for one in made} == {OverrideBehaviour.LOCAL_OVER_REMOTE}


def test_a_repr_shows_no_value() -> None:
    """It tells the behaviour, and where the values come from."""
    made = (
        Overrides.from_dict({"password": "planted-value"}),
        Overrides.from_file(Path("dev.json")),
        Overrides.from_file("planted-value-0123456789"),
        Overrides.from_env("APP_").at_load({"APP_PW": "planted-value"}, str),
        Overrides.from_env("APP_"),
    )
    shown = [repr(one) for one in made]
    assert shown == [
        "<Overrides LOCAL_OVER_REMOTE: 1 key>",
        "<Overrides LOCAL_OVER_REMOTE: the override file 'dev.json'>",
        "<Overrides LOCAL_OVER_REMOTE: the override file a str of 24 characters>",
        "<Overrides LOCAL_OVER_REMOTE: 1 key>",
        "<Overrides LOCAL_OVER_REMOTE: the environment, 'APP_'>",
    ]
    assert "planted" not in repr([one.source for one in made[:1]] + [made[3].source])


def test_local_only_stands_beside_no_other_behaviour() -> None:
    """With LOCAL_ONLY there is no store, so another behaviour is a mistake; more of it is none."""
    alone = Overrides.from_dict({"a": 1}, behaviour=OverrideBehaviour.LOCAL_ONLY)
    with pytest.raises(ValueError, match="LOCAL_ONLY means that there is no store"):
        Keywords(connection_string=STORE, overrides=[alone, Overrides.from_dict({})]).checked()
    assert Keywords(overrides=[alone, alone]).checked().local


def test_one_or_several_are_taken() -> None:
    """`overrides` is one, or anything that can be iterated."""
    one = Overrides.from_dict({"a": 1})
    for given in (one, [one], (one,), iter([one])):
        assert Keywords(connection_string=STORE, overrides=given).checked().overrides == (one,)
    assert Keywords(connection_string=STORE, overrides=[]).checked().overrides == ()


def test_copies_name_where_they_come_from() -> None:
    """The same check serves files, whose error names the file."""
    with pytest.raises(BadOverride, match=r"^the override file 'x\.toml': the value of 'k' "):
        copied({"k": {1, 2}}, "the override file 'x.toml'")
