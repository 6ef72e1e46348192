"""The refresh path in virtual time: a seed is a schedule, a schedule is a run that can be repeated.

Theory. A `World` is a heap of moments and a source of chance. In it live a `History` (what the
store held, revision by revision), a `Network` (delays, faults, replicas that lag), publishers, and
`Life`s: the real asynchronous provider on a `Driver` that performs effects in virtual time. Every
life has a `Model` beside it, which says when the next refresh is due, and every refresh leaves a
`Run`: what was sent, and which revision each answer showed. `rules` judges the one by the other.

ConfigCat's clients live in the same worlds, on the same `Network` and `Driver`: see `configcat`.
Their runtime makes tasks and waits for events, so their world has an event loop (`loop`).

Nothing here waits, opens a socket or starts a thread; coroutines are stepped by hand, or by that
loop. Run one schedule and see all that happens in it with `python -m tests.simulation SEED`, or
`python -m tests.simulation configcat SEED`.
"""
