"""Trainings that were too short or learned nothing: named, with counts and a remedy."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from simulated_study import write_study
from small_study import write_definition
from test_analysis_load import CELLS, DEFINITION, commit

from analysis.commands import tables
from analysis.formats import FORMATS, to_text
from analysis.load import load
from analysis.scores import Scores
from analysis.statistics.training import (
    BLANK,
    NOTHING,
    ONE_CLASS,
    TOO_SHORT,
    long_enough,
    num_late,
    too_short,
    training,
)
from analysis.verdict import verdict
from study.definition import file as definition_file
from study.results import Results

EPOCHS = 20
SETTLED, LATE = 12, 19


def epochs(best: int, dice: float = 0.6) -> list[dict[str, float]]:
    """A history whose validation loss is lowest in one epoch, and whose training loss falls all along."""
    return [
        {"epoch": e, "train_loss": 2.0 / e, "val_loss": 1.0 + abs(e - best), "objective": dice * e / EPOCHS}
        for e in range(1, EPOCHS + 1)
    ]


def study(out: Path, bests: Sequence[int], dice: float = 0.6) -> Scores:
    Results(out).write_text("study.toml", DEFINITION.to_toml())
    for cell, best in zip(CELLS, bests, strict=True):
        commit(out, f"{cell}-t00", history=epochs(best, dice), selected_epoch=best, objective=dice * best / EPOCHS)
    return load(out)


def said(scores: Scores, question: str) -> str:
    return " ".join(point for each in verdict(scores) if each.question == question for point in each.points)


def test_trainings_that_were_best_at_their_end_are_counted_and_head_the_verdict(tmp_path: Path) -> None:
    scores = study(tmp_path, [LATE, 20, SETTLED, 20])
    answer = said(scores, "Was training long enough?")
    assert "In 3 of 4 trials the validation loss was lowest in one of the last 2 of 20 epochs" in answer
    assert "in 3 of these the training loss was still falling" in answer
    assert "training.epochs = 40" in answer
    assert said(scores, "In short").startswith("Training was too short: in 3 of 4 trials")
    assert "validation Dice was 0.59 on average" in said(scores, "In short")


def test_of_one_epoch_nothing_is_counted_and_twice_as_many_are_not_advised(tmp_path: Path) -> None:
    found = training(study(tmp_path, [SETTLED] * 4).study_facts("a test")).assign(epochs=1, remark=TOO_SHORT)
    assert too_short(found).startswith("Training was too short: one epoch a trial, where the validation Dice was ")
    (point,) = long_enough(load(tmp_path), found).points  # type: ignore[union-attr]
    assert point.startswith("Every trial was trained for one epoch, which cannot show whether the loss had settled.")
    assert point.endswith("say training.epochs = 16.")


def test_tables_say_in_every_format_what_they_are_of_and_that_trainings_were_too_short(tmp_path: Path) -> None:
    study(tmp_path, [LATE, 20, SETTLED, 20])
    scores = load(tmp_path, "tuned", 0.01)
    assert (scores.selection, scores.epsilon, load(tmp_path).epsilon) == ("tuned", 0.01, 0.0015)
    words = ("best trial of every cell by validation", "noise tolerance of 0.01", "Training was too short: in 3 of 4")
    for name, show in FORMATS.items():
        text = " ".join(html.unescape(show(tables(scores), 2, False)).split())
        assert all(each in text for each in words), name
    plain = to_text(tables(load(tmp_path)))
    assert "Training was too short" in plain
    assert "noise tolerance" not in plain


def test_where_most_had_settled_the_few_are_counted_and_no_more(tmp_path: Path) -> None:
    scores = study(tmp_path, [SETTLED, 20, SETTLED, 20])
    assert said(scores, "Was training long enough?") == (
        "In 2 of 4 trials the validation loss was lowest in one of the last 2 of 20 epochs: most had settled."
    )
    assert "too short" not in said(scores, "In short")


@pytest.mark.parametrize(("number", "late"), [(1, 1), (9, 1), (20, 2), (32, 3)])
def test_the_end_is_a_tenth_of_the_epochs(number: int, late: int) -> None:
    assert num_late(number) == late


def test_a_validation_dice_of_nothing_throughout_is_named(tmp_path: Path) -> None:
    scores = study(tmp_path, [SETTLED] * 4, dice=0.005)
    assert f"4 of 4 trials ({CELLS[0]}-t00, for one) learned nothing" in said(scores, "Was training long enough?")
    assert set(training(scores.study_facts("a test"))["remark"]) == {NOTHING}


def test_a_network_that_predicts_background_alone_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def background_only(trial_id: str) -> np.ndarray[Any, Any]:
        counts = np.zeros((4, 3, 3), dtype=np.int64)
        counts[:, 0, 0], counts[:, 1, 0] = 9_000, 1_000
        return counts

    monkeypatch.setattr("test_analysis_load.confusion_of", background_only)
    found = training(study(tmp_path, [SETTLED, 20, SETTLED, SETTLED]).study_facts("a test"))
    assert found["remark"].tolist() == [BLANK, f"{TOO_SHORT}, {BLANK}", BLANK, BLANK]
    assert found["object_share"].tolist() == [0, 0, 0, 0]
    answer = said(load(tmp_path), "Was training long enough?")
    assert "found nothing: all test pixels are predicted as background" in answer


def test_a_network_that_predicts_one_class_alone_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it may in a set without a background."""

    def first_object_only(trial_id: str) -> np.ndarray[Any, Any]:
        counts = np.zeros((4, 3, 3), dtype=np.int64)
        counts[:, 0, 1], counts[:, 1, 1] = 9_000, 1_000
        return counts

    monkeypatch.setattr("test_analysis_load.confusion_of", first_object_only)
    found = training(study(tmp_path, [SETTLED] * 4).study_facts("a test"))
    assert set(found["remark"]) == {ONE_CLASS}
    told = said(load(tmp_path), "Was training long enough?")
    assert "told no classes apart: all test pixels are predicted as one of them" in told
    assert "background" not in told


def test_diverged_trainings_are_counted_there(tmp_path: Path) -> None:
    scores = study(tmp_path, [SETTLED] * 4)
    diverged = dataclasses.replace(scores, failed={"unet-ce-random_1-s0-t00": "the loss became nan"})
    assert "1 diverged and has no score" in said(diverged, "Was training long enough?")


def test_without_histories_nothing_is_said(tmp_path: Path) -> None:
    Results(tmp_path).write_text("study.toml", DEFINITION.to_toml())
    for cell in CELLS:
        commit(tmp_path, f"{cell}-t00", selected_epoch=EPOCHS)
    assert said(load(tmp_path), "Was training long enough?") == ""


@pytest.mark.slow
def test_nothing_was_trained_in_a_simulated_study(tmp_path: Path) -> None:
    settings = ["simulate=true", "grid.losses=ce", "search.trials=1"]
    made = definition_file.load(str(write_definition(tmp_path)), settings)
    scores = load(write_study(tmp_path / "out", made))
    assert len(training(scores.study_facts("a test"))) == 0
    assert said(scores, "Was training long enough?") == ""


def test_a_validation_dice_that_nobody_has_is_not_told() -> None:
    found = pd.DataFrame({"remark": [TOO_SHORT], "validation_dice": [np.nan]})
    assert "lowest at the very end. Train for more" in too_short(found)
