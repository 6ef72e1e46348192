"""Mistakes that a type checker must find: each line would fail when it runs.

Both checkers complain about a `type: ignore` that is not needed, so each comment is a proof.
"""
# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from pydantic import BaseModel

from appconfig_provider import ConfigurationSetting, Polling, SettingSelector, WatchKey, load


class Pool(BaseModel):
    """Something to bind."""

    size: int


async def resolve(address: str) -> str:
    """Resolve later, which only `aio` can await."""
    return address


def mapped(setting: ConfigurationSetting) -> str:
    """Return what a mapper may not."""
    return setting.key


STORE = "Endpoint=https://contoso.azconfig.io;Id=i;Secret=cw=="

load(connection_string=5)  # type: ignore[arg-type]
load(connection_string=STORE, conection_string=STORE)  # type: ignore[call-arg]
load(connection_string=STORE, secret_policy="keep-last")  # type: ignore[arg-type]
load(connection_string=STORE, consistency="point-in-time")  # type: ignore[arg-type]
load(connection_string=STORE, polling=Polling.auto("x"))  # type: ignore[arg-type]
load(connection_string=STORE, refresh_on=[5])  # type: ignore[list-item]
load(connection_string=STORE, refresh_on=WatchKey(5))  # type: ignore[arg-type]
load(connection_string=STORE, refresh_interval="10")  # type: ignore[arg-type]
load(connection_string=STORE, selects="app/*")  # type: ignore[arg-type]
load(connection_string=STORE, secret_resolver=resolve)  # type: ignore[arg-type]
load(connection_string=STORE, configuration_mapper=mapped)  # type: ignore[arg-type]
load(connection_string=STORE, on_refresh_success=lambda one, two: None)  # type: ignore[arg-type]
SettingSelector(tag_filters="team=web")  # type: ignore[arg-type]

config = load(connection_string=STORE)
config["a"] = "b"  # type: ignore[index]
config.refresh("now")  # type: ignore[arg-type]
config.snapshot.nested(separator="|")  # type: ignore[arg-type]
config.bind(Pool, separator="|")  # type: ignore[call-overload]
config.bind(Pool, 5)  # type: ignore[call-overload]
pool = config.bind(Pool)
print(pool.value.sizes)  # type: ignore[attr-defined]
pool.value = Pool(size=1)  # type: ignore[misc]
text: str = config.bind(int, "size").value  # type: ignore[assignment]
