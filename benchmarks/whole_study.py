"""Trials an hour of whole studies, ours against the script that a user would write: `python benchmarks/whole_study.py`.

In turn, several rounds: from the command to its end, Ray's start included.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import ROOT, circumstances, spread, write

from study.cells import trials
from study.definition.file import load

STUDIES = {
    "demo, 12 trials of 4 epochs": ("demo", ["search.trials=1", "training.epochs=4"]),
    "paper at half width, 4 trials of 1 epoch": (
        "paper",
        ["grid.splits=random_0", "training.epochs=1", "model.width=0.5"],
    ),
}


def main() -> None:
    """Run, and write benchmarks/results/whole_study.md and .json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--studies", nargs="+", choices=[name.partition(",")[0] for name in STUDIES])
    options = parser.parse_args()
    chosen = {n: s for n, s in STUDIES.items() if not options.studies or n.partition(",")[0] in options.studies}
    found = {name: measured(*study, options.rounds) for name, study in chosen.items()}
    write("whole_study", circumstances("torch", "ray"), {"trials_an_hour": found}, report(found))


def measured(definition: str, settings: list[str], rounds: int) -> dict[str, list[float]]:
    """Trials an hour of each, round by round."""
    number = len(trials(load(definition, settings)))
    rates: dict[str, list[float]] = {"ours": [], "script": []}
    for _ in range(rounds):
        for name, values in rates.items():
            values.append(3600 * number / seconds(name, definition, settings))
            print(f"{definition}, {name}: {values[-1]:.0f} trials an hour", file=sys.stderr)
    return rates


def seconds(name: str, definition: str, settings: list[str]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        ours = ["-m", "study", "run", definition, "--out", folder, *(w for s in settings for w in ("--set", s))]
        script = [str(Path(__file__).parent / "tune_script.py"), definition, *settings]
        command = [sys.executable, *(ours if name == "ours" else script)]
        path = f"{ROOT}{os.pathsep}{Path(__file__).parent}"
        began = time.perf_counter()
        subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": path, "STORAGE": folder},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return time.perf_counter() - began


def report(found: dict[str, dict[str, list[float]]]) -> str:
    """A Markdown table."""
    lines = ["| study | ours, trials an hour | the script's | ours, times the script's |", "|---|---|---|---|"]
    for name, rates in found.items():
        ratios = [ours / script for ours, script in zip(rates["ours"], rates["script"], strict=True)]
        cells = (spread(rates["ours"], ".0f"), spread(rates["script"], ".0f"), spread(ratios))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    rounds = len(next(iter(found.values()))["ours"])
    return "\n".join([*lines, "", f"Median (smallest-largest) of {rounds} rounds, on all cores of the machine."])


if __name__ == "__main__":
    main()
