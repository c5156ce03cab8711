"""How many trials should share a GPU, and what part of its matrix rate a study reaches: `python benchmarks/gpu.py`.

Whole short trainings (images, recording and validation included), 1, 2, 4 and 8 at a time, in processes that share the
GPU as a study's workers do. Then, with `--study`, the paper's 44 trials, by the command that a user types. It runs
without a GPU, too, to show that it runs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import torch
from machine import ROOT, circumstances, spread, write
from teams import Team, ready, start, work

from study.cluster import sharing_gpus
from study.definition.file import load
from study.prepare import Prepared, prepare
from study.results import Results
from trainers.names import NETWORKS
from trainers.networks import network as named
from trainers.train import Job, train

AT_ONCE = (1, 2, 4, 8)
NO_SETTING = "none"
SIDE = 8192  # of the square matrices that are multiplied
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def main() -> None:
    """Run, and write benchmarks/results/gpu.md and .json. Called again by itself for each trial."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--epochs", type=int, default=16, help="of each training; default: %(default)s")
    parser.add_argument("--at-once", nargs="+", type=int, default=AT_ONCE)
    parser.add_argument(
        "--settings", nargs="*", default=[], metavar="KEY=VALUE", help="put into the paper's definition"
    )
    parser.add_argument("--study", action="store_true", help="also the paper's study as a whole (needs Ray)")
    parser.add_argument("--contender", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        contend(options.contender)
        return
    rate = matrix_rate()
    study = prepare(load("paper", options.settings))
    with sharing_gpus() as remark:
        team = [start(__file__, *(options.settings or [NO_SETTING])) for _ in range(max(options.at_once))]
        with ready({"trainings": team}):
            found = [
                measured(network, team[:number], options.epochs, study, options.rounds)
                for network in options.networks
                for number in options.at_once
            ]
    whole = whole_study(options.settings) if options.study else None
    about = circumstances("torch", "albumentations")
    if DEVICE.type == "cuda":
        about["gpu"] = f"{torch.cuda.get_device_name()}, shared {f'in turns ({remark})' if remark else 'through MPS'}"
    write("gpu", about, {"matrix_flops": rate, "trainings": found, "study": whole}, report(found, whole, rate, about))


def contend(settings: Sequence[str]) -> None:
    """Train the network of each line that comes in, for so many epochs; print the GPU memory taken, MiB."""
    study = prepare(load("paper", [setting for setting in settings if setting != NO_SETTING]))

    def training(network: str, epochs: int) -> float:
        recipe = study.definition.recipe.at({"training.epochs": epochs})
        train(Job(network, "ce", recipe, ("benchmark",)), study.source, study.splits["random_0"])
        taken = torch.cuda.max_memory_reserved() / 2**20 if DEVICE.type == "cuda" else 0.0
        if DEVICE.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        return taken

    training("icnet", 1)  # libraries are loaded
    print("ready", flush=True)
    for line in sys.stdin:
        network, epochs = line.split()
        print(training(network, int(epochs)), flush=True)


def measured(network: str, team: Team, epochs: int, study: Prepared, rounds: int) -> dict[str, Any]:
    """Images a second of all trainings together, round by round."""
    size, classes = study.definition.training.size, len(study.source.samples.labels)
    batch = study.definition.training.batch_size
    num_images = len(team) * epochs * (len(study.splits["random_0"].train) // batch * batch)
    rates, memory = [], 0.0
    for _ in range(rounds):
        began = time.perf_counter()
        memory = max(memory, *work(team, f"{network} {epochs}"))
        rates.append(num_images / (time.perf_counter() - began))
    print(
        f"{network}, {len(team)} at once: {spread(rates)} images/s, {memory:.0f} MiB each", file=sys.stderr, flush=True
    )
    gflop = 3 * named(network).cost(classes, {"width": 1.0}, size).gflops
    return {"network": network, "at_once": len(team), "images_per_second": rates, "mib": memory, "gflop": gflop}


def matrix_rate() -> float:
    """FLOP a second of the product of two large bfloat16 matrices, the best of several tries."""
    side = SIDE if DEVICE.type == "cuda" else SIDE // 8
    a, b = (torch.randn(side, side, device=DEVICE).bfloat16() for _ in range(2))
    rates = []
    for _ in range(10):
        began = time.perf_counter()
        for _ in range(20):
            product = a @ b
        product[0, 0].item()  # waits
        rates.append(20 * 2.0 * side**3 / (time.perf_counter() - began))
    return max(rates)


def whole_study(settings: Sequence[str]) -> dict[str, float]:
    """Seconds from the command to its end, and the FLOP of its training."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "study", "run", "paper", "--out", folder]
        began = time.perf_counter()
        subprocess.run(
            [*command, *(word for setting in settings for word in ("--set", setting))],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=sys.stderr,
            check=True,
        )
        seconds, rows = time.perf_counter() - began, list(Results(folder).audit().rows.values())
    recipe = load("paper", settings).training
    steps = [recipe.epochs * (row["num_train"] // recipe.batch_size) for row in rows]
    flop = sum(3e9 * row["gflops"] * recipe.batch_size * number for row, number in zip(rows, steps, strict=True))
    return {"seconds": seconds, "trials": len(rows), "flop": flop}


def report(found: list[dict[str, Any]], whole: dict[str, float] | None, rate: float, about: dict[str, Any]) -> str:
    """A Markdown table, and a sentence on the study."""
    lines = [
        "| network | trials at once | images/s, all together | of the matrix rate | MiB a trial |",
        "|---|---|---|---|---|",
    ]
    for one in found:
        share = 100e9 * one["gflop"] * statistics.median(one["images_per_second"]) / rate
        cells = (
            one["network"],
            str(one["at_once"]),
            spread(one["images_per_second"], ".0f"),
            f"{share:.0f} %",
            f"{one['mib']:.0f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    where = about.get("gpu") or "a CPU, for want of a GPU"
    lines += [
        "",
        f"On {where}; its matrix rate is {rate / 1e12:.1f} TFLOP/s (bfloat16). Width 1, CE, strength 1.",
    ]
    if whole:
        share = 100 * whole["flop"] / whole["seconds"] / rate
        lines.append(
            f"The paper's {whole['trials']:.0f} trials took {whole['seconds']:.0f} s from the command to its end, "
            f"{share:.0f} % of that rate."
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
