"""How many trials a second one driver hands out, takes back and keeps: `python benchmarks/scale.py`.

Studies of 100, 1,000 and 10,000 simulated trials go through the real Ray Tune, the real search and the real commits on
this machine, by the command a user types. Nothing is trained, so this is the most that a driver can do. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from study.cells import cells
from study.definition import load
from study.results import Results

ROOT = Path(__file__).parent.parent
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
    place = Path(__file__).parent / "results"
    about = circumstances()
    (place / "scale.json").write_text(json.dumps(about | {"measurements": [asdict(m) for m in found]}, indent=2) + "\n")
    (place / "scale.md").write_text(text := report(about, found))
    print(text)


def measured(number: int, out: Path) -> Measurement:
    """A study of at least so many trials: the paper's 44 cells, of as many seeds as it takes at 23 trials a cell."""
    paper = len(cells(load("paper")))
    seeds = -(-number // (paper * MOST_TRIALS))
    shape = (f"grid.seeds=[{', '.join(map(str, range(seeds)))}]", f"search.trials={-(-number // (paper * seeds))}")
    settings = [word for each in (*SMALL, *shape) for word in ("--set", each)]
    command = ["run", "paper", "--simulate", "--out", str(out), *settings]
    seconds, peak = timed(*command)
    ends = np.sort([row["finished"].timestamp() for row in Results(out).trials()])
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


def circumstances() -> dict[str, Any]:
    """Where, when and with what."""
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "")
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": commit.stdout.strip() or "none",
        "cpu": f"{os.cpu_count()} x {model.partition(':')[2].strip() or platform.machine()}",
        "versions": {"python": platform.python_version(), **{name: version(name) for name in ("ray", "optuna")}},
    }


def report(about: dict[str, Any], measurements: list[Measurement]) -> str:
    """A Markdown table with what it was measured on."""
    rows = [
        f"| {m.num_trials} | {m.seconds:.0f} | {m.trials_per_second:.1f} | {m.first_tenth:.0f} | {m.last_tenth:.0f} "
        f"| {m.driver_peak_mib:.0f} | {m.resume_seconds:.1f} | {m.status_seconds:.1f} |"
        for m in measurements
    ]
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    head = (
        "| trials | seconds in all | trials a second | ms a trial, first tenth | last tenth | driver's peak, MiB "
        "| s to resume | s for status |"
    )
    lines = [head, "|" + "---|" * 8, *rows, "", "Each study run once, by two workers on the driver's own machine."]
    return "\n".join([*lines, "", f"Commit {about['commit']}, {about['date']}, {about['cpu']}; {versions}.", ""])


if __name__ == "__main__":
    main()
