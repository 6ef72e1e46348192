"""A whole source: one JSON address with an ETag."""

import json
from dataclasses import dataclass

from appconfig_provider._fetch.access import EndpointAttempt, RoundRules
from appconfig_provider._fetch.budget import Allowance, Budget
from appconfig_provider._fetch.endpoints import Endpoints, endpoints_of
from appconfig_provider._fetch.exchange import read
from appconfig_provider._fetch.first_answer import Answered, Exhausted, first_answer
from appconfig_provider._fetch.unsigned import UnsignedAccess
from appconfig_provider._live import document
from appconfig_provider._live.source import LiveOptions, Outcome
from appconfig_provider._live.standing import now
from appconfig_provider._plan import Plan, Response, Steps, plan

CHECK = Allowance(5.0, "the time of a check ({:g} s)")
Answer = Answered[Response] | Exhausted


@dataclass(frozen=True)
class Address(document.DocumentSource):
    name: str
    options: LiveOptions

    def limit(self, *, in_background: bool) -> float:
        return CHECK.seconds

    @plan
    def first(self) -> Steps[document.Document]:
        answer = yield from self._ask(endpoints_of(self.name), None, force=True)
        if isinstance(answer, Exhausted):
            raise answer.failures[0]
        values, etag = json.loads(answer.result.body), answer.result.headers.get("etag")
        instant, interval = now(self.options.clock), self.options.interval
        return document.first_document(values, etag, answer.endpoints, instant, interval)

    @plan
    def next(
        self, state: document.Document, *, force: bool, in_background: bool
    ) -> Steps[Outcome[document.Document]]:
        answer = yield from self._ask(state.endpoints, state.etag, force=force)
        instant, interval = now(self.options.clock), self.options.interval
        if isinstance(answer, Exhausted):
            return document.failed(state, answer.failures[0], answer.endpoints, instant, interval)
        state = document.confirmed(state, answer.endpoints, instant, interval)
        if answer.result.status == 304:
            return Outcome(state)
        values, etag = json.loads(answer.result.body), answer.result.headers.get("etag")
        return (yield from document.changed(state, values, etag, self.options, reason="address"))

    def _ask(self, endpoints: Endpoints, etag: str | None, *, force: bool) -> Plan[Answer]:
        clock, given = self.options.clock, self.options
        rules = RoundRules(clock, given.random, given.interval, retries=0)
        budget = Budget(clock.monotonic() + CHECK.seconds, CHECK)

        def job(attempt: EndpointAttempt) -> Plan[Response]:
            return read(attempt.session, "/", etag and etag.strip('"'))

        return first_answer(UnsignedAccess(), rules, endpoints, budget, job, force=force)
