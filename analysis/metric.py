"""What a score measures: the Dice unless another metric is asked for, under the same averagings, by the same rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from analysis.errors import AnalysisError
from study.errors import did_you_mean
from trainers.boundaries import MAX_DISTANCE, TOLERANCE, surface_dice
from trainers.dice import OVERLAPS, Counts, ImageCounts, Ratio
from trainers.printable import counted

SURFACE = "nsd"
METRICS = {"dice": "Dice", "iou": "IoU", "precision": "precision", "recall": "recall", SURFACE: "surface Dice"}
"""Name -> in words. A name is also what tables call the column."""


@dataclass(frozen=True)
class Metric:
    """A metric, and for the surface Dice how far two boundaries may lie apart."""

    name: str = "dice"
    tolerance: int | None = None
    """Pixels, of the surface Dice alone; None: not known, as a tidy table does not tell."""

    @classmethod
    def of(cls, name: str, tolerance: int | None = None) -> Metric:
        """Of a study. Raises AnalysisError for a name or a tolerance that there is not."""
        if name not in METRICS:
            raise AnalysisError(
                f"{name!r} is not a metric: choose one of {', '.join(METRICS)}{did_you_mean(name, METRICS)}"
            )
        if name != SURFACE:
            if tolerance is not None:
                raise AnalysisError(f"a tolerance in pixels is of the surface Dice alone: add --metric {SURFACE}")
            return cls(name)
        chosen = TOLERANCE if tolerance is None else tolerance
        if not 0 <= chosen <= MAX_DISTANCE:
            raise AnalysisError(f"a tolerance of {chosen} pixels is not kept: give a whole number, 0 to {MAX_DISTANCE}")
        return cls(name, chosen)

    @property
    def is_dice(self) -> bool:
        return self.name == "dice"

    @property
    def in_words(self) -> str:
        """e.g. `IoU`; in a sentence."""
        return METRICS[self.name]

    @property
    def with_article(self) -> str:
        """e.g. `an IoU`."""
        return f"a{'n' * (self.name == 'iou')} {self.in_words}"

    @property
    def in_full(self) -> str:
        """e.g. `normalised surface Dice at a tolerance of 2 pixels`."""
        if self.name != SURFACE:
            return self.in_words
        within = "" if self.tolerance is None else f" at a tolerance of {self.tolerance_in_words}"
        return f"normalised surface Dice{within}"

    @property
    def tolerance_in_words(self) -> str:
        """e.g. `1 pixel`; of a metric whose tolerance is known."""
        assert self.tolerance is not None
        return counted(self.tolerance, "pixel")

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "tolerance": self.tolerance}

    def ratio(self, images: ImageCounts, boundaries: Counts | None) -> Ratio:
        """Of every class in every image.

        :param boundaries: what `boundary_distances` counts; the surface Dice alone needs it.
        """
        if self.name != SURFACE:
            return OVERLAPS[self.name](images)
        assert boundaries is not None
        assert self.tolerance is not None
        return surface_dice(boundaries, self.tolerance)


DICE = Metric()
