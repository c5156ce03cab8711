"""All of Ray: a schedule's trials, run by the workers of a cluster (or of this machine) through Ray Tune."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ray
import ray.exceptions
import ray.tune
from ray.tune.experiment import Trial as TuneTrial
from ray.tune.search import Searcher

from study.cells import Point, Trial, parse_trial
from study.checkpoints import Checkpoints
from study.cost import seconds_at
from study.definition import Definition
from study.errors import StudyError
from study.prepare import Prepared
from study.progress import SECONDS_BETWEEN_HEARTBEATS, Progress
from study.results import Results
from study.schedule import Schedule
from study.trial import run_trial
from trainers.outcome import Epoch

Watch = Callable[[Progress, str | None], None]
"""Called with the run's state on every turn of the driver's loop, and with a line when something happened."""


class CellSearcher(Searcher):  # type: ignore[misc]
    """Hands Tune the next trial of whichever cell may go on; None while all must wait."""

    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        self._schedule = schedule
        self._handed_out: dict[str, Trial] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        if self._schedule.exhausted:
            return str(Searcher.FINISHED)
        handed_out = self._schedule.next()
        if handed_out is None:
            return None
        trial, point = handed_out
        self._handed_out[trial_id] = trial
        return {"trial": trial.id, **point._asdict()}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        trial = self._handed_out.pop(trial_id)
        if error or not result or not result.get("committed"):
            self._schedule.rest(trial.cell)
        else:
            self._schedule.complete(trial, result["objective"])

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the Parquet on disk is the only state."""

    def restore(self, checkpoint_path: str) -> None:
        raise NotImplementedError("a study is resumed by running it again")


class _Reporter(ray.tune.Callback):  # type: ignore[misc]
    """Tune's events -> the run's progress."""

    def __init__(self, study: Prepared, progress: Progress, watch: Watch) -> None:
        self._study, self._progress, self._watch = study, progress, watch
        self._nodes_seen = time.time()

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its callbacks to restore an experiment, which we never do; and a screen cannot be pickled."""
        return {}

    def on_step_end(self, iteration: int, trials: list[TuneTrial], **info: Any) -> None:
        self._progress.updated = time.time()
        self._refuse_to_wait_for_no_node()
        self._watch(self._progress, None)

    def _refuse_to_wait_for_no_node(self) -> None:
        """Tune itself would wait for ever for a cluster that is gone."""
        if self._progress.updated - self._nodes_seen > SECONDS_BETWEEN_HEARTBEATS:
            self._nodes_seen = self._progress.updated
            if not any(node["Alive"] for node in ray.nodes()):
                raise StudyError("Ray has lost its last node. What is committed stays: run the same command again.")

    def on_trial_start(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        ours = parse_trial(trial.config["trial"])
        definition = self._study.definition
        work = seconds_at(definition, ours.cell.model, trial.config["width"], self._num_train(ours))
        self._progress.start(ours, definition.training.epochs, work)

    def on_trial_result(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, result: dict[str, Any], **info: Any
    ) -> None:
        ours = parse_trial(trial.config["trial"])
        if result.get("committed"):
            self._progress.finish(ours, result["objective"])
            self._watch(self._progress, result["line"])
        else:
            speed = self._num_train(ours) / result["seconds"]
            self._progress.epoch(ours, result["epoch"], speed, result["hostname"])

    def on_trial_recover(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        self._watch(self._progress, f"{trial.config['trial']} is tried again: {_last_line(trial)}")

    def on_trial_error(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        ours = parse_trial(trial.config["trial"])
        reason = _last_line(trial)
        self._progress.give_up(ours, reason)
        attempts = self._study.definition.resources.attempts
        self._watch(self._progress, f"{ours.id} could not be run in {attempts} attempts, its cell rests: {reason}")

    def _num_train(self, trial: Trial) -> int:
        return len(self._study.splits[trial.cell.split].train)


def run_schedule(
    study: Prepared,
    schedule: Schedule,
    results: Results,
    progress: Progress,
    watch: Watch,
    address: str | None = None,
    ray_log: bool = False,
) -> None:
    """Run every trial of the schedule that can be run. Returns when none is left, also if some cells rest."""
    resources = study.definition.resources
    with _connected(address, ray_log):
        trainable = ray.tune.with_resources(
            ray.tune.with_parameters(_train, study=study, out=results.place()), _trial_resources(study.definition)
        )
        tuner = ray.tune.Tuner(
            trainable,
            tune_config=ray.tune.TuneConfig(
                search_alg=CellSearcher(schedule),
                num_samples=-1,
                max_concurrent_trials=_workers(study.definition),
                reuse_actors=True,
                trial_name_creator=lambda trial: trial.config["trial"],
                trial_dirname_creator=lambda trial: trial.config["trial"],
            ),
            run_config=ray.tune.RunConfig(
                name=time.strftime("run-%Y%m%d-%H%M%S"),
                storage_path=results.place("ray"),
                failure_config=ray.tune.FailureConfig(max_failures=resources.attempts - 1),
                callbacks=[_Reporter(study, progress, watch)],
                verbose=0,
            ),
        )
        tuner.fit()


def _train(config: dict[str, Any], study: Prepared, out: str) -> None:
    """What a worker does: one trial, committed by the worker itself."""
    trial, results = parse_trial(config["trial"]), Results(out)
    if not results.has("trials", trial.id):  # it is there if a node died between the commit and its report
        point = Point(config["width"], config["strength"])
        checkpoints = Checkpoints(results, study, trial, point)
        results.commit(run_trial(study, trial, point, _report, checkpoints))
        checkpoints.remove()
    row = results.read_trial("trials", trial.id).to_pylist()[0]
    ray.tune.report({"committed": True, "objective": row["objective"], "line": _line(row)})


def _report(epoch: Epoch) -> None:
    ray.tune.report({"epoch": epoch.epoch, "seconds": epoch.seconds})


def _line(row: dict[str, Any]) -> str:
    point = f"width {row['width']:.2f} strength {row['strength']:.2f}"
    if row["status"] == "failed":
        return f"{row['trial']}  {point}  failed: {row['error']}"
    objective = "undefined" if row["objective"] is None else f"{row['objective']:.3f}"
    return (
        f"{row['trial']}  {point}  validation Dice {objective} at epoch {row['selected_epoch']}  "
        f"{row['train_seconds']:.0f} s, {row['images_per_second']:.0f} images/s"
    )


@contextlib.contextmanager
def _connected(address: str | None, ray_log: bool) -> Iterator[None]:
    """A Ray of our own on loopback, or the cluster at `address`; quiet, and left as it was found."""
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"  # our tables are the record
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"  # the new output prints a banner even when silent
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # Ctrl-C reaches us as KeyboardInterrupt
    os.environ["TUNE_GLOBAL_CHECKPOINT_S"] = "3600"  # snapshots of Tune's state: we never read them
    os.environ["TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S"] = "0"
    level = logging.INFO if ray_log else logging.CRITICAL
    options: dict[str, Any] = {"logging_level": level, "log_to_driver": ray_log}
    logging.getLogger("ray.tune").setLevel(level)
    if address is None:
        options |= {"address": "local", "include_dashboard": False}
    else:
        options |= {"address": address}
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**options)
    except (ConnectionError, ValueError, ray.exceptions.RaySystemError) as error:
        raise StudyError(f"no Ray cluster can be reached at {address or 'this machine'}: {error}") from None
    signal.signal(signal.SIGTERM, on_sigterm)  # Ray has put its own there, which ends the process on the spot
    try:
        yield
    finally:
        ray.shutdown()


def _workers(definition: Definition) -> int:
    """Trials at once: what the cluster holds, or the definition's limit if that is lower."""
    total, threads = ray.cluster_resources(), definition.training.threads
    roomiest = max(node["Resources"].get("CPU", 0) for node in ray.nodes())
    if roomiest < threads:  # Tune would wait for ever
        raise StudyError(
            f"a trial takes {threads} CPUs (training.threads), and no node has more than {roomiest:g}; "
            "lower training.threads, or add a larger node"
        )
    if total.get("GPU"):
        most = int(total["GPU"] / min(definition.resources.gpus.get(m, 1.0) for m in definition.grid.models))
    else:
        most = int(total["CPU"] / threads)
    return min(most, definition.resources.workers or most)


def _trial_resources(definition: Definition) -> Any:
    """Tune's `config -> resources` of a trial: CPUs, and the model's share of a GPU where there are any."""
    cpus, shares = {"CPU": definition.training.threads}, definition.resources.gpus
    if not ray.cluster_resources().get("GPU"):
        return ray.tune.PlacementGroupFactory([cpus])

    def of_trial(config: dict[str, Any]) -> ray.tune.PlacementGroupFactory:
        share = shares.get(parse_trial(config["trial"]).cell.model, 1.0)
        return ray.tune.PlacementGroupFactory([cpus | {"GPU": share}])

    return of_trial


def _last_line(trial: TuneTrial) -> str:
    """The last line of the trial's newest error, as Tune keeps it on the driver's disk: what was raised."""
    path = Path(trial.error_file or "")
    text = path.read_text(errors="replace") if path.is_file() else ""
    return ([line.strip() for line in text.splitlines() if line.strip()] or ["the worker was lost"])[-1]
