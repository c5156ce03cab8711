"""Tune's events -> the run's progress, and an end to trials that hang."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ray
import ray.tune
from ray.tune.experiment import Trial as TuneTrial

from study.cells import Trial, parse_trial
from study.definition.point import Point
from study.errors import StudyError
from study.halving import new_epochs_of
from study.planning.cost import readable, seconds_at
from study.progress import SECONDS_BETWEEN_HEARTBEATS
from study.results.unfinished import Unfinished
from study.work import Work


class Reporter(ray.tune.Callback):  # type: ignore[misc]
    """What the driver hears of trials."""

    def __init__(
        self,
        work: Work,
        failures: Mapping[Trial, int],
        stop_if_asked: Callable[[], None],
    ) -> None:
        """:param failures: how often each trial has failed; the searcher counts.
        :param stop_if_asked: called on every turn of the driver's loop; may raise KeyboardInterrupt."""
        self._study, self._results, self._progress, self._watch = work.study, work.results, work.progress, work.watch
        self._failures, self._stop_if_asked = failures, stop_if_asked
        self._out_takes_nothing = ""  # or why not
        self._looked_around = work.progress.updated
        self._heard: dict[str, float] = {}  # Tune's trial -> when it last gave a sign of life
        self._hung: set[str] = set()
        self._finished: set[Trial] = set()
        self._trial_of_actor: dict[str, Trial] = {}
        self._trained: set[str] = set()  # actors that have reported an epoch

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its callbacks to restore an experiment, which we never do; and a screen cannot be pickled."""
        return {}

    def trial_of_actor(self, actor_id: str) -> Trial | None:
        """The trial that Ray's actor ran last."""
        return self._trial_of_actor.get(actor_id)

    def on_step_end(self, iteration: int, trials: list[TuneTrial], **info: Any) -> None:
        """Here a run can be ended by an error: one that is raised when a result comes is wrapped into Tune's own."""
        self._progress.come_to_now()
        if self._out_takes_nothing:
            raise StudyError(
                f"{self._results.out} takes no more results: {self._out_takes_nothing}. The run ends here, and what is "
                "committed stays: mend that, and run the same command again."
            )
        if self._progress.updated - self._looked_around > SECONDS_BETWEEN_HEARTBEATS:
            self._looked_around = self._progress.updated
            self._refuse_without_nodes()
            self._end_what_hangs(trials)
        self._watch(self._progress, None)
        self._stop_if_asked()

    def _refuse_without_nodes(self) -> None:
        """Tune itself would wait for ever for a cluster that is gone."""
        if not any(node["Alive"] for node in ray.nodes()):
            raise StudyError("Ray has lost its last node. What is committed stays: run the same command again.")

    def _end_what_hangs(self, trials: list[TuneTrial]) -> None:
        """A worker that gives no sign of life is killed, and its trial tried again. It may hang whenever Tune has it,
        also while it is made ready for its next trial, or after it has committed one."""
        now, limit = time.monotonic(), self._study.definition.resources.hang_seconds
        for trial in trials:
            worker = trial.temporary_state.ray_actor
            if worker is not None and now - self._heard.setdefault(trial.trial_id, now) > limit:
                del self._heard[trial.trial_id]
                self._hung.add(trial.trial_id)
                ray.kill(worker)

    def on_trial_start(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        ours = parse_trial(trial.config["trial"])
        self._heard[trial.trial_id] = time.monotonic()
        self._trial_of_actor[_actor_of(trial)] = ours
        definition = self._study.definition
        recipe = definition.recipe.at(Point.from_json(trial.config["point"]))
        network = definition.network(ours.cell.model)
        work = seconds_at(network, recipe, self._num_train(ours), new_epochs_of(definition, ours))
        self._progress.start(ours, ours.epochs or recipe.training.epochs, work)

    def on_trial_result(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, result: dict[str, Any], **info: Any
    ) -> None:
        ours = parse_trial(trial.config["trial"])
        self._heard[trial.trial_id] = time.monotonic()
        if result.get("committed"):
            self._finish(ours, result)
        elif result.get("cannot_commit"):
            self._out_takes_nothing = f"{result['cannot_commit']} (on {result['hostname']})"
        elif result.get("out_of_memory"):
            self._out_of_gpu_memory(ours, trial, str(result["out_of_memory"]))
        elif result.get("cannot_be_trained"):
            self._give_up(ours, str(result["cannot_be_trained"]), 1)
        else:
            self._epoch(ours, _actor_of(trial), result)
            self._estimate_by_the_first_epochs()

    def _epoch(self, ours: Trial, actor: str, result: dict[str, Any]) -> None:
        seconds, is_first = result["seconds"], actor not in self._trained
        self._trained.add(actor)
        speed = self._num_train(ours) / seconds if seconds else None  # simulated epochs take no time
        self._progress.epoch(ours, result["epoch"], speed, result["hostname"], seconds, first_of_worker=is_first)

    def _estimate_by_the_first_epochs(self) -> None:
        """Where there was no estimate that was of these machines."""
        if self._progress.expected_seconds is None and (expected := self._progress.seconds_by_epochs) is not None:
            self._progress.expect(expected, "by the first epochs here")
            self._watch(self._progress, f"By the first epochs here this run takes about {readable(expected)} in all.")

    def _finish(self, ours: Trial, result: dict[str, Any]) -> None:
        """Counted once, also when its worker is lost between that report and its end, and another reports it again."""
        if ours in self._finished:
            self._progress.drop(ours)
        else:
            self._finished.add(ours)
            self._progress.finish(ours, result["objective"])
            self._watch(self._progress, result["line"])

    def on_trial_complete(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        self._heard.pop(trial.trial_id, None)

    def _out_of_gpu_memory(self, ours: Trial, trial: TuneTrial, reason: str) -> None:
        if trial.config["alone"]:
            self._give_up(ours, f"out of GPU memory with a GPU to itself: {reason}", 2)
        else:
            self._progress.drop(ours)
            self._watch(self._progress, f"{ours.id} is tried again with a GPU to itself: {reason}")

    def on_trial_recover(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        self._watch(self._progress, f"{trial.config['trial']} is tried again: {self._reason(trial)}")

    def on_trial_error(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        ours, reason = parse_trial(trial.config["trial"]), self._reason(trial)
        if self._failures[ours] >= self._study.definition.resources.attempts:
            self._give_up(ours, reason, self._failures[ours])
        else:
            self._progress.drop(ours)
            self._watch(self._progress, f"{ours.id} is tried again: {reason}")

    def _give_up(self, ours: Trial, reason: str, attempts: int) -> None:
        unfinished = Unfinished(ours.id, reason, attempts)
        self._progress.give_up(ours, unfinished.in_words)
        self._watch(
            self._progress, f"{ours.id} could not be run, and its cell waits for the next run: {unfinished.in_words}"
        )
        try:
            unfinished.keep(self._results)
        except StudyError as error:
            self._watch(self._progress, f"and it could not be noted: {error}")

    def _reason(self, trial: TuneTrial) -> str:
        self._heard.pop(trial.trial_id, None)
        if trial.trial_id in self._hung:
            self._hung.remove(trial.trial_id)
            return f"no epoch within {self._study.definition.resources.hang_seconds:g} s: it hung, and was ended"
        return _last_line(trial)

    def _num_train(self, trial: Trial) -> int:
        return len(self._study.splits[trial.cell.split].train)


def _actor_of(trial: TuneTrial) -> str:
    """What names a trial's worker, which may have had others before it."""
    return str(trial.temporary_state.ray_actor._actor_id.hex())


def _last_line(trial: TuneTrial) -> str:
    """The last line of the trial's newest error, as Tune keeps it on the driver's disk: what was raised."""
    path = Path(trial.error_file or "")
    text = path.read_text(errors="replace") if path.is_file() else ""
    return ([line.strip() for line in text.splitlines() if line.strip()] or ["the worker was lost"])[-1]
