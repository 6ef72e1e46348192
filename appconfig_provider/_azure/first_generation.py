"""The first generation: of what was loaded, or of a copy of an earlier run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from appconfig_provider._azure.context import Context
from appconfig_provider._azure.generation import Generation, Limits, Previous, build
from appconfig_provider._azure.listing.content import Content
from appconfig_provider._azure.options import SecretPolicy
from appconfig_provider._azure.rest.refusals import public
from appconfig_provider._azure.secrets.rotation import Reading, Reads, Secrets
from appconfig_provider._azure.settings.references import UnresolvedReference
from appconfig_provider._fetch.budget import Allowed
from appconfig_provider._fetch.failures import OutOfTime
from appconfig_provider._plan import Sleep, Steps, perform, plan
from appconfig_provider.trouble import EngineError

if TYPE_CHECKING:
    from appconfig_provider.overrides.layers import Layer

WINDOWS = ((100.0, 5.0), (200.0, 10.0), (600.0, 30.0))
"""Pairs of seconds: until the first number has passed since the start, rounds are the second number
apart. All official providers use these numbers."""

MIN_WAIT = 0.5
"""Seconds. With less time left there is no further attempt: it could hardly succeed."""


class NotInTime(EngineError):
    """The start-up budget is used up; `causes` are the errors of the attempts."""

    def __init__(self, message: str, causes: Sequence[EngineError], budget: str = "") -> None:
        # Each cause may end with the name of the budget; the message names it only once.
        texts = [str(cause).removesuffix(f": {budget} was used up") for cause in causes]
        super().__init__(f"{message}: {'; '.join(texts)}")
        self.causes = causes

    def as_public(self) -> Exception:
        from appconfig_provider.errors import StartupTimeout

        # The causes are not chained: a traceback for each would hide the message, which has all.
        return StartupTimeout(str(self), [public(cause) for cause in self.causes])


@plan
def first_generation(
    context: Context,
    content: Content,
    layers: tuple[Layer, ...],
    allowed: Allowed,
    copy_of: datetime | None = None,
) -> Steps[Generation]:
    """Build the first generation; `copy_of` is when the content of a copy was loaded.

    After a passing error of a vault only the secrets are read again; the content stays.
    """
    options = context.options
    policy = options.secrets.policy or SecretPolicy.RAISE
    read: Secrets = {}
    while True:
        reads = Reads(allowed, policy, Reading.OWED)
        limits = Limits(1, reads, layers=layers, copy_of=copy_of)
        try:
            return (yield from build(context, content, Previous(read), limits))
        except OutOfTime as failure:
            raise NotInTime("not loaded in time", (failure,)) from failure
        except UnresolvedReference as failure:
            if failure.out_of_time:
                raise NotInTime("not loaded in time", (failure,)) from failure
            left = allowed.until - context.clock.monotonic()
            if not failure.may_heal or left < MIN_WAIT or not options.startup.seconds:
                raise
            yield from perform(Sleep(min(WINDOWS[0][1], left / 2)))
            read = {**read, **reads.results.found}
