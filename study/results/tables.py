"""Facts of one trial -> its rows in the tables. Imports neither torch nor ray."""

from __future__ import annotations

import io
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from study.cells import Trial
from study.definition.point import Point
from study.prepare import Prepared
from study.results.schemas import SCHEMAS, table_of
from trainers.boundaries import FARTHER, SIDES
from trainers.data.class_names import names_in_tables
from trainers.data.split import Split
from trainers.dice import ClassScores, dice_of_shown
from trainers.names import NETWORKS
from trainers.outcome import Epoch, Evaluation
from trainers.recipe import Recipe


@dataclass(frozen=True)
class Run:
    """One trial of a study at one point: what all its rows say."""

    study: Prepared
    trial: Trial
    point: Point
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    @cached_property
    def recipe(self) -> Recipe:
        """The definition's, with the point laid over it."""
        return self.study.definition.recipe.at(self.point)

    @cached_property
    def split(self) -> Split:
        return self.study.split_of(self.trial)

    @property
    def _arguments(self) -> Mapping[str, Any]:
        """What this network takes, of the recipe's section model and of its own."""
        own, given = self.study.definition.network(self.trial.cell.model), dict(self.recipe.model)
        if own.make in NETWORKS:
            return given | own.args
        from trainers.networks import network  # torch takes seconds to import: not for those who only read

        return network(own.make, own.args).arguments(given)

    @cached_property
    def factors(self) -> dict[str, Any]:
        """The columns that say which trial it is."""
        cell = self.trial.cell
        return {
            "trial": self.trial.id,
            "model": cell.model,
            "loss": cell.loss,
            "split": self.split.name,
            "split_kind": self.split.kind,
            "axis": self.split.axis,
            "seed": cell.seed,
            "index": self.trial.index,
            "rung": self.trial.epochs,
            "point": self.point.to_json(),
            "width": self._arguments.get("width"),
            "strength": self.recipe.augmentation.strength,
        }


def completed(
    run: Run,
    cost: Mapping[str, Any],
    history: Sequence[Epoch],
    selected_epoch: int,
    evaluations: Mapping[str, Evaluation],
) -> dict[str, pa.Table]:
    """All tables of a trial that was trained and evaluated, and finished just now; of a refit only history and row.

    :param cost: the columns of `trials` that say what the network costs, and on what it was trained.
    :param evaluations: by partition; empty of a refit, which leaves no sample to evaluate on.
    """
    row = {"status": "completed", "selected_epoch": selected_epoch, **cost}
    row["objective"] = history[selected_epoch - 1].objective
    judged = _judged(run, evaluations) if evaluations else {}
    return judged | {"history": _history_table(run.trial, history), "trials": _trials_table(run, row)}


def _judged(run: Run, evaluations: Mapping[str, Evaluation]) -> dict[str, pa.Table]:
    """The tables of what was counted; no boundaries where predictions were drawn."""
    boundaries = _boundary_table(run, evaluations)
    return {
        "dice": _dice_table(run, evaluations),
        "confusion": _confusion_table(run, evaluations),
        **({} if boundaries is None else {"boundary": boundaries}),
        "masks": _masks_table(run, evaluations["test"]),
    }


def failed(run: Run, history: Sequence[Epoch], error: str) -> dict[str, pa.Table]:
    """The tables of a trial that diverged: its row with the reason, and the epochs it completed."""
    tables = {"history": _history_table(run.trial, history)} if history else {}
    return tables | {"trials": _trials_table(run, {"status": "failed", "error": error})}


def _trials_table(run: Run, row: dict[str, Any]) -> pa.Table:
    study, split = run.study, run.split
    common = {
        "num_train": len(split.train),
        "num_val": len(split.val),
        "num_test": len(split.test),
        "deterministic": run.recipe.training.deterministic,
        "host": platform.node(),
        "started": run.started,
        "finished": datetime.now(UTC),
        "recipe_digest": study.definition.recipe_digest(),
        "data_fingerprint": study.data_fingerprint,
        "split_fingerprint": split.fingerprint,
        "code": study.outside.identity_of(run.trial.cell),
        "git_commit": study.provenance.git_commit,
        "versions": study.provenance.versions,
    }
    return table_of("trials", [run.factors | common | row], recipe=study.definition.keys_that_decide_a_trial())


def _class_names(study: Prepared) -> list[str]:
    return names_in_tables(study.source.samples.labels)


def _dice_table(run: Run, evaluations: Mapping[str, Evaluation]) -> pa.Table:
    rows, names = [], _class_names(run.study)
    for partition, evaluation in evaluations.items():
        scores = dice_of_shown(evaluation.confusion_NKK, run.recipe.training.epsilon)
        rows += [run.factors | {"partition": partition} | row for row in _score_rows(scores, names)]
    return table_of("dice", rows)


def _score_rows(scores: ClassScores, names: Sequence[str]) -> list[dict[str, Any]]:
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


def _confusion_table(run: Run, evaluations: Mapping[str, Evaluation]) -> pa.Table:
    """One row for each (image, truth, predicted) with at least one pixel."""
    names, split = np.array(_class_names(run.study), dtype=object), run.split
    parts = []
    for partition, evaluation in evaluations.items():
        images = np.array({"val": split.val, "test": split.test}[partition], dtype=object)
        image, truth, predicted = np.nonzero(evaluation.confusion_NKK)
        count = len(image)
        columns = [
            pa.array([run.trial.id] * count),
            pa.array([partition] * count),
            pa.array(images[image]),
            pa.array(names[truth]),
            pa.array(names[predicted]),
            pa.array(evaluation.confusion_NKK[image, truth, predicted]),
        ]
        parts.append(pa.Table.from_arrays(columns, schema=table_of("confusion", []).schema))
    return pa.concat_tables(parts)


def _boundary_table(run: Run, evaluations: Mapping[str, Evaluation]) -> pa.Table | None:
    """One row for each (image, class, side, distance) with at least one pixel; None where nothing was counted, but
    drawn."""
    names, parts = np.array(_class_names(run.study), dtype=object), []
    for partition, evaluation in evaluations.items():
        if evaluation.boundary_NK2D is None:
            return None
        images = np.array({"val": run.split.val, "test": run.split.test}[partition], dtype=object)
        image, of_class, side, distance = places = np.nonzero(evaluation.boundary_NK2D)
        columns = [
            pa.array([run.trial.id] * len(image)),
            pa.array([partition] * len(image)),
            pa.array(images[image]),
            pa.array(names[of_class]),
            pa.array(np.array(SIDES, dtype=object)[side]),
            pa.array(distance.astype(np.int32), mask=distance == FARTHER),
            pa.array(evaluation.boundary_NK2D[places]),
        ]
        parts.append(pa.Table.from_arrays(columns, schema=SCHEMAS["boundary"]))
    return pa.concat_tables(parts)


def _history_table(trial: Trial, history: Sequence[Epoch]) -> pa.Table:
    return table_of("history", [{"trial": trial.id} | asdict(epoch) for epoch in history])


def _masks_table(run: Run, test: Evaluation) -> pa.Table:
    images = run.split.test
    rows = [
        {"trial": run.trial.id, "image": image, "mask": _png(predicted)}
        for image, predicted in zip(images, test.predicted_NHW, strict=True)
    ]
    return table_of("masks", rows)


def _png(labels_HW: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(labels_HW).save(buffer, format="PNG")
    return buffer.getvalue()
