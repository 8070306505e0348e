"""Sizes and protocols of the split."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import splits

STATED = (5000, 1000, 1704)


def test_the_papers_sizes_are_kept():
    assert splits.sizes(7704, STATED) == STATED


@given(st.integers(6, 20000))
def test_other_totals_keep_the_proportions(total):
    parts = splits.sizes(total, STATED)
    assert sum(parts) == total
    assert all(abs(part - total * stated / 7704) <= 2 for part, stated in zip(parts, STATED, strict=True))


def test_the_seed_decides():
    table = pd.DataFrame({"clip": np.arange(200)})
    first, again, other = (splits.split(table, "paper", STATED, seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
    assert [int((first == part).sum()) for part in splits.PARTS] == list(splits.sizes(200, STATED))


def test_an_unknown_protocol_is_named():
    with pytest.raises(ValueError, match="by_moon"):
        splits.split(pd.DataFrame({"clip": range(9)}), "by_moon", STATED, 1)
