"""Training images a second, ours against two peers, and against what the machine multiplies at best.

`python benchmarks/training.py`: on a CPU, all contenders have the whole machine in turn, ours with a trial on each core
as `study run` does, and with one trial on all of them. They are started together and train one after another, a few
seconds each, several rounds, so that a ratio is of neighbours in time. Needs `pip install -e '.[benchmarks]'`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from machine import circumstances, spread, write
from peers import CONTENDERS
from teams import ready, start, work

from study.definition.file import load
from study.prepare import prepare
from trainers.environment import MEMORY
from trainers.networks import network as named
from trainers.recipe import TrainingRecipe

NETWORKS = ("icnet", "unet", "icnet_cascade")
WIDTHS = (0.25, 0.5, 1.0, 1.5)
ROUNDS = 5
SECONDS = 3.0
SIDE = 3072  # of the square matrices that are multiplied
CORES = len(os.sched_getaffinity(0))


def main() -> None:
    """Run, and write benchmarks/results/training.md and .json. Called again by itself for each contender."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=NETWORKS, choices=NETWORKS)
    parser.add_argument("--widths", nargs="+", type=float, default=WIDTHS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--contender", nargs=4, metavar=("NAME", "NETWORK", "WIDTH", "THREADS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        name, network, width, threads = options.contender
        contend(name, network, float(width), int(threads))
        return
    found = [measured(n, w, options.rounds) for n in options.networks for w in options.widths]
    about = circumstances("torch", "albumentations", "lightning")
    write("training", about, {"images_per_second": found}, report(found, options.rounds))


def contend(name: str, network: str, width: float, threads: int) -> None:
    """Train for some seconds whenever a line comes in; print work done a second: images, or FLOP of the matrices."""
    torch.set_num_threads(threads)
    do_some = matrices() if name == "matrices" else trained(name, network, width, threads)
    do_some()  # compiles, allocates, chooses algorithms
    print("ready", flush=True)
    for _ in sys.stdin:
        began, done = time.perf_counter(), 0.0
        while time.perf_counter() - began < SECONDS:
            done += do_some()
        print(done / (time.perf_counter() - began), flush=True)


def trained(name: str, network: str, width: float, threads: int) -> Callable[[], float]:
    study = prepare(load("paper"))
    recipe = TrainingRecipe(threads=threads)
    steps = CONTENDERS[name](network, width, study.source, study.splits["random_0"], recipe)
    return lambda: next(steps)


def matrices() -> Callable[[], float]:
    """The product of two large bfloat16 matrices: FLOP, two for each multiply-add."""
    a, b = (torch.randn(SIDE, SIDE).bfloat16() for _ in range(2))

    def multiply() -> float:
        torch.mm(a, b)
        return 2.0 * SIDE**3

    return multiply


def measured(network: str, width: float, rounds: int) -> dict[str, Any]:
    """Each contender's images a second, and the matrices' FLOP a second, round by round."""
    contenders = {
        "ours": [start(__file__, "ours", network, width, 1, **MEMORY) for _ in range(CORES)],
        "one_trial": [start(__file__, "ours", network, width, CORES, **MEMORY)],
        "tutorial": [start(__file__, "tutorial", network, width, CORES)],
        "lightning": [start(__file__, "lightning", network, width, CORES)],
        "matrices": [start(__file__, "matrices", network, width, 1) for _ in range(CORES)],
    }
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    with ready(contenders):
        for _ in range(rounds):
            for name, team in contenders.items():
                rates[name].append(sum(work(team)))
    print(network, width, {name: spread(values) for name, values in rates.items()}, file=sys.stderr)
    return {
        "network": network,
        "width": width,
        "gflop": 3 * named(network).cost(7, {"width": width}, 128).gflops,
    } | rates


def report(found: list[dict[str, Any]], rounds: int) -> str:
    """A Markdown table."""
    head = (
        "| network | width | GFLOP an image | images/s | of the matrix rate | x tutorial | x Lightning | x one trial |"
    )
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    for one in found:
        shares = [100 * 1e9 * one["gflop"] * o / m for o, m in zip(one["ours"], one["matrices"], strict=True)]
        peers = {"tutorial": ".1f", "lightning": ".2f", "one_trial": ".2f"}
        ratios = (
            spread([o / p for o, p in zip(one["ours"], one[peer], strict=True)], form) for peer, form in peers.items()
        )
        size = (f"{one['width']:g}", f"{one['gflop']:.1f}")
        cells = (*size, spread(one["ours"]), f"{spread(shares, '.0f')} %", *ratios)
        lines.append(f"| {one['network']} | {' | '.join(cells)} |")
    rate = spread([m / 1e12 for one in found for m in one["matrices"]], ".2f")
    return "\n".join(
        [
            *lines,
            "",
            f"Median (smallest-largest) of {rounds} rounds on {CORES} cores, images of 128 x 128 in batches of 16, "
            "input included (ours makes 16 batches at once, which a slow network's rounds miss: under 0.3 %). "
            "An image's GFLOP are the convolutions', forward and backward (three times forward). The "
            f"matrix rate is {rate} TFLOP/s: bfloat16, {SIDE} x {SIDE}. Times tutorial and Lightning: a trial on each "
            f"core against the peer on all cores; times one trial: against one trial of ours on {CORES} threads.",
        ]
    )


if __name__ == "__main__":
    main()
