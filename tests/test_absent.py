"""Classes that a split lacks: named before anything is trained."""

from __future__ import annotations

import pytest
from tables import by_patient, defined

from study.errors import StudyError
from study.splits import make_splits, split_notes
from trainers.data.table import Samples

RARE = by_patient(["ls"] * 10, ["lsr"], ["ls"] * 5)


def refusal(samples: Samples, *splits: str, **section: object) -> str:
    with pytest.raises(StudyError) as caught:
        make_splits(defined(splits, **section), samples)
    return str(caught.value)


def test_a_class_without_a_test_sample_is_refused_with_the_remedy() -> None:
    message = refusal(RARE, *(f"fold_{i}" for i in range(5)))
    assert "class root (1 sample shows it) and 1 more: no sample to test on shows the class: take another" in message
    assert "splits.allow_absent_classes = true" in message
    assert "leaf" not in message
    assert "no sample to train on shows the class" in message, "the fold with the only one"


def test_held_out_values_are_the_remedy_of_a_held_out_split() -> None:
    message = refusal(RARE, "first", held_out={"patient": {"first": ["p0"]}})
    assert "first, class root (1 sample shows it): no sample to test on" in message
    assert "take other values in splits.held_out" in message


def test_a_class_that_no_sample_shows_is_named_once() -> None:
    message = refusal(by_patient(["ls"] * 10), "random_0", "random_1")
    assert message.splitlines()[1:] == [
        "  class root: no sample shows it: take it out of the classes, or set splits.allow_absent_classes = true"
    ]


def test_classes_may_be_absent_where_the_definition_says_so() -> None:
    definition = defined(["first"], held_out={"patient": {"first": ["p0"]}}, allow_absent_classes=True)
    splits = make_splits(definition, RARE)
    assert "first, class root: no test sample shows it, so it has no score" in "\n".join(
        split_notes(splits.values(), definition, RARE)
    )


def test_a_class_without_a_validation_sample_is_a_note_only() -> None:
    samples = by_patient(["ls"] * 10, ["lsr"] * 2)
    definition = defined(["fold_0", "fold_1"], folds=2)
    notes = split_notes(make_splits(definition, samples).values(), definition, samples)
    (note,) = notes
    assert note.endswith("class root: no val sample shows it, so no checkpoint is chosen by it")


def test_single_class_samples_may_lack_one_too() -> None:
    samples = by_patient(["l"] * 9, ["s"] * 9, ["l"] * 9, ["r"] * 9)
    held_out = {"patient": {"first": ["p0"]}}
    message = refusal(samples, "first", held_out=held_out)
    assert 'class stem (its patient: "p1"), first, class root (its patient: "p3"): no sample to test on' in message
    (split,) = make_splits(defined(["first"], held_out=held_out, allow_absent_classes=True), samples).values()
    assert len(split.test) == 9
