"""A network trained on all samples, as the study has learned to: a trial of its own kind, with a row, and without a
score. It is committed to OUT, so that the same command trains it but once, and its weights stay there."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from study.cells import Trial
from study.definition.point import Point
from study.errors import StudyError
from study.export.fetched import Weights, trained
from study.planning.cost import readable
from study.prepare import Prepared
from study.results import Results
from study.results.checkpoints import Checkpoints
from study.results.digests import Row
from study.results.weights import file_of
from trainers.printable import counted

if TYPE_CHECKING:
    from trainers.outcome import Epoch


def train_refit(
    prepared: Prepared,
    results: Results,
    refit: Trial,
    of_grid: Row,
    say: Callable[[str], None],
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> tuple[Row, Weights | None]:
    """Train it, and commit it to OUT, its weights beside it; a training that diverged, too, which has no weights.

    One that was interrupted goes on from its last kept epoch. Raises StudyError if OUT cannot be written to, which is
    found before the training where it can be, or the network cannot be trained here.

    :param of_grid: the row of the study's trial at whose point it is trained.
    """
    _refuse_what_cannot_be_written(results)
    say(_what_it_takes(results, refit, of_grid, len(prepared.split_of(refit).train)))
    point = Point.from_json(of_grid["point"])
    checkpoints = Checkpoints(results, prepared, refit, point)
    tables, weights = trained(prepared, refit, point, on_epoch, checkpoints)
    try:
        results.commit(tables)
    except OSError as error:
        why = error.strerror or error
        raise StudyError(
            f"{results.out}: {refit.id} is trained, and cannot be kept there: {why}. Mend that, and export again"
        ) from error
    checkpoints.remove()
    if weights:
        try:
            results.write_bytes(file_of(refit), weights.content)
        except StudyError as error:  # they are handed over all the same, and can be made again
            say(f"Weights not kept: {error}")
    row: Row = tables["trials"].to_pylist()[0]
    return row, weights


def refuse_diverged(row: Row) -> None:
    """Raises StudyError for a refit that has no network to hand over."""
    if row["status"] == "failed":
        raise StudyError(
            f"{row['trial']} diverged: {row['error']}. Trained again it would do the same, so it is not: hand over a "
            "network of the study's own splits, without --refit"
        )


def _refuse_what_cannot_be_written(results: Results) -> None:
    name = f".check-{uuid.uuid4().hex[:12]}"
    results.write_text(name, "")
    results.remove(name)


def _what_it_takes(results: Results, refit: Trial, of_grid: Row, num_images: int) -> str:
    """By the pace of the trial at whose point it is trained."""
    num_epochs = results.read_trial("history", of_grid["trial"]).num_rows
    seconds_of_image = (of_grid["train_seconds"] or 0.0) / (num_epochs * of_grid["num_train"])
    seconds = seconds_of_image * num_images * (refit.epochs or num_epochs)
    return (
        f"{refit.id} is trained on all {counted(num_images, 'image')} for {counted(refit.epochs or 0, 'epoch')}: about "
        f"{readable(seconds)}, by the pace of {of_grid['trial']} on {of_grid['device']}."
    )
