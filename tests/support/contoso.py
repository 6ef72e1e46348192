"""A store of the cloud with replicas, of which nothing is real but HTTP, TLS and DNS.

`contoso.azconfig.io` and its replicas are endpoints of one emulator, reached by a proxy, and a DNS
server of our own says which replicas there are.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from appconfig_provider.testing import Emulator, FakeClock, Replica, StaticCredential
from tests.support.dns_server import DnsServer, dns_server
from tests.support.proxy import Proxy, connect_proxy

MAIN = "contoso.azconfig.io"
EAST = "contoso-east.azconfig.io"
WEST = "contoso-west.azconfig.io"
CLOUDS = ["azconfig.io", "azconfig.azure.us", "azconfig.azure.cn", "appconfig.azure.com"]
HOSTS = [
    f"{name}.{cloud}" for cloud in CLOUDS for name in ("contoso", "contoso-east", "contoso-west")
]
"""Every name that the endpoints are asked by."""
ORIGIN = f"_origin._tcp.{MAIN}"
FIRST_REPLICAS = f"_alt0._tcp.{MAIN}"
LOOK_UP = [ORIGIN, FIRST_REPLICAS, f"_alt1._tcp.{MAIN}"]
"""What is asked for, when there is one set of replicas."""


@dataclass
class Contoso:
    """The store, its endpoints by host name, and all that stands between it and a client."""

    clock: FakeClock
    store: Emulator
    dns: DnsServer
    proxy: Proxy
    endpoints: dict[str, Replica]
    credential: StaticCredential = field(default_factory=StaticCredential)

    def keywords(self, host: str = MAIN, *, auth: str = "key", **more: object) -> dict[str, object]:
        """Return how to load from a host, with an access key or with a token."""
        secret = self.store.connection_string.partition(";")[2]
        where: dict[str, object] = (
            {"connection_string": f"Endpoint=https://{host};{secret}"}
            if auth == "key"
            else {"endpoint": f"https://{host}", "credential": self.credential}
        )
        usual = {"refresh_on": ["sentinel"], "retry_total": 0, "startup_timeout": 0}
        return {**where, **usual, "proxy": self.proxy.url, "verify": False, **more}

    def down(self, *hosts: str) -> None:
        """Take endpoints down; all of them, unless some are named."""
        for host in hosts or self.endpoints:
            self.endpoints[host].down()

    def wanted(self) -> list[str]:
        """Return the hosts that were asked for since the last call."""
        hosts = list(self.proxy.wanted)
        self.proxy.wanted.clear()
        return hosts

    def asked(self) -> list[str]:
        """Return the names that DNS was asked for since the last call."""
        names = list(self.dns.asked)
        self.dns.asked.clear()
        return names


@contextmanager
def contoso() -> Iterator[Contoso]:
    """Run the store with two replicas that DNS names; a clock that both sides live by."""
    # Some hours early, because the tokens of a credential last for one real hour.
    with (
        FakeClock(time.time() - 12 * 3600) as clock,
        Emulator(clock=clock, tls=True, replicas=2, hosts=HOSTS) as store,
        dns_server() as dns,
        connect_proxy() as proxy,
    ):
        store.set_many({"k": "v1", "sentinel": "1"})
        endpoints = dict(zip((MAIN, EAST, WEST), (store, *store.replicas), strict=True))
        for host, endpoint in endpoints.items():
            proxy.ports[host] = urlsplit(endpoint.endpoint).port or 0
        dns.name_replicas(MAIN, EAST, WEST)
        yield Contoso(clock, store, dns, proxy, endpoints)
