"""The scores, and a study's trials, as a workbook for Excel and its like."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.answer import records
from analysis.errors import AnalysisError
from analysis.files import write_atomically
from analysis.formats import Frames, columns_of, rows_of
from trainers.printable import without_formula

MOST_ROWS, MOST_CHARACTERS = 1_048_575, 32_767  # of a sheet below its header, of a cell


def write_workbook(file: str | os.PathLike[str], frames: Frames, trials: pd.DataFrame | None, decimals: int) -> Path:
    """Write FILE: a sheet `scores` with the rows of `tables_output.to_csv`, and one with the `trials`, if there are.

    Times are UTC without a zone, as spreadsheets know none, and columns of such are named so, as in `started_utc`.
    Raises AnalysisError: FILE cannot be written, is no name of a workbook, or a sheet cannot hold so many rows.
    """
    import openpyxl  # here, as only this needs it

    path = Path(file)
    if path.suffix.lower() != ".xlsx":
        raise AnalysisError(f"{path}: a workbook is an xlsx file; give a name that ends in .xlsx")
    sheets: dict[str, list[dict[str, Any]]] = {"scores": list(rows_of(frames, decimals, exact=False))}
    if trials is not None:
        sheets["trials"] = records(_without_zones(trials))
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for title, rows in sheets.items():
        if len(rows) > MOST_ROWS:
            raise AnalysisError(f"{path}: a sheet cannot hold the {len(rows):,} rows of {title}; use --format csv")
        sheet = workbook.create_sheet(title)
        sheet.append(columns_of(frames) if title == "scores" else list(rows[0]))
        for row in _cells(rows):
            sheet.append(row)
    with write_atomically(path) as unfinished:
        workbook.save(unfinished)
    return path


def _cells(rows: Iterable[Mapping[str, Any]]) -> Iterable[list[Any]]:
    for row in rows:
        known = (None if value is pd.NaT else value for value in row.values())
        yield [without_formula(value)[:MOST_CHARACTERS] if isinstance(value, str) else value for value in known]


def _without_zones(frame: pd.DataFrame) -> pd.DataFrame:
    """Times with a zone as UTC times without one, their columns renamed."""
    zoned = [name for name in frame.columns if isinstance(frame[name].dtype, pd.DatetimeTZDtype)]
    plain = {name: frame[name].dt.tz_convert(datetime.UTC).dt.tz_localize(None) for name in zoned}
    return frame.assign(**plain).rename(columns={name: f"{name}_utc" for name in zoned})
