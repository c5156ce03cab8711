"""What successive halving costs and finds, against the full search: `python benchmarks/halving.py`.

The same eight cells of small trainings on the shipped images, searched twice: all trials to the end, and halved. By
epochs of training spent: the best validation Dice, and the test Dice of what was chosen.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from machine import ROOT, circumstances, write

SETTINGS = (
    *("grid.models=icnet", "grid.splits=random_0,random_1,random_2,rot_0", "training.image_size=32"),
    *("training.epochs=8", "model.width=0.25", "search.trials=8", "search.startup=8"),
    'search.space."training.learning_rate"={low=1e-4,high=1e-2,log=true}',
    'search.space."augmentation.strength"={low=0.0,high=1.5}',
)
HALVING = "search.halving={rungs=[2,4,8],keep=0.5}"
Cell = dict[str, Any]
CELL = ["model", "loss", "split"]


def main() -> None:
    """Run, and write benchmarks/results/halving.md and .json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="put into the definition")
    more = parser.parse_args().set
    with tempfile.TemporaryDirectory() as folder:
        found = {
            name: cells_of(run(Path(folder) / name, [*SETTINGS, *extra, *more]))
            for name, extra in (("full", []), ("halved", [HALVING]))
        }
    write("halving", circumstances("torch", "optuna"), found, report(found))


def run(out: Path, settings: list[str]) -> Path:
    command = [sys.executable, "-m", "study", "run", "paper", "--out", str(out)]
    subprocess.run(
        [*command, *(word for setting in settings for word in ("--set", setting))],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=sys.stderr,
        check=True,
    )
    return out


def cells_of(out: Path) -> list[Cell]:
    """Of every cell: epochs spent, validation Dice of the tuned trial and its mean test Dice."""
    return list(_cells_of(out))


def _cells_of(out: Path) -> Iterator[Cell]:
    trials, history = pd.read_parquet(out / "trials"), pd.read_parquet(out / "history")
    dice = pd.read_parquet(out / "dice")
    test = dice[(dice["partition"] == "test") & ~dice["class"].isin(["bg", "all"])]
    test_dice = test.groupby("trial")["dice_ew"].mean()
    by_trial = trials.assign(whole=trials["trial"].str.replace(r"-e\d+$", "", regex=True)).set_index("trial")
    spent = history.assign(whole=history["trial"].map(by_trial["whole"])).drop_duplicates(["whole", "epoch"])
    for cell, own in by_trial.groupby(CELL):
        finished = own[own["rung"].isna()].sort_values(["objective", "index"], ascending=[False, True])
        yield {
            "cell": " ".join(cell),
            "epochs": int(spent["whole"].isin(own["whole"]).sum()),
            "validation": float(finished["objective"].iloc[0]),
            "test": float(test_dice[finished.index[0]]),
            "objectives": own[own["rung"].isna()].sort_values("index")["objective"].to_list(),
        }


def report(found: dict[str, list[Cell]]) -> str:
    """A Markdown table, cell by cell, and the means."""
    lines = [
        "| cell | epochs: full, halved | validation Dice: full, halved, full for as many epochs | "
        "test Dice: full, halved |",
        "|---|---|---|---|",
    ]
    pairs = list(zip(found["full"], found["halved"], strict=True))
    for full, halved in pairs:
        both = {key: f"{full[key]:.3f}, {halved[key]:.3f}" for key in ("validation", "test")}
        shown = f"{both['validation']}, {for_as_many(full, halved):.3f} | {both['test']}"
        lines.append(f"| {full['cell']} | {full['epochs']}, {halved['epochs']} | {shown} |")
    share = sum(h["epochs"] for _, h in pairs) / sum(f["epochs"] for f, _ in pairs)
    lost = statistics.fmean(f["validation"] - h["validation"] for f, h in pairs)
    gained = statistics.fmean(h["validation"] - for_as_many(f, h) for f, h in pairs)
    same = sum(f["validation"] == h["validation"] for f, h in pairs)
    lines += [
        "",
        f"Halving spent {100 * share:.0f} % of the epochs, found the full search's own trial in {same} of {len(pairs)} "
        f"cells, and lost {lost:.3f} of validation Dice on average. The full search, ended after as many epochs as "
        f"halving spent, would have reached {abs(gained):.3f} {'less' if gained > 0 else 'more'} than halving did.",
    ]
    return "\n".join(lines)


def for_as_many(full: Cell, halved: Cell) -> float:
    """The best validation Dice of the full search's first trials that take no more epochs than halving spent."""
    of_trials = full["objectives"]
    number = max(1, halved["epochs"] * len(of_trials) // full["epochs"])
    return max(each for each in of_trials[:number] if each is not None)


if __name__ == "__main__":
    main()
