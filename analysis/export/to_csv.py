"""Tables as CSV, a file each, which a spreadsheet opens without running anything of them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.errors import AnalysisError
from analysis.export.kept import TABLES, Kept, training_of
from analysis.files import write_atomically
from analysis.tidy import SIMULATED
from study.results.weights import COLUMNS
from trainers.printable import without_formula


def write(kept: Kept, place: str) -> int:
    """All is written anew each time; new are the trials that the file of before lacks."""
    folder = Path(place)
    before = _trials_in(folder / "trials.csv")
    kept.refuse_others(place, before)
    if before and not before.keys() & kept.rows.keys():
        raise AnalysisError(f"{place} holds another study, and would be written over: name another place with --to")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AnalysisError(f"{folder} cannot be written: {error.strerror or error}") from None
    for name in TABLES:
        with write_atomically(folder / f"{name}.csv") as path:
            table = kept.table(name).assign(**{SIMULATED: True} if kept.definition.simulate else {})
            _safe(table).to_csv(path, index=False)
    return len(kept.rows.keys() - before.keys())


def _safe(table: pd.DataFrame) -> pd.DataFrame:
    """Words that a spreadsheet would run as a formula begin with an apostrophe."""
    words = table.select_dtypes(exclude="number")
    return table.assign(**{name: words[name].map(_plain) for name in words})


def _plain(value: object) -> object:
    return without_formula(value) if isinstance(value, str) else value


def _trials_in(path: Path) -> dict[str, str | None]:
    """Trial -> which training it is of."""
    if not path.is_file():
        return {}
    try:
        table = pd.read_csv(path, usecols=[*COLUMNS], dtype=str, keep_default_na=False)
    except (ValueError, OSError):
        raise AnalysisError(f"{path} is none that was exported: name another folder") from None
    return {
        row["trial"]: training_of({name: row[name] or None for name in COLUMNS}) for row in table.to_dict("records")
    }
