"""Every trial as a run of an MLflow experiment that is called as the study: parameters, curves, scores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from analysis.errors import AnalysisError
from analysis.export.kept import CURVES, NAMING, Kept, KeptTrial

TRIAL = "segmentation_stability.trial"
"""The tag that names a run's trial."""
_TRAINING = "segmentation_stability.training"
"""The tag that tells trials of one name apart."""
_TAGS = ("device", "recipe_digest", "error", "simulated")
_COSTS = ("parameters", "gflops", "latency_ms_median", "train_seconds", "images_per_second")
_AT_ONCE = 900
"""Metrics of one call: MLflow takes 1,000."""


def write(kept: Kept, place: str) -> int:
    """Runs that are there whole are left as they are; one that was not finished is made anew."""
    try:
        client = MlflowClient(place)
        experiment = _experiment(client, kept.definition.name)
        there = _finished(client, experiment)
        kept.refuse_others(place, there)
        new = list(kept.trials(without=there))
        for trial in new:
            _write(client, experiment, trial)
    except (MlflowException, OSError) as error:
        raise AnalysisError(f"{place} takes no MLflow run: {str(error).splitlines()[0]}") from None
    return len(new)


def _experiment(client: MlflowClient, name: str) -> str:
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found else client.create_experiment(name))


def _finished(client: MlflowClient, experiment: str) -> dict[str, str | None]:
    """Trial -> which training it is of, of its whole runs; the others are removed."""
    trials, token = dict[str, str | None](), None
    while True:
        page = client.search_runs([experiment], f"tags.`{TRIAL}` != ''", page_token=token)
        for run in page:
            if run.info.status == "RUNNING":
                client.delete_run(run.info.run_id)
            else:
                trials[run.data.tags[TRIAL]] = run.data.tags.get(_TRAINING)
        if not (token := page.token):
            return trials


def _write(client: MlflowClient, experiment: str, trial: KeptTrial) -> None:
    row = trial.row
    started, finished = (_milliseconds(row[name]) for name in ("started", "finished"))
    named = {TRIAL: trial.id, _TRAINING: trial.training}
    run = client.create_run(experiment, start_time=started, tags=named, run_name=trial.id).info.run_id
    params = [Param(key, str(value)) for key, value in {**trial.facts(NAMING), **trial.point}.items()]
    tags = [RunTag(name, str(value)) for name, value in trial.facts(_TAGS).items()]
    client.log_batch(run, params=params, tags=tags)
    times = {epoch: int(1000 * time) for epoch, time in trial.ended().items()}
    metrics = [Metric(name, value, times.get(step, finished or 0), step) for name, value, step in _metrics(trial)]
    for first in range(0, len(metrics), _AT_ONCE):
        client.log_batch(run, metrics=metrics[first : first + _AT_ONCE])
    client.set_terminated(run, "FAILED" if trial.has_failed else "FINISHED", finished)


def _metrics(trial: KeptTrial) -> Iterator[tuple[str, float, int]]:
    """Name, value, and step: the epoch."""
    for name in CURVES:
        yield from ((name, value, epoch) for epoch, value in trial.curve(name).items())
    for averaging, class_name, dice in trial.test_scores():
        yield f"test_dice_{averaging}/{class_name}", dice, trial.num_epochs
    yield from ((name, float(value), 0) for name, value in trial.facts(_COSTS).items())


def _milliseconds(value: Any) -> int | None:
    return None if value is None else int(value.timestamp() * 1000)
