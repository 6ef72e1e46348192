"""Whatever servers and caches do, a client that refreshes when it is due sends few requests."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appconfig_provider.configcat.pollingmode import PollingMode
from tests.support.configcat_source import EU, GLOBAL, V5, V6, Cdn, Played, Shared, leading, v5, v6

INTERVAL = 60
STATUSES = st.sampled_from([None, 200, 204, 301, 304, 401, 403, 404, 408, 429, 500, 503])
EVENTS = st.one_of(
    st.tuples(st.just("fault"), st.sampled_from([GLOBAL, EU]), STATUSES),
    st.tuples(st.just("heal"), st.sampled_from([GLOBAL, EU]), st.none()),
    st.tuples(st.just("lead"), st.sampled_from([(GLOBAL, EU), (EU, GLOBAL)]), st.integers(-1, 3)),
    st.tuples(st.just("file"), st.sampled_from([V5, V6]), st.text("ab", max_size=2)),
    st.tuples(st.just("gone"), st.sampled_from([V5, V6]), st.none()),
    st.tuples(st.just("cache"), st.sampled_from(["", '1\n"x"\n{}', "9" * 30]), st.none()),
)


def happen(cdn: Cdn, cache: Shared, kind: str, what: object, how: object) -> None:
    """Let something happen to the servers, or to the cache."""
    match kind, what, how:
        case "fault", str(), int() | None:
            cdn.break_down(how, at=what)
        case "heal", str(), _:
            cdn.faults.pop(what, None)
        case "lead", (str(at), str(to)), int():
            cdn.serve(leading(v6(color=at), to, how), at=at)
        case "file", str(), str():
            cdn.serve((v5 if what == V5 else v6)(color=how), f'"{how}"', file=what)
        case "gone", str(), _:
            cdn.files.pop((GLOBAL, what), None)
        case _:
            cache.update(dict.fromkeys(cache, what))


@given(st.lists(EVENTS, max_size=30), st.booleans())
def test_few_requests_and_always_a_next_time(
    events: list[tuple[str, object, object]], polls: bool
) -> None:
    """An attempt sends at most six requests, the next one is due later, and settings are kept."""
    cdn, cache = Cdn(), Shared()
    cdn.serve(v6(color="red"))
    mode = PollingMode.auto_poll(INTERVAL) if polls else PollingMode.lazy_load(INTERVAL)
    client = Played(cdn, mode, config_cache=cache)
    client.refresh()
    for kind, what, how in events:
        happen(cdn, cache, kind, what, how)
        before = len(cdn.asked)
        outcome = client.refresh_when_due()
        assert len(cdn.asked) - before <= 6
        assert client.due >= 30
        assert client.due <= 600
        assert client.state.loaded
        assert "color" in client.texts
        assert outcome.message == ""
        before = len(cdn.asked)
        client.refresh()
        assert len(cdn.asked) == before
