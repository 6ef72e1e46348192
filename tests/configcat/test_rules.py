"""What settings of both formats come to, and what is told of it."""

from __future__ import annotations

import hashlib
import json
import pickle
from datetime import datetime, timezone
from typing import Any

import pytest

from appconfig_provider.configcat.evaluation.decisions import SettingDecision
from appconfig_provider.configcat.evaluation.document import (
    read_config,
    read_overrides,
    simple_settings,
)
from appconfig_provider.configcat.evaluation.evaluators import Evaluators, KeyValue
from appconfig_provider.configcat.evaluation.notices import default_of_another_type
from appconfig_provider.configcat.evaluation.settings import NO_SETTINGS, merged
from appconfig_provider.configcat.overridedatasource import OverrideBehaviour
from appconfig_provider.configcat.user import User

JANE = User("12345", "jane@example.com")


def rule5(attribute: str, comparator: int, comparison: object, **more: Any) -> dict[str, Any]:
    """Return a rule of format v5 that serves True."""
    return {"o": 0, "a": attribute, "t": comparator, "c": comparison, "v": True, "i": "yes", **more}


def setting5(*rules: dict[str, Any], options: Any = None) -> dict[str, Any]:
    """Return a setting of format v5 that is False for all others."""
    return {"v": False, "i": "no", "t": 0, "r": list(rules), "p": options or []}


def rule6(comparator: int, **operand: Any) -> dict[str, Any]:
    """Return a rule of format v6 on Custom that serves True."""
    condition = {"u": {"a": "Custom", "c": comparator, **operand}}
    return {"c": [condition], "s": {"v": {"b": True}, "i": "yes"}}


def setting6(*rules: dict[str, Any]) -> dict[str, Any]:
    """Return a setting of format v6 that is False for all others."""
    return {"t": 0, "v": {"b": False}, "i": "no", "r": list(rules)}


def evaluators(log_user: Any = True, **settings: Any) -> Evaluators:
    """Return the evaluators of settings."""
    found = read_config(json.dumps({"p": {"s": "salt"}, "f": settings})).settings
    return Evaluators(found, log_user=log_user)


def with_custom(value: object) -> User:
    """Return a user with an attribute of any type."""
    return User("12345", custom={"Custom": value})


def told(decision: SettingDecision) -> list[int]:
    """Return the event ids of what is told."""
    return [notice.event_id for notice in decision.notices]


def test_the_log_of_format_5_has_the_words_of_the_page() -> None:
    """The log names attribute, comparator and comparison value, never the attribute's value."""
    made = evaluators(
        isPOCFeatureEnabled=setting5(
            rule5("Email", 2, "@something.com"), rule5("Email", 2, "@example.com")
        )
    )
    decision, log = made.traced("isPOCFeatureEnabled", JANE)
    assert decision.value is True
    assert log == (
        "Evaluating get_value('isPOCFeatureEnabled').\n"
        "User object:\n"
        "{\n"
        '    "Identifier" : "12345",\n'
        '    "Email" : "jane@example.com"\n'
        "}\n"
        "Evaluating rule: [Email] [CONTAINS] [@something.com] => no match\n"
        "Evaluating rule: [Email] [CONTAINS] [@example.com] => match, returning: True"
    )


def test_the_text_of_a_log_is_made_when_it_is_read() -> None:
    """A log that no handler formats costs no text; it can be read twice, and sent elsewhere."""
    made = evaluators(k=setting6(rule6(28, s="x")))
    asked: list[object] = []

    class Watched(User):
        def get_attribute(self, attribute: object) -> Any:
            asked.append(attribute)
            return super().get_attribute(attribute)

    log = made.log("k", Watched("1", custom={"Custom": "x"}))
    assert not asked
    assert [str(log), str(log)] == 2 * [made.traced("k", with_custom("x"))[1].replace("12345", "1")]
    assert asked == ["Custom"]
    assert pickle.loads(pickle.dumps(log)) == str(log)


def test_options_and_defaults_of_format_5_are_logged() -> None:
    """The last line says what was returned, with `% options` if they decided."""
    options = [{"o": 0, "v": True, "p": 100, "i": "x"}]
    made = evaluators(some=setting5(options=options), all=setting5(), rest=setting5(options=[]))
    assert made.traced("some", JANE)[1].endswith("}\nEvaluating % options. Returning True")
    assert made.traced("all")[1] == "Evaluating get_value('all').\nReturning False"
    assert made.decide("some", JANE).variation_id == "x"


@pytest.mark.parametrize(
    ("comparator", "name", "comparison", "value", "complaint"),
    [
        (6, "< (SemVer)", "1.0.0", "x", "'x' is not a valid semantic version"),
        (15, ">= (Number)", "5", "x", "'x' is not a valid decimal number"),
        (
            10,
            "= (Number)",
            "sajt",
            "5",
            "the comparison value 'sajt' is not a valid decimal number",
        ),
        (4, "IS ONE OF (SemVer)", "1, 2", "1.0.0", "the comparison value '1' is not a valid"),
    ],
)
def test_a_rule_of_format_5_that_cannot_compare_is_skipped(
    comparator: int, name: str, comparison: str, value: str, complaint: str
) -> None:
    """What cannot be compared is told by 3004 and in the log, and the next rule is evaluated."""
    made = evaluators(
        k=setting5(rule5("Custom", comparator, comparison), rule5("Custom", 2, value))
    )
    decision, log = made.traced("k", with_custom(value))
    assert decision.value is True
    assert told(decision) == [3004]
    skipped = f"[Custom] [{name}] [{comparison}] => SKIP rule. Validation error: {complaint}"
    assert skipped in log
    assert complaint in decision.notices[0].text
    assert made.decide("k", with_custom(value)) == decision


@pytest.mark.parametrize("comparator", [1, 3, 5, 11, 17])
@pytest.mark.parametrize("value", [None, "", 0, False, []])
def test_an_attribute_of_nothing_never_matches_in_format_5(comparator: int, value: object) -> None:
    """A missing or empty attribute matches no rule, also none that says NOT, and is not told."""
    made = evaluators(k=setting5(rule5("Custom", comparator, "1.0.0")))
    decision = made.decide("k", with_custom(value))
    assert decision.value is False
    assert decision.notices == ()
    assert made.traced("k", with_custom(value))[0] == decision


def test_sensitive_rules_of_format_5_take_any_attribute() -> None:
    """Hashes are SHA-1 without salt; an attribute that is no text is turned into one."""
    digest = hashlib.sha1(b"5").hexdigest()
    made = evaluators(
        one=setting5(rule5("Custom", 16, f"x, {digest}")),
        none=setting5(rule5("Custom", 17, digest)),
    )
    for value in ("5", 5):
        assert made.decide("one", with_custom(value)).value is True
        assert made.decide("none", with_custom(value)).value is False


def test_a_missing_user_is_told_once() -> None:
    """3001 is told where rules or options need a user, for 4001 nothing more is told."""
    both = evaluators(five=setting5(rule5("Email", 2, "@")), six=setting6(rule6(0, l=["x"])))
    for key in ("five", "six"):
        assert told(both.decide(key)) == [3001]
        assert told(both.decide(key, {"Email": "@"})) == [4001]
        assert both.decide(key).value is False


@pytest.mark.parametrize("comparator", range(10, 16))
@pytest.mark.parametrize(
    "value", [["5"], {"x": 5}, 10**400, datetime(2024, 1, 1, tzinfo=timezone.utc)]
)
def test_an_attribute_that_is_no_number_skips_the_rule(comparator: int, value: object) -> None:
    """A number comparator leaves out a rule whose attribute is no number, with warning 3004."""
    made = evaluators(k=setting6(rule6(comparator, d=5), rule6(29, s="x")))
    decision = made.decide("k", with_custom(value))
    assert decision.value is True
    assert decision.failure is None
    assert told(decision)[0] == 3004


def test_an_unknown_comparator_is_told_in_words() -> None:
    """Error 2001 says that the comparator is invalid, in both formats."""
    made = evaluators(six=setting6(rule6(36, s="x")), five=setting5(rule5("Email", 18, "x")))
    for key in ("five", "six"):
        failure = made.decide(key, JANE).failure
        assert failure is not None
        assert failure.notice(None).text == (
            f"Failed to evaluate setting '{key}'. (Comparison operator is missing or invalid.). "
            "Returning the `default_value` parameter that you specified in your application: "
            "'None'. "
        )


def test_a_bad_segment_spoils_only_its_setting() -> None:
    """A segment that is not there ends evaluations that come to it, with error 2001."""
    bad = {"c": [{"s": {"s": 7, "c": 0}}], "s": {"v": {"b": True}}}
    made = evaluators(bad=setting6(bad), late=setting6(rule6(28, s="x"), bad), sound=setting6())
    failure = made.decide("bad", JANE).failure
    assert failure is not None
    assert "(Segment reference is invalid.)" in failure.notice(1).text
    assert made.decide("late", with_custom("x")).value is True
    assert made.decide("sound", JANE).value is False


def test_a_key_that_is_not_there_is_told_with_those_that_are() -> None:
    """Error 1001 lists the keys; a long list is cut."""
    failure = evaluators(a=setting6(), b=setting6()).decide("c", JANE).failure
    assert failure is not None
    assert failure.notice("x").text == (
        "Failed to evaluate setting 'c' (the key was not found in config JSON). Returning the "
        "`default_value` parameter that you specified in your application: 'x'. "
        "Available keys: ['a', 'b']."
    )
    many = evaluators(**{f"k{number}": setting6() for number in range(250)})
    for key in ("c", ["unhashable"], None):
        failure = many.decide(key).failure  # type: ignore[arg-type]
        assert failure is not None
        assert failure.notice("x").text.endswith("'k99', ... <150 more>].")


def test_users_can_be_kept_out_of_logs() -> None:
    """With `log_user=False` no attribute is in a log, nor in 3004 and 3005."""
    rules6 = (rule6(10, d=1), rule6(28, s="x"), rule6(18, d=1))
    five = setting5(rule5("Custom", 10, "1"), rule5("Custom", 6, "1.0.0"))
    for value in ("secret@x.org", ["secret@x.org"]):
        for log_user in (True, False):
            made = evaluators(log_user=log_user, five=five, six=setting6(*rules6))
            for key in ("five", "six"):
                user = User("secret@x.org", custom={"Custom": value})
                decision, log = made.traced(key, user)
                notices = "".join(notice.text for notice in decision.notices)
                assert 3004 in told(decision)
                assert ("secret" in log, "secret" in notices) == (log_user, log_user)


@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize("comparator", [1, 29, 33])
def test_an_empty_attribute_is_a_missing_one_in_format_6(comparator: int, value: object) -> None:
    """A rule whose attribute is missing or empty matches not even with NOT, and 3003 is told."""
    made = evaluators(k=setting6(rule6(comparator, l=["x"], s="x")))
    decision = made.decide("k", with_custom(value))
    assert decision.value is False
    assert told(decision) == [3003]


def test_3005_shows_the_text_that_was_compared() -> None:
    """An attribute that is no text is compared as one, and the warning shows it."""
    made = evaluators(k=setting6(rule6(28, s='["a"]')))
    decision = made.decide("k", with_custom(["a"]))
    assert decision.value is True
    assert told(decision) == [3005]
    assert "converted to the string value '[\"a\"]'" in decision.notices[0].text


def test_logs_are_printable() -> None:
    """What users and configs bring cannot forge lines of a log."""
    odd = {"u": {"a": "\x1b\n", "c": 28, "s": "x"}}
    rules = (rule6(28, s="a\u202e\nb"), {"c": [odd], "p": []}, {"c": [{"s": {"s": 0, "c": 0}}]})
    document = {"s": [{"n": "\n\x1b", "r": [odd["u"]]}], "f": {"k\n\x1b": setting6(*rules)}}
    made = Evaluators(read_config(json.dumps(document)).settings)
    for attributes in ({"Custom": 5}, {"Custom": "x", "\x1b\n": 5}):
        decision, log = made.traced("k\n\x1b", User("x\n\u202e", custom=attributes))
        texts = [notice.text for notice in decision.notices]
        assert len(texts) > 1
        assert all(text.isprintable() for text in [*texts, *log.split("\n")])
        assert log.startswith('Evaluating \'k\\n\\x1b\' for User \'{"Identifier":"x\\n\\u202e"')


def test_formats_stand_side_by_side() -> None:
    """A v5 and a v6 setting are each evaluated by their own rules, and may need each other."""
    digest = hashlib.sha256(b"x" + b"salt" + b"six").hexdigest()
    needing = {"c": [{"p": {"f": "five", "c": 0, "v": {"b": True}}}], "s": {"v": {"b": True}}}
    remote = read_config(
        json.dumps({"p": {"s": "salt"}, "f": {"six": setting6(rule6(16, l=[digest]))}})
    ).settings
    local = read_overrides(
        json.dumps({"f": {"five": setting5(rule5("Custom", 0, "x, y"))}})
    ).settings
    more = read_config(json.dumps({"f": {"needs": setting6(needing)}})).settings
    both = merged(remote, local, OverrideBehaviour.LocalOverRemote)
    made = Evaluators(merged(both, more, OverrideBehaviour.RemoteOverLocal))
    for key in ("five", "six", "needs"):
        assert made.decide(key, with_custom("x")).value is True
        assert made.decide(key, with_custom("z")).value is False
    assert (
        "Prerequisite flag evaluation result: 'True'." in made.traced("needs", with_custom("x"))[1]
    )


def test_behaviours_choose_whole_settings() -> None:
    """Local only, local first or remote first: a setting comes from one side, with all it has."""
    remote = read_config(json.dumps({"f": {"a": setting6(), "b": setting6()}})).settings
    local = simple_settings({"b": "local", "c": 5})
    seen = {
        behaviour.name: {
            key: Evaluators(found).decide(key).value
            for found in [merged(remote, local, behaviour)]
            for key in found
        }
        for behaviour in OverrideBehaviour
    }
    assert seen == {
        "LocalOnly": {"b": "local", "c": 5},
        "LocalOverRemote": {"a": False, "b": "local", "c": 5},
        "RemoteOverLocal": {"b": False, "c": 5, "a": False},
    }


def test_override_files_may_be_written_by_hand() -> None:
    """Comments and a comma after the last item are read, as the page prints them."""
    text = '{ "flags": { // local\n "a": true, /* b */ "b": ",}", }, }'
    made = Evaluators(read_overrides(text).settings)
    assert [made.decide(key).value for key in ("a", "b")] == [True, ",}"]
    for bad in ('{"flags": {,}}', '{"flags": [1,,]}', '{"flags": 5}', "[]"):
        with pytest.raises(ValueError, match=r"."):
            read_overrides(bad)


def test_variation_ids_lead_to_settings() -> None:
    """The first setting that has a variation id tells its key and value, wherever it has it."""
    options = [{"o": 0, "v": "o", "p": 50, "i": "opt"}, {"o": 1, "v": "p", "p": 50, "i": "opt2"}]
    made = evaluators(
        six=setting6(rule6(28, s="x"), {"c": "bad"}),
        five={"v": "d", "i": "def", "r": [rule5("Email", 2, "@", v="r", i="rule")], "p": options},
    )
    found = [made.key_and_value(one) for one in ("no", "yes", "def", "rule", "opt2", "unknown")]
    assert found == [
        KeyValue(key="six", value=False),
        KeyValue(key="six", value=True),
        KeyValue("five", "d"),
        KeyValue("five", "r"),
        KeyValue("five", "p"),
        None,
    ]


def test_unchanged_settings_keep_their_evaluators() -> None:
    """Over a new config, equal settings are not compiled again; 1 and true are not equal."""
    first: dict[str, Any] = {"a": setting5(rule5("Email", 2, "@")), "b": {"v": 1}, "c": setting6()}
    made = evaluators(**first)
    kept = made.decide("a", JANE)
    assert made.decide("b").value == 1
    made.decide("c")
    after = made.following(evaluators(**{**first, "b": {"v": True}}).settings)
    assert after.decide("a", JANE) is kept
    assert after.decide("b").value is True
    assert after.decide("c") is after.constants["c"]
    assert after.settings != made.settings
    assert made.following(evaluators(**first).settings).settings == made.settings
    assert after.following(NO_SETTINGS).decide("a", JANE).failure is not None


@pytest.mark.parametrize(
    ("setting", "version"),
    [
        ({"v": None, "t": 0, "p": [], "r": [rule5("Email", 2, "@")]}, 5),
        ({"v": None, "t": 0, "r": [{"c": "x"}]}, 5),
        ({"v": None, "t": 0, "p": [{"o": 0, "v": "a", "p": 100}]}, 5),
        ({"v": None, "t": 0, "r": [rule6(28, s="x")]}, 6),
        ({"v": None, "t": 0, "p": [{"p": 100, "v": {"s": "a"}}]}, 6),
        ({"v": None, "t": 0, "p": 7, "r": [7]}, 6),
    ],
)
def test_a_config_without_values_shows_its_format_by_its_rules(
    setting: dict[str, Any], version: int
) -> None:
    """Where every value is null, rules and options tell the format."""
    assert read_config(json.dumps({"f": {"k": setting}})).version == version
    failure = evaluators(k={**setting, "p": [], "r": []}).decide("k").failure
    assert failure is not None
    assert "Value is missing" in failure.notice("default").text


def test_another_salt_makes_another_setting() -> None:
    """A setting whose hashes have another salt is compiled again."""
    digest = hashlib.sha256(b"x" + b"new" + b"k").hexdigest()
    text = json.dumps({"p": {"s": "SALT"}, "f": {"k": setting6(rule6(20, s=digest))}})
    made = Evaluators(read_config(text.replace("SALT", "old")).settings)
    assert made.decide("k", with_custom("x")).value is False
    after = made.following(read_config(text.replace("SALT", "new")).settings)
    assert after.decide("k", with_custom("x")).value is True


@pytest.mark.parametrize(
    ("value", "default", "warned"),
    [(5, 0.5, False), (0.5, 1, False), (True, 1, True), ("x", None, False), ("x", False, True)],
)
def test_a_default_of_another_type_is_told(value: object, default: object, *, warned: bool) -> None:
    """4002 is told where the default value is of another type; whole or not does not matter."""
    notice = default_of_another_type(value, default)
    assert (notice is not None) is warned
    assert notice is None or (notice.event_id == 4002 and str(type(value)) in notice.text)


def test_a_config_tells_where_it_is_to_be_asked() -> None:
    """Server, redirect and format are read; what has another form counts as absent."""
    config = read_config('{"p": {"u": "https://x", "r": 2, "s": "salt"}}')
    assert (config.base_url, config.redirect, config.has_settings) == ("https://x", 2, False)
    odd = read_config('{"p": {"u": 5, "r": true}, "f": {"a": {"v": true}}}')
    assert (odd.base_url, odd.redirect, odd.has_settings, odd.version) == (None, 0, True, 5)
    assert read_config(b'\xef\xbb\xbf{"f": {"a": {"v": {"b": true}}}}').version == 6


def test_users_of_a_class_of_the_program_count() -> None:
    """A subclass of User is a user, and its own `get_attribute` is asked."""

    class Own(User):
        def get_attribute(self, attribute: object) -> Any:
            return "x" if attribute == "Custom" else super().get_attribute(attribute)

    made = evaluators(six=setting6(rule6(28, s="x")), five=setting5(rule5("Custom", 0, "x")))
    assert made.decide("six", Own("1")).value is True
    assert made.decide("five", Own("1")).value is True


def test_half_a_character_is_no_error() -> None:
    """A lone surrogate in an attribute neither matches a hash nor ends the evaluation."""
    options = {"t": 0, "v": {"b": False}, "p": [{"p": 100, "v": {"b": True}}]}
    made = evaluators(hashed=setting6(rule6(16, l=[])), options=options)
    assert told(made.decide("hashed", with_custom("\ud800"))) == [3004]
    assert made.decide("options", User("\ud800")).value is True
