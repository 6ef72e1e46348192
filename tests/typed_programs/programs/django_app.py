"""A Django middleware, a view, and settings that come from the store."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse

from appconfig_provider import ConfigurationSetting, load


def mapped(setting: ConfigurationSetting) -> ConfigurationSetting | None:
    """Leave texts without blanks at their ends."""
    if setting.value is None:
        return None
    setting.value = setting.value.strip()
    return setting


config = load(
    connection_string="Endpoint=https://contoso.azconfig.io;Id=i;Secret=cw==",
    refresh_on=["sentinel", ("other", "prod")],
    configuration_mapper=mapped,
)
debug = config.bind(bool, "debug")
ports = config.bind(list[int], "ports")

SECRET_KEY: str = config["secret-key"]
DEBUG: bool = debug.value
DATABASES: dict[str, dict[str, str]] = {"default": dict(config.snapshot.nested("database"))}


@config.on_change("database:*")
def reconnect() -> None:
    """Be told when the database moved."""


class RefreshMiddleware:
    """Refreshes before each request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Refresh and go on."""
        config.refresh()
        return self.get_response(request)


def index(request: HttpRequest) -> HttpResponse:
    """Show the ports."""
    first: int = ports.value[0]
    return JsonResponse({"first": first, "path": request.path, "flags": "beta" in config})
