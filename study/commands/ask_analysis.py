"""Asking the package `analysis`, of which this one knows nothing: as a user would ask it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

from study.errors import StudyError


def ask_analysis(command: str, *arguments: str, answers: Collection[int] = (0,)) -> subprocess.CompletedProcess[str]:
    """What a command of `analysis` says.

    :param answers: the exit statuses that are answers.
    :raises StudyError: it could not answer, and why.
    """
    words = [sys.executable, "-P", "-m", "analysis", command, *arguments]
    found = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(words, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": found})
    if done.returncode not in answers:
        why = done.stderr.strip().removeprefix(f"analysis {command}: ")
        raise StudyError(f"`analysis {command}` gave no answer: {why or done.returncode}")
    return done


def place_of(out: str) -> str:
    """OUT as `analysis` takes it: the word `paper` alone means the paper's own tables there."""
    return "./paper" if out == "paper" else out
