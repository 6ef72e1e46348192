"""The documents' code is code: every Python block runs, and prints what the page says."""

from __future__ import annotations

import ast
import asyncio
import inspect
import logging
import re
import shlex
from collections.abc import Iterator

import azure.identity
import pytest
from click.testing import CliRunner

from appconfig_provider import AzureAppConfigurationProvider
from appconfig_provider.cli import commands
from appconfig_provider.testing import ConfigCatEmulator, Emulator, StaticCredential
from tests.docs.pages import PAGES, ROOT, Block, Page
from tests.support.content import FLAG_TYPE

AZURE = "https://contoso.azconfig.io"
"""The store in Azure that the pages use; the tests put one of ours in its place."""


PAGE_SETTINGS = {"isMyAwesomeFeatureEnabled": True, "stringSetting": "test", "intSetting": 5}
"""What the page about ConfigCat evaluates."""


@pytest.fixture
def contoso(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """Give the store that a page may call its own; this process trusts its certificate."""
    with Emulator(tls=True) as store:
        store.set_many({"message": "hello", "sentinel": "1", "pool": {"size": 5}})
        store.set_many({"db:host": "north", "db:pool:size": "5", "db:ports:0": "1"})
        store.set("db:ports:1", "2")
        store.set("app/host", "example.com")
        store.set("app/host", "prod.example.com", label="prod")
        flag = '{"id": "Beta", "enabled": true}'
        store.set(".appconfig.featureflag/Beta", flag, content_type=FLAG_TYPE)
        store.set("team", "payments", tags={"team": "payments"})
        store.create_snapshot("release-42", [("message", None)])
        assert store.ca_file is not None
        monkeypatch.setenv("SSL_CERT_FILE", store.ca_file)
        monkeypatch.setenv("APPCONFIGURATION_CONNECTION_STRING", store.connection_string)
        monkeypatch.setattr(azure.identity, "DefaultAzureCredential", StaticCredential)
        yield store


@pytest.fixture
def _logging_as_it_was() -> Iterator[None]:
    """Give logging back as it was: a page may show how to set it up."""
    root = logging.getLogger()
    loggers = [root, logging.getLogger("appconfig_provider"), logging.getLogger("configcat")]
    levels, handlers = [logger.level for logger in loggers], list(root.handlers)
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture
def cdn(monkeypatch: pytest.MonkeyPatch) -> Iterator[ConfigCatEmulator]:
    """Give the settings that the page about ConfigCat shows, where its clients look for them."""
    with ConfigCatEmulator() as emulator:
        emulator.load({"flags": PAGE_SETTINGS})
        monkeypatch.setenv("APPCONFIG_PROVIDER_CONFIGCAT_BASE_URL", emulator.base_url)
        yield emulator


def run(block: Block, store: Emulator, space: dict[str, object]) -> None:
    """Run a block as its reader would; a loop ends after one round, a test is called."""
    program = block.code.replace(AZURE, store.endpoint).replace("time.sleep(5)", "break")
    awaits = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile(program, block.name, "exec", flags=awaits, dont_inherit=True)
    before = set(space)
    if code.co_flags & inspect.CO_COROUTINE:
        asyncio.run(eval(code, space))  # with await at the top it is a coroutine
    else:
        exec(code, space)
    for name in set(space) - before:
        if name.startswith("test_"):
            example = space[name]
            assert callable(example)
            example()


def with_python() -> list[Page]:
    """Return the pages that have such blocks."""
    return [page for page in PAGES if page.blocks("python")]


@pytest.mark.usefixtures("_logging_as_it_was")
@pytest.mark.parametrize("page", with_python(), ids=lambda page: page.name)
def test_every_python_block_runs(
    page: Page,
    contoso: Emulator,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    """The blocks of a page run in order, and print what the block behind them shows."""
    if "import configcat" in page.text:
        request.getfixturevalue("cdn")
    space: dict[str, object] = {
        "__name__": "__main__",
        "connection_string": contoso.connection_string,
    }
    opened: list[AzureAppConfigurationProvider] = []
    try:
        for block in page.blocks("python"):
            run(block, contoso, space)
            if isinstance(config := space.get("config"), AzureAppConfigurationProvider):
                opened.append(config)
            shown = capsys.readouterr().out
            assert block.output is None or shown == block.output, block.name
    finally:
        for config in opened:
            config.close()


def test_the_first_example_prints_the_message(
    contoso: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """The loop at the top of the README prints the message of a store."""
    space: dict[str, object] = {}
    run(PAGES[0].blocks("python")[0], contoso, space)
    config = space["config"]
    assert isinstance(config, AzureAppConfigurationProvider)
    config.close()
    assert capsys.readouterr().out == "hello\n"


def commands_of(page: Page) -> list[list[str]]:
    """Return the calls of `appconfig` on a page, as lists of arguments."""
    lines = "".join(block.code for block in page.blocks("console")).splitlines()
    calls = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines]
    return [call[1:] for call in calls if call[:1] == ["appconfig"]]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if commands_of(page)], ids=lambda page: page.name
)
def test_every_appconfig_command_works(page: Page, store: Emulator) -> None:
    """The commands of a page succeed one after the other; the emulator knows its options."""
    environment = {"APPCONFIGURATION_CONNECTION_STRING": store.connection_string}
    for name, *arguments in commands_of(page):
        if name == "emulator":
            assert {one for one in arguments if one.startswith("--")} <= emulator_options()
            continue
        result = CliRunner().invoke(commands.appconfig, [name, *arguments], env=environment)
        assert result.exit_code == 0, f"{name} {arguments}: {result.output}"


def emulator_options() -> set[str]:
    """Return the options of the emulator."""
    shown = CliRunner().invoke(commands.appconfig, ["emulator", "--help"]).output
    return set(re.findall(r"^ +(?:-h, )?(--[a-z-]+)", shown, re.MULTILINE))


def test_the_emulator_page_explains_every_option() -> None:
    """The tables of the page name each option that the emulator has, and no other."""
    page = Page(ROOT / "docs" / "emulator.md")
    named = {option for row in page.rows for option in re.findall(r"`(--[a-z-]+)", row[0])}
    assert named == emulator_options() - {"--help"}
