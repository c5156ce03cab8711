"""How many trials a second one driver hands out, takes back and keeps: `python benchmarks/scale.py`.

Studies of 100, 1,000 and 10,000 simulated trials go through the real Ray Tune, the real search and the real commits on
this machine, by the command a user types. Nothing is trained, so this is the most that a driver can do. Linux only.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from machine import ROOT, circumstances, write

from study.cells import cells
from study.definition.file import load
from study.results import Results

MOST_TRIALS = 23  # in a cell, of which the last 15 are chosen by TPE
SMALL = ("training.image_size=16", "training.epochs=2")  # of what a trial takes, only what is not training


@dataclass(frozen=True)
class Measurement:
    """One study, run once in one go, and then again."""

    num_trials: int
    seconds: float
    """From the command to its end, Ray's start included."""
    trials_per_second: float
    """From the first trial's end to the last one's."""
    first_tenth: float
    """Milliseconds from one trial's end to the next, over the first tenth of the trials."""
    last_tenth: float
    driver_peak_mib: float
    resume_seconds: float
    """The same command once more: it finds nothing to do."""
    status_seconds: float


def main() -> None:
    """Run, and write benchmarks/results/scale.md and .json."""
    parser = argparse.ArgumentParser(description="Trials a second, memory of the driver, time to resume.")
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 1000, 10_000], help="default: %(default)s")
    options = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for number in options.trials:
            found.append(measured(number, Path(folder) / f"trials_{number}"))
            print(found[-1], file=sys.stderr)
    write("scale", circumstances("ray", "optuna"), {"measurements": [asdict(m) for m in found]}, report(found))


def measured(number: int, out: Path) -> Measurement:
    """A study of at least so many trials: the paper's 44 cells, of as many seeds as it takes at 23 trials a cell."""
    paper = len(cells(load("paper")))
    seeds = -(-number // (paper * MOST_TRIALS))
    shape = (f"grid.seeds=[{', '.join(map(str, range(seeds)))}]", f"search.trials={-(-number // (paper * seeds))}")
    settings = [word for each in (*SMALL, *shape) for word in ("--set", each)]
    command = ["run", "paper", "--simulate", "--out", str(out), *settings]
    seconds, peak = timed(*command)
    ends = np.sort([row["finished"].timestamp() for row in Results(out).audit().rows.values()])
    tenth = len(ends) // 10
    resumed, _ = timed(*command)
    status, _ = timed("status", str(out))
    return Measurement(
        len(ends),
        seconds,
        float((len(ends) - 1) / (ends[-1] - ends[0])),
        1000 * float((ends[tenth] - ends[0]) / tenth),
        1000 * float((ends[-1] - ends[-1 - tenth]) / tenth),
        peak,
        resumed,
        status,
    )


def timed(*arguments: str) -> tuple[float, float]:
    """Wall seconds and peak MiB of one command `study`, its children's memory apart."""
    started = time.perf_counter()
    with subprocess.Popen([sys.executable, "-m", "study", *arguments], cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        peaks = [0.0]
        watcher = threading.Thread(target=watch_memory, args=(process.pid, peaks))
        watcher.start()
        process.wait()
        watcher.join()
    if process.returncode:
        raise RuntimeError(f"study {' '.join(arguments)}: exit {process.returncode}")
    return time.perf_counter() - started, max(peaks)


def watch_memory(pid: int, peaks: list[float]) -> None:
    """Append the process's peak, in MiB, until it is gone."""
    while True:
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:
            return
        peak = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
        if not peak:  # a zombie
            return
        peaks.append(int(peak[0]) / 1024)
        time.sleep(0.5)


def report(measurements: list[Measurement]) -> str:
    """A Markdown table."""
    rows = [
        f"| {m.num_trials} | {m.seconds:.0f} | {m.trials_per_second:.1f} | {m.first_tenth:.0f} | {m.last_tenth:.0f} "
        f"| {m.driver_peak_mib:.0f} | {m.resume_seconds:.1f} | {m.status_seconds:.1f} |"
        for m in measurements
    ]
    head = (
        "| trials | seconds in all | trials a second | ms a trial, first tenth | last tenth | driver's peak, MiB "
        "| s to resume | s for status |"
    )
    about = "Each study run once, by two workers on the driver's own machine."
    return "\n".join([head, "|" + "---|" * 8, *rows, "", about])


if __name__ == "__main__":
    main()
