"""A web application's page over real HTTP."""

from __future__ import annotations

import time

import httpx

from .processes import PATIENCE, Running


def address(server: Running) -> str:
    """Return where a Flask application says it listens."""
    return server.wait_for("Running on http").partition("Running on ")[2].split()[0]


def page(url: str) -> str:
    """Return the text of a page."""
    answer = httpx.get(url, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.text


def page_that_shows(url: str, text: str) -> str:
    """Ask for a page until it shows a text; return it as it is when patience ends."""
    end = time.monotonic() + PATIENCE
    while text not in (shown := page(url)) and time.monotonic() < end:
        time.sleep(0.1)
    return shown
