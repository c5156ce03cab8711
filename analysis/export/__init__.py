"""A study in the tools that a team already has, by its committed trials: `analysis export RESULTS --to TOOL:PLACE`.

Each tool is one module with one function, `write(kept, place) -> how many trials were new`. What is there stays, and is
not written twice: so an export can be repeated, or follow a study that runs. A place that holds trials of another study
under the same names is refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from importlib import import_module

from analysis.errors import AnalysisError
from analysis.export.kept import Kept, read_kept

TOOLS = {
    "csv": "a folder, for one file per table",
    "optuna": "a storage, such as sqlite:///study.db, for one study per cell",
    "mlflow": "a tracking URI, for an experiment with one run per trial",
    "tensorboard": "a folder, for one log per trial",
}
"""Tool -> what its place is."""
SECONDS_BETWEEN_LOOKS = 5.0


def export(results: str, to: str) -> int:
    """Write what is new of the study at RESULTS; how many trials that are.

    :param to: tool and place, `csv:FOLDER` for one.
    :raises AnalysisError: there is no such tool, it is not installed, RESULTS is no study, or the place takes nothing.
    """
    tool, place = parsed(to)
    return _writer(tool)(read_kept(results), place)


def follow(results: str, to: str, sleep: Callable[[float], None] = time.sleep) -> Iterator[int]:
    """The same again and again while a driver runs the study, and once more when it has ended."""
    yield export(results, to)
    while _is_running(results):
        sleep(SECONDS_BETWEEN_LOOKS)
        yield export(results, to)


def parsed(to: str) -> tuple[str, str]:
    """Tool and place. Raises AnalysisError for a tool that there is not."""
    tool, _, place = to.partition(":")
    if tool not in TOOLS or not place:
        known = "; ".join(f"{name}:PLACE, {what}" for name, what in TOOLS.items())
        raise AnalysisError(f"--to {to} names no tool and place; give one of: {known}")
    return tool, place


def _writer(tool: str) -> Callable[[Kept, str], int]:
    try:
        write: Callable[[Kept, str], int] = import_module(f"analysis.export.to_{tool}").write
    except ImportError as error:
        raise AnalysisError(f"{error}: pip install 'segmentation-stability[{tool}]'") from None
    return write


def _is_running(results: str) -> bool:
    from study.commands.status import status  # what it imports is not for every command

    return status(results).alive
