"""The driver: hands a schedule's trials to Ray Tune, and takes what comes of them."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import ray
import ray.exceptions
import ray.tune
from ray.tune.search import Searcher

from study.cells import Trial, parse_trial
from study.cluster.private import private_folder
from study.cluster.reporter import Reporter
from study.cluster.transfer import remove_elsewhere, this_node
from study.cluster.worker import train
from study.definition import Definition
from study.planning.capacity import GIB, Machine, request, trials_at_once
from study.results.weights import Best
from study.schedule import Schedule
from study.terminal.interrupts import stopping_between_steps
from study.work import Work


class KilledForMemory(Exception):
    """Ray's memory monitor has ended trials' workers, and with them, as of Ray 2.60, all of Tune's run."""

    def __init__(self, used: Mapping[Trial, str]) -> None:
        super().__init__("ended by Ray's memory monitor")
        self.used = used
        """Trial -> the memory that it had taken, as far as Ray says."""


class CellSearcher(Searcher):  # type: ignore[misc]
    """Hands Tune the next trial of whichever cell may go on; None while all must wait.

    It also tries failed trials again: Tune's own way gives a trial up when two calls to its lost worker fail.
    """

    def __init__(
        self,
        schedule: Schedule,
        best: Best,
        memory_kills: Mapping[Trial, int],
        failures: Counter[Trial],
        attempts: int,
    ) -> None:
        super().__init__()
        self._best = best
        self._schedule, self._memory_kills, self._failures, self._attempts = schedule, memory_kills, failures, attempts
        self._handed_out: dict[str, Trial] = {}
        self._alone: set[Trial] = set()

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        if self._schedule.exhausted and not self._handed_out:
            return str(Searcher.FINISHED)
        handed_out = self._schedule.next()
        if handed_out is None:
            return None
        trial, point = handed_out
        self._handed_out[trial_id] = trial
        circumstances = {"alone": trial in self._alone, "memory_kills": self._memory_kills.get(trial, 0)}
        to_beat = self._best.to_beat(trial)
        return {"trial": trial.id, "point": point.to_json(), "to_beat": to_beat, **circumstances}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        trial = self._handed_out.pop(trial_id)
        if error:
            self._failures[trial] += 1
        if result and result.get("committed") and not error:
            self._best.note(trial, result["objective"])
            self._schedule.complete(trial, result["objective"], result.get("cost"), diverged=result["diverged"])
        elif error and self._failures[trial] < self._attempts:
            self._schedule.put_back(trial)
        elif result and result.get("out_of_memory") and not error and trial not in self._alone:
            self._alone.add(trial)
            self._schedule.put_back(trial)
        else:
            self._schedule.rest(trial.cell)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the Parquet on disk is the only state."""

    def restore(self, checkpoint_path: str) -> None:
        raise NotImplementedError("a study is resumed by running it again")


def run_schedule(
    work: Work,
    schedule: Schedule,
    best: Best,
    machines: Sequence[Machine],
    memory_kills: Counter[Trial],
) -> None:
    """Run every trial of the schedule that can be run. Returns when none is left, also if some cells rest.

    :param best: of the trials that are done; it is kept up to date.
    :param memory_kills: how often Ray ended each trial for its memory: it then asks for twice as much, each time.
    :raises KilledForMemory: it has done so again. What is committed stays; a new schedule, on a new Ray, goes on.
    """
    failures, attempts, home = Counter[Trial](), work.study.definition.resources.attempts, this_node()
    with private_folder() as scratch, stopping_between_steps() as stop_if_asked:
        reporter = Reporter(work, failures, stop_if_asked)
        tuner = ray.tune.Tuner(
            ray.tune.with_resources(
                ray.tune.with_parameters(train, study=work.study, out=work.results.place(), home=home),
                _resources_of(work.study.definition, machines),
            ),
            tune_config=ray.tune.TuneConfig(
                search_alg=CellSearcher(schedule, best, memory_kills, failures, attempts),
                num_samples=-1,
                max_concurrent_trials=_handed_out_at_once(work.study.definition, machines),
                reuse_actors=True,
                trial_name_creator=lambda trial: trial.config["trial"],
                trial_dirname_creator=lambda trial: trial.config["trial"],
            ),
            run_config=ray.tune.RunConfig(
                name=time.strftime("run-%Y%m%d-%H%M%S"),
                storage_path=str(
                    scratch
                ),  # Tune's own notes, which nobody reads: trials commit their tables themselves
                failure_config=ray.tune.FailureConfig(max_failures=0),  # but for preempted nodes: not counted by Tune
                callbacks=[reporter],
                verbose=0,
            ),
        )
        try:
            tuner.fit()
        except RuntimeError as error:
            if not isinstance(error.__cause__, ray.exceptions.OutOfMemoryError):
                raise
            raise _killed_for_memory(str(error.__cause__), reporter) from None
        finally:
            remove_elsewhere(work.study.source, home)


def _handed_out_at_once(definition: Definition, machines: Sequence[Machine]) -> int:
    """As many again as can run are handed out ahead: Tune ends a worker for which nothing waits, and starts another for
    the next trial; and an autoscaler adds all machines at once only if it sees all that waits."""
    at_once = trials_at_once(definition, machines)
    return at_once if definition.resources.workers else 2 * at_once


def _killed_for_memory(message: str, reporter: Reporter) -> KilledForMemory:
    """Of Ray's message, which trials it means, and what each had taken."""
    selected = re.findall(r"Selected to kill: \(Actor\(([0-9a-f]+)\).*?actual memory used=([\d.]+ ?[KMGT]?B)", message)
    used = {reporter.trial_of_actor(actor): amount for actor, amount in selected}
    return KilledForMemory({trial: amount for trial, amount in used.items() if trial is not None})


def _resources_of(definition: Definition, machines: Sequence[Machine]) -> Any:
    """Tune's `config -> resources` of a trial."""
    largest = max(machine.memory for machine in machines)

    def of_trial(config: dict[str, Any]) -> ray.tune.PlacementGroupFactory:
        one = request(definition, parse_trial(config["trial"]).cell.model, machines, alone=config["alone"])
        memory = min(one.memory * 2 ** config["memory_kills"], largest)
        bundle = {"CPU": one.cpus, "GPU": one.gpus, "memory": int(memory * GIB)}
        return ray.tune.PlacementGroupFactory([{name: amount for name, amount in bundle.items() if amount}])

    return of_trial
