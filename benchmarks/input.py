"""How long a network waits for its images, and how many images a core augments a second.

`python benchmarks/input.py`: one trial on one core, which makes its batches itself, as on a CPU; then batches alone, at
several strengths; then made ahead by processes, as for a GPU.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

from machine import circumstances, spread, write
from peers import our_batches, our_step

from study.definition import load
from study.prepare import Prepared, prepare
from trainers.environment import MEMORY
from trainers.loaders import made_ahead
from trainers.step import prepare_process

NETWORKS = (("icnet", 0.25), ("icnet", 1.0), ("unet", 0.25), ("unet", 1.0))
STRENGTHS = (0.0, 0.5, 1.0, 1.5)
SECONDS = 3.0
PROCESSES = len(os.sched_getaffinity(0))


def main() -> None:
    """Run, and write benchmarks/results/input.md and .json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    if not MEMORY.items() <= os.environ.items():  # read when a process starts
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | MEMORY)
    study = prepare(load("paper"))
    prepare_process(study.definition.training)
    shares = {f"{network}, width {width:g}": waits(study, network, width, rounds) for network, width in NETWORKS}
    alone = {f"strength {strength:g}": rates(batches(study, strength), rounds) for strength in STRENGTHS}
    ahead = batches(study, 1.0, PROCESSES)
    made = alone | {f"strength 1, by {PROCESSES} processes, all together": rates(ahead, rounds)}
    found = {"share_of_an_epoch_waiting": shares, "images_per_second": made}
    write("input", circumstances("torch", "albumentations"), found, report(shares, made, rounds))


def batches(study: Prepared, strength: float, processes: int = 0) -> Iterator[Any]:
    makers = made_ahead(study.dataset, processes) if processes else None
    return our_batches(study.dataset, study.splits["random_0"], study.definition.training, strength, makers)


def waits(study: Prepared, network: str, width: float, rounds: int) -> list[float]:
    """The share of the time of training in which the next batch is waited for."""
    step, coming = our_step(network, width, study.dataset, study.definition.training), batches(study, 1.0)
    step(*next(coming))  # compiles, allocates
    shares = []
    for _ in range(rounds):
        began, waited = time.perf_counter(), 0.0
        while (now := time.perf_counter()) - began < SECONDS:
            batch = next(coming)
            waited += time.perf_counter() - now
            step(*batch)
        shares.append(waited / (now - began))
        print(f"{network} at {width:g}: {shares[-1]:.1%}", file=sys.stderr)
    return shares


def rates(coming: Iterator[Any], rounds: int) -> list[float]:
    """Images a second, when nothing else is done with them."""
    found = []
    for _ in range(rounds + 1):
        began, number = time.perf_counter(), 0
        while (seconds := time.perf_counter() - began) < SECONDS:
            number += len(next(coming)[0])
        found.append(number / seconds)
    return found[1:]  # processes have started, and what they had made ahead is used up


def report(shares: dict[str, list[float]], made: dict[str, list[float]], rounds: int) -> str:
    """Two Markdown tables."""
    waiting = [f"| {name} | {spread([100 * share for share in each])} % |" for name, each in shares.items()]
    making = [f"| {name} | {spread(each, '.0f')} |" for name, each in made.items()]
    return "\n".join(
        [
            "| one trial on one core | of an epoch, waiting for images |",
            "|---|---|",
            *waiting,
            "",
            "| batches alone | images/s |",
            "|---|---|",
            *making,
            "",
            f"Median (smallest-largest) of {rounds} rounds, images of 128 x 128 in batches of 16: pasted before a crop "
            "of a background, and augmented by the chain of 23 operations. One core, but where processes are named.",
        ]
    )


if __name__ == "__main__":
    main()
