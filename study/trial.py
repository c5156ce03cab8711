"""One trial, start to finish, wherever it runs. Knows no Ray."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from study import tables
from study.cells import Point, Trial
from study.checkpoints import Checkpoints
from study.prepare import Prepared
from study.simulation import simulate
from trainers.outcome import Epoch, Latency, OutOfGpuMemory


def run_trial(
    study: Prepared,
    trial: Trial,
    point: Point,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    checkpoints: Checkpoints | None = None,
) -> dict[str, pa.Table]:
    """Train and evaluate one trial; its tables, to be committed. A trial that diverges is a result, too.

    With `checkpoints` it goes on from the last epoch that another worker kept, and ends as if there had been no other.
    A definition with `simulate` set draws plausible results instead. Raises OutOfGpuMemory.
    """
    if study.definition.simulate:
        return simulate(study, trial, point, on_epoch)
    import torch  # takes seconds to import: not where nothing is trained

    from trainers.evaluate import evaluate, latency
    from trainers.train import Diverged, Job, train

    recipe, split, started = study.definition.training, study.splits[trial.cell.split], datetime.now(UTC)
    job = Job(trial.cell.model, trial.cell.loss, point.width, point.strength, (study.definition.seed, trial.id))
    resume = checkpoints.last() if checkpoints else None
    history = [Epoch(**line) for line in resume["history"]] if resume else []

    def after_epoch(epoch: Epoch, state: Callable[[], dict[str, Any]]) -> None:
        history.append(epoch)
        if checkpoints:
            checkpoints.keep(state)
        on_epoch(epoch)

    partitions = {"val": split.val, "test": split.test}
    try:
        trained = train(job, recipe, study.source, split, after_epoch, resume)
        evaluations = {
            name: evaluate(trained, job, recipe, study.source, split, ids) for name, ids in partitions.items()
        }
        cost = _cost(study, trial, point, trained, latency(trained, recipe.image_size))
    except Diverged as error:
        return tables.failed(study, trial, point, history, str(error), started, datetime.now(UTC))
    except torch.OutOfMemoryError as error:
        raise OutOfGpuMemory(str(error).partition("\n")[0]) from None
    history_, selected = trained.history, trained.selected_epoch
    return tables.completed(study, trial, point, cost, history_, selected, evaluations, started, datetime.now(UTC))


def _cost(study: Prepared, trial: Trial, point: Point, trained: Any, latency: Latency) -> dict[str, Any]:
    """The columns of `trials` that say what a trained network costs, and on what it was trained."""
    import torch

    from trainers.models import gflops, num_parameters

    device = trained.device
    num_classes, size = len(study.source.samples.classes) + 1, study.definition.training.image_size
    return {
        "parameters": num_parameters(trained.model),
        "gflops": gflops(trial.cell.model, num_classes, point.width, size),
        "latency_ms_median": latency.median,
        "latency_ms_p95": latency.p95,
        "train_seconds": trained.train_seconds,
        "images_per_second": trained.images_per_second,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "precision": str(trained.precision).removeprefix("torch."),
    }
