"""Folds: disjoint test sets that are all samples together."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import assert_a_division, by_patient, counts, defined, tables

from study.errors import StudyError
from study.splits import SplitError, make_split, make_splits
from trainers.data.split import Split
from trainers.data.table import Sample, Samples


def folds(samples: Samples, count: int, **section: object) -> list[Split]:
    names = [f"fold_{i}" for i in range(count)]
    definition = defined(names, folds=count, allow_absent_classes=True, **section)
    return [make_split(name, definition, samples) for name in names]


def single_class(**of: int) -> Samples:
    rows = [Sample(f"{name}{i:03d}", (name,), {}) for name, count in of.items() for i in range(count)]
    return Samples(tuple(of), tuple(rows))


def sizes_dealt(of_class: list[int], count: int) -> tuple[list[int], list[Counter[int]]]:
    """Slowly: the cards of each class, dealt one after the other to players in a circle."""
    player, hands = 0, [Counter[int]() for _ in range(count)]
    for name, cards in enumerate(of_class):
        for _ in range(cards):
            hands[player % count][name] += 1
            player += 1
    return [hand.total() for hand in hands], hands


@given(st.lists(st.integers(1, 23), min_size=1, max_size=4), st.integers(2, 6), st.integers(0, 9))
def test_folds_are_disjoint_complete_and_stratified(of_class: list[int], count: int, seed: int) -> None:
    samples = single_class(**{f"c{i}": number for i, number in enumerate(of_class)})
    if len(samples.rows) < count + 2:
        return
    splits = folds(samples, count, seed=seed)
    assert Counter(id_ for split in splits for id_ in split.test) == Counter(row.id for row in samples.rows)
    sizes, hands = sizes_dealt(of_class, count)
    assert [len(split.test) for split in splits] == sizes
    for split, hand in zip(splits, hands, strict=True):
        assert counts(split.test, samples) == Counter({f"c{name}": number for name, number in hand.items()})
        assert_a_division(split, samples)


@given(tables, st.integers(2, 4))
def test_folds_of_units_are_disjoint_and_complete(samples: Samples, count: int) -> None:
    refused, splits = "", list[Split]()
    try:
        splits = folds(samples, count, unit="patient")
    except SplitError as error:
        refused = str(error)
    if refused:  # a fold tests all patients but one, so there is none to validate with
        assert "fewer than the 2 values of patient" in refused
        return
    assert Counter(id_ for split in splits for id_ in split.test) == Counter(row.id for row in samples.rows)
    patients = [{id_.split("_")[0] for id_ in split.test} for split in splits]
    assert sum(map(len, patients)) == len(set.union(*patients))


def test_folds_of_units_are_as_even_as_the_units() -> None:
    """Twelve patients of one, two and three samples, four of each: what four folds can have is six samples each."""
    samples = by_patient(*[["l"] * (1 + i % 3) for i in range(12)])
    assert [len(split.test) for split in folds(samples, 4, unit="patient")] == [6, 6, 6, 6]


def test_classes_of_samples_with_several_are_spread_evenly() -> None:
    """Three of thirty samples show a root: a fold has one each, though folds have equal sizes, too."""
    samples = by_patient(["lr"] * 3 + ["l"] * 12 + ["ls"] * 9 + ["s"] * 6)
    for split in folds(samples, 3):
        assert len(split.test) == 10
        assert counts(split.test, samples) == {"leaf": 8, "stem": 5, "root": 1}


def test_folds_hang_on_the_seed_and_on_their_number() -> None:
    samples = single_class(leaf=20, stem=20)
    first = folds(samples, 4)
    assert first == folds(samples, 4)
    assert first[0].test != folds(samples, 4, seed=1)[0].test
    assert first[0].fingerprint != folds(samples, 5)[0].fingerprint
    assert {split.kind for split in first} == {"fold"}


def test_more_folds_than_samples_or_units_are_refused() -> None:
    samples = by_patient(*[["l"] * 5] * 4)
    with pytest.raises(StudyError, match=r"more folds than values of patient: set splits.folds to at most 4"):
        make_splits(defined(["fold_0", "fold_1"], unit="patient"), samples)
    with pytest.raises(StudyError, match=r"more folds than samples: set splits.folds to at most 20"):
        make_splits(defined(["fold_0"], folds=21), samples)


def test_a_class_with_fewer_samples_than_folds_is_named() -> None:
    with pytest.raises(
        StudyError, match=r"class stem .*no sample to test on: add samples, or set splits.folds to less"
    ):
        make_splits(defined(["fold_0", "fold_1", "fold_2"], folds=3), single_class(leaf=10, stem=2))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("fold_5", ["'fold_5'", "splits.folds is 5", "fold_0 to fold_4"]),
        ("fold_05", ["'fold_05'", "did you mean"]),
        ("fold", ["'fold'", "did you mean fold_"]),
    ],
)
def test_folds_that_there_are_not(name: str, words: list[str]) -> None:
    with pytest.raises(StudyError) as caught:
        defined([name])
    assert all(word in str(caught.value) for word in words), str(caught.value)
