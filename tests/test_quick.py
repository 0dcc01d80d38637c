"""The quick tests are a real part of all tests."""

from pathlib import Path

import pytest
import quick

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("pattern", quick.SLOW)
def test_what_is_left_out_as_slow_exists(pattern: str) -> None:
    assert list(ROOT.glob(pattern))
