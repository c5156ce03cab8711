"""Accuracy and cost of the ten built-in networks side by side: `python benchmarks/related.py OUT`.

OUT is a study of the preset `related`, any size of it, that has been run: its scores are taken as they are. Parameters
and GFLOPs are those of width 1 and 128 x 128 pixels. Speed is measured here, of the same: images that a network trains
on in a second of one core's time, the process's own, so that other work on the machine disturbs it little; all networks
take turns.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from machine import circumstances, spread, write
from peers import ours

from study.cells import trials
from study.definition import Definition
from study.definition.file import load
from study.prepare import Prepared, prepare
from study.results import DEFINITION_FILE
from trainers.costs import built_in_costs
from trainers.dice import ALL, BACKGROUND
from trainers.names import NETWORKS
from trainers.recipe import TrainingRecipe

STEPS = 3  # of a round
REPORTED = {
    "icnet": "70.6",
    "icnet_cascade": "70.6 (ICNet)",
    "pspnet": "80.2",
    "refinenet": "73.6",
    "wide_resnet": "77.86 (val)",
    "duc_hdc": "80.1",
    "bisenet": "74.8 (val)",
    "swiftnet": "75.5 (val)",
}
"""mIoU on Cityscapes, %, as the paper's section 2 has it. It has none of FCN and U-Net."""


def main() -> None:
    """Run, and write benchmarks/results/related.md and .json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT", type=Path, help="the study's directory")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    definition = load(str(options.out / DEFINITION_FILE))
    if definition.simulate:
        parser.error(f"the scores of {options.out} are simulated: run the study")
    accuracy = accuracies(options.out)
    speeds = measured(prepare(load("related")), options.rounds)
    found = {"dice": accuracy.to_dict("records"), "images_per_core_second": speeds}
    write("related", circumstances("torch", "albumentations"), found, report(accuracy, speeds, definition))


def measured(study: Prepared, rounds: int) -> dict[str, list[float]]:
    """Network -> images a second of one core's time, round by round."""
    trainings = {name: training(study, name) for name in NETWORKS}
    for train_some in trainings.values():
        train_some()  # compiles, allocates, chooses algorithms
    rates: dict[str, list[float]] = {name: [] for name in trainings}
    for _ in range(rounds):
        for name, train_some in trainings.items():
            began = time.process_time()
            images = train_some()
            rates[name].append(images / (time.process_time() - began))
    print({name: spread(values) for name, values in rates.items()}, file=sys.stderr)
    return rates


def training(study: Prepared, network: str) -> Callable[[], int]:
    steps = ours(network, 1.0, study.source, study.splits["random_0"], TrainingRecipe())
    return lambda: sum(next(steps) for _ in range(STEPS))


def accuracies(out: Path) -> pd.DataFrame:
    """One row a network: n, mean and SD over random splits and over held-out ones, of the mean of classes."""
    rows = pd.read_parquet(out / "dice")
    of_classes = rows[(rows["partition"] == "test") & ~rows["class"].isin([BACKGROUND, ALL])]
    of_splits = of_classes.groupby(["model", "split_kind", "split"])["dice_ew"].mean()
    found = of_splits.groupby(["model", "split_kind"]).agg(["count", "mean", "std"]).unstack("split_kind")
    found.columns = [f"{kind}_{number}" for number, kind in found.columns]
    return found.reindex([name for name in NETWORKS if name in found.index]).reset_index()


def report(accuracy: pd.DataFrame, speeds: dict[str, list[float]], definition: Definition) -> str:
    """A Markdown table, the highest Dice on random splits first."""
    costs, rows = built_in_costs(), accuracy.sort_values("random_mean", ascending=False).to_dict("records")
    lines = [
        "| network | million parameters | GFLOPs | images/s, training | Dice, random splits | Dice, held-out splits | "
        "Cityscapes mIoU, % |",
        "|---|---|---|---|---|---|---|",
    ]
    fewest = math.inf
    for row in rows:
        name, cost = row["model"], costs[row["model"]]
        cells = (
            f"**{name}**" if cost.gflops < fewest else name,
            f"{cost.parameters / 1e6:.2f}",
            f"{cost.gflops:.2f}",
            spread(speeds[name]),
            dice(row, "random"),
            dice(row, "held_out"),
            REPORTED.get(name, "none"),
        )
        lines.append(f"| {' | '.join(cells)} |")
        fewest = min(fewest, cost.gflops)
    return "\n".join([*lines, "", of_what(definition, accuracy), "", HOW_TO_READ])


HOW_TO_READ = (
    "Dice is the example-wise mean of classes on test images: mean (SD, n) over splits. Bold: no other network has "
    "both a higher Dice on random splits and fewer GFLOPs. Parameters, GFLOPs (of predicting one image) and speed are "
    "at width 1 and 128 x 128 pixels; speed is the median (smallest-largest) of the images that are trained on, in "
    "batches of 16, in a second of one core's time, compositing and augmentation included. Cityscapes: as section 2 "
    "of the paper reports the original networks, each with its authors' backbone and training."
)


def dice(row: dict[str, Any], kind: str) -> str:
    """`mean (SD, n)`; no SD of fewer than three splits."""
    count = row[f"{kind}_count"]
    sd = f"{row[f'{kind}_std']:.3f}" if count > 2 else "no SD"
    return f"{row[f'{kind}_mean']:.3f} ({sd}, {count:.0f})"


def of_what(definition: Definition, accuracy: pd.DataFrame) -> str:
    """What the study's trials have in common, and how many of them there are, in a sentence."""
    recipe, training = definition.recipe, definition.training
    done = int(accuracy.filter(like="count").sum().sum())
    return (
        f"Trained for these scores: {done} of {len(trials(definition))} trials, losses "
        f"{', '.join(definition.grid.losses)}; width {recipe.model.width:g}, {training.size} pixels, "
        f"{training.epochs} epochs, batches of {training.batch_size}, learning rate "
        f"{training.learning_rate:g}, augmentation strength {recipe.augmentation.strength:g}."
    )


if __name__ == "__main__":
    main()
