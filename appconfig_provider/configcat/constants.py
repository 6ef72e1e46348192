"""Names of the fields in a config_v5.json, as SDK 6 calls them."""

from __future__ import annotations

CONFIG_FILE_NAME = "config_v5"

PREFERENCES = "p"
BASE_URL = "u"
REDIRECT = "r"

FEATURE_FLAGS = "f"
VALUE = "v"
VARIATION_ID = "i"
ROLLOUT_RULES = "r"
COMPARISON_ATTRIBUTE = "a"
COMPARATOR = "t"
COMPARISON_VALUE = "c"
ROLLOUT_PERCENTAGE_ITEMS = "p"
PERCENTAGE = "p"
