"""`study run --until-decided`: asking the gate about a study that grows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from study.errors import StudyError
from study.looks import Looks, write_look
from study.results import Results

STABLE, NOT_STABLE, CANNOT_TELL = 0, 1, 3
"""The statuses of `analysis check`."""


def take_look(out: str, looks: Looks, taken: int, *, simulated: bool) -> tuple[bool, str]:
    """Note at OUT that so many looks are taken, and ask the gate: has it decided, and what does it say?

    The gate is of the package `analysis`, of which this one knows nothing: it is asked as a user would ask it.
    Raises StudyError if it could not answer.
    """
    write_look(Results(out), looks, taken)
    place = "./paper" if out == "paper" else out  # the word names the paper's own tables
    command = [sys.executable, "-P", "-m", "analysis", "check", place, *looks.words, *["--simulated"] * simulated]
    found = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": found})
    if done.returncode not in (STABLE, NOT_STABLE, CANNOT_TELL):
        raise StudyError(f"the gate could not be asked: {done.stderr.strip() or done.returncode}")
    return done.returncode != CANNOT_TELL, done.stdout.strip()
