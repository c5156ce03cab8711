"""Facts of one trial -> its rows in the five tables. Imports neither torch nor ray."""

from __future__ import annotations

import io
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from study.cells import Point, Trial
from study.prepare import Prepared
from study.schemas import table_of
from trainers.data.class_names import abbreviation
from trainers.data.split import Split
from trainers.dice import DiceScores, dice
from trainers.outcome import Epoch, Evaluation


def completed(
    study: Prepared,
    trial: Trial,
    point: Point,
    cost: Mapping[str, Any],
    history: Sequence[Epoch],
    selected_epoch: int,
    evaluations: Mapping[str, Evaluation],
    started: datetime,
    finished: datetime,
) -> dict[str, pa.Table]:
    """All five tables of a trial that was trained and evaluated.

    :param cost: the columns of `trials` that say what the network costs, and on what it was trained.
    """
    row = {"status": "completed", "selected_epoch": selected_epoch, **cost}
    row["objective"] = history[selected_epoch - 1].objective
    return {
        "dice": _dice_table(study, trial, point, evaluations),
        "confusion": _confusion_table(study, trial, evaluations),
        "history": _history_table(trial, history),
        "masks": _masks_table(study, trial, evaluations["test"]),
        "trials": _trials_table(study, trial, point, started, finished, row),
    }


def failed(
    study: Prepared,
    trial: Trial,
    point: Point,
    history: Sequence[Epoch],
    error: str,
    started: datetime,
    finished: datetime,
) -> dict[str, pa.Table]:
    """The tables of a trial that diverged: its row with the reason, and the epochs it completed."""
    tables = {"history": _history_table(trial, history)} if history else {}
    row = {"status": "failed", "error": error}
    return tables | {"trials": _trials_table(study, trial, point, started, finished, row)}


def _factors(split: Split, trial: Trial, point: Point) -> dict[str, Any]:
    cell = trial.cell
    return {
        "trial": trial.id,
        "model": cell.model,
        "loss": cell.loss,
        "split": cell.split,
        "split_kind": split.kind,
        "axis": split.axis,
        "seed": cell.seed,
        "index": trial.index,
        "width": point.width,
        "strength": point.strength,
    }


def _trials_table(
    study: Prepared, trial: Trial, point: Point, started: datetime, finished: datetime, row: dict[str, Any]
) -> pa.Table:
    split = study.splits[trial.cell.split]
    common = {
        "num_train": len(split.train),
        "num_val": len(split.val),
        "num_test": len(split.test),
        "host": platform.node(),
        "started": started,
        "finished": finished,
        "recipe_digest": study.definition.recipe_digest(),
        "data_fingerprint": study.data_fingerprint,
        "split_fingerprint": split.fingerprint,
        "git_commit": study.provenance.git_commit,
        "versions": study.provenance.versions,
    }
    return table_of("trials", [_factors(split, trial, point) | common | row], recipe=study.definition.recipe())


def _class_names(study: Prepared) -> list[str]:
    return [abbreviation(name) for name in ("background", *study.source.samples.classes)]


def _dice_table(study: Prepared, trial: Trial, point: Point, evaluations: Mapping[str, Evaluation]) -> pa.Table:
    rows, factors = [], _factors(study.splits[trial.cell.split], trial, point)
    for partition, evaluation in evaluations.items():
        scores = dice(evaluation.confusion_NKK, study.definition.training.epsilon)
        rows += [factors | {"partition": partition} | row for row in _score_rows(scores, _class_names(study))]
    return table_of("dice", rows)


def _score_rows(scores: DiceScores, names: Sequence[str]) -> list[dict[str, Any]]:
    per_class = zip(names, scores.pw, scores.ew, scores.pooled, scores.num_images, scores.false_images, strict=True)
    everything = (
        "all",
        scores.all_pw,
        scores.all_ew,
        scores.all_pooled,
        sum(scores.num_images),
        sum(scores.false_images),
    )
    columns = ("class", "dice_pw", "dice_ew", "dice_pooled", "num_images", "false_images")
    return [dict(zip(columns, map(_plain, values), strict=True)) for values in (*per_class, everything)]


def _plain(value: Any) -> Any:
    """A Python value; undefined (NaN) is null."""
    if isinstance(value, str):
        return value
    return None if np.isnan(value) else np.asarray(value).item()


def _confusion_table(study: Prepared, trial: Trial, evaluations: Mapping[str, Evaluation]) -> pa.Table:
    """One row for each (image, truth, predicted) with at least one pixel."""
    names = np.array(_class_names(study), dtype=object)
    split = study.splits[trial.cell.split]
    parts = []
    for partition, evaluation in evaluations.items():
        images = np.array({"val": split.val, "test": split.test}[partition], dtype=object)
        image, truth, predicted = np.nonzero(evaluation.confusion_NKK)
        count = len(image)
        columns = [
            pa.array([trial.id] * count),
            pa.array([partition] * count),
            pa.array(images[image]),
            pa.array(names[truth]),
            pa.array(names[predicted]),
            pa.array(evaluation.confusion_NKK[image, truth, predicted]),
        ]
        parts.append(pa.Table.from_arrays(columns, schema=table_of("confusion", []).schema))
    return pa.concat_tables(parts)


def _history_table(trial: Trial, history: Sequence[Epoch]) -> pa.Table:
    return table_of("history", [{"trial": trial.id} | asdict(epoch) for epoch in history])


def _masks_table(study: Prepared, trial: Trial, test: Evaluation) -> pa.Table:
    images = study.splits[trial.cell.split].test
    rows = [
        {"trial": trial.id, "image": image, "mask": _png(predicted)}
        for image, predicted in zip(images, test.predicted_NHW, strict=True)
    ]
    return table_of("masks", rows)


def _png(labels_HW: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(labels_HW).save(buffer, format="PNG")
    return buffer.getvalue()
