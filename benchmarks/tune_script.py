"""The script that a user would write after Ray Tune's PyTorch tutorial, for the same study: what ours is held against.

A function trainable, a grid and random widths, float32, a DataLoader, the data read by every trial, no worker kept. It
trains the same networks on the same splits for as many epochs, and scores the test images once. `python
benchmarks/tune_script.py DEFINITION [KEY=VALUE ...]` prints nothing and keeps nothing: only its time is of interest.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

from study.definition.file import load


def train(config: dict[str, Any]) -> None:
    import torch  # not above: Ray cannot take a function along that finds torch there
    from peers import Composites, as_described
    from ray import tune

    from study.prepare import prepare
    from trainers.batches import EvaluationImages
    from trainers.losses import loss_named
    from trainers.step import to_input

    definition = load(config["definition"], config["settings"])
    study = prepare(definition)
    source, split, recipe = study.source, study.splits[config["split"]], definition.training
    images = Composites(source, split, recipe.size)
    loader = torch.utils.data.DataLoader(images, batch_size=recipe.batch_size, shuffle=True, drop_last=True)
    model = as_described(config["model"], len(source.samples.labels), config["width"])
    optimizer, loss_fn = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate), loss_named(config["loss"])

    def accuracy(samples: tuple[str, ...]) -> float:
        model.eval()
        right = []
        with torch.no_grad():
            for pixels, labels in EvaluationImages(source, split, samples, 16):
                right.append(model(to_input(pixels))[0].argmax(1) == labels)
        return float(torch.cat(right).float().mean())

    for _ in range(recipe.epochs):
        model.train()
        for batch, labels in loader:
            loss = loss_fn(model(batch)[0], labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        tune.report({"accuracy": accuracy(split.val)})
    tune.report({"accuracy": accuracy(split.val), "test": accuracy(split.test)})


def main() -> None:
    os.environ |= {"RAY_AIR_NEW_OUTPUT": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    import ray
    from ray import tune

    name, *settings = sys.argv[1:]
    definition = load(name, settings)
    grid, search = definition.grid, definition.search
    ray.init(logging_level=logging.ERROR, log_to_driver=False, include_dashboard=False)
    space = {
        "definition": name,
        "settings": settings,
        "model": tune.grid_search(list(grid.models)),
        "loss": tune.grid_search(list(grid.losses)),
        "split": tune.grid_search(list(grid.splits)),
        "width": definition.model.width if search.trials == 1 else tune.uniform(*search.space["model.width"].ends),
    }
    tuner = tune.Tuner(
        tune.with_resources(train, {"cpu": definition.training.threads}),
        param_space=space,
        tune_config=tune.TuneConfig(num_samples=search.trials),
        run_config=tune.RunConfig(verbose=0, storage_path=os.environ["STORAGE"]),
    )
    results = tuner.fit()
    assert not results.errors, results.errors
    assert len(results) == len(grid.models) * len(grid.losses) * len(grid.splits) * search.trials


if __name__ == "__main__":
    main()
