"""Where a run stands: told by the driver as it goes, kept in OUT/run.json so that others can see it."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter

from study.cells import Trial, cells, trials
from study.cost import NumTrain, readable, trial_seconds
from study.definition import Definition

SECONDS_BETWEEN_HEARTBEATS = 5.0
_TELLING_SHARE = 0.005


Count = Annotated[int, Field(ge=0, le=10**9)]
Instant = Annotated[float, Field(ge=0, le=253_402_300_799)]  # seconds since 1970; a calendar ends with the year 9999


@dataclass
class Running:
    """A trial that is being trained."""

    __pydantic_config__ = ConfigDict(allow_inf_nan=False)

    trial: str
    epochs: int
    work: float  # estimated worker-seconds
    host: str = ""
    epoch: int = 0
    work_done: float = 0.0
    images_per_second: float | None = None


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
    host: str = field(default_factory=platform.node)
    pid: int = field(default_factory=os.getpid)
    started: Instant = field(default_factory=time.time)
    updated: Instant = field(default_factory=time.time)
    work_total: float = 0.0  # estimated worker-seconds of what this run has to do
    work_done: float = 0.0
    expected_seconds: float | None = None  # of the whole run, estimated before its first trial
    expected_by: str = ""

    @classmethod
    def of(cls, definition: Definition, committed: Mapping[Trial, Mapping[str, Any]], num_train: NumTrain) -> Progress:
        """The state before a run's first trial."""
        planned = trials(definition)
        done = [trial for trial in planned if trial in committed]
        progress = cls(
            total=len(planned),
            done=len(done),
            failed=sum(committed[trial]["status"] == "failed" for trial in done),
            trials_of={cell.configuration: (0, 0) for cell in cells(definition)},
        )
        for trial in planned:
            progress._count(trial, done=trial in committed)
            if trial in committed:
                progress._note_best(trial, committed[trial]["objective"])
            else:
                progress.work_total += trial_seconds(definition, trial, num_train)
        return progress

    def expect(self, seconds: float, by: str) -> None:
        """Note the estimate, to be held against what it will have been."""
        self.expected_seconds, self.expected_by = seconds, by

    def start(self, trial: Trial, epochs: int, work: float) -> None:
        self.running[trial.id] = Running(trial.id, epochs, work)

    def epoch(self, trial: Trial, epoch: int, images_per_second: float, host: str) -> None:
        running = self.running[trial.id]
        running.host = host
        work_done = running.work * epoch / running.epochs
        self.work_done += work_done - running.work_done  # less, where a trial that is tried again starts over
        running.epoch, running.work_done, running.images_per_second = epoch, work_done, images_per_second

    def finish(self, trial: Trial, objective: float | None) -> None:
        running = self.running.pop(trial.id)
        self.work_done += running.work - running.work_done
        self.done += 1
        self.failed += objective is None
        done, total = self.trials_of[trial.cell.configuration]
        self.trials_of[trial.cell.configuration] = done + 1, total
        self._note_best(trial, objective)

    def give_up(self, trial: Trial, reason: str) -> None:
        running = self.running.pop(trial.id, None)  # None if it was lost before it started
        self.work_done -= running.work_done if running else 0.0
        self.resting[trial.cell.id] = f"{trial.id}: {reason}"

    def drop(self, trial: Trial) -> None:
        """The trial has stopped, and is to start anew."""
        running = self.running.pop(trial.id, None)  # None if it was lost before it started
        self.work_done -= running.work_done if running else 0.0

    @property
    def given_up(self) -> dict[str, str]:
        """Trial -> why it was given up for this run."""
        return dict(told.split(": ", 1) for told in self.resting.values())

    @property
    def images_per_second(self) -> float:
        return sum(running.images_per_second or 0.0 for running in self.running.values())

    @property
    def seconds_left(self) -> float | None:
        """By the estimated work done since the start; None before there is enough of it to tell."""
        if self.work_done < _TELLING_SHARE * self.work_total or not self.work_done:
            return None
        left = max(self.work_total - self.work_done, 0.0)
        return left * (self.updated - self.started) / self.work_done

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
    def from_json(cls, text: str) -> Progress:
        """Raises ValueError if the text is no progress of a run."""
        return TypeAdapter(cls).validate_json(text)

    def _count(self, trial: Trial, done: bool) -> None:
        finished, total = self.trials_of[trial.cell.configuration]
        self.trials_of[trial.cell.configuration] = finished + done, total + 1

    def _note_best(self, trial: Trial, objective: float | None) -> None:
        if objective is not None:
            configuration = trial.cell.configuration
            self.best[configuration] = max(objective, self.best.get(configuration, objective))
