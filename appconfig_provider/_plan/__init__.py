"""Plans: descriptions of I/O that a driver performs.

The engine never touches a socket, a clock or a thread. It is written as *plans*: generators that
yield what they want done (*effects*) and are sent the outcome. A driver performs the effects, one
driver for threads and one for asyncio, so there is one engine and it cannot drift apart.

An example, from a plan to the wire. This plan reads two settings side by side:

    @plan
    def read_both(origin: str, deadline: float) -> Steps[list[int]]:
        one, two = yield from gather(get(origin, "/kv/one", deadline),
                                     get(origin, "/kv/two", deadline))
        return [one.status, two.status]

    @plan
    def get(origin: str, target: str, deadline: float) -> Steps[Response]:
        request = Request("GET", origin, target)
        return (yield from perform(Send(request, sign, deadline)))

Nothing has happened when `read_both(...)` returns: it is a `Plan`. `driver.run(read_both(...))`
hands it to a `Schedule`, which steps it. The first step reaches `gather`, which yields the two
inner plans; the schedule makes a frame for each and steps both until they yield a `Send`. These are
two pending effects. The driver performs them, here at the same time: it signs each request, writes
it to a connection and reads the answer into a `Response`. Whichever comes first is handed to
`schedule.answer(...)`, which steps the one frame that waited for it. When both have returned,
`gather` returns their results in order, `read_both` returns, and so does `driver.run`.

Three rules make that safe:

1. A plan yields one `Effect`, and is sent its outcome, or one `Gather`, and is sent the results of
   its plans in order. An effect that failed raises its error where it was yielded.
2. Every step of every plan happens on the thread (or task) that called the driver. Only effects
   run elsewhere, so plans need no locks.
3. Calling a `@plan` function does nothing by itself: write `yield from`. A plan that was never
   run warns, because no type checker finds the missing words.
"""

from appconfig_provider._plan.effects import (
    AcquireToken,
    Effect,
    Failure,
    FileContent,
    FileIdentity,
    Headers,
    Invoke,
    ReadFile,
    ReadStored,
    Request,
    ResolveSrv,
    Response,
    Send,
    Signer,
    Sleep,
    VerifyConnections,
    WriteStored,
)
from appconfig_provider._plan.plans import (
    Gather,
    Plan,
    Steps,
    Stopped,
    done,
    gather,
    perform,
    plan,
)
from appconfig_provider._plan.schedule import Pending, Schedule

__all__ = [
    "AcquireToken",
    "Effect",
    "Failure",
    "FileContent",
    "FileIdentity",
    "Gather",
    "Headers",
    "Invoke",
    "Pending",
    "Plan",
    "ReadFile",
    "ReadStored",
    "Request",
    "ResolveSrv",
    "Response",
    "Schedule",
    "Send",
    "Signer",
    "Sleep",
    "Steps",
    "Stopped",
    "VerifyConnections",
    "WriteStored",
    "done",
    "gather",
    "perform",
    "plan",
]
