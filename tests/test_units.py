"""Units: samples that no split divides."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import assert_a_division, by_patient, counts, defined, tables

from study.errors import StudyError
from study.splits import make_split, make_splits, split_notes
from study.splits.units import Units
from trainers.data.table import Sample, Samples

ANY = {"unit": "patient", "allow_absent_classes": True}
KINDS = ["random_0", "random_1", "fold_0", "fold_3", "matched_fold_1"]


@given(tables, st.integers(0, 5))
def test_no_split_divides_a_unit(samples: Samples, seed: int) -> None:
    definition = defined(KINDS, folds=4, seed=seed, **ANY)
    for name in KINDS:
        try:
            split = make_split(name, definition, samples)
        except StudyError as refused:
            assert name in str(refused)  # noqa: PT017 - of few patients some draws leave nothing to train on
            continue
        assert_a_division(split, samples, "patient")


def test_a_matched_split_that_few_units_leave_without_a_part_is_refused() -> None:
    """The nearest divisions of these four patients leave nobody to validate with."""
    samples = by_patient(["l"], ["l"], ["l"] * 6, ["l", "l", "l", "s"])
    with pytest.raises(StudyError, match="matched_fold_1: no other values of patient"):
        make_split("matched_fold_1", defined(["matched_fold_1"], folds=4, seed=0, **ANY), samples)


@given(tables, st.randoms())
def test_the_order_of_rows_is_irrelevant(samples: Samples, order: random.Random) -> None:
    rows = list(samples.rows)
    order.shuffle(rows)
    definition = defined(KINDS, folds=4, **ANY)
    for name in ("random_0", "fold_1"):
        assert make_split(name, definition, samples) == make_split(name, definition, replace(samples, rows=tuple(rows)))


def test_random_splits_differ_as_long_as_they_can() -> None:
    samples = by_patient(*[["l", "s", "r"]] * 6)  # 15 ways to choose two of six patients, each a draw of its own
    names = [f"random_{i}" for i in range(15)]
    tests = [make_split(name, defined(names, **ANY), samples).test for name in names]
    assert len(set(tests)) == 15
    with pytest.raises(StudyError, match="it has 15 random splits that differ"):
        make_split("random_15", defined(["random_15"], **ANY), samples)


def test_splits_that_are_one_split_twice_are_named() -> None:
    """Of four patients every random split tests one, as every split that holds out a patient does."""
    samples = by_patient(*[["lsr"] * 3] * 4)
    held_out = {"patient": {f"patient_{i}": {"*": [f"p{i}"]} for i in range(4)}}
    definition = defined(["random_0", "patient_0", "patient_1", "patient_2", "patient_3"], held_out=held_out, **ANY)
    splits = make_splits(definition, samples)
    (twin,) = [name for name in held_out["patient"] if splits[name].test == splits["random_0"].test]
    (note,) = [note for note in split_notes(splits.values(), definition, samples) if "one split twice" in note]
    assert note.startswith(f"random_0 and {twin}: test the same images")
    assert note.endswith("leave one out, or splits.unit (patient has few values)")
    alone = {name: split for name, split in splits.items() if name != twin}
    assert not any("one split twice" in note for note in split_notes(alone.values(), definition, samples))


def test_random_splits_of_many_units_differ() -> None:
    samples = by_patient(*[["l"] * (1 + i % 5) for i in range(20)])
    names = [f"random_{i}" for i in range(30)]
    splits = make_splits(defined(names, **ANY), samples)
    assert len({split.test for split in splits.values()}) == 30
    for split in splits.values():
        assert_a_division(split, samples, "patient")
        assert abs(len(split.test) - 12) <= 2, "of 60 samples, in patients of one to five"


def test_of_several_draws_the_one_nearest_to_the_share_is_taken() -> None:
    samples = by_patient(["l"] * 4, ["l", "s"], ["s"] * 4, ["l"])
    units = Units.of(samples, "patient")
    assert units.counts_UC.tolist() == [[4, 4, 0, 0], [2, 1, 1, 0], [4, 0, 4, 0], [1, 1, 0, 0]]
    assert units.nearest([[0], [1], [2], [3]], 0.2) == [1]
    assert units.nearest([[3], [0]], 0.9) == [0]
    assert units.ids([1, 3]) == {"p1_0", "p1_1", "p3_0"}


def test_units_of_one_class_each_are_divided_class_by_class() -> None:
    samples = by_patient(*[["l"] * 3] * 5, *[["s"] * 2] * 5, *[["r"]] * 5)
    for split in make_splits(defined([f"random_{i}" for i in range(8)], unit="patient"), samples).values():
        assert counts(split.test, samples) == {"leaf": 3, "stem": 2, "root": 1}
        assert counts(split.val, samples) == {"leaf": 3, "stem": 2, "root": 1}


def test_validation_samples_are_whole_units() -> None:
    samples = by_patient(*[["ls"] * 4] * 10)
    split = make_split("random_0", defined(["random_0"], validation_share=0.25, **ANY), samples)
    assert set(Counter(id_.split("_")[0] for id_ in split.val).values()) == {4}
    assert len(split.val) == 8, "two of the eight patients that are left"


@pytest.mark.parametrize(
    ("samples", "unit", "words"),
    [
        (by_patient("l", "l", "l"), "patent", ["splits.unit: the samples have no column 'patent'", "mean patient?"]),
        (
            by_patient(["l"] * 9, ["l"] * 9),
            "patient",
            ["splits.unit (2 of patient): too few", "takes 3 values of patient", "leave splits.unit out"],
        ),
        (
            Samples(("leaf",), (*by_patient("l", "l", "l").rows, Sample("stray", ("leaf",), {}))),
            "patient",
            ["stray: a sample without patient, which is splits.unit: give it one"],
        ),
    ],
)
def test_what_cannot_be_kept_together_is_named_once(samples: Samples, unit: str, words: list[str]) -> None:
    with pytest.raises(StudyError) as caught:
        make_splits(defined(["random_0", "random_1"], unit=unit), samples)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert len(str(caught.value).splitlines()) == 2


def test_an_axis_that_divides_a_unit_is_refused() -> None:
    rows = [
        Sample(f"{patient}{visit}", ("leaf",), {"patient": patient, "visit": visit})
        for patient in "abcd"
        for visit in (1, 2)
    ]
    definition = defined(["late"], unit="patient", held_out={"visit": {"late": [2]}})
    with pytest.raises(StudyError) as caught:
        make_splits(definition, Samples(("leaf",), tuple(rows)))
    assert 'late, patient "a" (its visit: 1, 2), late, patient "b"' in str(caught.value)
    assert "splits.unit keeps its samples together" in str(caught.value)


def test_held_out_units_leave_whole_units_to_validate_with() -> None:
    samples = by_patient(*[["ls", "r"]] * 6)
    held_out = {"patient": {"two": ["p1", "p4"]}}
    split = make_split("two", defined(["two"], unit="patient", held_out=held_out), samples)
    assert set(split.test) == {"p1_0", "p1_1", "p4_0", "p4_1"}
    assert_a_division(split, samples, "patient")
