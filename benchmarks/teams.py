"""Processes that are started together and do their work in turn, whenever they are told to.

A contender prints `ready`, then answers each line that comes in with a line of its own when its work is done.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from machine import ROOT

Team = Sequence[Any]
"""Processes that work at the same time."""


def start(script: str, *arguments: object, **environment: str) -> Any:
    """`script --contender ARGUMENTS`."""
    return subprocess.Popen(
        [sys.executable, script, "--contender", *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )


@contextlib.contextmanager
def ready(teams: Mapping[str, Team]) -> Iterator[None]:
    """Wait until all are; end them in the end."""
    everyone = [process for team in teams.values() for process in team]
    try:
        for process in everyone:
            if process.stdout.readline() != "ready\n":
                raise RuntimeError(f"a contender has failed: {process.args}")
        yield
    finally:
        for process in everyone:
            process.kill()
            process.wait()


def work(team: Team, task: str = "go") -> list[float]:
    """All at the same time; the numbers that they answer.

    :param task: the line that they are given."""
    for process in team:
        process.stdin.write(f"{task}\n")
        process.stdin.flush()
    return [float(process.stdout.readline()) for process in team]
