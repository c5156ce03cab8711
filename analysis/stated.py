"""Scores that are stated instead of measured: `--assume mean=0.8,sd=0.05,seed-sd=0.02,gap=0.05`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from analysis.errors import AnalysisError
from analysis.statistics.pilot import Pilot
from study.errors import did_you_mean

_RANGES = {"mean": (0.0, 1.0), "sd": (0.0, 0.5), "seed-sd": (0.0, 0.5), "gap": (-1.0, 1.0), "held-out": (1, 1000)}
"""Name -> the least and the most that may be stated."""
HELD_OUT_SPLITS = 3


@dataclass(frozen=True)
class Stated:
    """What is expected of one check."""

    mean: float
    """Over random splits."""
    sd: float
    """Of one training on one random split; the seed's part is in it."""
    seed_sd: float | None = None
    """Of trainings on the same split."""
    gap: float | None = None
    """The mean over random splits less that over held-out ones."""
    held_out: int = HELD_OUT_SPLITS
    """So many held-out splits."""

    @classmethod
    def of(cls, text: str) -> Self:
        """Raises AnalysisError naming what is wrong."""
        values: dict[str, float] = {}
        for part in text.split(","):
            name, _, value = (each.strip() for each in part.partition("="))
            if name not in _RANGES or name in values:
                known = ", ".join(_RANGES)
                raise AnalysisError(
                    f"--assume {part.strip()!r}: give NAME=VALUE, once for each of {known}{did_you_mean(name, _RANGES)}"
                )
            values[name] = _number(name, value)
        if lacking := [name for name in ("mean", "sd") if name not in values]:
            raise AnalysisError(f"--assume {text}: add {' and '.join(f'{name}=X' for name in lacking)}")
        return cls._checked(values)

    @classmethod
    def _checked(cls, values: dict[str, float]) -> Self:
        mean, sd, seed_sd, gap = (values.get(name) for name in ("mean", "sd", "seed-sd", "gap"))
        assert mean is not None
        assert sd is not None
        if seed_sd is not None and seed_sd > sd:
            raise AnalysisError(f"--assume: seed-sd={seed_sd:g} is a part of sd={sd:g}, and cannot be larger")
        if gap is not None and not 0 <= mean - gap <= 1:
            raise AnalysisError(f"--assume: mean={mean:g} less gap={gap:g} is not a score")
        return cls(mean, sd, seed_sd, gap, int(values.get("held-out", HELD_OUT_SPLITS)))

    @property
    def in_words(self) -> str:
        """All that is stated, in a line."""
        said = [f"mean {self.mean:g}, SD {self.sd:g}"]
        said += [f"{self.seed_sd:g} of the seed"] if self.seed_sd is not None else []
        said += [f"gap {self.gap:g} to {self.held_out} held-out splits"] if self.gap is not None else []
        return ", ".join(said)

    def pilot(self, num_held_out: int) -> Pilot:
        """One row."""
        mean, held_out = np.array([self.mean]), np.full((1, num_held_out), self.mean - (self.gap or 0.0))
        if self.seed_sd is None:
            return Pilot(mean, held_out, np.array([[self.sd]]))
        of_split, seed = math.sqrt(self.sd**2 - self.seed_sd**2), np.array([[self.seed_sd]])
        return Pilot(mean, held_out, np.array([[of_split]]), seed, seed)


def _number(name: str, text: str) -> float:
    least, most = _RANGES[name]
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most or (name == "held-out" and value % 1):
        whole = "whole " * (name == "held-out")
        raise AnalysisError(f"--assume {name}={text}: give a {whole}number from {least:g} to {most:g}")
    if name == "sd" and not value:
        raise AnalysisError("--assume sd=0: equal scores show no spread, and decide nothing; give more than 0")
    return value
