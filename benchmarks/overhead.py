"""What a trial costs beside its training, and what memory its worker takes: `python benchmarks/overhead.py`.

The paper's 44 trials, small (32 x 32 pixels, width 0.25), through the command a user types: of 1 epoch and of 9. What
does not grow with the epochs is the overhead: Ray's start, suggestion, hand-out, building the network, predicting and
counting validation and test images, latency, tables, commit. Memory is read from the workers all the time. Linux only.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass

import numpy as np
import psutil
from machine import ROOT, circumstances, spread, write

from study.results import Results

EPOCHS = (1, 9)
SMALL = ("training.image_size=32", "search.default_width=0.25", "resources.checkpoint_seconds=1e9")
WORKERS = len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Study:
    """One run of the study, from the command to its end."""

    seconds: float
    until_first_trial: float
    num_trials: int
    memory: tuple[tuple[float, float], ...]
    """(Seconds since the start, MiB of the largest worker), several times a second."""


def main() -> None:
    """Run, and write benchmarks/results/overhead.md and .json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = [[run(epochs) for epochs in EPOCHS] for _ in range(parser.parse_args().rounds)]
    found = {"rounds": [[asdict(study) | {"memory": None} for study in pair] for pair in rounds]}
    write("overhead", circumstances("torch", "ray"), found, report(rounds))


def run(epochs: int) -> Study:
    settings = [word for each in (*SMALL, f"training.epochs={epochs}") for word in ("--set", each)]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "study", "run", "paper", "--out", folder, *settings]
        began, wall, memory = time.perf_counter(), time.time(), []
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
            watcher = threading.Thread(target=watch_workers, args=(process.pid, began, memory))
            watcher.start()
            process.wait()
            watcher.join()
        seconds = time.perf_counter() - began
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)}: exit {process.returncode}")
        rows = Results(folder).trials()
    first = min(row["started"].timestamp() for row in rows) - wall
    print(f"{epochs} epochs: {len(rows)} trials in {seconds:.1f} s", file=sys.stderr)
    return Study(seconds, first, len(rows), tuple(memory))


def watch_workers(pid: int, began: float, memory: list[tuple[float, float]]) -> None:
    """Note the largest resident memory of the driver's workers, until the driver is gone."""
    while True:
        try:
            children = psutil.Process(pid).children(recursive=True)
            workers = [child for child in children if child.name().startswith("ray::")]
            taken = [child.memory_info().rss / 2**20 for child in workers]
        except psutil.NoSuchProcess:
            return
        if not children and psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return
        memory.append((time.perf_counter() - began, max(taken, default=0.0)))
        time.sleep(0.2)


def report(rounds: list[list[Study]]) -> str:
    """A Markdown table."""
    few, many = EPOCHS
    whole, without_start, epoch = [], [], []
    for short, long in rounds:
        of_epoch = (long.seconds - short.seconds) / (many - few)
        beside = short.seconds - few * of_epoch
        epoch.append(WORKERS * of_epoch / short.num_trials)
        whole.append(WORKERS * beside / short.num_trials)
        without_start.append(WORKERS * (beside - short.until_first_trial) / short.num_trials)
    peaks = [max(taken for _, taken in study.memory) for pair in rounds for study in pair]
    growth = [growth_of(study) for pair in rounds for study in pair]
    rows = {
        "an epoch of a trial, seconds of a worker": spread(epoch, ".2f"),
        "a trial's overhead, seconds of a worker, all of the study's wall time": spread(whole, ".2f"),
        "the same without Ray's start, which is once a study": spread(without_start, ".2f"),
        "from the command to the first trial, seconds": spread([s.until_first_trial for p in rounds for s in p]),
        "a worker's largest memory, MiB": spread(peaks, ".0f"),
        "its largest of the second half of the trials less that of the first, MiB": spread(growth, ".0f"),
    }
    table = [
        "| what | median (smallest-largest) |",
        "|---|---|",
        *(f"| {name} | {text} |" for name, text in rows.items()),
    ]
    about = f"{len(rounds)} rounds of {rounds[0][0].num_trials} trials on {WORKERS} workers of one thread each."
    return "\n".join([*table, "", about])


def growth_of(study: Study) -> float:
    seconds, taken = np.array(study.memory).T
    half = (study.until_first_trial + study.seconds) / 2
    return float(taken[seconds > half].max() - taken[seconds <= half].max())


if __name__ == "__main__":
    main()
