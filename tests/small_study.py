"""A study small enough to be run many times: two classes of 24-pixel images, NUM_TRIALS trials of under a second."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
from PIL import Image

from study.results import Results
from study.results.kept import kept_definition
from study.results.schemas import CIRCUMSTANCES, SCHEMAS

ROOT = Path(__file__).parent.parent
NUM_TRIALS = 16
COLOURS = {"mug": (220, 40, 40), "pen": (40, 60, 220)}

DEFINITION = """
name = "small"
data.path = "{data}"
grid = {{ models = ["icnet"], losses = ["ce", "ce_dice"], splits = ["random_0", "rot_0"] }}
splits.held_out.angle.rot_0 = [30]
model.width = 0.25
training = {{ image_size = 16, epochs = 2, batch_size = 4 }}
[search]
trials = 4
startup = 2

[search.space]
"model.width" = {{ low = 0.2, high = 0.4, log = true }}
"augmentation.strength" = {{ low = 0.0, high = 1.5 }}
"""


def write_data(folder: Path) -> Path:
    """Coloured blobs at three angles, in the layout of a data set."""
    rng = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        for angle in (0, 30, 60):
            for number in range(6):
                pixels = np.zeros((24, 24, 4), np.uint8)
                top, left = rng.integers(2, 8, 2)
                pixels[top : top + 12, left : left + 10] = (*colour, 255)
                pixels[top : top + 12, left : left + 10, :3] += rng.integers(0, 30, 3, dtype=np.uint8)  # no two alike
                path = folder / name / str(angle) / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
    (folder / "backgrounds").mkdir()
    for number in range(5):
        Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(folder / f"backgrounds/{number}.png")
    return folder


def write_definition(folder: Path) -> Path:
    path = folder / "small.toml"
    path.write_text(DEFINITION.format(data=write_data(folder / "data")))
    return path


def environment(**more: str) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "120"} | more


def study(*arguments: str | Path, folder: Path = ROOT, **more: str) -> subprocess.CompletedProcess[str]:
    """The command `study`, as a user runs it in a folder; `more` is put into its environment."""
    command = [sys.executable, "-m", "study", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment(**more), cwd=folder)


@contextmanager
def started(*arguments: str | Path, **more: str) -> Iterator[subprocess.Popen[str]]:
    """The command `study`, in the background; killed at the end of the block if it still runs."""
    command = [sys.executable, "-m", "study", *map(str, arguments)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(**more),
        cwd=ROOT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored, where tests run in the background
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(condition: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def descendants(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """All processes that it has started, and those that these have started."""
    return psutil.Process(process.pid).children(recursive=True)


def assert_gone(processes: Collection[psutil.Process]) -> None:
    """That no process of a run outlives its driver for more than a moment."""
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert alive == []


def workers_of(driver: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes that run a local driver's trials, by the name that Tune gives them."""
    found = [
        each for each in descendants(driver) if each.cmdline() and each.cmdline()[0].startswith("ray::ImplicitFunc")
    ]
    assert found
    return found


def num_committed(out: Path) -> int:
    return len(list((out / "trials").glob("[!.]*.parquet"))) if (out / "trials").exists() else 0


def facts(out: Path | str) -> dict[str, pa.Table]:
    """All tables of a study, sorted, without the columns that say where and how fast: what a pure function returns."""
    tables = {}
    for name in SCHEMAS:
        table = Results(out).read(name)
        columns = [column for column in table.column_names if column not in CIRCUMSTANCES.get(name, ())]
        table = table.select(columns)
        tables[name] = table.sort_by([(column, "ascending") for column in columns if column != "mask"])
    return tables


def assert_same_facts(out: Path | str, other: Path | str) -> None:
    ours, theirs = facts(out), facts(other)
    for name in SCHEMAS:
        assert ours[name].num_rows == theirs[name].num_rows, name
        assert ours[name].num_rows or (name == "boundary" and kept_definition(Results(out)).simulate)
        differing = [c for c in ours[name].column_names if not ours[name][c].equals(theirs[name][c])]
        assert differing == [], f"{name}: {differing}"
