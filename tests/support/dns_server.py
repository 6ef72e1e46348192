"""A DNS server on loopback that answers as it is told, name by name, over UDP and TCP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest import mock

import dns.asyncresolver
import dns.resolver
from dnslib import CNAME, QTYPE, RCODE, RR, SRV, DNSLabel, DNSRecord

Behaviour = Callable[[DNSRecord, bool], bytes | None]
"""From a question, and whether it came by TCP, to the bytes of the answer; None is silence."""
Target = str | tuple[bytes, ...]
"""A host name, or the labels of a name that text cannot spell."""


def srv(*targets: Target) -> Behaviour:
    """Answer with SRV records."""

    def behave(question: DNSRecord, by_tcp: bool) -> bytes:
        reply = question.reply()
        for target in targets:
            record = SRV(0, 0, 443, target=DNSLabel(target))
            reply.add_answer(RR(question.q.qname, QTYPE.SRV, ttl=60, rdata=record))
        return bytes(reply.pack())

    return behave


nothing = srv()
"""The name is there and has no such record: NoAnswer."""


def code(name: str) -> Behaviour:
    """Answer with a response code: NXDOMAIN, SERVFAIL, REFUSED, ..."""

    def behave(question: DNSRecord, by_tcp: bool) -> bytes:
        reply = question.reply()
        reply.header.rcode = getattr(RCODE, name)
        return bytes(reply.pack())

    return behave


unknown = code("NXDOMAIN")
"""There is no such name."""


def silence(question: DNSRecord, by_tcp: bool) -> None:
    """Read the question and say nothing."""


def alias(to: str, *targets: Target) -> Behaviour:
    """Answer with a CNAME, and with the SRV records of what it points to."""

    def behave(question: DNSRecord, by_tcp: bool) -> bytes:
        reply = question.reply()
        reply.add_answer(RR(question.q.qname, QTYPE.CNAME, ttl=60, rdata=CNAME(to)))
        for target in targets:
            record = SRV(0, 0, 443, target=DNSLabel(target))
            reply.add_answer(RR(to, QTYPE.SRV, ttl=60, rdata=record))
        return bytes(reply.pack())

    return behave


def too_long(whole: Behaviour) -> Behaviour:
    """Say by UDP that the answer does not fit, and give it by TCP."""

    def behave(question: DNSRecord, by_tcp: bool) -> bytes | None:
        if by_tcp:
            return whole(question, by_tcp)
        reply = question.reply()
        reply.header.tc = 1
        return bytes(reply.pack())

    return behave


def misaddressed(genuine: Behaviour) -> Behaviour:
    """Answer with the id of another question, as somebody does who only guesses it."""

    def behave(question: DNSRecord, by_tcp: bool) -> bytes | None:
        answer = genuine(question, by_tcp)
        return None if answer is None else bytes([answer[0] ^ 1]) + answer[1:]

    return behave


def noise(content: bytes, *, kept: int = 0) -> Behaviour:
    """Answer with any bytes, after so many that are right (12 are the header)."""

    def behave(question: DNSRecord, by_tcp: bool) -> bytes:
        return bytes(question.reply().pack())[:kept] + content

    return behave


@dataclass
class DnsServer:
    """What each name is answered with; `asked` are the names asked for, in order."""

    answers: dict[str, Behaviour] = field(default_factory=dict)
    otherwise: Behaviour = unknown
    asked: list[str] = field(default_factory=list)
    port: int = 0
    heard: threading.Event = field(default_factory=threading.Event)
    """Set as soon as there was a question."""

    def name_replicas(self, store: str, *replicas: Target) -> None:
        """Let the names of a store tell of these replicas, its first endpoint being the origin."""
        self.answers[f"_origin._tcp.{store}"] = srv(store)
        self.answers[f"_alt0._tcp.{store}"] = srv(*replicas)

    def answer(self, packet: bytes, *, by_tcp: bool) -> bytes | None:
        """Return what to answer a packet with."""
        question = DNSRecord.parse(packet)
        name = str(question.q.qname).rstrip(".")
        if not by_tcp:
            self.asked.append(name)
            self.heard.set()
        return self.answers.get(name, self.otherwise)(question, by_tcp)

    def by_udp(self, listener: socket.socket) -> None:
        """Answer until the listener is told that it is over, by an empty packet."""
        while True:
            packet, sender = listener.recvfrom(65_535)
            if not packet:
                return
            answer = self.answer(packet, by_tcp=False)
            if answer is not None:
                listener.sendto(answer, sender)

    def by_tcp(self, listener: socket.socket) -> None:
        """Answer one question per connection, until the listener is closed."""
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                size = int.from_bytes(stream.read(2), "big")
                answer = self.answer(stream.read(size), by_tcp=True)
                if answer is not None:
                    connection.sendall(len(answer).to_bytes(2, "big") + answer)


@contextmanager
def dns_server() -> Iterator[DnsServer]:
    """Run a server, and have dnspython's default resolvers ask it and nobody else."""
    server = DnsServer()
    with _listeners() as (udp, tcp):
        server.port = udp.getsockname()[1]
        threads = [
            threading.Thread(target=server.by_udp, args=(udp,)),
            threading.Thread(target=server.by_tcp, args=(tcp,)),
        ]
        for thread in threads:
            thread.start()
        try:
            with _asked_by_default(server.port):
                yield server
        finally:
            udp.sendto(b"", udp.getsockname())
            tcp.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()


@contextmanager
def _listeners() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Give a UDP and a TCP socket on the same port."""
    while True:
        tcp = socket.create_server(("127.0.0.1", 0))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with tcp, udp:
            try:
                udp.bind(tcp.getsockname())
            except OSError:
                continue  # somebody else has this port for UDP
            yield udp, tcp
            return


@contextmanager
def _asked_by_default(port: int) -> Iterator[None]:
    threaded = dns.resolver.Resolver(configure=False)
    awaited = dns.asyncresolver.Resolver(configure=False)
    for resolver in (threaded, awaited):
        resolver.nameservers, resolver.port = ["127.0.0.1"], port
    with (
        mock.patch.object(dns.resolver, "default_resolver", threaded),
        mock.patch.object(dns.asyncresolver, "default_resolver", awaited),
    ):
        yield
