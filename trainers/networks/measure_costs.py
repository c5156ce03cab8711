"""What each built-in network costs, by the network itself: `python -m trainers.networks.measure_costs >
trainers/costs.json` measures anew what planning reads."""

from __future__ import annotations

import json
from dataclasses import asdict

from trainers.costs import IMAGE_SIZE, TrainingCost
from trainers.data.size import square
from trainers.names import NETWORKS
from trainers.networks import network

NUM_CLASSES = 7
"""The paper's."""


def measured_costs() -> dict[str, TrainingCost]:
    """Built-in network -> its cost at width 1, on the meta device."""
    return {name: network(name).training_cost(NUM_CLASSES, {}, square(IMAGE_SIZE)) for name in NETWORKS}


if __name__ == "__main__":
    print(json.dumps({name: asdict(cost) for name, cost in measured_costs().items()}, indent=1))
