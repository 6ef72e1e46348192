"""The emulated CDN of ConfigCat, for the length of a ``with`` block."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from appconfig_provider.emulator import Access
from appconfig_provider.emulator.configcat_api import create_configcat
from appconfig_provider.emulator.configcat_configs import Configs, RedirectMode
from appconfig_provider.emulator.configcat_forms import (
    NOTHING,
    FlagValue,
    parse_config,
    with_value,
    without,
)
from appconfig_provider.emulator.faults import Faults
from appconfig_provider.emulator.scripting import Hook, RequestRecord, Script, Scripted
from appconfig_provider.testing.clock import Clock
from appconfig_provider.testing.scripted import Fault, ScriptedServer


class ConfigCatEmulator(ScriptedServer):
    """ConfigCat's CDN on a free port of this machine, for the length of a ``with`` block.

    ``base_url`` is what an SDK takes for its argument of the same name. Every SDK key gets the same
    config, which has no settings at first; ``sdk_key`` is one that SDKs accept. Methods that take
    an ``sdk_key`` are for keys with configs of their own. Both ``config_v5.json`` and
    ``config_v6.json`` are served, unless a config was loaded that has one alone; SDK keys that
    begin with ``configcat-sdk-1/`` get the former only where there is no other.

    ``clock`` gives the dates of answers. With ``tls`` the address is https, and ``ca_file`` is what
    a client has to trust. ``hosts`` and ``origins`` are those of :class:`Emulator`.

    Raises:
        OSError: the port cannot be had.
        ValueError: there is no such port, or a host name is none.
    """

    sdk_key: Final = "local-emulator-sdk-key/appconfig-provider-cdn"

    def __init__(
        self,
        *,
        port: int = 0,
        clock: Clock | None = None,
        tls: bool = False,
        hosts: Sequence[str] = (),
        origins: Sequence[str] = (),
    ) -> None:
        self._configs = Configs()
        app = create_configcat(self._configs, time.time if clock is None else clock.time)
        access = Access(hosts=tuple(hosts), origins=tuple(origins))
        super().__init__(app, Script(), port, tls=tls, access=access)
        self.base_url = self._server.endpoint

    def set(self, key: str, value: FlagValue, *, sdk_key: str | None = None) -> None:
        """Give a setting a value for everybody, without rules; the other settings stay.

        Raises:
            ValueError: the value is no boolean, text or finite number.
        """
        self._configs.change(sdk_key, lambda config: with_value(config, key, value))

    def remove(self, key: str, *, sdk_key: str | None = None) -> None:
        """Remove a setting.

        Raises:
            KeyError: there is no such setting.
        """
        self._configs.change(sdk_key, lambda config: without(config, key))

    def load(self, config_json: str | Mapping[str, Any], sdk_key: str | None = None) -> None:
        """Serve another config instead.

        It is the content of a ``config_v5.json`` or of a ``config_v6.json``, as text or as an
        object; ``{"flags": {"key": value}}``; or both files,
        ``{"config_v5.json": {...}, "config_v6.json": {...}}``. Its address of the CDN (``p.u``) is
        not served; :meth:`redirect` sets one.

        Raises:
            ValueError: it is not JSON, or none of these.
        """
        self._configs.put(sdk_key, parse_config(config_json))

    def unload(self, sdk_key: str | None = None) -> None:
        """Answer 404 to an SDK key from now on; without one, to all without a config of their own.

        What is set or loaded later is served again.
        """
        self._configs.put(sdk_key, NOTHING)

    def redirect(self, url: str | None, mode: RedirectMode = 1) -> None:
        """Tell SDKs in every file to ask another address; None ends it.

        The modes are those of ConfigCat's data governance: 0 asks there next time, 1 at once and
        with a warning, 2 at once, also from a custom ``base_url``.

        Raises:
            ValueError: there is no such mode.
        """
        self._configs.redirect(url, mode)

    def fail(self, status: int, times: int | None = None) -> Fault:
        """Answer with an error, so many times or until :meth:`up`.

        As a ``with`` block it fails until the block ends. Of several the first one counts.

        Raises:
            ValueError: the status is not 400 to 599, or the number is negative.
        """
        answer = Faults(status=status, times=times).script(stale=False)
        left = None if times is None else [answer] * times

        def respond(_: RequestRecord) -> Scripted | None:
            if left is None:
                return answer
            try:
                return left.pop()  # of several threads each gets another one
            except IndexError:
                return None

        return self._fault(self._script.responders, Hook([], respond))
