"""What is expected of a network before it is trained, by its measured cost: the same rule for every network. Plans,
shares of machines and simulated trials go by it, no result does.

The costs of built-in networks are measured beforehand (trainers/costs.py), so that a plan needs no torch. Any other is
measured where a run tries it, before anything is trained. Until then its cost is None, `is_measured` of its figures is
false, an estimate names it, and it is taken for as costly as the costliest that is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from trainers.costs import TrainingCost, built_in_costs

REFERENCE = "an Intel Xeon with AMX"
_IMAGES_PER_SECOND, _AT_GFLOPS = 9.7, 26.8
"""Trained by one of its cores in bfloat16, another trial on its neighbour: from it all other speeds follow."""
_SECONDS_OF_ANY_IMAGE = 0.0049
"""For logits, loss, and what else does not shrink with the network. At 128 x 128 pixels."""
_SECONDS_PER_GFLOP = (1 / _IMAGES_PER_SECOND - _SECONDS_OF_ANY_IMAGE) / _AT_GFLOPS
_GIB_OF_ANY_TRIAL = 0.7
"""Python, torch, the images."""
_BATCH, _WIDEST = 16, 1.5
"""For which a trial asks for memory: the paper's batch, and its widest network."""
_COPIES_OF_WEIGHTS = 5
"""Weights, gradients, Adam's two means, and those of the best epoch."""


@dataclass(frozen=True)
class Figures:
    """Of one network, at width 1 and 128 x 128 pixels."""

    cost: TrainingCost
    is_measured: bool = True

    def seconds_per_image(self, width: float) -> float:
        """Of one core of `REFERENCE`: the operations grow with the square of the width."""
        return _SECONDS_OF_ANY_IMAGE + self.cost.gflops * width**2 * _SECONDS_PER_GFLOP

    @property
    def memory_gb(self) -> float:
        """GiB, in quarters. (Within a fifth of what trials of many widths had taken at their end.)"""
        values = self.cost.kept_values * _WIDEST * _BATCH + self.cost.parameters * _WIDEST**2 * _COPIES_OF_WEIGHTS
        return math.ceil(4 * (_GIB_OF_ANY_TRIAL + 4 * values / 2**30)) / 4


def figures_of(network: str) -> Figures:
    """Of a network by its name alone: measured if it is built in."""
    known = built_in_costs()
    if network in known:
        return Figures(known[network])
    return Figures(max(known.values(), key=lambda cost: cost.gflops), is_measured=False)
