"""Other metrics than the Dice: from the counts of a study, named by every command, and refused where there is none."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_analysis_load import CELLS, CLASSES, DEFINITION, all_classes_shown, commit

from analysis.cli import main
from analysis.errors import AnalysisError
from analysis.load import load
from analysis.metric import METRICS, SURFACE, Metric
from analysis.scores import Scores
from analysis.statistics.image_sums import trial_sums
from study.results import Results
from study.results.kept import kept_definition, read_committed
from trainers.boundaries import FARTHER, MAX_DISTANCE, SIDES, boundary_distances, surface_dice
from trainers.dice import OVERLAPS, ImageCounts, Ratio, confusion, image_counts, scores_of_shown

COSTS = {"parameters": 100, "gflops": 1.0, "latency_ms_median": 2.0, "train_seconds": 60.0, "device": "GPU"}
HISTORY = [{"epoch": n, "train_loss": 1.0, "val_loss": 1.0, "objective": 0.5} for n in range(1, 5)]
EPSILON = DEFINITION.training.epsilon


def maps_of(trial_id: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """True and predicted labels of four images of 40 x 40 pixels: a box and a clamp, moved and misjudged by chance. The
    last image has no clamp, but one is seen."""
    draws = np.random.default_rng(list(trial_id.encode()))
    truth, predicted = np.zeros((2, 4, 40, 40), np.uint8)
    for n in range(4):
        for label in (1, 2):
            top, left, side = draws.integers((2, 14 * label - 12, 6), (10, 14 * label - 4, 14))
            down, right, more = draws.integers(-2, 3, 3)
            truth[n, top : top + side, left : left + side] = label * (label == 1 or n < 3)
            predicted[n, top + down : top + down + side + more, left + right : left + right + side] = label
    return truth, predicted


def counts_of(trial_id: str) -> np.ndarray[Any, Any]:
    return confusion(*maps_of(trial_id), len(CLASSES))


def boundary_rows(trial_id: str) -> Iterator[dict[str, object]]:
    """Those of OUT/boundary, of test images; the images are called as `commit` does."""
    counts = boundary_distances(*maps_of(trial_id), len(CLASSES))
    for n, k, side, distance in np.argwhere(counts):
        place = {"partition": "test", "image": f"i{7 - n}", "class": CLASSES[k], "side": SIDES[side]}
        far = distance == FARTHER
        yield place | {"distance": None if far else int(distance), "pixels": int(counts[n, k, side, distance])}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A study of four cells, whose boundaries are kept."""
    Results(tmp_path).write_text("study.toml", DEFINITION.to_toml())
    for cell in CELLS:
        trial = f"{cell}-t00"
        boundaries = boundary_rows(trial)
        commit(tmp_path, trial, counted=counts_of, boundaries=boundaries, history=HISTORY, selected_epoch=2, **COSTS)
    return tmp_path


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """The same of an earlier version, which kept no boundaries."""
    Results(tmp_path / "earlier").write_text("study.toml", DEFINITION.to_toml())
    for cell in CELLS:
        commit(tmp_path / "earlier", f"{cell}-t00", counted=counts_of)
    return tmp_path / "earlier"


def ratio_of(trial_id: str, metric: str, tolerance: int = 2) -> tuple[ImageCounts, Ratio]:
    images = image_counts(counts_of(trial_id), EPSILON)
    if metric != SURFACE:
        return images, OVERLAPS[metric](images)
    return images, surface_dice(boundary_distances(*maps_of(trial_id), len(CLASSES)), tolerance)


def column(scores: Scores, trial_id: str, averaging: str) -> list[float]:
    """The scores of every class, and of all, of one trial."""
    model, _, split = trial_id.split("-")[:3]
    table = scores.table[scores.table["averaging"] == averaging]
    return list(table.loc[(table["model"] == model) & (table["split"] == split), "dice"])


@pytest.mark.parametrize(("metric", "tolerance"), [*((name, None) for name in METRICS), (SURFACE, 0), (SURFACE, 5)])
def test_every_metric_is_that_of_the_counts(out: Path, metric: str, tolerance: int | None) -> None:
    scores = load(out, metric=metric, tolerance=tolerance)
    for cell in CELLS:
        images, ratio = ratio_of(f"{cell}-t00", metric, 2 if tolerance is None else tolerance)
        expected = scores_of_shown(images, ratio)
        for averaging in ("pw", "ew", "pooled"):
            of_classes = [*getattr(expected, averaging), getattr(expected, f"all_{averaging}")]
            np.testing.assert_allclose(column(scores, f"{cell}-t00", averaging), of_classes, rtol=1e-12)
    assert scores.metric == Metric(metric, (2 if tolerance is None else tolerance) if metric == SURFACE else None)


def test_the_sums_of_images_give_the_scores(out: Path) -> None:
    for metric in METRICS:
        scores = load(out, metric=metric)
        facts = scores.study_facts("a test")
        for trial in trial_sums(facts, facts.chosen):
            for averaging, (numerators, weights) in trial.sums.items():
                found = numerators.sum(0) / weights.sum(0)
                expected = column(scores, str(trial.factors["trial"]), averaging)[1:3]
                np.testing.assert_allclose(found, expected, err_msg=f"{metric} {averaging}")


def test_another_noise_tolerance_counts_for_every_metric(out: Path) -> None:
    """A clamp that is not there is seen in one image: it counts, unless it is noise."""
    trial = f"{CELLS[0]}-t00"
    for metric in ("iou", "precision", SURFACE):
        strict, lenient = (column(load(out, epsilon=e, metric=metric), trial, "ew")[2] for e in (0.0, 0.5))
        assert strict < lenient, metric
    strict, lenient = (column(load(out, epsilon=e, metric="recall"), trial, "ew")[2] for e in (0.0, 0.5))
    assert strict == lenient, "what is falsely predicted is no matter of the recall"


def test_the_stored_dice_is_that_of_the_counts(out: Path) -> None:
    pd.testing.assert_frame_equal(load(out).table, load(out, epsilon=EPSILON).table)


def test_a_study_without_boundaries_is_read_as_before(earlier: Path) -> None:
    assert not read_committed(Results(earlier), kept_definition(Results(earlier))).damaged
    assert len(load(earlier, metric="iou").table) == len(load(earlier).table)
    with pytest.raises(
        AnalysisError, match=r"4 of 4 trials \(icnet-ce-random_0-s0-t00, for one\) keep no boundaries, as "
    ):
        load(earlier, metric=SURFACE)


def test_a_study_whose_files_are_lost_is_not_said_to_be_without_trials(out: Path) -> None:
    shutil.rmtree(out / "boundary")
    words = "no trial has scores: 4 are damaged (icnet-ce-random_0-s0-t00, for one: boundary is lost); run the study"
    with pytest.raises(AnalysisError, match=re.escape(words)):
        load(out)


def test_boundaries_of_other_images_than_the_counts_are_refused(tmp_path: Path) -> None:
    Results(tmp_path).write_text("study.toml", DEFINITION.to_toml())
    trial = f"{CELLS[0]}-t00"
    rows = [row | {"image": "another"} for row in boundary_rows(trial)]
    commit(tmp_path, trial, counted=counts_of, boundaries=rows)
    with pytest.raises(AnalysisError, match="of other images or classes than its pixel counts"):
        load(tmp_path, metric=SURFACE)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"metric": "jaccard"}, "'jaccard' is not a metric: choose one of dice, iou, precision, recall, nsd"),
        ({"tolerance": 3}, "a tolerance in pixels is of the surface Dice alone: add --metric nsd"),
        (
            {"metric": SURFACE, "tolerance": MAX_DISTANCE + 1},
            "a tolerance of 11 pixels is not kept: give a whole number",
        ),
    ],
)
def test_what_cannot_be_asked(out: Path, asked: dict[str, Any], words: str) -> None:
    with pytest.raises(AnalysisError, match=re.escape(words)):
        load(out, **asked)


def test_the_paper_has_the_dice_alone() -> None:
    with pytest.raises(AnalysisError, match="the paper's tables hold the Dice alone: IoU needs a study"):
        load("paper", metric="iou")
    with pytest.raises(
        AnalysisError, match="paper holds scores only, no boundaries: a tolerance in pixels needs a study"
    ):
        load("paper", metric=SURFACE, tolerance=2)


def said(capsys: pytest.CaptureFixture[str], *arguments: object, status: int = 0) -> str:
    assert main([str(each) for each in arguments]) == status
    captured = capsys.readouterr()
    return captured.err if status == 2 else captured.out


def test_a_tidy_table_has_the_scores_in_a_column_of_the_metrics_name(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What one command writes another reads."""
    table = tmp_path / "scores.csv"
    table.write_text(said(capsys, "tables", out, "--metric", "iou", "--format", "csv"))
    assert "iou" in next(csv.reader(io.StringIO(table.read_text())))
    read, own = (
        load(path, metric="iou").table.set_index(["model", "split", "averaging", "class"])["dice"]
        for path in (table, out)
    )
    pd.testing.assert_series_equal(read.sort_index(), own[read.index].sort_index())
    with pytest.raises(AnalysisError, match=r"no column dice; .*\. It has iou: add --metric iou"):
        load(table)
    assert load(table, metric="iou").metric.in_full == "IoU"


@pytest.mark.parametrize("metric", METRICS)
def test_every_command_takes_a_tidy_table_of_every_metric(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], metric: str
) -> None:
    """Of the surface Dice the table does not tell the tolerance."""
    table, asked = tmp_path / "scores.csv", ("--metric", metric)
    table.write_text(said(capsys, "tables", out, *asked, "--format", "csv"))
    for command in (("tables",), ("stability",), ("compare", "icnet-ce", "unet-ce")):
        assert said(capsys, command[0], table, *command[1:], *asked)
    words = said(capsys, "check", table, *asked, "--max-sd", 0.5, status=3)
    assert metric == "dice" or METRICS[metric] in words
    plain = json.loads(said(capsys, "check", table, *asked, "--max-sd", 0.5, "--json", status=3))
    assert plain["metric"] == {"name": metric, "tolerance": None}


OF_THE_DICE_ITSELF = re.compile(
    "[Vv]alidation Dice|validation scores are Dice|the Dice alone|surface Dice|Dice and cost"
)
"""What is said of the Dice whatever the metric: the search goes by it."""


@pytest.mark.parametrize(("metric", "words"), [("iou", "IoU"), (SURFACE, "surface Dice"), ("recall", "recall")])
def test_every_sentence_names_the_metric(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], metric: str, words: str
) -> None:
    a, b = "icnet-ce", "unet-ce"
    commands = (
        ("tables", out),
        ("stability", out),
        ("compare", out, a, b),
        ("check", out, "--min-score", 0.1, "--max-sd", 0.5),
    )
    for command, *arguments in commands:
        status = 3 if command == "check" else 0
        text = said(capsys, command, *arguments, "--metric", metric, status=status)
        assert re.search(words, text, re.IGNORECASE), command
        assert "Dice" not in OF_THE_DICE_ITSELF.sub("", " ".join(text.split())), command
    page = tmp_path / "page.html"
    said(capsys, "report", out, "--metric", metric, "--out", page)
    text = re.sub(r"<style.*?</style>|<svg.*?</svg>|<pre.*?</pre>", "", page.read_text(), flags=re.DOTALL)
    assert words in text
    left = OF_THE_DICE_ITSELF.sub("", text)
    assert "Dice" not in left
    plain = json.loads(page.with_suffix(".json").read_text())
    assert plain["metric"] == {"name": metric, "tolerance": 2 if metric == SURFACE else None}
    assert {metric} <= plain["sections"]["worst"]["worst_cells"][0].keys()
    assert "dice" not in plain["sections"]["worst"]["worst_cells"][0]


def test_the_limit_of_the_mean_is_called_by_the_metric(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("check", out, "--metric", "iou", "--json")
    refused = said(capsys, *asked, "--min-dice", 0.5, status=2)
    assert "--min-dice is a limit of the Dice: with --metric iou say --min-score" in refused
    both = said(capsys, "check", out, "--min-dice", 0.5, "--min-score", 0.5, status=2)
    assert "set the same limit: give one of them" in both
    found = json.loads(said(capsys, *asked, "--min-score", 0.5, status=3))
    assert found["metric"] == {"name": "iou", "tolerance": None}
    assert {each["limit"] for each in found["checks"]} == {"min-score"}
    named = json.loads(said(capsys, "check", out, "--json", "--min-score", 0.5, status=3))
    assert {each["limit"] for each in named["checks"]} == {"min-dice"}


def test_validation_dice_is_not_set_against_another_metric(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A search's luck is validation less test: of two metrics that would be no luck."""
    Results(tmp_path).write_text("study.toml", DEFINITION.to_toml())
    for cell in CELLS:
        for index in range(3):
            commit(tmp_path, f"{cell}-t0{index}", counted=all_classes_shown, **COSTS)
    assert "How much of the tuned score is luck" in said(capsys, "stability", tmp_path, "--select", "tuned")
    other = " ".join(said(capsys, "stability", tmp_path, "--select", "tuned", "--metric", "iou").split())
    assert "How much of the tuned score is luck?" not in other
    assert "validation scores are Dice, and cannot be compared with IoU" in other
