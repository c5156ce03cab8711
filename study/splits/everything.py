"""The split `all`: every sample is trained on, none is left to validate with or to test."""

from __future__ import annotations

from typing import Literal

from study.splits.parts import fingerprint_of
from trainers.data.split import Split
from trainers.data.table import Samples

EVERYTHING: Literal["all"] = "all"
"""The name of the split, and of its kind."""


def everything(samples: Samples) -> Split:
    """It is that of no grid: `study export --refit` trains on it. Its samples are in the order of their ids."""
    ids = tuple(sorted(row.id for row in samples.rows))
    parts = {"train": ids, "val": (), "test": ()}
    fingerprint = fingerprint_of({"kind": EVERYTHING, "axis": None, **parts})
    return Split(EVERYTHING, EVERYTHING, None, ids, (), (), fingerprint)
