"""Content as a text and back: what was kept is what is read, and anything else is refused."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appconfig_provider._azure.listing.content import Content
from appconfig_provider._azure.rest.responses import Sentinel
from appconfig_provider._azure.settings.records import Details, Page, Setting, columns_of
from appconfig_provider._azure.stored.document import Document, from_text, to_text
from appconfig_provider._azure.stored.identity import Identity
from appconfig_provider.caches.envelope import CopyRefused

ANY_TEXT = st.text(st.characters(), max_size=8)
"""Any text, half characters too: a store may hold them."""
ETAGS = st.none() | st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1)
TARGETS = st.sampled_from(["/kv?key=%2A", "/kv?key=a&after=b", "/kv?snapshot=s"])
DATES = st.none() | st.datetimes(timezones=st.just(timezone.utc))
FEW = st.sampled_from([None, "prod", ""])

SETTINGS = st.builds(
    Setting,
    ANY_TEXT,
    FEW,
    st.none() | ANY_TEXT,
    FEW,
    st.none() | st.dictionaries(ANY_TEXT, st.none() | ANY_TEXT, min_size=1, max_size=2),
    st.none() | st.builds(Details, ETAGS, st.none() | ANY_TEXT, st.booleans()),
)
PAGES = st.lists(
    st.builds(
        lambda target, etag, settings, following, size: Page(
            target, etag, columns_of(settings), following, size
        ),
        TARGETS,
        ETAGS,
        st.lists(SETTINGS, max_size=4),
        st.none() | TARGETS,
        st.integers(0, 100),
    ),
    max_size=3,
).map(tuple)
SENTINELS = st.builds(Sentinel, ETAGS, DATES, st.lists(ETAGS.filter(bool), max_size=2).map(tuple))


NO_PAGES = (False, False)
"""Pages are not watched, and no details are kept."""


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Give any document."""
    settings = tuple(draw(st.lists(PAGES, max_size=2)))
    flags = draw(st.none() | st.lists(PAGES, max_size=2).map(tuple))
    sentinels = tuple(draw(st.lists(SENTINELS, max_size=2)))
    texts = ("https://one.azconfig.io",)
    identity = Identity(
        texts,
        ("/kv?key=%2A",) * len(settings),
        None if flags is None else ("/kv?key=f",) * len(flags),
        ("/kv/sentinel",) * len(sentinels),
        draw(st.booleans()),
        draw(st.booleans()),
    )
    references = draw(st.dictionaries(ANY_TEXT, PAGES, max_size=2))
    return Document(identity, Content(settings, references, flags, draw(st.booleans())), sentinels)


@given(document=documents())
def test_what_was_written_is_read(document: Document) -> None:
    """A document survives, whatever texts it holds, and the same one gives the same text."""
    text = to_text(document)
    again = from_text(text)
    assert again == document
    earlier = [one.before for one in document.sentinels]
    assert [one.before for one in again.sentinels] == earlier
    assert to_text(again) == text


def a_document() -> Document:
    """Return a document that has a bit of everything."""
    settings = [
        Setting("a", "prod", "1", None, {"t": "x"}, Details("e", None, locked=True)),
        Setting("b", None, "2", "text/plain"),
    ]
    page = Page("/kv?key=%2A", "p", columns_of(settings), "/kv?key=%2A&after=b", 2)
    sentinel = Sentinel("s", datetime(2026, 1, 1, tzinfo=timezone.utc), ("r",))
    identity = Identity(("https://one",), ("/kv?key=%2A",), ("/kv?key=f",), ("/kv/s",), *NO_PAGES)
    return Document(identity, Content(((page,),), {"snap": (page,)}, ((),)), (sentinel,))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path to each part of a JSON value."""
    found = [path]
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            found += places(one, (*path, key))
    return found


def with_part(value: Any, path: tuple[Any, ...], part: Any) -> Any:
    """Return a JSON value with another part at a place."""
    if not path:
        return part
    copied = value.copy()
    copied[path[0]] = with_part(value[path[0]], path[1:], part)
    return copied


BODY = json.loads(to_text(a_document()))


@pytest.mark.parametrize(
    "part", [None, 7, "", "x\r\ny: z", [], {}, [[]], True, [None, None, 3]], ids=repr
)
@pytest.mark.parametrize("path", places(BODY), ids=lambda path: ".".join(map(str, path)) or "all")
def test_another_part_is_refused_or_harmless(path: tuple[Any, ...], part: Any) -> None:
    """With something else at any place the text is refused, or is a document that can be used."""
    try:
        document = from_text(json.dumps(with_part(BODY, path, part)).encode())
    except CopyRefused:
        return
    assert from_text(to_text(document)) == document
    for page in (page for pages in document.content.settings for page in pages):
        assert "\n" not in f"{page.target}{page.etag}{page.next}"
        assert all(isinstance(one.key, str) for one in page.settings)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"null", b"[]", b'"x"', b"{}", b'{"format": "another"}', b"[" * 100_000, b"\xff"],
    ids=repr,
)
def test_any_other_text_is_refused(text: bytes) -> None:
    """A text that is no document, nested ever so deeply, is refused and quotes nothing of it."""
    with pytest.raises(CopyRefused):
        from_text(text)


def test_a_refusal_keeps_no_values() -> None:
    """What is told of a text that is refused holds no value, and neither do its frames."""
    spoilt = with_part(BODY, ("settings", 0, 0, "values"), ["planted-secret"])
    with pytest.raises(CopyRefused) as caught:
        from_text(json.dumps(spoilt).encode())
    assert "planted" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_equal_labels_are_one_object() -> None:
    """Labels and content types that occur often take the memory of one."""
    settings = [Setting(f"k{n}", ("x", "y")[n % 2] + "!", "v", None) for n in range(6)]
    pages = ((Page("/kv?a", "p", columns_of(settings), None, 6),),)
    identity = Identity(("https://one",), ("/kv?a",), None, (), *NO_PAGES)
    labels = from_text(to_text(Document(identity, Content(pages), ()))).content.settings[0][0]
    assert len(set(map(id, labels.columns.labels))) == 2
