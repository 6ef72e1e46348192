"""Listing a selector, page by page, without asking twice for what has not changed."""

from __future__ import annotations

from collections.abc import Mapping

from appconfig_provider._plan import Steps, plan
from appconfig_provider._rest.exchange import Session, read
from appconfig_provider._rest.failures import Kind, RequestFailed
from appconfig_provider._rest.requests import list_target
from appconfig_provider._rest.responses import Malformed, Page, read_page
from appconfig_provider.models import SettingSelector


@plan
def list_pages(
    session: Session, selector: SettingSelector, known: Mapping[str, Page]
) -> Steps[tuple[Page, ...]]:
    """Return all pages of a selector; a known page answered 304 is used again as it is.

    A page's ETag covers where it continues, so an unchanged page may be followed by its old link.
    """
    pages: dict[str, Page] = {}
    target: str | None = list_target(selector)
    while target is not None:
        if target in pages:
            raise RequestFailed(Kind.MALFORMED, session.origin, f"{target} leads back to itself")
        page = yield from _one_page(session, target, known.get(target))
        pages[target] = page
        target = page.next
    return tuple(pages.values())


@plan
def _one_page(session: Session, target: str, known: Page | None) -> Steps[Page]:
    response = yield from read(session, target, known.etag if known else None)
    if response.status == 304 and known:
        return known
    try:
        return read_page(response, target)
    except Malformed as error:
        raise RequestFailed(Kind.MALFORMED, session.origin, str(error)) from error
