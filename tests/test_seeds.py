"""Shuffling without a list: one-to-one, of any size, and no number more likely than another."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.seeds import shuffled


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 16, 17, 63, 64, 65, 1000])
def test_a_shuffle_is_one_to_one(size: int) -> None:
    for seed in range(5):
        assert sorted(shuffled(place, size, seed, "test") for place in range(size)) == list(range(size))


@given(st.integers(1, 3000), st.integers(0, 3000), st.data())
def test_numbers_of_any_size_stay_in_range_and_apart(bits: int, seed: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(1 << (bits - 1), (1 << bits) - 1))
    places = data.draw(st.sets(st.integers(0, size - 1), max_size=8))
    found = {shuffled(place, size, seed) for place in places}
    assert len(found) == len(places)
    assert all(0 <= place < size for place in found)


def test_every_shuffle_of_three_is_as_likely_as_another() -> None:
    """Chi-square with 5 degrees of freedom."""
    counts = Counter(tuple(shuffled(place, 3, seed) for place in range(3)) for seed in range(1200))
    assert len(counts) == 6
    assert sum((count - 200) ** 2 / 200 for count in counts.values()) < 20.5  # p = 0.001


def test_a_shuffle_is_named_by_its_purpose() -> None:
    size = 10**30
    assert shuffled(7, size, 1, "a") == shuffled(7, size, 1, "a") == 174701231181848199700604556347
    assert len({shuffled(7, size, *purpose) for purpose in ((1, "a"), (2, "a"), (1, "b"), ("1", "a"))}) == 4
