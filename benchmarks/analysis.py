"""How long 10,000 trials take to be loaded and tabled, and how much memory: `python benchmarks/analysis.py`.

Studies are generated as a study leaves them on disk (masks apart, which no table reads), with plausible pixel counts
and the scores that follow from them. Then every question is asked in a process of its own, several times. Linux only:
the peak is VmHWM, since the ru_maxrss of a child may be that of the process which started it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from study.cells import Trial, cells, split_kind, trials
from study.definition import Definition, load
from study.results import DEFINITION_FILE, SCHEMAS, Results, table_of
from trainers.dice import dice

ROOT = Path(__file__).parent.parent
CLASSES = ("bg", "bx", "cl", "dr", "du", "ad", "bo")
NUM_IMAGES = {"val": 77, "test": 131}
NUM_TRAIN, NUM_EPOCHS, PIXELS = 438, 32, 128 * 128
REPETITIONS = 3
SMALLER = (100, 1000)

COMMANDS = {
    "analysis tables": ["tables"],
    "analysis tables --select tuned": ["tables", "--select", "tuned"],
    "analysis tables --epsilon 0.01": ["tables", "--epsilon", "0.01"],
    "analysis stability": ["stability"],
}
IMPORTS = {"import pandas, scipy.stats": "import pandas, scipy.stats", "import analysis.cli": "import analysis.cli"}

Counts = NDArray[np.int64]


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
    """Generate studies, measure, and write benchmarks/results/analysis.md and .json."""
    parser = argparse.ArgumentParser(description="Seconds and memory of the analysis of a large study.")
    parser.add_argument("--trials", type=int, default=10_000, help="at least so many (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="keep the studies here, and use those that are there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.out or Path(temporary)
        studies = [study_of(n, folder / f"trials_{n}") for n in sorted({*SMALLER, options.trials})]
        found = [measured(name, 0, statement) for name, statement in IMPORTS.items()]
        found += [each for out, num_trials in studies for each in questions(out, num_trials)]
    place = Path(__file__).parent / "results"
    place.mkdir(exist_ok=True)
    about = circumstances()
    kept = {**about, "measurements": [asdict(each) for each in found]}
    (place / "analysis.json").write_text(json.dumps(kept, indent=2) + "\n")
    (place / "analysis.md").write_text(text := report(about, found))
    print(text)


def study_of(num_trials: int, out: Path) -> tuple[Path, int]:
    """A study of at least so many trials at `out`, generated unless it is there, and how many trials it has."""
    paper = load("paper")
    definition = load("paper", [f"search.trials={-(-num_trials // len(cells(paper)))}"])
    wanted, results = trials(definition), Results(out)
    if results.read_text(DEFINITION_FILE) is None:
        started = time.perf_counter()
        # Not forked: threads of pyarrow may hold locks.
        with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
            list(pool.map(partial(_generate, str(out), definition), wanted, chunksize=64))
        results.write_text(DEFINITION_FILE, definition.to_toml())
        seconds = time.perf_counter() - started
        print(f"{out}: {len(wanted)} trials generated in {seconds:.0f} s", file=sys.stderr)
    return out, len(wanted)


def questions(out: Path, num_trials: int) -> list[Measurement]:
    """All measurements on one study."""
    asked = {
        name: f"from analysis.cli import main; assert main({[words[0], str(out), *words[1:]]!r}) == 0"
        for name, words in COMMANDS.items()
    }
    asked["load(OUT).facts.runs()"] = f"from analysis.load import load; load({str(out)!r}).facts.runs()"
    return [measured(name, num_trials, statement) for name, statement in asked.items()]


def measured(question: str, num_trials: int, statement: str) -> Measurement:
    """The statement run in fresh processes, one at a time."""
    runs = [_run(statement) for _ in range(REPETITIONS)]
    print(f"{question}, {num_trials} trials: {min(seconds for seconds, _ in runs):.2f} s", file=sys.stderr)
    return Measurement(question, num_trials, tuple(s for s, _ in runs), tuple(mib for _, mib in runs))


def circumstances() -> dict[str, Any]:
    """Where, when and with what."""
    cpus = {line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")}
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    names = ("pandas", "numpy", "scipy", "pyarrow")
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": commit.stdout.strip() or "none",
        "cpu": f"{os.cpu_count()} x {', '.join(sorted(cpus)) or platform.machine()}",
        "versions": {"python": platform.python_version()} | {name: version(name) for name in names},
    }


def report(about: dict[str, Any], measurements: list[Measurement]) -> str:
    """A Markdown table with what it was measured on."""
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    rows = [
        f"| {m.question} | {m.num_trials or '-'} | {_spread(m.seconds, '.2f')} | {_spread(m.peak_mib, '.0f')} |"
        for m in measurements
    ]
    lines = [
        "| question | trials | seconds: median (min, max) | peak MiB: median (min, max) |",
        "|---|---|---|---|",
        *rows,
        "",
        f"Wall time of a fresh process, interpreter and imports included; n = {REPETITIONS}. The files had just been "
        "written or read, so they came from memory, not from the disk.",
        "",
        f"Commit {about['commit']}, {about['date']}, {about['cpu']}; {versions}.",
    ]
    return "\n".join(lines) + "\n"


def _spread(values: tuple[float, ...], form: str) -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}}, {max(values):{form}})"


def _run(statement: str) -> tuple[float, float]:
    """Wall seconds and peak MiB of one process."""
    told = "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM:')))"
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", f"{statement}\n{told}"], cwd=ROOT, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"{statement}\n{done.stderr}")
    return seconds, int(done.stdout.split()[-1]) / 1024


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def _generate(out: str, definition: Definition, trial: Trial) -> None:
    """Commit one trial, made up: its numbers depend on its id alone."""
    rng = np.random.default_rng(list(trial.id.encode()))
    cell, search = trial.cell, definition.search
    width, strength = rng.uniform(*search.width), rng.uniform(*search.strength)
    factors = {
        "trial": trial.id,
        "model": cell.model,
        "loss": cell.loss,
        "split": cell.split,
        "split_kind": split_kind(cell.split),
        "seed": cell.seed,
        "index": trial.index,
        "width": width if trial.index else search.default_width,
        "strength": strength if trial.index else search.default_strength,
    }
    skill = rng.beta(12, 2, size=len(CLASSES)) - (0.0 if split_kind(cell.split) == "random" else 0.3)
    counts = {partition: _counts(rng, number, np.clip(skill, 0.05, 1.0)) for partition, number in NUM_IMAGES.items()}
    dice_rows = [factors | row for partition, counts_NKK in counts.items() for row in _dice_rows(partition, counts_NKK)]
    history = _history(rng, trial.id)
    row = factors | _outcome(definition, cell.split, history)
    tables = {
        "dice": table_of("dice", dice_rows),
        "confusion": pa.concat_tables(_confusion(trial.id, *item) for item in counts.items()),
        "history": table_of("history", history),
        "trials": table_of("trials", [row], recipe=definition.recipe()),
    }
    Results(out).commit(tables)


def _counts(rng: np.random.Generator, num_images: int, skill_K: NDArray[np.float64]) -> Counts:
    """Pixel counts [image, truth, predicted] of images with one object each, some of it taken for other classes."""
    images, background = np.arange(num_images), 0
    truth = 1 + images % (len(CLASSES) - 1)
    object_pixels = rng.integers(300, 4000, size=num_images)
    elsewhere = rng.dirichlet(np.full(len(CLASSES), 0.3), size=num_images)
    own = np.eye(len(CLASSES))
    kept = skill_K[truth][:, None] * rng.uniform(0.6, 1.0, size=(num_images, 1))
    counts = np.zeros((num_images, len(CLASSES), len(CLASSES)), dtype=np.int64)
    counts[images, truth] = rng.multinomial(object_pixels, kept * own[truth] + (1 - kept) * elsewhere)
    false = 0.98 * own[background] + 0.01 * own[truth] + 0.01 * elsewhere
    counts[images, background] = rng.multinomial(PIXELS - object_pixels, false)
    return counts


def _dice_rows(partition: str, counts_NKK: Counts) -> list[dict[str, Any]]:
    scores = dice(counts_NKK)
    columns = {
        "class": [*CLASSES, "all"],
        "dice_pw": [*scores.pw, scores.all_pw],
        "dice_ew": [*scores.ew, scores.all_ew],
        "dice_pooled": [*scores.pooled, scores.all_pooled],
        "num_images": [*scores.num_images, scores.num_images.sum()],
        "false_images": [*scores.false_images, scores.false_images.sum()],
    }
    rows = zip(*columns.values(), strict=True)
    return [{"partition": partition} | dict(zip(columns, row, strict=True)) for row in rows]


def _confusion(trial_id: str, partition: str, counts_NKK: Counts) -> pa.Table:
    """One row for each (image, truth, predicted) with at least one pixel, as a study keeps it."""
    image, truth, predicted = np.nonzero(counts_NKK)
    names, images = np.array(CLASSES), np.array([f"image/{i:04d}" for i in range(len(counts_NKK))])
    columns = ([trial_id] * len(image), [partition] * len(image), images[image], names[truth], names[predicted])
    arrays = [*map(pa.array, columns), pa.array(counts_NKK[image, truth, predicted])]
    return pa.Table.from_arrays(arrays, schema=SCHEMAS["confusion"])


def _history(rng: np.random.Generator, trial_id: str) -> list[dict[str, Any]]:
    epochs = np.arange(1, NUM_EPOCHS + 1)
    loss = 2 / epochs * rng.uniform(0.8, 1.2, size=NUM_EPOCHS)
    columns = {
        "epoch": epochs,
        "train_loss": loss,
        "val_loss": loss * 1.2,
        "objective": rng.uniform(0.7, 0.9) - 0.2 * loss,
        "learning_rate": np.full(NUM_EPOCHS, 1e-3),
        "seconds": rng.uniform(5, 6, size=NUM_EPOCHS),
    }
    rows = zip(*(values.tolist() for values in columns.values()), strict=True)
    return [{"trial": trial_id} | dict(zip(columns, row, strict=True)) for row in rows]


def _outcome(definition: Definition, split: str, history: list[dict[str, Any]]) -> dict[str, Any]:
    """What the row of a completed trial says beside its factors."""
    best = max(history, key=lambda epoch: float(epoch["objective"]))
    seconds, now = sum(epoch["seconds"] for epoch in history), datetime(2026, 1, 1, tzinfo=UTC)
    return {
        "status": "completed",
        "selected_epoch": best["epoch"],
        "objective": best["objective"],
        "num_train": NUM_TRAIN,
        "num_val": NUM_IMAGES["val"],
        "num_test": NUM_IMAGES["test"],
        "parameters": 7_000_000,
        "gflops": 2.5,
        "latency_ms_median": 20.0,
        "latency_ms_p95": 25.0,
        "train_seconds": seconds,
        "images_per_second": NUM_TRAIN * NUM_EPOCHS / seconds,
        "device": "cpu",
        "precision": "bfloat16",
        "host": "benchmark",
        "started": now,
        "finished": now,
        "recipe_digest": definition.recipe_digest(),
        "data_fingerprint": "generated",
        "split_fingerprint": split,
        "git_commit": "generated",
        "versions": "{}",
    }


if __name__ == "__main__":
    main()
