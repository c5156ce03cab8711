"""How long a network waits for its images, and how many images a core augments a second.

`python benchmarks/input.py`: one trial on one core; then batches alone, at several strengths.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

from machine import circumstances, spread, write
from peers import our_batches, our_images, our_step

from study.definition.file import load
from study.prepare import Prepared, prepare
from trainers.batches import PIXELS_AHEAD
from trainers.environment import MEMORY
from trainers.step import prepare_process

NETWORKS = (("icnet", 0.25), ("icnet", 1.0), ("unet", 0.25), ("unet", 1.0))
STRENGTHS = (0.0, 0.5, 1.0, 1.5)
SECONDS = 3.0


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
    found = {"share_of_an_epoch_waiting": shares, "images_per_second": alone}
    write("input", circumstances("torch", "albumentations"), found, report(shares, alone, rounds))


def batches(study: Prepared, strength: float) -> Iterator[Any]:
    return our_batches(study.source, study.splits["random_0"], study.definition.training, strength)


def waits(study: Prepared, network: str, width: float, rounds: int) -> list[float]:
    """The share of the time of training in which the next batch is waited for.

    Each round is a whole number of the times that batches are made ahead.
    """
    recipe, coming = study.definition.training, batches(study, 1.0)
    step = our_step(network, width, study.source, recipe)
    ahead = our_images(study.splits["random_0"], recipe, 1.0).num_batches_of(PIXELS_AHEAD)
    step(*next(batches(study, 1.0)))  # compiles, allocates
    shares = []
    for _ in range(rounds):
        began, waited, trained = time.perf_counter(), 0.0, 0
        while (now := time.perf_counter()) - began < SECONDS or trained % ahead:
            batch = next(coming)
            waited += time.perf_counter() - now
            step(*batch)
            trained += 1
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
    return found[1:]  # libraries are loaded, memory is taken


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
            "of a background, and augmented by the chain of 23 operations. One core.",
        ]
    )


if __name__ == "__main__":
    main()
