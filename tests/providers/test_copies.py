"""A provider refreshes itself and has connections: there is one of it, and copies are values."""

from __future__ import annotations

import copy
import pickle

import pytest

from appconfig_provider.testing import Emulator
from tests.support.adapter import Loader


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_is_the_snapshot(load: Loader, store: Emulator, copied: object) -> None:
    """`copy` and `deepcopy` give the generation that is current, also inside something else."""
    store.set_many({"k": "v1", "sentinel": "1"})
    with load(connection_string=store.connection_string, refresh_on=["sentinel"]) as config:
        taken = copied([config.provider] if copied is copy.deepcopy else config.provider)  # type: ignore[operator]
        taken = taken[0] if copied is copy.deepcopy else taken
        assert taken is config.snapshot
        store.set_many({"k": "v2", "sentinel": "2"})
        assert config.refresh(force=True)
        assert taken["k"] == "v1"
        assert config.provider["k"] == "v2"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_provider_cannot_be_pickled(load: Loader, store: Emulator, protocol: int) -> None:
    """The error says what to do; the snapshot can be pickled."""
    store.set_many({"k": "v1"})
    with load(connection_string=store.connection_string) as config:
        with pytest.raises(TypeError, match=r"cannot be pickled.*config\.snapshot.*load\(\)"):
            pickle.dumps(config.provider, protocol)
        assert pickle.loads(pickle.dumps(config.snapshot, protocol)) == {"k": "v1"}
