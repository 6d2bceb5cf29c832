import gc

import pytest

from kit.core.garbage import without_collection


def test_nothing_is_collected_in_the_block() -> None:
    assert gc.isenabled()
    with pytest.raises(ValueError, match="broken"), without_collection():
        assert not gc.isenabled()
        raise ValueError("broken")
    assert gc.isenabled()


def test_a_collector_that_is_off_stays_off() -> None:
    with without_collection():
        with without_collection():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
