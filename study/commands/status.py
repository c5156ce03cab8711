"""`study status`: where a study stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from study.cells import Trial
from study.definition import Definition
from study.errors import StudyError
from study.halving import decided_trials, undecided_trials
from study.progress import Progress
from study.results import DEFINITION_FILE, Results
from study.results.claim import living_driver
from study.results.committed import objectives
from study.results.digests import Row
from study.results.kept import kept_definition, missing, read_committed, read_refits
from study.results.unfinished import Unfinished, read_unfinished
from study.session import last_progress


@dataclass(frozen=True)
class Status:
    """Where the study at OUT stands, by OUT alone."""

    definition: Definition
    trials: tuple[Trial, ...]
    committed: Mapping[Trial, Row]
    unfinished: Mapping[str, Unfinished]
    progress: Progress | None  # of the newest run; None if there was none, or nothing was left for it to do
    damaged: Mapping[Trial, str]  # of the missing ones: which file is lost or altered
    alive: bool  # a run is at work
    refits: tuple[Trial, ...] = ()  # trained on all samples by `study export`: none of the study's trials

    @property
    def missing(self) -> list[Trial]:
        return missing(self.trials, self.committed)

    @property
    def total(self) -> int:
        """Trials of the study, those that halving has not decided upon yet included."""
        return len(self.trials) + len(undecided_trials(self.definition, objectives(self.committed)))

    @property
    def failed(self) -> dict[Trial, str]:
        return {trial: row["error"] for trial, row in self.committed.items() if row["status"] == "failed"}

    @property
    def num_failed(self) -> int:
        """Of the definition's own trials."""
        return sum(self.committed[trial]["status"] == "failed" for trial in self.trials if trial in self.committed)

    @property
    def num_completed(self) -> int:
        return len(self.trials) - len(self.missing) - self.num_failed

    def to_json(self) -> dict[str, Any]:
        return {
            "done": len(self.trials) - len(self.missing),
            "total": self.total,
            "failed": {trial.id: reason for trial, reason in self.failed.items()},
            "missing": [trial.id for trial in self.missing],
            "unfinished": {name: asdict(each) for name, each in self.unfinished.items()},
            "damaged": {trial.id: what for trial, what in self.damaged.items()},
            "refits": [trial.id for trial in self.refits],
            "alive": self.alive,
            "simulated": self.definition.simulate,
            "run": json.loads(self.progress.to_json()) if self.progress else None,
        }


def status(out: str) -> Status:
    """Done, failed and missing trials of the study at OUT, and what its driver last said of itself."""
    results = Results(out)
    if results.read_text(DEFINITION_FILE) is None and (driver := living_driver(results)):
        raise StudyError(f"{results.out}: {driver.in_words} is just starting; ask again in a moment")
    definition = kept_definition(results)
    committed = read_committed(results, definition)
    unfinished = read_unfinished(results, {trial.id for trial in committed.rows})
    progress, alive = last_progress(results), living_driver(results) is not None
    planned = decided_trials(definition, objectives(committed.rows))
    refits = tuple(sorted(read_refits(results, definition).rows))
    return Status(definition, planned, committed.rows, unfinished, progress, committed.damaged, alive, refits)
