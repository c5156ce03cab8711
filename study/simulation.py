"""A trial that is not trained: plausible predictions, drawn; for trying out clusters, searches and reports.

Everything else is as in a real trial: splits, search, commits, tables. The recipe says `simulate`, so simulated trials
never stand in one study with real ones. Every draw is seeded by what it is for: simulated studies are pure, too.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from study.definition.splits import whole_of_share
from study.planning.figures import figures_of
from study.results import tables
from trainers.counting import at_own_sizes
from trainers.data.class_names import IGNORED
from trainers.data.source import Source
from trainers.data.split import Split
from trainers.dice import confusion, dice_of_shown, macro
from trainers.outcome import Epoch, Evaluation
from trainers.seeds import generator_for

DEVICE = "simulated"

Labels = NDArray[np.uint8]


def simulate(run: tables.Run, on_epoch: Callable[[Epoch], None] = lambda epoch: None) -> dict[str, pa.Table]:
    """The tables of a trial as if it had been trained: its truths, shifted, missed and strewn with false patches."""
    severity = _severity(run)
    evaluations = {name: _evaluation(run, name, severity) for name in ("val", "test")}
    scores = dice_of_shown(evaluations["val"].confusion_NKK, run.recipe.training.epsilon)
    objective, _ = macro(scores.ew[run.study.source.samples.first_object :])
    history = _history(run, objective)
    for epoch in history:
        time.sleep(run.study.definition.resources.simulated_seconds / len(history))
        on_epoch(epoch)
    selected = min((epoch.val_loss or 0.0, epoch.epoch) for epoch in history)[1]  # all have one
    return tables.completed(run, _cost(run), history, selected, evaluations)


def _severity(run: tables.Run) -> float:
    """How wrong the predictions are: less with width, least near strength .8, more on held-out splits, of few
    training images, or by chance."""
    cell, recipe = run.trial.cell, run.recipe
    chance = _draws(run, "severity").normal(0, 0.015)
    whole = run.study.definition.splits.kind_of(run.split.drawn_as)
    harder = 0.05 if whole == "held_out" else 0.0
    easier = 0.01 if cell.loss == "ce_dice" else 0.0
    by_point = 0.02 * (recipe.augmentation.strength - 0.8) ** 2 - 0.015 * math.log(recipe.model.width)
    fewer = 0.05 * ((100 / whole_of_share(run.split.name)[1]) ** 0.5 - 1) if run.split.kind == "share" else 0.0
    early = 0.1 * (1 - (run.trial.epochs or recipe.training.epochs) / recipe.training.epochs)
    return max(0.01, 0.09 + by_point + harder + fewer - easier + early + float(chance))


def _evaluation(run: tables.Run, partition: str, severity: float) -> Evaluation:
    """Label maps of N images, H x W pixels: each object shifted; some lost; in some a false patch of another class."""
    draws, source = _draws(run, partition), run.study.source
    truth_NHW = _truth(source, run.split, partition)
    n, height, width = truth_NHW.shape
    sides = np.array([height, width]).reshape(2, 1, 1)
    offsets = np.rint(draws.normal(0, severity, (2, n, 1)) * sides).astype(np.int64)
    rows, columns = (np.arange(height) - offsets[0]) % height, (np.arange(width) - offsets[1]) % width
    predicted: Labels = truth_NHW[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]
    predicted[draws.random(n) < severity / 3] = 0
    corners, reach = (draws.random((2, n, 1)) * sides).astype(np.int64), max(2, height // 8)
    in_rows = np.abs(2 * (np.arange(height) - corners[0]) + 1 - reach) < reach
    in_columns = np.abs(2 * (np.arange(width) - corners[1]) + 1 - reach) < reach
    patch = np.einsum("nh,nw->nhw", in_rows, in_columns) & (draws.random((n, 1, 1)) < 2 * severity)
    first, num_labels = source.samples.first_object, len(source.samples.labels)
    predicted[predicted == IGNORED] = 0
    predicted = np.where(patch, draws.integers(first, num_labels, (n, 1, 1)), predicted).astype(np.uint8)
    if run.recipe.training.counted_at == "original size":
        ids = {"val": run.split.val, "test": run.split.test}[partition]
        counts = [confusion(*pair, num_labels) for pair in at_own_sizes(source, ids, predicted)]
        return Evaluation(predicted, np.concatenate(counts))
    return Evaluation(predicted, confusion(truth_NHW, predicted, num_labels))


@lru_cache(maxsize=32)
def _truth(source: Source, split: Split, partition: str) -> Labels:
    """The labels of a split's val or test, made once for all trials of the split."""
    ids = {"val": split.val, "test": split.test}[partition]
    return np.stack([labels_HW for _, labels_HW in source.for_evaluation(split, ids)])


def _history(run: tables.Run, objective: float) -> list[Epoch]:
    """Curves that rise to the objective in the last epoch, whose weights are kept."""
    epochs = run.trial.epochs or run.recipe.training.epochs
    noise = _draws(run, "history").normal(0, 0.02, (epochs, 2))
    noise[-1] = 0
    learnt = 1 - np.exp(-3 * np.arange(1, epochs + 1) / epochs)
    return [
        Epoch(
            epoch=epoch + 1,
            train_loss=float(2 - 1.8 * learnt[epoch]),
            val_loss=float(2 - 1.6 * learnt[epoch] + abs(noise[epoch, 0])),
            objective=float(min(1, max(0, objective * learnt[epoch] / learnt[-1] + noise[epoch, 1]))),
            learning_rate=run.recipe.training.learning_rate,
            seconds=0.0,
        )
        for epoch in range(epochs)
    ]


def _draws(run: tables.Run, purpose: str) -> np.random.Generator:
    return generator_for(run.study.definition.seed, "simulated", run.trial.whole_id, purpose)


def _cost(run: tables.Run) -> dict[str, Any]:
    """By what is known of the network beforehand."""
    network, area = run.study.definition.network(run.trial.cell.model), run.recipe.training.size.pixels / 128**2
    known, width = figures_of(network.make).cost, network.width_in(run.recipe)
    gflops = known.gflops * area * width**2
    return {
        "parameters": round(known.parameters * width**2),
        "gflops": gflops,
        "latency_ms_median": 1 + gflops,
        "latency_ms_p95": 1 + 1.2 * gflops,
        "train_seconds": 10 * gflops,
        "images_per_second": 100 / gflops,
        "device": DEVICE,
        "precision": "none",
    }
