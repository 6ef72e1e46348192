"""How much may be asked: of whom, until when, with which ETags, and how many requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appconfig_provider._azure.listing.cut_points import fragmented
from appconfig_provider._azure.state import State
from appconfig_provider._live.inspection import inspect
from appconfig_provider._plan import Send
from appconfig_provider.models import FLAG_PREFIX
from tests.simulation.history import read_target
from tests.simulation.run import Run
from tests.simulation.scenario import READ_TIMEOUT
from tests.simulation.world import NOTHING

if TYPE_CHECKING:
    from tests.simulation.life import Life

MOST_PASSES = 3


def judge_effort(life: Life, run: Run, before: State) -> None:
    """Judge how much was asked.

    A pass asks for each page that is known, and for what closes a gap: a page's worth of new
    settings is one more page, and the last page of a gap that a write made may be a short one. A
    retry may repeat any of them, so only clean runs are counted out.
    """
    scenario, passes = life.stage.scenario, run.passes()
    life.rule(passes <= MOST_PASSES, f"{passes} passes")
    if scenario.sentinels and run.last_pass() and not run.heals:
        kept = dict(zip(scenario.sentinels, (one.etag for one in before.sentinels), strict=True))
        moved = any(
            life.stage.history.etag(one.revision, one.target.key or "")
            != kept[one.target.key or ""]
            for one in run.of("sentinel")
        )
        life.rule(moved, "settings are listed only because a sentinel moved")
        _judge_rest(life, run, before)
    elif scenario.sentinels and run.last_pass():
        _judge_rest(life, run, before)
    if not run.clean:
        return
    most = (passes + 1) * len(scenario.sentinels) if run.settings_due else 0
    most += passes * _most_pages(life, before.content.settings, life.read_at[0], "k")
    if run.flags_due:
        pages = _most_pages(life, before.content.flags or (), life.read_at[1], FLAG_PREFIX)
        most += pages * (max(passes, 1) if run.heals else 1)
    life.rule(run.asked <= most, f"{run.asked} requests are more than {most}")


def judge_parts(life: Life, run: Run, before: State, after: State) -> None:
    """Judge in how many parts a listing is kept: no more than before, but for what writes cut off.

    One that had come to be of too many parts is read anew, in as few as there are.
    """
    if not run.last_pass():
        return
    history = life.stage.history
    writes = history.writes(life.read_at[0], history.newest, "k")
    for held, pages in zip(before.content.settings, after.content.settings, strict=True):
        settings = max(sum(len(page.columns.keys) for page in one) for one in (held, pages))
        capacity = max([page.size for page in held], default=0) or history.page_size
        most = writes + _most_parts(settings, capacity)
        life.rule(len(pages) <= most, f"{len(pages)} parts of a listing are more than {most}")


def _most_pages(life: Life, listings: Any, since: int, prefix: str) -> int:
    history = life.stage.history
    known = sum(map(len, listings))
    life.world.counts["relisted"] += any(map(fragmented, listings))
    writes = history.writes(since, history.newest, prefix)
    return known + writes + writes // history.page_size + len(listings)


def _judge_rest(life: Life, run: Run, before: State) -> None:
    """Judge that what was refused is not loaded again before its back-off is over."""
    rejected, names = before.rejected, life.stage.scenario.sentinels
    if rejected is None or run.forced or rejected.backoff.until <= run.heard:
        return
    kept = dict(zip(names, (one.etag for one in rejected.sentinels), strict=True))
    other = any(
        life.stage.history.etag(one.revision, one.target.key or "") != kept[one.target.key or ""]
        for one in run.of("sentinel")
    )
    life.rule(other, "what was refused rests, unless a sentinel moves once more")


def known_pages(life: Life) -> dict[str, str | None]:
    """Return the ETags of the pages that are known, by target, but of listings to be read anew.

    What was loaded last is what is known, also when it was refused. A listing is read anew once it
    has come to be of many more pages than it needs.
    """
    state, size = inspect(life.provider).state, life.stage.history.page_size
    content = state.content if state.rejected is None else state.rejected.content
    return {
        page.target: page.etag
        for pages in (*content.settings, *(content.flags or ()))
        if len(pages) <= _most_parts(sum(len(page.columns.keys) for page in pages), size)
        for page in pages
    }


def _most_parts(settings: int, page_size: int) -> float:
    return 1.25 * (settings // page_size + 1) + 2


def judge_request(life: Life, run: Run, send: Send) -> None:
    """Judge a request of a refresh as it is sent."""
    request = send.request
    expected = run.candidates[: len(run.origins)]
    life.rule(run.origins == expected, f"the next endpoint is {expected}, and not of {run.origins}")
    gone = request.origin not in run.left
    life.rule(gone, f"{request.origin} answered 5xx, and others were not tried yet")
    if request.target in run.pages and request.target not in run.targets:
        # Later passes know other pages, and what closes a gap may meet one again.
        conditional = "if-none-match" in dict(request.headers)
        life.rule(conditional, f"a page that is known is asked for by its ETag: {request.target}")
    run.targets.add(request.target)
    scenario = life.stage.scenario
    if read_target(request.target).kind != "sentinel":
        run.listed = True
    elif not run.listed and not run.flags_due and not scenario.watch_pages:
        left = run.begun + 2 * READ_TIMEOUT - run.attempt_begun
        until = run.attempt_begun + left / (len(run.candidates) - len(run.origins) + 1)
        rule = f"a check at {request.origin} leaves the others their time"
        life.rule(send.deadline <= until + NOTHING, rule)
