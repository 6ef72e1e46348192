"""Our evaluation and that of ConfigCat's own SDK agree, but where a difference has a name."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from appconfig_provider.configcat.evaluation.document import read_config
from appconfig_provider.configcat.evaluation.evaluators import Evaluators
from appconfig_provider.configcat.user import User
from tests.support.configcat_peer import Answer, OfficialUser, peer

from .strategies import KEYS, USERS, configs

RAISED = {
    "a comparison value is missing, after the attribute was found invalid": "NoneType",
    "a comparator is unknown": "list index out of range",
    "a date is later than Python's last one": "timestamp out of range",
    "an attribute is nothing that can be a number": "float() argument must be",
    "a user has attributes that JSON has no form for": "not serializable",
}
"""Part of what ConfigCat's SDK says of the exception that ends its evaluation, where ours either
goes on with the next rule, or says in words what is wrong."""
FAILED = {"a comparison value is missing": "(Comparison value is missing or invalid.)"}
"""Part of our own error, where ConfigCat's SDK compares with None, or fails in other words."""
WORDS = {
    "a segment that cannot be told is not said to be true": (
        r"(?<=\)\n) *=> (true|false, skipping the remaining AND conditions)"
    ),
    "3005 shows the text that the attribute was turned into": r"(?<=the string value ').*(?='\)\.)",
    "a bad version of the config is not blamed on the user": (
        r"(the comparison value )?'[^'()]*' is not a valid semantic version"
    ),
}
"""What is said in other words: parts that are left out before both are compared."""
CASES = st.tuples(configs(), st.lists(USERS, min_size=6, max_size=6))


def told_differently(own: Answer, other: Answer) -> str | None:
    """Return the name of a difference in the words of warnings alone."""
    left_out: list[str] = []
    for name, pattern in WORDS.items():
        left_out.append(pattern)
        for patterns in ([pattern], left_out):
            if without(own, patterns) == without(other, patterns):
                return name
    return None


def without(answer: Answer, patterns: list[str]) -> str:
    """Return an answer as a text in which some words are left out."""
    notices = "\n".join(f"{number} {text}" for number, text in answer.notices)
    text = "\n".join([*map(repr, compared(answer)[:-2]), notices, answer.log])
    for pattern in patterns:
        text = re.sub(pattern, "", text)
    return text


def answer(evaluators: Evaluators, key: str, user: User | None) -> Answer:
    """Return what our evaluation came to; with and without a log it is the same."""
    decision, log = evaluators.traced(key, user)
    assert evaluators.decide(key, user) == decision
    notices = list(decision.notices)
    if decision.failure is not None:
        notices.append(decision.failure.notice(None))
    return Answer(
        decision.value,
        decision.variation_id,
        decision.rule,
        decision.option,
        decision.failure is not None,
        [(notice.event_id, notice.text) for notice in notices],
        log,
    )


def compared(answer: Answer) -> tuple[Any, ...]:
    """Return what must be equal, in a form that also tells 5 from 5.0."""
    rules = [None if part is None else "" for part in (answer.rule, answer.option)]
    return (repr(answer.value), *answer[1:2], *rules, *answer[4:])


def differences(case: tuple[dict[str, Any], list[Any]]) -> Counter[str]:
    """Return how often answers of a case were the same, and what names the others have."""
    config, users = case
    evaluators = Evaluators(read_config(json.dumps(config)).settings)
    found: Counter[str] = Counter()
    with peer(config) as theirs:
        for attributes in users:
            given = [None, None] if attributes is None else made(attributes)
            for key in KEYS:
                found[named(answer(evaluators, key, given[0]), theirs.ask(key, given[1]))] += 1
    return found


def made(attributes: dict[str, Any]) -> list[Any]:
    """Return a user of ours, and the same one of ConfigCat's SDK."""
    custom = {"Custom": attributes["Custom"]}
    three = [attributes[name] for name in ("Identifier", "Email", "Country")]
    return [User(three[0], three[1], three[2], custom), OfficialUser(*three, custom)]


def named(own: Answer, other: Answer) -> str:
    """Return the name of the difference of two answers, or `same`."""
    if compared(own) == compared(other):
        return "same"
    for side, texts in ((own, FAILED), (other, RAISED)):
        for name, text in texts.items():
            if side.failed and text in side.notices[-1][1]:
                return name
    words = told_differently(own, other)
    assert words is not None, f"\n{own}\n{other}"
    return words


@settings(max_examples=25)
@given(CASES)
def test_evaluations_agree(case: tuple[dict[str, Any], list[Any]]) -> None:
    """Value, variation id, rule, option, warnings, errors and the log's text are the same."""
    assert differences(case).total() == 6 * len(KEYS)


@pytest.mark.heavy
def test_twenty_thousand_evaluations_agree(capsys: pytest.CaptureFixture[str]) -> None:
    """In 20,000 evaluations most are the same in every word; the others are counted by name."""
    found: Counter[str] = Counter()

    @seed(20_000)
    @settings(max_examples=850, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(CASES)
    def run(case: tuple[dict[str, Any], list[Any]]) -> None:
        found.update(differences(case))

    run()
    with capsys.disabled():
        print("", *(f"{count:6} {name}" for name, count in found.most_common()), sep="\n")
    assert found.total() >= 20_000
    assert found["same"] > 0.8 * found.total()
    assert set(found) <= {"same", *FAILED, *RAISED, *WORDS}
