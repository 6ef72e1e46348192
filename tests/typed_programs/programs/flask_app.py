"""A Flask application that refreshes in requests and answers from bound values."""

import logging

from flask import Flask, Response, jsonify
from pydantic import BaseModel, ConfigDict

from appconfig_provider import ChangeSet, SettingSelector, WatchKey, load


class Pool(BaseModel):
    """The settings below `pool`."""

    model_config = ConfigDict(frozen=True)

    size: int = 5
    hosts: list[str] = []


app = Flask(__name__)
log = logging.getLogger(__name__)


def changed(changes: ChangeSet) -> None:
    """Log what changed."""
    log.info("changed: %s", ", ".join(changes.changed))


config = load(
    endpoint="https://contoso.azconfig.io",
    selects=[SettingSelector(key_filter="app/*", tag_filters=["team=web"])],
    trim_prefixes=["app/"],
    refresh_on=[WatchKey("sentinel")],
    refresh_interval=10,
    secret_policy="keep_last",
    secret_resolver=lambda address: address.rpartition("/")[2],
    on_refresh_success=changed,
    on_refresh_error=lambda error: log.warning("not refreshed", exc_info=error),
)
pool = config.bind(Pool, "pool")


@app.before_request
def refresh() -> None:
    """Check whether anything changed."""
    config.refresh()


@app.get("/")
def index() -> Response:
    """Show some settings."""
    first: str = pool.value.hosts[0]
    size: int = config["pool:limits"]["size"] + pool.value.size
    title: str = config.get("title", "untitled")
    return jsonify(first=first, size=size, title=title, all=list(config.keys()))


@app.get("/health")
def health() -> tuple[Response, int]:
    """Tell how refreshing goes."""
    status = config.status
    return jsonify(age=status.age, version=status.generation), 200 if status.healthy(60) else 503


app.config.update(config.snapshot)
