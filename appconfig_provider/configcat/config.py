"""Names of the fields and comparators in a config_v6.json, as SDK 9 and later call them.

A program needs them to look into `matched_targeting_rule` of `EvaluationDetails`, or into the
settings that `on_config_changed` is given.
"""

from __future__ import annotations

from enum import IntEnum

CONFIG_FILE_NAME = "config_v6"
SERIALIZATION_FORMAT_VERSION = "v2"

# At the top.
PREFERENCES = "p"
SEGMENTS = "s"
FEATURE_FLAGS = "f"

# In the preferences.
BASE_URL = "u"
REDIRECT = "r"
SALT = "s"

# In a segment.
SEGMENT_NAME = "n"
SEGMENT_CONDITIONS = "r"

# In a condition.
COMPARISON_ATTRIBUTE = "a"
COMPARATOR = "c"
USER_CONDITION = "u"
SEGMENT_CONDITION = "s"
PREREQUISITE_FLAG_CONDITION = "p"
SEGMENT_INDEX = "s"
SEGMENT_COMPARATOR = "c"
PREREQUISITE_FLAG_KEY = "f"
PREREQUISITE_COMPARATOR = "c"

# In a setting.
SETTING_TYPE = "t"
PERCENTAGE_RULE_ATTRIBUTE = "a"
TARGETING_RULES = "r"
PERCENTAGE_OPTIONS = "p"
VALUE = "v"
VARIATION_ID = "i"

# In a targeting rule, and in a percentage option.
CONDITIONS = "c"
SERVED_VALUE = "s"
TARGETING_RULE_PERCENTAGE_OPTIONS = "p"
PERCENTAGE = "p"

# In a value.
BOOL_VALUE = "b"
STRING_VALUE = "s"
INT_VALUE = "i"
DOUBLE_VALUE = "d"
STRING_LIST_VALUE = "l"


class SettingType(IntEnum):
    """What the values of a setting are."""

    BOOL = 0
    STRING = 1
    INT = 2
    DOUBLE = 3


class PrerequisiteComparator(IntEnum):
    """How the value of another flag is compared."""

    EQUALS = 0
    NOT_EQUALS = 1


class SegmentComparator(IntEnum):
    """Whether a user is to be in a segment."""

    IS_IN = 0
    IS_NOT_IN = 1


class Comparator(IntEnum):
    """How an attribute of the user is compared."""

    IS_ONE_OF = 0
    IS_NOT_ONE_OF = 1
    CONTAINS_ANY_OF = 2
    NOT_CONTAINS_ANY_OF = 3
    IS_ONE_OF_SEMVER = 4
    IS_NOT_ONE_OF_SEMVER = 5
    LESS_THAN_SEMVER = 6
    LESS_THAN_OR_EQUAL_SEMVER = 7
    GREATER_THAN_SEMVER = 8
    GREATER_THAN_OR_EQUAL_SEMVER = 9
    EQUALS_NUMBER = 10
    NOT_EQUALS_NUMBER = 11
    LESS_THAN_NUMBER = 12
    LESS_THAN_OR_EQUAL_NUMBER = 13
    GREATER_THAN_NUMBER = 14
    GREATER_THAN_OR_EQUAL_NUMBER = 15
    IS_ONE_OF_HASHED = 16
    IS_NOT_ONE_OF_HASHED = 17
    BEFORE_DATETIME = 18
    AFTER_DATETIME = 19
    EQUALS_HASHED = 20
    NOT_EQUALS_HASHED = 21
    STARTS_WITH_ANY_OF_HASHED = 22
    NOT_STARTS_WITH_ANY_OF_HASHED = 23
    ENDS_WITH_ANY_OF_HASHED = 24
    NOT_ENDS_WITH_ANY_OF_HASHED = 25
    ARRAY_CONTAINS_ANY_OF_HASHED = 26
    ARRAY_NOT_CONTAINS_ANY_OF_HASHED = 27
    EQUALS = 28
    NOT_EQUALS = 29
    STARTS_WITH_ANY_OF = 30
    NOT_STARTS_WITH_ANY_OF = 31
    ENDS_WITH_ANY_OF = 32
    NOT_ENDS_WITH_ANY_OF = 33
    ARRAY_CONTAINS_ANY_OF = 34
    ARRAY_NOT_CONTAINS_ANY_OF = 35
