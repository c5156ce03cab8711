"""One trial, start to finish, wherever it runs. Knows no Ray."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from study.cells import Trial
from study.definition.point import Point
from study.prepare import Prepared
from study.results import tables
from study.results.checkpoints import Checkpoints
from study.results.digests import Row
from study.simulation import simulate
from trainers.outcome import CannotBeTrained, Epoch, Latency, OutOfGpuMemory


def run_trial(
    study: Prepared,
    trial: Trial,
    point: Point,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    checkpoints: Checkpoints | None = None,
    on_trained: Callable[[Any, Row], None] | None = None,
) -> dict[str, pa.Table]:
    """Train and evaluate one trial; its tables, to be committed. A trial that diverges is a result, too.

    With `checkpoints` it goes on from the last epoch that another worker kept, and its tables are those of a trial that
    one worker has run from start to end.
    `on_trained` is given the network (a torch module) and the row of a trial that did not diverge.
    A definition with `simulate` set draws plausible results instead. Raises OutOfGpuMemory, CannotBeTrained.
    """
    if study.definition.simulate:
        return simulate(tables.Run(study, trial, point), on_epoch)

    from trainers.evaluate import evaluate, latency
    from trainers.train import Diverged, Job, train

    run = tables.Run(study, trial, point)
    network, loss = study.definition.network(trial.cell.model), study.definition.loss(trial.cell.loss)
    purpose = study.definition.seed, trial.whole_id
    job = Job(network.make, loss.make, run.recipe, purpose, trial.epochs, network.args, loss.args)
    resume = checkpoints.last(trial.epochs) if checkpoints else None
    history = [Epoch(**line) for line in resume["history"]] if resume else []

    def after_epoch(epoch: Epoch, state: Callable[[], dict[str, Any]]) -> None:
        history.append(epoch)
        if checkpoints:
            checkpoints.keep(state, is_last=epoch.epoch == trial.epochs)
        on_epoch(epoch)

    partitions = {name: ids for name, ids in (("val", run.split.val), ("test", run.split.test)) if ids}
    try:
        with refusals_of_torch(trial.cell.model, trial.cell.loss):
            trained = train(job, study.source, run.split, after_epoch, resume)
            evaluations = {
                name: evaluate(trained, job, study.source, run.split, ids) for name, ids in partitions.items()
            }
            cost = _cost(run, trained, latency(trained, run.recipe.training.size))
    except Diverged as error:
        return tables.failed(run, history, str(error))
    made = tables.completed(run, cost, trained.history, trained.selected_epoch, evaluations)
    if on_trained:
        on_trained(trained.model, made["trials"].to_pylist()[0])
    return made


@contextmanager
def refusals_of_torch(model: str, loss: str) -> Iterator[None]:
    """What torch refuses in this block, as OutOfGpuMemory, or as CannotBeTrained with the remedy."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise OutOfGpuMemory(str(error).partition("\n")[0]) from None
    except RuntimeError as error:
        if operation := _without_deterministic_implementation(error):
            raise CannotBeTrained(_remedy(operation, model, loss)) from error
        if "bf16 path needs the cpu support" in str(error):
            raise CannotBeTrained(
                'this CPU has no convolutions in bfloat16: set training.precision to "fp32", or to "auto", which '
                "takes bfloat16 where the hardware has it"
            ) from error
        raise


def _without_deterministic_implementation(error: RuntimeError) -> str | None:
    """The operation that torch refuses, by the name that it gives it; None for another error."""
    found = re.match(r"(\S+) does not have a deterministic implementation", str(error))
    return found[1] if found else None


def _remedy(operation: str, model: str, loss: str) -> str:
    return (
        f"{model} with {loss} needs {operation}, which gives other bits each time on this device: put "
        "another operation in its place, or set training.deterministic = false (every row then says so)"
    )


def _cost(run: tables.Run, trained: Any, latency: Latency) -> dict[str, Any]:
    """The columns of `trials` that say what a trained network costs, and on what it was trained."""
    import torch

    from trainers.networks import network

    device, recipe, num_classes = trained.device, run.recipe, len(run.study.source.samples.labels)
    own = run.study.definition.network(run.trial.cell.model)
    cost = network(own.make, own.args).cost(num_classes, dict(recipe.model), recipe.training.size)
    return {
        "parameters": cost.parameters,
        "gflops": cost.gflops,
        "latency_ms_median": latency.median,
        "latency_ms_p95": latency.p95,
        "train_seconds": trained.train_seconds,
        "images_per_second": trained.images_per_second,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "precision": str(trained.precision).removeprefix("torch."),
    }
