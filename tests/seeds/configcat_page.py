"""The code blocks of ConfigCat's reference of its Python SDK, retyped.

Every line that survived on the page is here, letter by letter, but for the import lines; what the
page lost (indentation, imports, e-mail addresses, the line that made a client further up) is filled
in. Each block is a program of its own.
"""

from __future__ import annotations

IMPORT = "from appconfig_provider import configcat as configcatclient"
"""The line that is changed."""
IMPORT_CACHE = "from appconfig_provider.configcat.interfaces import ConfigCache"
"""The other one."""
IMPORT_USER = "from appconfig_provider.configcat.user import User"
"""Lost on the page, like all imports that follow."""
MAKE_CLIENT = "configcat_client = configcatclient.create_client('#YOUR-SDK-KEY#')"
"""Stands further up on the page than the blocks that use the client."""

GETTING_STARTED = f"""
{IMPORT}

configcat_client = configcatclient.create_client('#YOUR-SDK-KEY#')

isMyAwesomeFeatureEnabled = configcat_client.get_value('isMyAwesomeFeatureEnabled', False)
if isMyAwesomeFeatureEnabled:
    do_the_new_thing()
else:
    do_the_old_thing()

configcat_client.stop()
"""

GET_VALUE = f"""
{IMPORT}
{IMPORT_USER}

{MAKE_CLIENT}
value = configcat_client.get_value(
    'keyOfMySetting', # Setting Key
    False, # Default value
    User('435170f4-8a8b-4b67-a723-505ac7cdea92') # Optional User Object
)
"""

USER = f"""
{IMPORT_USER}

user_object = User('435170f4-8a8b-4b67-a723-505ac7cdea92')
by_identifier = user_object
user_object = User('someone@example.com')
"""

USER_WITH_ATTRIBUTES = f"""
{IMPORT_USER}

user_object = User('435170f4-8a8b-4b67-a723-505ac7cdea92', 'someone@example.com', 'United Kingdom',
                   {{'SubscriptionType': 'Pro', 'UserRole': 'Admin'}})
"""

AUTO = f"""
{IMPORT}

configcatclient.create_client_with_auto_poll(
    '#YOUR-SDK-KEY#', poll_interval_seconds=95)
"""

CALLBACK = f"""
{IMPORT}

def configuration_changed_callback(self):
    # Configuration changed.
    pass

configcatclient.create_client_with_auto_poll('#YOUR-SDK-KEY#', on_configuration_changed_callback=configuration_changed_callback)
"""  # noqa: E501 - the page's line

LAZY = f"""
{IMPORT}

configcatclient.create_client_with_lazy_load(
    '#YOUR-SDK-KEY#', cache_time_to_live_seconds=600)
"""

CACHE = f"""
{IMPORT}
{IMPORT_CACHE}

class InMemoryConfigCache(ConfigCache):
    def __init__(self):
        self._value = {{}}

    def get(self, key):
        return self._value.get(key)

    def set(self, key, value):
        self._value[key] = value

configcatclient.create_client_with_lazy_load('#YOUR-SDK-KEY#', config_cache_class=InMemoryConfigCache)
"""  # noqa: E501 - the page's line

MANUAL = f"""
{IMPORT}

configcat_client = configcatclient.create_client_with_manual_poll('#YOUR-SDK-KEY#')
configcat_client.force_refresh()
"""

MANUAL_VALUES = f"""
{IMPORT}

configcat_client = configcatclient.create_client_with_manual_poll('#YOUR-SDK-KEY#')
value = configcat_client.get_value('key', 'my default value') # Returns "my default value"
before = value
configcat_client.force_refresh()
value = configcat_client.get_value('key', 'my default value') # Returns "value from server"
"""

FILE_OVERRIDES = """
from appconfig_provider.configcat import ConfigCatClient
from appconfig_provider.configcat.localfiledatasource import LocalFileDataSource
from appconfig_provider.configcat.overridedatasource import OverrideBehaviour

configcat_client = ConfigCatClient(
    sdk_key='#YOUR-SDK-KEY#',
    flag_overrides=LocalFileDataSource(
        file_path='path/to/the/local_flags.json', # path to the file
        override_behaviour=OverrideBehaviour.LocalOnly # local/offline mode
    )
)
"""

SIMPLE_FILE = """
{
  "flags": {
    "enabledFeature": true,
    "disabledFeature": false,
    "intSetting": 5,
    "doubleSetting": 3.14,
    "stringSetting": "test"
  }
}
"""

COMPLEX_FILE = """
{
  "f": { // list of feature flags & settings
    "isFeatureEnabled": { // key of a particular flag
      "v": false, // default value, served when no rules are defined
      "i": "430bded3", // variation id (for analytical purposes)
      "t": 0, // feature flag's type, possible values:
              // 0 -> BOOLEAN
              // 1 -> STRING
              // 2 -> INT
              // 3 -> DOUBLE
      "p": [ // list of percentage rules
        {
          "o": 0, // rule's order
          "v": true, // value served when the rule is selected during evaluation
          "p": 10, // % value
          "i": "bcfb84a7" // variation id (for analytical purposes)
        },
        {
          "o": 1, // rule's order
          "v": false, // value served when the rule is selected during evaluation
          "p": 90, // % value
          "i": "bddac6ae" // variation id (for analytical purposes)
        }
      ],
      "r": [ // list of targeting rules
        {
          "o": 0, // rule's order
          "a": "Identifier", // comparison attribute
          "t": 2, // comparator, possible values:
                  // 0 -> 'IS ONE OF',
                  // 1 -> 'IS NOT ONE OF',
                  // 2 -> 'CONTAINS',
                  // 3 -> 'DOES NOT CONTAIN',
                  // 4 -> 'IS ONE OF (SemVer)',
                  // 5 -> 'IS NOT ONE OF (SemVer)',
                  // 6 -> '< (SemVer)',
                  // 7 -> '<= (SemVer)',
                  // 8 -> '> (SemVer)',
                  // 9 -> '>= (SemVer)',
                  // 10 -> '= (Number)',
                  // 11 -> '<> (Number)',
                  // 12 -> '< (Number)',
                  // 13 -> '<= (Number)',
                  // 14 -> '> (Number)',
                  // 15 -> '>= (Number)',
                  // 16 -> 'IS ONE OF (Sensitive)',
                  // 17 -> 'IS NOT ONE OF (Sensitive)'
          "c": "@example.com", // comparison value
          "v": true, // value served when the rule is selected during evaluation
          "i": "bcfb84a7" // variation id (for analytical purposes)
        }
      ]
    },
  }
}
"""

DICTIONARY = """
from appconfig_provider.configcat import ConfigCatClient
from appconfig_provider.configcat.localdictionarydatasource import LocalDictionaryDataSource
from appconfig_provider.configcat.overridedatasource import OverrideBehaviour

dictionary = {
    'enabledFeature': True,
    'disabledFeature': False,
    'intSetting': 5,
    'doubleSetting': 3.14,
    'stringSetting': 'test'
}

configcat_client = ConfigCatClient(
    sdk_key='#YOUR-SDK-KEY#',
    flag_overrides=LocalDictionaryDataSource(source=dictionary, override_behaviour=OverrideBehaviour.LocalOnly)
)
"""  # noqa: E501 - the page's line

LOGGING = """
import logging
logging.basicConfig(level=logging.INFO)
"""

LOG = """
INFO -- : Evaluating get_value('isPOCFeatureEnabled').
User object:
{
    "Identifier" : "435170f4-8a8b-4b67-a723-505ac7cdea92",
    "Email" : "someone@example.com"
}
Evaluating rule: [Email] [CONTAINS] [@something.com] => no match
Evaluating rule: [Email] [CONTAINS] [@example.com] => match, returning: True
"""

ALL_KEYS = f"""
{IMPORT}

configcat_client = configcatclient.create_client('#YOUR-SDK-KEY#')
keys = configcat_client.get_all_keys()
"""

ALL_VALUES = f"""
{IMPORT}
{IMPORT_USER}

configcat_client = configcatclient.create_client('#YOUR-SDK-KEY#')
all_values = configcat_client.get_all_values(User('435170f4-8a8b-4b67-a723-505ac7cdea92')) # Optional User Object
"""  # noqa: E501 - the page's line

PROXY = f"""
{IMPORT}
from appconfig_provider.configcat import HTTPProxyAuth

proxies = {{'https': '127.0.0.1:8080'}}
proxy_auth = HTTPProxyAuth('user', 'password')
configcat_client = configcatclient.create_client_with_auto_poll('#YOUR-SDK-KEY#',
                                                                proxies=proxies,
                                                                proxy_auth=proxy_auth)
"""

BLOCKS = {
    "getting started": GETTING_STARTED,
    "get_value": GET_VALUE,
    "user": USER,
    "user with attributes": USER_WITH_ATTRIBUTES,
    "auto polling": AUTO,
    "callback": CALLBACK,
    "lazy loading": LAZY,
    "cache": CACHE,
    "manual polling": MANUAL,
    "manual polling, values": MANUAL_VALUES,
    "overrides from a file": FILE_OVERRIDES,
    "simple file": SIMPLE_FILE,
    "complex file": COMPLEX_FILE,
    "overrides from a dictionary": DICTIONARY,
    "logging": LOGGING,
    "log": LOG,
    "all keys": ALL_KEYS,
    "all values": ALL_VALUES,
    "proxy": PROXY,
}
