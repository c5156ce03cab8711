"""Trainings that were too short or learned nothing: named, with counts and a remedy."""

from __future__ import annotations

import dataclasses
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from simulated_study import write_study
from small_study import write_definition
from test_analysis_load import CELLS, DEFINITION, commit

from analysis.cli import main
from analysis.commands import check, tables
from analysis.formats import FORMATS, to_text
from analysis.load import load
from analysis.scores import Scores
from analysis.statistics.training import (
    BLANK,
    JUMPING,
    NOTHING,
    ONE_CLASS,
    TOO_SHORT,
    long_enough,
    not_settled,
    num_late,
    settling,
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
    assert said(scores, "In short").startswith(
        "Training had not settled in 3 of 4 trials: in 3 the validation loss was"
    )
    assert "the mean validation Dice of these is 0.59. Train for more epochs" in said(scores, "In short")


def test_of_one_epoch_nothing_is_counted_and_twice_as_many_are_not_advised(tmp_path: Path) -> None:
    found = training(study(tmp_path, [SETTLED] * 4).study_facts("a test")).assign(
        epochs=1, best_epoch=1, remark=TOO_SHORT
    )
    assert not_settled(found).startswith(
        "Training had not settled: one epoch a trial, and the mean validation Dice of "
    )
    (point,) = long_enough(load(tmp_path), found).points  # type: ignore[union-attr]
    assert point.startswith(
        "No trial was trained for more than one epoch: too few to show whether the loss had settled."
    )
    assert point.endswith("say training.epochs = 16.")


def test_of_three_epochs_it_cannot_be_told_whether_training_had_settled(tmp_path: Path) -> None:
    found = training(study(tmp_path, [SETTLED] * 4).study_facts("a test")).assign(epochs=3, best_epoch=1, remark="")
    assert not_settled(found).startswith("Training had not settled: 3 epochs a trial, ")
    (point,) = long_enough(load(tmp_path), found).points  # type: ignore[union-attr]
    assert point.startswith("No trial was trained for more than 3 epochs: too few to show")


def test_tables_say_in_every_format_what_they_are_of_and_that_trainings_were_too_short(tmp_path: Path) -> None:
    study(tmp_path, [LATE, 20, SETTLED, 20])
    scores = load(tmp_path, "tuned", 0.01)
    assert (scores.selection, scores.epsilon, load(tmp_path).epsilon) == ("tuned", 0.01, 0.0015)
    words = ("best trial of every cell by validation", "noise tolerance of 0.01", "Training had not settled in 3 of 4")
    for name, show in FORMATS.items():
        text = " ".join(html.unescape(show(tables(scores), 2, False)).split())
        assert all(each in text for each in words), name
    plain = to_text(tables(load(tmp_path)))
    assert "Training had not settled" in plain
    assert "noise tolerance" not in plain


def test_a_quarter_of_the_trials_is_enough_to_say_first_that_training_had_not_settled(tmp_path: Path) -> None:
    scores = study(tmp_path, [SETTLED, 20, SETTLED, SETTLED])
    assert said(scores, "In short").startswith("Training had not settled in 1 of 4 trials: in 1 ")
    answer = said(scores, "Was training long enough?")
    assert "training.epochs = 40. 3 of 4 trials had settled." in answer
    frame = settling(scores.study_facts("a test"))
    few = pd.concat([frame, frame[frame["best_epoch"] == SETTLED].head(1)])
    assert not_settled(few) == "", "one of five"
    settled = study(tmp_path / "settled", [SETTLED] * 4)
    assert said(settled, "Was training long enough?") == "4 of 4 trials had settled."
    assert "settled" not in said(settled, "In short")


def test_a_loss_is_lowest_at_the_end_of_a_learning_rate_that_falls_to_0_and_tells_nothing(tmp_path: Path) -> None:
    Results(tmp_path).write_text("study.toml", DEFINITION.to_toml())
    for cell, end in zip(CELLS, (0.0, 0.09, 0.09, 0.11), strict=True):  # the last one has not cooled down
        falling = [line | {"learning_rate": 1 - (1 - end) * line["epoch"] / EPOCHS} for line in epochs(EPOCHS)]
        commit(tmp_path, f"{cell}-t00", history=falling, selected_epoch=EPOCHS)
    scores = load(tmp_path)
    answer = said(scores, "Was training long enough?")
    assert answer.startswith("In 1 of 4 trials the validation loss was lowest in one of the last 2 of 20 epochs")
    assert "In 3 of 4 trials the learning rate fell towards 0 over the epochs" in answer
    assert answer.endswith("A study with training.epochs = 40 can.")
    assert said(scores, "In short").startswith("Training had not settled in 1 of 4 trials: in 1 ")


def test_a_loss_that_jumps_had_not_settled(tmp_path: Path) -> None:
    """It falls to 1 in epoch 12, rises slowly, and once, late, by half."""
    Results(tmp_path).write_text("study.toml", DEFINITION.to_toml())
    for i, cell in enumerate(CELLS):
        losses = epochs(SETTLED)
        for epoch in losses:
            epoch["val_loss"] = 1.0 + 0.01 * abs(epoch["epoch"] - SETTLED)
        losses[17 if i else 10]["val_loss"] *= 1.6
        commit(tmp_path, f"{cell}-t00", history=losses, selected_epoch=SETTLED, objective=0.36)
    scores = load(tmp_path)
    assert training(scores.study_facts("a test"))["remark"].tolist() == ["", JUMPING, JUMPING, JUMPING], (
        "late, not early"
    )
    assert said(scores, "In short").startswith("Training had not settled in 3 of 4 trials: in 3 it still jumped")
    assert "rose by 50 % or more from one epoch to the next" in said(scores, "Was training long enough?")


def test_the_gate_says_first_that_training_had_not_settled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study(tmp_path / "late", [20] * 4)
    study(tmp_path / "settled", [SETTLED] * 4)
    words = "Training had not settled in 4 of 4 trials"
    assert check(load(tmp_path / "late"), min_dice=0.1).text().startswith(words)
    assert "settled" not in check(load(tmp_path / "settled"), min_dice=0.1).text()
    for name, said_there in (("late", True), ("settled", False)):
        main(["check", str(tmp_path / name), "--min-dice", "0.1", "--json"])
        told = json.loads(capsys.readouterr().out)["training"]
        assert told.startswith(words) if said_there else told is None


def test_classes_that_no_trial_finds_are_named_before_any_claim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cl_is_missed(trial_id: str) -> np.ndarray[Any, Any]:
        counts = np.zeros((4, 3, 3), dtype=np.int64)
        counts[:, 0, 0], counts[:, 1, 1], counts[:, 2, 0] = 8_000, 1_000, 1_000
        counts[:, 0, 2] = 5 if sometimes and trial_id.startswith("unet") else 0
        return counts

    monkeypatch.setattr("test_analysis_load.confusion_of", cl_is_missed)
    for sometimes, words in (
        (False, "1 of 2 classes was never found, by any trial, nor ever predicted: cl."),
        (True, "1 of 2 classes was never found, by any trial: cl."),
    ):
        scores = study(tmp_path / str(sometimes), [20] * 4)
        first, second, *_ = verdict(scores)[0].points
        assert first.startswith("Training had not settled")
        assert second == words
        assert (
            "4 of 8 scores (a class of a configuration on a split) are a Dice of 0: all of cl."
            in verdict(scores)[0].points
        )
    monkeypatch.undo()
    assert "never found" not in said(study(tmp_path / "found", [SETTLED] * 4), "In short")


def test_splits_that_test_the_same_images_tell_of_trainings_own_chance(tmp_path: Path) -> None:
    """The study's random and held-out split both test i7 to i4, and train on 12 other images."""
    scores = study(tmp_path, [SETTLED] * 4)
    table = scores.table[(scores.table["class"] == "bx") & (scores.table["averaging"] == "ew")]
    macro = table.pivot_table("dice", "model", "split")
    apart = (macro["random_0"] - macro["rot_0"]).abs()
    alone = dataclasses.replace(scores, table=scores.table[scores.table["class"] == "bx"])
    assert f"Training's own chance moves the mean Dice by {apart.max():.2f}" in said(alone, "In short")
    assert f"({apart.idxmax()} ce: " in said(alone, "In short")
    assert "test the same images and train on equally many others: random_0 = rot_0." in said(alone, "In short")
    assert "random splits are held-out ones, too" in said(alone, "In short")
    fewer = dataclasses.replace(alone, num_train=scores.num_train | {"rot_0": 11})
    assert "own chance" not in said(fewer, "In short")
    assert "test the same images" not in said(fewer, "In short")


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
    found = pd.DataFrame({"epochs": [9], "best_epoch": [9], "largest_rise": [0.0], "validation_dice": [np.nan]}).assign(
        cooled=False
    )
    assert "lowest at the very end. Train for more" in not_settled(found)
