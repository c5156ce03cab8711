"""What lies where in OUT."""

from __future__ import annotations

from study.cells import parse_trial
from study.errors import StudyError
from study.results.schemas import SCHEMAS

DEFINITION_FILE = "study.toml"
RUN_FILE = "run.json"
LOOKS_FILE = "looks.json"
UNFINISHED, CHECKPOINTS, CLAIMS, WEIGHTS = "unfinished", "checkpoints", "claims", "weights"
FOLDERS = (*SCHEMAS, UNFINISHED, CHECKPOINTS, CLAIMS, WEIGHTS)


def is_trial_file(name: str) -> bool:
    try:
        parse_trial(name.removesuffix(".parquet"))
    except StudyError:
        return False
    return name.endswith(".parquet")
