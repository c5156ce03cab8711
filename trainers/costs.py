"""What each built-in network costs to train, measured on the meta device and kept beside this file: whoever plans a
study needs no network library. `trainers.networks.measure_costs` measures anew. Imports nothing heavy.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

IMAGE_SIZE = 128
"""At which costs are measured: the paper's."""
_FILE = Path(__file__).with_suffix(".json")


@dataclass(frozen=True)
class TrainingCost:
    """Of one network, at 128 x 128 pixels."""

    parameters: int
    """Weights and the batch norms' running means and variances."""
    gflops: float
    """1e9 floating point operations to predict one image."""
    kept_values: int
    """Of one image, from the forward pass for the backward pass."""


@cache
def built_in_costs() -> dict[str, TrainingCost]:
    """Built-in network -> its cost at width 1."""
    return {name: TrainingCost(**cost) for name, cost in json.loads(_FILE.read_text()).items()}
