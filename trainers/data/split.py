"""What a split is, once made: names of samples. Imports nothing that is heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SplitKind = Literal["random", "held_out", "fold", "given", "matched"]
"""What is tested. random: a share of the samples, drawn by chance. held_out: samples with certain values in a column.
fold: one of k parts of the samples. given: what a file or a column says. matched: as many as another split tests, drawn
by chance."""


@dataclass(frozen=True)
class Split:
    """Which samples a trial trains on, chooses its checkpoint by (val) and is scored on (test), by id."""

    name: str
    kind: SplitKind
    axis: str | None
    """The column whose values a held-out split keeps for testing; None for any other kind."""
    train: tuple[str, ...]
    val: tuple[str, ...]
    test: tuple[str, ...]
    fingerprint: str
    """Twelve hexadecimal digits that name its kind, its axis and its samples."""
