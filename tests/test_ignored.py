"""Pixels without a label, images that are not square, a set without a background: from the source to the tables."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import fields
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image
from simulated_study import write_study

from analysis.load import load
from analysis.statistics.false_classes import image_scores
from study.cells import trials
from study.prepare import Prepared
from study.results.schemas import CIRCUMSTANCES, SCHEMAS
from study.trial import run_trial
from trainers.boundaries import FARTHER, SIDES, boundary_distances
from trainers.data.class_names import IGNORED

NAMES = [trial.id for trial in trials(fields.study().definition)]


def tables_of(study: Prepared, name: str) -> dict[str, pa.Table]:
    trial = next(each for each in trials(study.definition) if each.id == name)
    return run_trial(study, trial, study.definition.default_point)


def numbers(tables: dict[str, pa.Table]) -> dict[str, Any]:
    return {name: table.drop_columns(list(CIRCUMSTANCES.get(name, ()))).to_pydict() for name, table in tables.items()}


def assert_boundaries_are_those_of(
    masks: list[np.ndarray[Any, Any]], study: Prepared, boundaries: pd.DataFrame
) -> None:
    """Of the test images; a distance that is null is of pixels farther than any that is kept."""
    ids = study.splits["last_year"].test
    truth = np.stack([study.source.drawn(sample)[1] for sample in ids])
    expected = boundary_distances(truth, np.stack(masks), len(fields.CLASSES))
    found = np.zeros_like(expected)
    test = boundaries[boundaries["partition"] == "test"]
    for row in test.rename(columns={"class": "of"}).itertuples():
        distance = FARTHER if np.isnan(row.distance) else int(row.distance)
        found[ids.index(row.image), fields.CLASSES.index(row.of), SIDES.index(row.side), distance] += row.pixels
    np.testing.assert_array_equal(found, expected)


def assert_counted_right(study: Prepared, tables: dict[str, pa.Table]) -> None:
    """Every pixel that has a label once, as its own class, and no other; classes and no background."""
    assert set(tables) == set(SCHEMAS) - ({"boundary"} if study.definition.simulate else set())
    assert tables["trials"]["status"].to_pylist() == ["completed"]
    split = study.splits["last_year"]
    dice = tables["dice"].to_pandas()
    for partition in ("val", "test"):
        assert dice.loc[dice["partition"] == partition, "class"].tolist() == [*fields.CLASSES, "all"]
    assert np.isfinite(dice["dice_pooled"]).all()
    counts = tables["confusion"].to_pandas()
    assert set(counts["truth"]) | set(counts["predicted"]) <= set(fields.CLASSES)
    of_truth = counts.groupby(["image", "truth"])["pixels"].sum()
    for sample in (*split.val, *split.test):
        _, labels = study.source.drawn(sample)
        expected = np.bincount(labels[labels != IGNORED], minlength=3).tolist()
        assert of_truth[sample].reindex(fields.CLASSES, fill_value=0).tolist() == expected
    masks = [np.asarray(Image.open(io.BytesIO(png))) for png in tables["masks"]["mask"].to_pylist()]
    assert [mask.shape for mask in masks] == [fields.SIZE] * len(split.test)
    assert max(mask.max() for mask in masks) < len(fields.CLASSES)
    if not study.definition.simulate:
        assert_boundaries_are_those_of(masks, study, tables["boundary"].to_pandas())
    history = tables["history"].to_pandas()
    assert np.isfinite(history[["train_loss", "val_loss", "objective"]].to_numpy()).all()
    means = dice[(dice["partition"] == "val") & (dice["class"] != "all")]["dice_ew"]
    assert tables["trials"]["objective"][0].as_py() == pytest.approx(means.mean())


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", NAMES)
def test_a_training_is_whole_and_the_same_twice(name: str, precision: str) -> None:
    study = fields.study(precision=precision)
    first, again = tables_of(study, name), tables_of(study, name)
    assert_counted_right(study, first)
    assert numbers(first) == numbers(again)


@pytest.mark.slow
def test_a_simulated_trial_too() -> None:
    study = fields.study(simulate=True)
    for name in NAMES:
        assert_counted_right(study, tables_of(study, name))


@pytest.mark.slow
def test_a_simulated_study_is_analysed(tmp_path: Path) -> None:
    """Every class is an object, and the first one is no background."""
    study = fields.study(simulate=True)
    scores = load(write_study(tmp_path / "out", study.definition, study))
    assert set(scores.table["class"]) == {*fields.CLASSES, "all"}
    facts = scores.study_facts("a test")
    found = image_scores(facts)
    assert set(found["class"]) == set(fields.CLASSES)
    assert {each.object_share for each in facts.test_images} == {1.0}
    (masks,) = (facts.masks(name, list(study.splits["last_year"].test)) for name in NAMES[:1])
    assert {mask.shape for mask in masks.values()} == {fields.SIZE}
