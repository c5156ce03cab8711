"""What a worker does: one trial, committed by the worker itself."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
import ray.tune

from study.cells import parse_trial
from study.cluster.private import is_private
from study.cluster.transfer import make_present
from study.definition.point import Point
from study.parts import check_weights
from study.patience import FULL_DISK, LASTING, retry
from study.prepare import Prepared, differing_versions
from study.results import Results
from study.results.checkpoints import Checkpoints
from study.results.weights import keeper, remove_all
from study.selection import cost_column
from study.trial import run_trial
from trainers.outcome import CannotBeTrained, Epoch, OutOfGpuMemory

SECONDS_BETWEEN_REPORTS = 5.0


def train(config: dict[str, Any], study: Prepared, out: str, home: str) -> None:
    """Run the trial that `config` names, unless OUT has it; commit it; tell the driver.

    Told, not raised, as another attempt of the same kind would not help: that a trial does not fit into its share of a
    GPU (the driver tries it again with a whole one), that its numbers would differ each time, and that OUT takes no
    results (the driver ends the run).

    :param home: the driver's node.
    """
    _check_node(study)
    study.outside.make_findable()
    trial, results, resources = parse_trial(config["trial"]), Results(out), study.definition.resources
    patience = resources.patience_seconds
    # It is there already if a node died between the commit and its report.
    row = retry(lambda: results.sound_row(trial.id), patience)
    if row is not None and row["recipe_digest"] != study.definition.recipe_digest():
        ray.tune.report({"cannot_commit": f"{trial.id} is there, of another recipe"})
        return
    if row is None:
        make_present(study.source, home)
        if not study.definition.simulate:
            check_weights(study.definition, study.outside, trial.cell.model, len(study.source.samples.labels))
        point = Point.from_json(config["point"])
        checkpoints = Checkpoints(results, study, trial, point)
        keep = keeper(results, study, trial, config["to_beat"])
        try:
            tables = run_trial(study, trial, point, _reporter(), checkpoints, keep)
        except OutOfGpuMemory as error:
            ray.tune.report({"out_of_memory": str(error)})
            return
        except CannotBeTrained as error:
            ray.tune.report({"cannot_be_trained": str(error)})
            return
        try:
            _commit(results, tables, patience)
        except OSError as error:
            if error.errno not in LASTING:
                raise
            ray.tune.report({"cannot_commit": str(error)})
            return
        if trial.epochs is None:  # else the next rung goes on from it
            retry(checkpoints.remove, patience)
        row = tables["trials"].to_pylist()[0]
    column = cost_column(study.definition.search.objectives)
    cost = row[column] if column else None
    told = {"objective": row["objective"], "diverged": row["status"] == "failed", "cost": cost, "line": _line(row)}
    ray.tune.report({"committed": True, **told})


def _check_node(study: Prepared) -> None:
    """A node that joined after the run began was not looked at before."""
    if not study.definition.resources.mixed_versions and (differing := differing_versions(study.provenance.versions)):
        raise RuntimeError(f"this node differs from the driver: {differing}")
    session = ray._private.worker.global_worker.node.get_session_dir_path()
    if Path(__file__).is_relative_to(session) and not is_private(session):
        raise RuntimeError(
            f"other users of this node can exchange the code that was sent to it: {session} is open to them"
        )
    if ray.get_gpu_ids() and not study.definition.simulate:
        import torch

        if not torch.cuda.is_available():
            raise RuntimeError(f"Ray has given this trial a GPU, but torch {torch.__version__} finds none on this node")


def _reporter() -> Callable[[Epoch], None]:
    """Tells the driver of epochs: of the first two, by which it knows how long they take here (a worker's first is
    longer, as memory is taken), then not more often than it can take from thousands of workers."""
    reported, count = -math.inf, 0

    def report(epoch: Epoch) -> None:
        nonlocal reported, count
        count += 1
        if count <= 2 or time.monotonic() - reported >= SECONDS_BETWEEN_REPORTS:
            reported = time.monotonic()
            ray.tune.report({"epoch": epoch.epoch, "seconds": epoch.seconds})

    return report


def _commit(results: Results, tables: dict[str, Any], patience: float) -> None:
    """On a full disk kept networks make room: they can be made again, results cannot without a training."""
    try:
        retry(lambda: results.commit(tables), patience)
    except OSError as error:
        if error.errno not in FULL_DISK:
            raise
        remove_all(results)
        results.commit(tables)


def _line(row: dict[str, Any]) -> str:
    point = Point.from_json(row["point"])
    if row["status"] == "failed":
        return f"{row['trial']}  {point}  failed: {row['error']}"
    objective = "undefined" if row["objective"] is None else f"{row['objective']:.3f}"
    return (
        f"{row['trial']}  {point}  validation Dice {objective} at epoch {row['selected_epoch']}  "
        f"{row['train_seconds']:.0f} s, {row['images_per_second']:.0f} images/s"
    )
