"""What a split is, once made: names of samples. Imports nothing that is heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SplitKind = Literal["random", "held_out", "fold", "given", "matched", "share", "all"]
"""What is tested. random: a share of the samples, drawn by chance. held_out: samples with certain values in a column.
fold: one of k parts of the samples. given: what a file or a column says. matched: as many as another split tests, drawn
by chance. share: the same as a random or held-out split, trained on a part of its samples. all: nothing is tested, nor
validated with: all samples are trained on."""


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
    whole: str | None = None
    """The split of which a share has a part of the training samples; None for any other kind."""

    @property
    def drawn_as(self) -> str:
        """The name by which it is drawn what stands behind its samples: a share's own is that of its whole split."""
        return self.whole or self.name
