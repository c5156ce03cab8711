"""Matched splits: as many samples of each class as another split has, drawn by chance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import assert_a_division, by_patient, counts, defined, tables

from study.definition.file import load
from study.errors import StudyError
from study.splits import make_split, make_splits, split_notes
from trainers.data.cut_outs.catalogue import read_catalogue
from trainers.data.split import Split
from trainers.data.table import Sample, Samples

PARTS = ("train", "val", "test")


def numbers(split: Split, samples: Samples) -> list[tuple[int, dict[str, int]]]:
    """Slowly: how many samples each part has, and how many of them show each class."""
    found = []
    for part in PARTS:
        ids: tuple[str, ...] = getattr(split, part)
        found.append(
            (len(ids), {c: sum(row.id in ids and c in row.classes for row in samples.rows) for c in samples.classes})
        )
    return found


def test_the_papers_rotation_splits_are_matched_exactly() -> None:
    samples = read_catalogue("standin").samples
    paper = load("paper")
    definition = load("paper", ["grid.splits=matched_rot_0,matched_rot_1,matched_rot_2"])
    rotations = make_splits(paper, samples)
    for name, split in make_splits(definition, samples).items():
        other = rotations[name.removeprefix("matched_")]
        assert numbers(split, samples) == numbers(other, samples)
        assert (split.kind, split.axis) == ("matched", None)
        assert 0 < len({*split.test} & {*other.test}) < len(other.test), "another one, drawn from all angles"
        assert_a_division(split, samples)
    assert split_notes(make_splits(definition, samples).values(), definition, samples) == []


@given(
    st.dictionaries(st.sampled_from("abc"), st.lists(st.integers(0, 2), min_size=6, max_size=20), min_size=1),
    st.integers(0, 9),
)
def test_numbers_are_those_of_the_other_split(sites: dict[str, list[int]], seed: int) -> None:
    rows = [Sample(f"{name}{i}", (name,), {"site": site}) for name, of in sites.items() for i, site in enumerate(of)]
    samples = Samples(tuple(sorted(sites)), tuple(rows))
    definition = defined(["matched_one"], held_out={"site": {"one": [1]}}, seed=seed)
    try:
        other = make_split("one", definition, samples)
    except StudyError:
        return
    split = make_split("matched_one", definition, samples)
    assert numbers(split, samples) == numbers(other, samples)
    assert_a_division(split, samples)
    backwards = Samples(samples.classes, samples.rows[::-1])
    if make_split("one", definition, backwards).test == other.test:
        assert set(make_split("matched_one", definition, backwards).test) == set(split.test)


@given(tables, st.integers(0, 5))
def test_samples_of_several_classes_are_matched_in_number(samples: Samples, seed: int) -> None:
    held_out = {"patient": {"first": ["p0"]}}
    definition = defined(["matched_first"], held_out=held_out, seed=seed, allow_absent_classes=True)
    other = make_split("first", definition, samples)
    try:
        split = make_split("matched_first", definition, samples)
    except StudyError as refused:
        assert "no other samples with as many images" in str(refused)  # noqa: PT017 - as where one shows what no other does
        return
    assert [len(getattr(split, part)) for part in PARTS] == [len(getattr(other, part)) for part in PARTS]
    assert set(split.test) != set(other.test)
    assert_a_division(split, samples)


def test_samples_of_several_classes_are_matched_exactly_where_they_can_be() -> None:
    samples = by_patient(*[["ls", "l", "s", "lsr"]] * 8)
    definition = defined(["matched_first"], held_out={"patient": {"first": ["p0", "p1"]}})
    split, other = (make_split(name, definition, samples) for name in ("matched_first", "first"))
    assert len(split.test) == len(other.test) == 8
    assert counts(split.test, samples) == counts(other.test, samples)


def test_units_are_matched_as_nearly_as_they_allow() -> None:
    """Patients of 1, 2, 3 and 4 samples, three of each size: one of four can be exchanged for another."""
    samples = by_patient(*[["l"] * size for size in (1, 2, 3, 4) * 3])
    held_out = {"patient": {"large": ["p3"]}}
    definition = defined(["matched_large"], unit="patient", held_out=held_out, allow_absent_classes=True)
    split, other = (make_split(name, definition, samples) for name in ("matched_large", "large"))
    assert len(split.test) == 4
    assert set(split.test) != set(other.test)
    assert_a_division(split, samples, "patient")


def test_how_near_it_comes_is_said() -> None:
    samples = by_patient(["l"] * 5, ["l"] * 3, ["l"] * 3, ["l"] * 3)
    held_out = {"patient": {"large": ["p0"]}}
    definition = defined(["matched_large"], unit="patient", held_out=held_out, allow_absent_classes=True)
    split = make_split("matched_large", definition, samples)
    (note,) = [n for n in split_notes([split], definition, samples) if "matched_large: test" in n]
    off = abs(len(split.test) - 5)
    assert note == f"matched_large: test has {5 + off} samples (large: 5), and of a class up to {off} more or fewer"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("matched_random_0", ["only a held-out, fold or given split is matched, and random_0 is none"]),
        ("matched_matched_fold_0", ["only a held-out, fold or given split is matched"]),
        ("matched_rot_9", ["'matched_rot_9' matches no split", "'rot_9' is neither"]),
        ("matched_fold_7", ["matches no split", "splits.folds is 5"]),
        ("matchd_fold_0", ["did you mean matched_fold_0?"]),
    ],
)
def test_matched_splits_that_there_are_not(name: str, words: list[str]) -> None:
    with pytest.raises(StudyError) as caught:
        defined([name])
    assert all(word in str(caught.value) for word in words), str(caught.value)
