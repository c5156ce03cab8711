"""Tables as CSV, a file each, which a spreadsheet opens without running anything of them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.errors import AnalysisError
from analysis.export.kept import TABLES, Kept
from analysis.files import write_atomically
from analysis.tidy import SIMULATED
from trainers.printable import without_formula


def write(kept: Kept, place: str) -> int:
    """All is written anew each time; new are the trials that the file of before lacks."""
    folder = Path(place)
    before = _trials_in(folder / "trials.csv")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AnalysisError(f"{folder} cannot be written: {error.strerror or error}") from None
    for name in TABLES:
        with write_atomically(folder / f"{name}.csv") as path:
            table = kept.table(name).assign(**{SIMULATED: True} if kept.definition.simulate else {})
            _safe(table).to_csv(path, index=False)
    return len(kept.rows.keys() - before)


def _safe(table: pd.DataFrame) -> pd.DataFrame:
    """Words that a spreadsheet would run as a formula begin with an apostrophe."""
    words = table.select_dtypes(exclude="number")
    return table.assign(**{name: words[name].map(_plain) for name in words})


def _plain(value: object) -> object:
    return without_formula(value) if isinstance(value, str) else value


def _trials_in(path: Path) -> set[str]:
    if not path.is_file():
        return set()
    try:
        return set(pd.read_csv(path, usecols=["trial"])["trial"].astype(str))
    except (ValueError, OSError):
        raise AnalysisError(f"{path} is none that was exported: name another folder") from None
