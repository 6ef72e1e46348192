"""A whole source: one JSON address with an ETag."""

import json
from dataclasses import dataclass

from appconfig_provider._fetch.budget import Allowance, Budget
from appconfig_provider._fetch.endpoints import Fleet, endpoints_of
from appconfig_provider._fetch.exchange import read
from appconfig_provider._fetch.first_answer import Answered, Exhausted, first_answer
from appconfig_provider._fetch.gate import EndpointAttempt, Manners
from appconfig_provider._fetch.unsigned import OpenGate
from appconfig_provider._live import document
from appconfig_provider._live.document import Document
from appconfig_provider._live.source import Outcome, Terms
from appconfig_provider._live.standing import now
from appconfig_provider._plan import Plan, Response, Steps, plan

CHECK = Allowance(5.0, "the time of a check ({:g} s)")
Answer = Answered[Response] | Exhausted


@dataclass(frozen=True)
class Address(document.DocumentSource):
    name: str
    terms: Terms

    def limit(self, *, in_background: bool) -> float:
        return CHECK.seconds

    @plan
    def first(self) -> Steps[Document]:
        answer = yield from self._ask(endpoints_of(self.name), None, force=True)
        if isinstance(answer, Exhausted):
            raise answer.failures[0]
        values, etag = json.loads(answer.result.body), answer.result.headers.get("etag")
        moment = now(self.terms.clock)
        return document.first_document(values, etag, answer.fleet, moment, self.terms.interval)

    @plan
    def next(
        self, state: Document, *, force: bool, in_background: bool
    ) -> Steps[Outcome[Document]]:
        answer = yield from self._ask(state.fleet, state.etag, force=force)
        moment, interval = now(self.terms.clock), self.terms.interval
        if isinstance(answer, Exhausted):
            return document.failed(state, answer.failures[0], answer.fleet, moment, interval)
        state = document.confirmed(state, answer.fleet, moment, interval)
        if answer.result.status == 304:
            return Outcome(state)
        values, etag = json.loads(answer.result.body), answer.result.headers.get("etag")
        return document.changed(state, values, etag, reason="address")

    def _ask(self, fleet: Fleet, etag: str | None, *, force: bool) -> Plan[Answer]:
        manners = Manners(self.terms.clock, self.terms.random, self.terms.interval, retries=0)
        budget = Budget(self.terms.clock.monotonic() + CHECK.seconds, CHECK)

        def job(attempt: EndpointAttempt) -> Plan[Response]:
            return read(attempt.session, "/", etag and etag.strip('"'))

        return first_answer(OpenGate(manners), manners, fleet, budget, job, force=force)
