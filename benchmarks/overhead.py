"""What a trial costs beside its training, and what memory its worker takes: `python benchmarks/overhead.py`.

The paper's 44 trials, small and short (32 x 32 pixels, width 0.25, 1 epoch), through the command a user types. Overhead
is what is no epoch (training and validation): building the network, predicting and counting validation and test images,
latency, tables, commit; report, suggestion, hand-out; and, once a study, Ray's start. Memory is read from the workers
all the time. Linux only.
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
import pyarrow.compute as pc
from machine import ROOT, circumstances, spread, write

from study.results import Results

SMALL = (
    "training.image_size=32",
    "training.epochs=1",
    "model.width=0.25",
    "resources.checkpoint_seconds=3e7",
)
WORKERS = len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Study:
    """One run of the study, from the command to its end."""

    seconds: float
    until_first_trial: float
    after_last_trial: float
    in_trials: float
    """Seconds of all trials together, from each one's start to its end."""
    in_epochs: float
    num_trials: int
    memory: tuple[tuple[float, float], ...]
    """(Seconds since the start, MiB of the largest worker), several times a second."""


def main() -> None:
    """Run, and write benchmarks/results/overhead.md and .json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = [run() for _ in range(parser.parse_args().rounds)]
    found = {"rounds": [asdict(study) | {"memory": None} for study in rounds]}
    write("overhead", circumstances("torch", "ray"), found, report(rounds))


def run() -> Study:
    settings = [word for each in SMALL for word in ("--set", each)]
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
        rows = list(Results(folder).audit().rows.values())
        in_epochs = pc.sum(Results(folder).read("history", {row["trial"] for row in rows})["seconds"]).as_py()
    starts, ends = ([row[which].timestamp() - wall for row in rows] for which in ("started", "finished"))
    print(f"{len(rows)} trials in {seconds:.1f} s", file=sys.stderr)
    return Study(
        seconds, min(starts), seconds - max(ends), sum(ends) - sum(starts), in_epochs, len(rows), tuple(memory)
    )


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


def report(rounds: list[Study]) -> str:
    """A Markdown table."""
    while_trials_run = [s.seconds - s.until_first_trial - s.after_last_trial for s in rounds]
    of_workers = list(zip(rounds, (WORKERS * seconds for seconds in while_trials_run), strict=True))
    rows = {
        "an epoch of a trial, seconds of a worker": spread([s.in_epochs / s.num_trials for s in rounds], ".2f"),
        "a trial's overhead, seconds of a worker": spread(
            [(seconds - s.in_epochs) / s.num_trials for s, seconds in of_workers], ".2f"
        ),
        "of it, between one trial's end and the next one's start": spread(
            [(seconds - s.in_trials) / s.num_trials for s, seconds in of_workers], ".2f"
        ),
        "from the command to the first trial, seconds": spread([s.until_first_trial for s in rounds]),
        "from the last trial to the command's end, seconds": spread([s.after_last_trial for s in rounds]),
        "all of the study's wall time but its epochs, seconds of a worker and trial": spread(
            [(WORKERS * s.seconds - s.in_epochs) / s.num_trials for s in rounds], ".2f"
        ),
        "a worker's largest memory, MiB": spread([max(taken for _, taken in s.memory) for s in rounds], ".0f"),
        "its largest of the second half of the trials less that of the first, MiB": spread(
            [growth_of(s) for s in rounds], ".0f"
        ),
    }
    table = [
        "| what | median (smallest-largest) |",
        "|---|---|",
        *(f"| {name} | {text} |" for name, text in rows.items()),
    ]
    about = f"{len(rounds)} rounds of {rounds[0].num_trials} trials on {WORKERS} workers of one thread each."
    return "\n".join([*table, "", about])


def growth_of(study: Study) -> float:
    seconds, taken = np.array(study.memory).T
    half = (study.until_first_trial + study.seconds) / 2
    return float(taken[seconds > half].max() - taken[seconds <= half].max())


if __name__ == "__main__":
    main()
