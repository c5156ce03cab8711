"""Where a run stands: reported by the driver as it goes, kept in OUT/run.json so that others can see it."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter

from study.cells import Trial, cells
from study.definition import Definition
from study.halving import decided_trials, undecided_trials
from study.planning.cost import SECONDS_PER_TRIAL, NumTrain, readable, training_seconds
from study.planning.figures import figures_of
from study.results.committed import objectives

SECONDS_BETWEEN_HEARTBEATS = 5.0
SECONDS_THAT_TELL = 5.0
KEPT = 0.95  # of what earlier epochs showed of the speed, at each further one: other work on a machine comes and goes
_TELLING_SHARE = 0.005


Count = Annotated[int, Field(ge=0, le=10**9)]
Instant = Annotated[float, Field(ge=0, le=253_402_300_799)]  # seconds since 1970; a calendar ends with the year 9999


@dataclass
class Running:
    """A trial that is being trained."""

    __pydantic_config__ = ConfigDict(allow_inf_nan=False)

    trial: str
    epochs: int
    work: float  # estimated worker-seconds of its epochs
    host: str = ""
    epoch: int = 0
    work_done: float = 0.0
    images_per_second: float | None = None


@dataclass
class Work:
    """Of one network: worker-seconds of epochs as estimated for the reference machine, and how long some took here."""

    total: float = 0.0
    done: float = 0.0
    took: float = 0.0  # seconds, of epochs, the last ones above all
    for_work: float = 0.0  # what had been estimated for these epochs
    is_guessed: bool = False  # nothing is known of this network's cost: its pace says nothing of others


@dataclass
class Progress:
    """The state of one run of one study."""

    __pydantic_config__ = ConfigDict(allow_inf_nan=False)

    total: Count
    done: Count
    failed: Count
    running: dict[str, Running] = field(default_factory=dict)
    resting: dict[str, str] = field(default_factory=dict)  # cell -> why it was given up for this run
    best: dict[str, float] = field(default_factory=dict)  # configuration -> best validation objective
    trials_of: dict[str, tuple[int, int]] = field(default_factory=dict)  # configuration -> done, total
    state: str = "running"  # or finished, incomplete, interrupted, stopped
    reason: str = ""  # why it stopped
    notes: tuple[str, ...] = ()  # what should be known of the splits
    host: str = field(default_factory=platform.node)
    pid: int = field(default_factory=os.getpid)
    started: Instant = field(default_factory=time.time)
    updated: Instant = field(default_factory=time.time)
    work: dict[str, Work] = field(default_factory=dict)  # network -> what this run has to do
    at_once: int = 0  # the most trials that ran at the same time
    first_trial_started: float = 0.0
    expected_seconds: float | None = None  # of the whole run, estimated before its first trial
    expected_by: str = ""

    @classmethod
    def of(cls, definition: Definition, committed: Mapping[Trial, Mapping[str, Any]], num_train: NumTrain) -> Progress:
        """The state before a run's first trial."""
        known = objectives(committed)
        planned = [*decided_trials(definition, known), *undecided_trials(definition, known)]
        done = [trial for trial in planned if trial in committed]
        progress = cls(
            total=len(planned),
            done=len(done),
            failed=sum(committed[trial]["status"] == "failed" for trial in done),
            trials_of={cell.configuration: (0, 0) for cell in cells(definition)},
        )
        seconds_of = training_seconds(definition, num_train)
        for trial in planned:
            progress._count(trial, done=trial in committed)
            if trial in committed:
                progress._note_best(trial, committed[trial]["objective"])
            else:
                work = progress._work_of(trial)
                work.total += seconds_of(trial)
                work.is_guessed = not figures_of(definition.network(trial.cell.model).make).is_measured
        return progress

    def __post_init__(self) -> None:
        self._began = time.monotonic()

    def come_to_now(self) -> None:
        """How long a run takes is not by the clock on the wall, which may be set meanwhile."""
        self.updated = self.started + time.monotonic() - self._began

    def expect(self, seconds: float, by: str) -> None:
        """Note the estimate, to be held against what it will have been."""
        self.expected_seconds, self.expected_by = seconds, by

    def start(self, trial: Trial, epochs: int, work: float) -> None:
        self.running[trial.id] = Running(trial.id, epochs, work)
        self.first_trial_started = self.first_trial_started or self.updated
        self.at_once = max(self.at_once, len(self.running))

    def epoch(
        self,
        trial: Trial,
        epoch: int,
        images_per_second: float | None,
        host: str,
        seconds: float = 0.0,
        *,
        first_of_worker: bool = False,
    ) -> None:
        """:param seconds: that the epoch took; 0 if it was not trained.
        :param first_of_worker: in it a worker also takes memory and makes things ready: it tells nothing of others."""
        running, work = self.running[trial.id], self._work_of(trial)
        running.host = host
        work_done = running.work * epoch / running.epochs
        work.done += work_done - running.work_done  # less, where a trial that is tried again starts over
        if not first_of_worker:
            work.took = KEPT * work.took + seconds
            work.for_work = KEPT * work.for_work + (running.work / running.epochs if seconds else 0)
        running.epoch, running.work_done, running.images_per_second = epoch, work_done, images_per_second

    def finish(self, trial: Trial, objective: float | None) -> None:
        running = self.running.pop(trial.id)
        self._work_of(trial).done += running.work - running.work_done
        self.done += 1
        self.failed += objective is None
        done, total = self.trials_of[trial.cell.configuration]
        self.trials_of[trial.cell.configuration] = done + 1, total
        self._note_best(trial, objective)

    def give_up(self, trial: Trial, reason: str) -> None:
        running = self.running.pop(trial.id, None)  # None if it was lost before it started
        self._work_of(trial).done -= running.work_done if running else 0.0
        self.resting[trial.cell.id] = f"{trial.id}: {reason}"

    def drop(self, trial: Trial) -> None:
        """The trial has stopped, and is to start anew."""
        running = self.running.pop(trial.id, None)  # None if it was lost before it started
        self._work_of(trial).done -= running.work_done if running else 0.0

    def end(self) -> None:
        """All is done: what was expected of trainings that have diverged meanwhile does not come."""
        self.state, self.total = "finished", self.done
        self.trials_of = {configuration: (done, done) for configuration, (done, _) in self.trials_of.items()}

    @property
    def given_up(self) -> dict[str, str]:
        """Trial -> why it was given up for this run."""
        return dict(reason.split(": ", 1) for reason in self.resting.values())

    @property
    def images_per_second(self) -> float:
        return sum(running.images_per_second or 0.0 for running in self.running.values())

    @property
    def seconds_left(self) -> float | None:
        """By what epochs took; until that is known, and where none is trained, by the share of the work that is done
        since the first trial began. None before there is enough of it to tell.

        A network without an epoch is taken to have the pace of the others, unless nothing is known of their costs."""
        left = {model: max(work.total - work.done, 0.0) for model, work in self.work.items()}
        paces = {model: work.took / work.for_work for model, work in self.work.items() if work.for_work}
        if paces:
            telling = [pace for model, pace in paces.items() if not self.work[model].is_guessed]
            if not telling and any(seconds and model not in paces for model, seconds in left.items()):
                return None
            usual = sum(telling) / max(len(telling), 1)
            epochs = sum(seconds * paces.get(model, usual) for model, seconds in left.items())
            return (epochs + SECONDS_PER_TRIAL * (self.total - self.done)) / max(self.at_once, 1)
        done, total = sum(work.done for work in self.work.values()), sum(work.total for work in self.work.values())
        if not done or done < _TELLING_SHARE * total:
            return None
        return sum(left.values()) * (self.updated - self.first_trial_started) / done

    @property
    def seconds_by_epochs(self) -> float | None:
        """Of the whole run, once some seconds of epochs, or a hundredth of its work, can tell."""
        took, known = sum(work.took for work in self.work.values()), sum(work.for_work for work in self.work.values())
        enough = took > SECONDS_THAT_TELL or known > 0.01 * sum(work.total for work in self.work.values())
        left = self.seconds_left
        return self.updated - self.started + left if enough and took and left is not None else None

    @property
    def verdict_on_the_estimate(self) -> str | None:
        """How long a run that has ended took, and how good the estimate was."""
        if not self.expected_seconds:
            return None
        took = self.updated - self.started
        return (
            f"It took {readable(took)}; {readable(self.expected_seconds)} had been estimated ({self.expected_by}): "
            f"{took / self.expected_seconds:.2f} times that."
        )

    def to_json(self) -> str:
        return json.dumps(asdict(self) | {"seconds_left": self.seconds_left}, indent=1)

    @classmethod
    def from_json(cls, text: str | bytes) -> Progress:
        """Raises ValueError if the text is no progress of a run."""
        return TypeAdapter(cls).validate_json(text)

    def _work_of(self, trial: Trial) -> Work:
        return self.work.setdefault(trial.cell.model, Work())

    def _count(self, trial: Trial, done: bool) -> None:
        finished, total = self.trials_of[trial.cell.configuration]
        self.trials_of[trial.cell.configuration] = finished + done, total + 1

    def _note_best(self, trial: Trial, objective: float | None) -> None:
        if objective is not None:
            configuration = trial.cell.configuration
            self.best[configuration] = max(objective, self.best.get(configuration, objective))
