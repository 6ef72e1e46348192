"""Answers with parts of the wrong type, over real connections, beside a healthy replica."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from appconfig_provider import SettingSelector
from appconfig_provider.testing import Emulator, RequestRecord, Scripted
from tests.support.adapter import Loader
from tests.support.content import FLAG_TYPE

FLAG = {
    "key": ".appconfig.featureflag/f",
    "content_type": FLAG_TYPE,
}


def item(**parts: object) -> str:
    """Return a page of one setting."""
    return json.dumps({"items": [{"key": "k", "value": "wrong", **parts}]})


PAGES = {
    "tags that are a number": item(tags=5),
    "tags that are a list": item(tags=["a"]),
    "a tag that is a number": item(tags={"a": 5}),
    "a link that is zero": '{"items": [], "@nextLink": 0}',
    "a link that is an empty list": '{"items": [], "@nextLink": []}',
}
SNAPSHOTS = {
    "a status that is a list": {"status": [], "composition_type": "key"},
    "a status that is an object": {"status": {}, "composition_type": "key"},
    "no status": {"composition_type": "key"},
}


def answering(part: str, body: str) -> Callable[[RequestRecord], Scripted | None]:
    """Answer with a body where the target holds some text."""
    return lambda record: Scripted(200, {}, body) if part in record.target else None


@pytest.mark.parametrize("page", PAGES)
def test_a_page_with_a_part_of_the_wrong_type_is_not_believed(load: Loader, page: str) -> None:
    """The replica answers; every key it has can be explained."""
    with Emulator(replicas=1) as store:
        store.set("k", "right", tags={"team": "payments"})
        with (
            store.respond(answering("/kv?", PAGES[page])),
            load(
                connection_string=store.connection_string,
                replicas=[store.replicas[0].connection_string],
                retry_total=0,
            ) as config,
        ):
            assert config.snapshot == {"k": "right"}
            assert config.snapshot.explain("k").tags == {"team": "payments"}


@pytest.mark.parametrize("description", SNAPSHOTS)
def test_a_description_with_a_part_of_the_wrong_type_is_not_believed(
    load: Loader, description: str
) -> None:
    """What a snapshot is described as is read like any other answer."""
    with Emulator(replicas=1) as store:
        store.set("k", "right")
        store.create_snapshot("release", [("k", None)])
        with (
            store.respond(answering("/snapshots/", json.dumps(SNAPSHOTS[description]))),
            load(
                connection_string=store.connection_string,
                replicas=[store.replicas[0].connection_string],
                selects=[SettingSelector(snapshot_name="release")],
                retry_total=0,
            ) as config,
        ):
            assert config.snapshot == {"k": "right"}
