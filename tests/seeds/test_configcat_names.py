"""Whatever a program imports from ConfigCat's SDK is there, in the place where the SDK has it."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from appconfig_provider import configcat

ROOT = Path(__file__).parents[2]

#: The modules of configcat-client 10.0.1 and their public names.
CURRENT = {
    "": (
        "ConfigCatClient ConfigCatClientException ConfigCatOptions DataGovernance PollingMode"
        " close_all get"
    ),
    "config": (
        "BASE_URL BOOL_VALUE COMPARATOR COMPARISON_ATTRIBUTE CONDITIONS CONFIG_FILE_NAME Comparator"
        " DOUBLE_VALUE FEATURE_FLAGS INT_VALUE PERCENTAGE PERCENTAGE_OPTIONS"
        " PERCENTAGE_RULE_ATTRIBUTE PREFERENCES PREREQUISITE_COMPARATOR"
        " PREREQUISITE_FLAG_CONDITION PREREQUISITE_FLAG_KEY PrerequisiteComparator REDIRECT SALT"
        " SEGMENTS SEGMENT_COMPARATOR SEGMENT_CONDITION SEGMENT_CONDITIONS SEGMENT_INDEX"
        " SEGMENT_NAME SERIALIZATION_FORMAT_VERSION SERVED_VALUE SETTING_TYPE STRING_LIST_VALUE"
        " STRING_VALUE SegmentComparator SettingType TARGETING_RULES"
        " TARGETING_RULE_PERCENTAGE_OPTIONS USER_CONDITION VALUE VARIATION_ID"
    ),
    "configcache": "ConfigCache InMemoryConfigCache NullConfigCache",
    "configcatclient": "ConfigCatClient KeyValue",
    "configcatoptions": "ConfigCatOptions DataGovernance Hooks PollingMode",
    "datagovernance": "DataGovernance",
    "evaluationdetails": "EvaluationDetails",
    "interfaces": "ConfigCache ConfigCatClientException",
    "localdictionarydatasource": "LocalDictionaryDataSource LocalDictionaryFlagOverrides",
    "localfiledatasource": "LocalFileDataSource LocalFileFlagOverrides",
    "overridedatasource": "FlagOverrides OverrideBehaviour OverrideDataSource",
    "pollingmode": "AutoPollingMode LazyLoadingMode ManualPollingMode PollingMode",
    "refreshresult": "RefreshResult",
    "user": "User",
    "version": "CONFIGCATCLIENT_VERSION",
}
#: Those of configcat-client 6.0.3.
SEED = {
    "": (
        "ConfigCatClient ConfigCatClientException DataGovernance create_client"
        " create_client_with_auto_poll create_client_with_lazy_load create_client_with_manual_poll"
    ),
    "configcache": "ConfigCache InMemoryConfigCache",
    "configcatclient": "ConfigCatClient KeyValue",
    "constants": (
        "BASE_URL COMPARATOR COMPARISON_ATTRIBUTE COMPARISON_VALUE CONFIG_FILE_NAME FEATURE_FLAGS"
        " PERCENTAGE PREFERENCES REDIRECT ROLLOUT_PERCENTAGE_ITEMS ROLLOUT_RULES VALUE VARIATION_ID"
    ),
    "datagovernance": "DataGovernance",
    "interfaces": "ConfigCache ConfigCatClientException",
    "localdictionarydatasource": "LocalDictionaryDataSource",
    "localfiledatasource": "LocalFileDataSource",
    "overridedatasource": "OverrideBehaviour OverrideDataSource",
    "user": "User",
    "version": "CONFIGCATCLIENT_VERSION",
}
#: Modules of theirs that programs have nothing to take from: how the SDKs work inside.
INTERNAL = {
    "autopollingcachepolicy",
    "configentry",
    "configfetcher",
    "configservice",
    "evaluationcontext",
    "evaluationlogbuilder",
    "lazyloadingcachepolicy",
    "logger",
    "manualpollingcachepolicy",
    "readwritelock",
    "rolloutevaluator",
    "utils",
}
#: Public names of theirs in public modules that only the SDKs themselves use.
INTERNAL_NAMES = {
    "COMPARATOR_TEXTS",
    "COMPARISON_VALUES",
    "CachePolicy",
    "INLINE_SALT",
    "INLINE_SEGMENT",
    "PREREQUISITE_COMPARATOR_TEXTS",
    "SEGMENT_COMPARATOR_TEXTS",
    "UNSUPPORTED_VALUE",
    "fixup_config_salt_and_segments",
    "get_value",
    "get_value_type",
    "is_type_mismatch",
    "open_file",
    "setting_type_mapping",
}
METHODS = {
    "ConfigCatClient": (
        "clear_default_user close close_all force_refresh get get_all_keys get_all_value_details"
        " get_all_values get_all_variation_ids get_hooks get_key_and_value get_value"
        " get_value_details get_variation_id is_offline set_default_user set_offline set_online"
        " stop"
    ),
    "Hooks": "add_on_client_ready add_on_config_changed add_on_error add_on_flag_evaluated",
    "PollingMode": "auto_poll lazy_load manual_poll",
    "User": "get_attribute get_identifier",
    "EvaluationDetails": "from_error",
    "LocalFileFlagOverrides": "create_data_source",
    "LocalDictionaryFlagOverrides": "create_data_source",
    "LocalFileDataSource": "get_behaviour get_overrides",
    "LocalDictionaryDataSource": "get_behaviour get_overrides",
}
#: The arguments of 6.0.3, in their order, with their defaults.
COMMON: dict[str, Any] = {
    "config_cache_class": None,
    "base_url": None,
    "proxies": None,
    "proxy_auth": None,
    "connect_timeout": 10,
    "read_timeout": 30,
    "flag_overrides": None,
    "data_governance": configcat.DataGovernance.Global,
}
AUTO: dict[str, Any] = {
    "poll_interval_seconds": 60,
    "max_init_wait_time_seconds": 5,
    "on_configuration_changed_callback": None,
}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "create_client": {"data_governance": configcat.DataGovernance.Global},
    "create_client_with_auto_poll": {**AUTO, **COMMON},
    "create_client_with_lazy_load": {"cache_time_to_live_seconds": 60, **COMMON},
    "create_client_with_manual_poll": COMMON,
    "ConfigCatClient": {**AUTO, "cache_time_to_live_seconds": 60, **COMMON},
}


@pytest.mark.parametrize("modules", [CURRENT, SEED], ids=["10.0.1", "6.0.3"])
def test_every_public_name_is_in_its_module(modules: dict[str, str]) -> None:
    """A program that changes the name of the package in its imports finds all of them."""
    for module, names in modules.items():
        home = importlib.import_module(f"{configcat.__name__}.{module}".rstrip("."))
        assert [name for name in names.split() if not hasattr(home, name)] == [], module


def test_the_top_has_all_that_programs_need() -> None:
    """Names that the SDK has in modules only can be imported from the top, and nothing is lost."""
    assert len(configcat.__all__) == len(set(configcat.__all__))
    for name in configcat.__all__:
        assert getattr(configcat, name) is not None
    assert set(configcat.__all__) <= set(dir(configcat))
    at_the_top = set(f"{CURRENT['']} {SEED['']}".split())
    assert at_the_top <= set(configcat.__all__)
    with pytest.raises(AttributeError, match="no attribute 'create_cleint'"):
        configcat.create_cleint  # noqa: B018 - fetching it is the test


def test_the_page_of_ours_names_all_of_them() -> None:
    """Whatever can be imported from the top, and every method of a client, is in the documents."""
    page = (ROOT / "docs" / "configcat.md").read_text(encoding="utf-8")
    methods = f"{METHODS['ConfigCatClient']} snapshot for_user wait_for_ready".split()
    assert [name for name in {*configcat.__all__, *methods} if name not in page] == []


def printed(program: str) -> str:
    """Return what a program prints that is run by itself."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout.strip()


@pytest.mark.parametrize("module", sorted({*CURRENT, *SEED} - {""}))
def test_modules_are_attributes(module: str) -> None:
    """`import configcatclient` gives a program the modules as well; so does our import."""
    program = f"from appconfig_provider import configcat; print(configcat.{module}.__name__)"
    assert printed(program) == f"appconfig_provider.configcat.{module}"


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_there(name: str) -> None:
    """The classes have the methods that programs call, of both versions."""
    kind = getattr(configcat, name)
    assert [method for method in METHODS[name].split() if not hasattr(kind, method)] == []


@pytest.mark.parametrize("name", ARGUMENTS)
def test_the_arguments_are_those_of_the_page(name: str) -> None:
    """In the order of SDK 6, with its defaults; what we add is given by keyword only."""
    parameters = list(inspect.signature(getattr(configcat, name)).parameters.values())
    by_place = [one for one in parameters if one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    assert by_place[0].name == "sdk_key"
    assert {one.name: one.default for one in by_place[1:]} == ARGUMENTS[name]
    assert [one.name for one in by_place[1:]] == list(ARGUMENTS[name])
    others = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    assert {one.kind for one in parameters} <= others


def test_the_lists_are_those_of_the_installed_sdk() -> None:
    """The names typed above are all that the installed SDK has, but what is internal."""
    sdk = importlib.import_module("configcatclient")
    assert sdk.__file__ is not None
    modules = {path.stem for path in Path(sdk.__file__).parent.glob("*.py")} - {"__init__"}
    assert modules - INTERNAL == set(CURRENT) - {""}
    for module in modules - INTERNAL:
        theirs = importlib.import_module(f"configcatclient.{module}")
        own = {
            name
            for name, value in vars(theirs).items()
            if not name.startswith("_")
            and not inspect.ismodule(value)
            and getattr(value, "__module__", theirs.__name__) == theirs.__name__
        }
        own -= {"ABCMeta", "IntEnum", "OrderedDict", *CURRENT["config"].split()}
        assert own <= {*CURRENT[module].split(), *INTERNAL_NAMES}, module


def test_the_import_is_cheap() -> None:
    """`from appconfig_provider import configcat` imports neither HTTP nor dataclasses nor json."""
    heavy = "{'asyncio', 'dataclasses', 'httpcore', 'httpx', 'json', 'logging', 'requests', 'ssl'}"
    program = (
        "import sys; before = set(sys.modules); from appconfig_provider import configcat;"
        f" print(sorted({heavy} & set(sys.modules) - before))"
    )
    assert printed(program) == "[]"


def test_a_client_imports_no_rules_of_microsoft() -> None:
    """Its index of compiled settings is that of feature flags; their managers stay unimported."""
    program = """
import sys
from appconfig_provider.configcat import ConfigCatClient

print(sorted({"appconfig_provider.flags.manager", "email.utils"} & set(sys.modules)))
"""
    assert printed(program) == "[]"


def test_local_settings_need_no_http() -> None:
    """A client of local settings alone evaluates without importing HTTP."""
    program = """
import sys
from appconfig_provider.configcat import *

local = LocalDictionaryDataSource({"flag": True}, OverrideBehaviour.LocalOnly)
with ConfigCatClient("key", flag_overrides=local) as client:
    assert client.get_value("flag", False) is True
print(sorted({"asyncio", "httpcore", "httpx", "requests", "ssl"} & set(sys.modules)))
"""
    assert printed(program) == "[]"


def test_a_client_imports_no_evaluation_of_another_dialect() -> None:
    """A client evaluates without what Microsoft's flags and files of settings need."""
    program = """
import sys
from appconfig_provider.configcat import *

local = LocalDictionaryDataSource({"flag": True}, OverrideBehaviour.LocalOnly)
with ConfigCatClient("key", flag_overrides=local) as client:
    assert client.get_value("flag", False) is True
others = {f"appconfig_provider.{name}" for name in ("flags.filters", "overrides.declared")}
print(sorted(others & set(sys.modules)))
"""
    assert printed(program) == "[]"
