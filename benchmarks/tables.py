"""How long 10,000 trials take to be loaded and tabled, and how much memory: `python benchmarks/tables.py`.

Studies are simulated, as `study run --set simulate=true` would leave them on disk. Then every question is asked in a
process of its own, several times. Linux only:
the peak is VmHWM, since the ru_maxrss of a child may be that of the process which started it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from machine import ROOT, circumstances, spread, write

from study.cells import Cell, Trial, cells, trials
from study.definition.file import load
from study.definition.point import Point
from study.prepare import Prepared, prepare
from study.results import DEFINITION_FILE, Results
from study.search import suggest
from study.trial import run_trial

REPETITIONS = 3
SMALLER = (100, 1000)

COMMANDS = {
    "analysis tables": ["tables"],
    "analysis tables --select tuned": ["tables", "--select", "tuned"],
    "analysis tables --epsilon 0.01": ["tables", "--epsilon", "0.01"],
    "analysis stability": ["stability"],
}
IMPORTS = {"import pandas, scipy.stats": "import pandas, scipy.stats", "import analysis.cli": "import analysis.cli"}


@dataclass(frozen=True)
class Measurement:
    """One question, asked `len(seconds)` times, each in a fresh process."""

    question: str
    num_trials: int
    seconds: tuple[float, ...]
    """Wall time, the interpreter's start included."""
    peak_mib: tuple[float, ...]
    """Largest resident memory of the process."""


def main() -> None:
    """Simulate studies, measure, and write benchmarks/results/tables.md and .json."""
    parser = argparse.ArgumentParser(description="Seconds and memory of the analysis of a large study.")
    parser.add_argument("--trials", type=int, default=10_000, help="at least so many (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="keep the studies here, and use those that are there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.out or Path(temporary)
        studies = [study_of(n, folder / f"trials_{n}") for n in sorted({*SMALLER, options.trials})]
        found = [measured(name, 0, statement) for name, statement in IMPORTS.items()]
        found += [each for out, num_trials in studies for each in questions(out, num_trials)]
    about = circumstances("pandas", "numpy", "scipy", "pyarrow")
    write("tables", about, {"measurements": [asdict(each) for each in found]}, report(found))


def study_of(num_trials: int, out: Path) -> tuple[Path, int]:
    """A study of at least so many trials at `out`, simulated unless it is there, and how many trials it has."""
    paper = load("paper")
    definition = load("paper", ["simulate=true", f"search.trials={-(-num_trials // len(cells(paper)))}"])
    wanted, results = len(trials(definition)), Results(out)
    if results.read_text(DEFINITION_FILE) is None:
        started = time.perf_counter()
        # Not forked: threads of pyarrow may hold locks.
        with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
            list(pool.map(partial(_generate, str(out), prepare(definition)), cells(definition)))
        results.write_text(DEFINITION_FILE, definition.to_toml())
        seconds = time.perf_counter() - started
        print(f"{out}: {wanted} trials simulated in {seconds:.0f} s", file=sys.stderr)
    return out, wanted


def questions(out: Path, num_trials: int) -> list[Measurement]:
    """All measurements on one study."""
    asked = {
        name: f"from analysis.cli import main; assert main({[words[0], str(out), *words[1:]]!r}) == 0"
        for name, words in COMMANDS.items()
    }
    asked["load(OUT).facts.runs"] = f"from analysis.load import load; load({str(out)!r}).facts.runs"
    return [measured(name, num_trials, statement) for name, statement in asked.items()]


def measured(question: str, num_trials: int, statement: str) -> Measurement:
    """The statement run in fresh processes, one at a time."""
    runs = [_run(statement) for _ in range(REPETITIONS)]
    print(f"{question}, {num_trials} trials: {min(seconds for seconds, _ in runs):.2f} s", file=sys.stderr)
    return Measurement(question, num_trials, tuple(s for s, _ in runs), tuple(mib for _, mib in runs))


def report(measurements: list[Measurement]) -> str:
    """A Markdown table."""
    rows = [
        f"| {m.question} | {m.num_trials or '-'} | {spread(m.seconds, '.2f')} | {spread(m.peak_mib, '.0f')} |"
        for m in measurements
    ]
    lines = [
        "| question | trials | seconds: median (smallest-largest) | peak MiB: median (smallest-largest) |",
        "|---|---|---|---|",
        *rows,
        "",
        f"Wall time of a fresh process, interpreter and imports included; n = {REPETITIONS}. The files had just been "
        "written or read, so they came from memory, not from the disk.",
    ]
    return "\n".join(lines)


def _run(statement: str) -> tuple[float, float]:
    """Wall seconds and peak MiB of one process."""
    report = "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM:')))"
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", f"{statement}\n{report}"], cwd=ROOT, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"{statement}\n{done.stderr}")
    return seconds, int(done.stdout.split()[-1]) / 1024


def _generate(out: str, study: Prepared, cell: Cell) -> None:
    """Commit a cell's simulated trials; after the start-up points, points at random: TPE's would change no time."""
    search, results = study.definition.search, Results(out)
    for index in range(search.trials):
        trial = Trial(cell, index)
        if index < search.startup:
            point = suggest(study.definition, cell, index, ())
        else:
            rng = np.random.default_rng(list(trial.id.encode()))
            point = Point({key: float(rng.uniform(*range_.ends)) for key, range_ in search.space.items()})
        results.commit(run_trial(study, trial, point))


if __name__ == "__main__":
    main()
