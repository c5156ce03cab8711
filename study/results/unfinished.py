"""Trials that the machinery could not finish: why, and how often they were tried. Kept in OUT apart from the results.

They are no results: a diverged training is one, and is a row of `trials`. The next run tries them again.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass, field

from pydantic import TypeAdapter

from study.errors import StudyError
from study.results import UNFINISHED, Results
from trainers.printable import counted


@dataclass(frozen=True)
class Unfinished:
    """What the newest run that tried a trial says of it."""

    trial: str
    reason: str
    attempts: int
    driver: str = field(default_factory=platform.node)
    when: float = field(default_factory=time.time)

    @property
    def in_words(self) -> str:
        return f"{self.reason} ({counted(self.attempts, 'attempt')})"

    def keep(self, results: Results) -> None:
        """Raises StudyError if OUT cannot be written to."""
        results.write_text(f"{UNFINISHED}/{self.trial}.json", json.dumps(asdict(self), indent=1))


def read_unfinished(results: Results, committed: Collection[str]) -> dict[str, Unfinished]:
    """Trial -> what is said of it; those that another run has committed since are left out.

    Raises StudyError for a file that is none of ours.
    """
    found = {}
    for name in results.names(UNFINISHED, ".json"):
        if name.removesuffix(".json") in committed:
            continue
        try:
            one = TypeAdapter(Unfinished).validate_json(results.read_bytes(f"{UNFINISHED}/{name}") or b"")
        except ValueError:
            raise StudyError(f"{results.out}/{UNFINISHED}/{name}: not written by a run of a study; remove it") from None
        found[name.removesuffix(".json")] = one
    return found


def forget_finished(results: Results, committed: Collection[str]) -> None:
    """Remove what was said of trials that have been committed since."""
    for name in results.names(UNFINISHED, ".json"):
        if name.removesuffix(".json") in committed:
            results.remove(f"{UNFINISHED}/{name}")
