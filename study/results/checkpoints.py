"""A trial's last epoch, kept in OUT until the trial is committed, so that a lost worker costs minutes, not the trial.

A checkpoint belongs to one recipe, data set, split, point and set of versions; any other one, or a torn file, is passed
over, and the trial starts anew. It is read as tensors and plain values only: nothing in OUT is ever unpickled.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from typing import Any

from study.cells import Trial
from study.definition.point import Point
from study.errors import StudyError
from study.prepare import Prepared
from study.results import CHECKPOINTS, Results

State = dict[str, Any]


class Checkpoints:
    """The checkpoint of one trial. The rungs of a halving have one together, as each goes on where the last ended."""

    def __init__(self, results: Results, study: Prepared, trial: Trial, point: Point) -> None:
        self._results, self._name = results, f"{CHECKPOINTS}/{trial.whole_id}.pt"
        self._seconds = study.definition.resources.checkpoint_seconds
        self._kept = time.monotonic()
        self._belongs_to = {
            "recipe_digest": study.definition.recipe_digest(),
            "data_fingerprint": study.data_fingerprint,
            "split_fingerprint": study.split_of(trial).fingerprint,
            "code": study.outside.identity_of(trial.cell),
            "versions": study.provenance.versions,
            "point": point.to_json(),
        }

    def last(self, epochs: int | None = None) -> State | None:
        """The state to go on from, or None.

        :param epochs: of the training; a state of more is none to go on from.
        """
        import torch

        content = self._results.read_bytes(self._name)
        if content is None:
            return None
        device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            kept = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
            state: State = kept["state"]
            too_long = epochs is not None and len(state["history"]) > epochs
            return state if kept["belongs_to"] == self._belongs_to | {"device": device} and not too_long else None
        except (
            Exception
        ):  # torn, foreign, or made by another torch: whatever is wrong with it, the trial can do without
            return None

    def keep(self, state: Callable[[], State], *, is_last: bool = False) -> None:
        """Write the state, unless the last one was written less than `resources.checkpoint_seconds` ago.

        :param is_last: of a rung: write it in any case, for the next rung to go on from."""
        if time.monotonic() - self._kept < self._seconds and not is_last:
            return
        import torch

        made, file = state(), io.BytesIO()
        device = next(iter(made["weights"].values())).device.type
        torch.save({"belongs_to": self._belongs_to | {"device": device}, "state": made}, file)
        self._kept = time.monotonic()
        try:
            self._results.write_bytes(self._name, file.getvalue())
        except StudyError as error:  # the trial can do without; if OUT stays out of reach, its commit will tell
            print(f"checkpoint not kept: {error}", file=sys.stderr)

    def remove(self) -> None:
        self._results.remove(self._name)
