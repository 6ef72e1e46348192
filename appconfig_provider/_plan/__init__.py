"""Plans: descriptions of I/O that somebody else performs.

The engine never touches a socket, a clock or a thread. It is written as *plans*: generators that
yield what they want done (effects) and are sent how it went. A driver (`_drive`) does the work,
one for threads and one for asyncio, so there is one engine and it cannot drift apart.

Three rules make that safe:

1. What a plan yields is either a tuple of effects or `Together`. It is sent one answer per effect
   (or per plan), in the same order; an effect that failed answers with `Failure`.
2. Every step of every plan happens on the thread (or task) that called the driver. Only effects
   run elsewhere, so plans need no locks.
3. Calling a `@plan` function does nothing by itself: write `yield from`. A plan that was never
   run says so with a warning, because no type checker sees the missing words.
"""

from appconfig_provider._plan.effects import (
    AcquireToken,
    Effect,
    Failure,
    Headers,
    Invoke,
    Request,
    ResolveSrv,
    Response,
    Send,
    Signer,
    Sleep,
    VerifyConnections,
)
from appconfig_provider._plan.plans import Plan, Steps, Together, ask, plan, together
from appconfig_provider._plan.schedule import Schedule, Ticket

__all__ = [
    "AcquireToken",
    "Effect",
    "Failure",
    "Headers",
    "Invoke",
    "Plan",
    "Request",
    "ResolveSrv",
    "Response",
    "Schedule",
    "Send",
    "Signer",
    "Sleep",
    "Steps",
    "Ticket",
    "Together",
    "VerifyConnections",
    "ask",
    "plan",
    "together",
]
