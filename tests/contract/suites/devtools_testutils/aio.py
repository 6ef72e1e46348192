"""The same for coroutine functions."""

from . import recorded_by_proxy

recorded_by_proxy_async = recorded_by_proxy
