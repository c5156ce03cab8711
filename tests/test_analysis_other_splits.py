"""Folds, given and matched splits in the analysis: by themselves, and never counted among random splits."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from analysis.commands import check, compare, load, report, stability, tables
from analysis.statistics.other_splits import other_splits, other_splits_in_words
from analysis.verdict import verdict

KIND_OF = {"random": "random", "fold": "fold", "given": "given", "matched": "matched", "rot": "held_out"}
ONLY_FOLDS = [f"fold_{i}" for i in range(5)]
ONLY_GIVEN = ["given_0", "given_1"]
MATCHED = [*(f"random_{i}" for i in range(8)), "rot_0", "rot_1", "matched_rot_0", "matched_rot_1"]
ALL = [*MATCHED, *ONLY_FOLDS, "given_0"]


def scores_of(folder: Path, splits: list[str]) -> Path:
    """A tidy table: the i-th split has a Dice of 0.3 + i / 50, of each of two classes and configurations."""
    rows = [
        {
            "model": model,
            "loss": "ce",
            "split": split,
            "split_kind": KIND_OF[split.split("_")[0]],
            "axis": "angle" if split.startswith("rot") else "",
            "averaging": "ew",
            "class": name,
            "dice": 0.3 + i / 50,
        }
        for model in ("icnet", "unet")
        for i, split in enumerate(splits)
        for name in ("mug", "pen")
    ]
    pd.DataFrame(rows).to_csv(folder / "scores.csv", index=False)
    return folder / "scores.csv"


@pytest.mark.slow
@pytest.mark.parametrize(
    "splits", [ONLY_FOLDS, ONLY_GIVEN, MATCHED, ALL, [*ONLY_FOLDS, *ONLY_GIVEN], [*ONLY_FOLDS, "random_0"]]
)
def test_every_mixture_of_kinds_is_shown(tmp_path: Path, splits: list[str]) -> None:
    scores = load(scores_of(tmp_path, splits))
    assert list(next(iter(tables(scores).values())).index) == splits or set(splits) == set(scores.table["split"])
    assert stability(scores).findings
    assert check(scores, max_sd=0.1, max_gap=0.1).checks is not None
    assert report(scores, tmp_path / "report.html").exists()


def test_folds_have_a_mean_and_an_sd_of_their_own(tmp_path: Path) -> None:
    table = load(scores_of(tmp_path, ALL)).table
    row = other_splits(table).iloc[0]
    folds = [0.3 + i / 50 for i in range(12, 17)]
    assert row["num_folds"] == 5
    assert row["fold_mean"] == pytest.approx(sum(folds) / 5)
    assert row["fold_sd"] == pytest.approx(pd.Series(folds).std())
    assert row["given_0"] == pytest.approx(0.3 + 17 / 50)
    assert row["matched_rot_0"] == pytest.approx(0.3 + 10 / 50)


def test_other_splits_change_nothing_that_is_said_of_random_and_held_out_ones(tmp_path: Path) -> None:
    without = [split for split in MATCHED if not split.startswith("matched")]
    alone = {finding.question: finding for finding in verdict(load(scores_of(tmp_path, without)))}
    beside = {finding.question: finding for finding in verdict(load(scores_of(tmp_path, ALL)))}
    for question in alone:
        if question != "What was measured?":
            assert beside[question] == alone[question]


@pytest.mark.slow
def test_the_words(tmp_path: Path) -> None:
    scores = load(scores_of(tmp_path, ALL))
    assert list(other_splits_in_words(scores.table))[:3] == [
        "icnet ce: 0.580, SD 0.032 over 5 folds.",
        "icnet ce: 0.640 on given_0.",
        "icnet ce: 0.500 on matched_rot_0 (0.460 on rot_0 itself), 0.520 on matched_rot_1 (0.480 on rot_1 itself).",
    ]
    measured = next(finding for finding in verdict(scores) if finding.question == "What was measured?")
    assert (
        "on 8 random splits, 2 held-out angle splits, 5 folds, one given split and 2 matched splits, one seed each"
        in measured.points[0]
    )
    only = next(f for f in verdict(load(scores_of(tmp_path, ONLY_FOLDS))) if f.question == "What was measured?")
    assert "2 configurations on 5 folds, one seed each" in only.points[0]


def test_without_random_splits_folds_are_compared(tmp_path: Path) -> None:
    answer = compare(load(scores_of(tmp_path, ONLY_FOLDS)), ("icnet", "ce"), ("unet", "ce"))
    assert "better than unet ce on folds?" in answer.findings[0].question
    (frame,) = answer.frames.values()
    assert (frame["num_pairs"] == 5).all()
