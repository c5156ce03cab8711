"""One trial, start to finish, wherever it runs. Knows no Ray."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pyarrow as pa

from study import tables
from study.cells import Point, Trial
from study.prepare import Prepared
from trainers.evaluate import evaluate, latency
from trainers.train import Diverged, Epoch, Job, train


def run_trial(
    study: Prepared, trial: Trial, point: Point, on_epoch: Callable[[Epoch], None] = lambda epoch: None
) -> dict[str, pa.Table]:
    """Train and evaluate one trial; its tables, to be committed. A trial that diverges is a result, too."""
    recipe, split, started = study.definition.training, study.splits[trial.cell.split], datetime.now(UTC)
    job = Job(trial.cell.model, trial.cell.loss, point.width, point.strength, (study.definition.seed, trial.id))
    history: list[Epoch] = []

    def keep(epoch: Epoch) -> None:
        history.append(epoch)
        on_epoch(epoch)

    try:
        trained = train(job, recipe, study.dataset, split, keep)
    except Diverged as error:
        return tables.failed(study, trial, point, history, str(error), started, datetime.now(UTC))
    partitions = {"val": split.val, "test": split.test}
    evaluations = {name: evaluate(trained, job, recipe, study.dataset, part) for name, part in partitions.items()}
    cost = latency(trained, recipe.image_size)
    return tables.completed(study, trial, point, trained, evaluations, cost, started, datetime.now(UTC))
