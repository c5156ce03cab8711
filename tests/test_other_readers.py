"""DuckDB, polars and R read OUT by the lines of docs/how-to/other-tools.md: committed trials' rows alone."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from pages import blocks
from test_analysis_load import DEFINITION, all_classes_shown, commit

from study.results import Results

TRIALS = ("icnet-ce-random_0-s0-t00", "unet-ce-rot_0-s0-t00")
WITHOUT_A_ROW = "icnet-ce-rot_0-s0-t00"
COLUMNS = ["trial", "class", "dice_pw", "dice_ew", "num_images", "device"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a study at results/demo: a simulated trial, one never committed, files half written."""
    out = tmp_path / "results/demo"
    out.mkdir(parents=True)
    Results(out).write_text("study.toml", DEFINITION.to_toml())
    for trial, device in zip(TRIALS, ("cpu", "simulated"), strict=True):
        commit(out, trial, counted=all_classes_shown, device=device)
    commit(out, WITHOUT_A_ROW, counted=all_classes_shown)
    (out / f"trials/{WITHOUT_A_ROW}.parquet").unlink()
    shutil.copy(out / f"dice/{TRIALS[0]}.parquet", out / f"dice/.{TRIALS[0]}.parquet")
    (out / f"trials/.{WITHOUT_A_ROW}.parquet").write_bytes(b"PAR1")
    monkeypatch.chdir(tmp_path)
    return out


def expected(out: Path) -> pd.DataFrame:
    found = []
    for trial in TRIALS:
        dice, trials = (pd.read_parquet(out / table / f"{trial}.parquet") for table in ("dice", "trials"))
        found.append(dice[dice["partition"] == "test"].assign(device=trials["device"].iloc[0]))
    return _sorted(pd.concat(found))


def _sorted(table: pd.DataFrame) -> pd.DataFrame:
    return (
        table[COLUMNS]
        .astype({"trial": object, "class": object, "device": object})
        .sort_values(["trial", "class"], ignore_index=True)
    )


def lines_in(language: str) -> list[str]:
    return [block.code for block in blocks("docs/how-to/other-tools.md") if block.language == language]


@pytest.mark.parametrize("library", ["duckdb", "polars"])
def test_python(library: str, folder: Path) -> None:
    (lines,) = (code for code in lines_in("python") if f"import {library}" in code)
    assert len(lines.split("\n\n")[1].splitlines()) == 2
    names: dict[str, Any] = {}
    exec(lines, names)
    scores = names["scores"] if library == "duckdb" else names["scores"].to_arrow().to_pandas()
    pd.testing.assert_frame_equal(_sorted(scores), expected(folder), check_dtype=False)
    assert set(scores["device"]) == {"cpu", "simulated"}


def test_r(folder: Path) -> None:
    """Its SQL, given to the same DuckDB from Python. (R itself is not started.)"""
    (lines,) = lines_in("r")
    (query,) = re.findall(r'dbGetQuery\(connection, "([^"]*)"\)', lines)
    pd.testing.assert_frame_equal(_sorted(duckdb.sql(query).df()), expected(folder), check_dtype=False)
