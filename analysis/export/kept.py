"""What a study keeps of its trials, as every tool's module takes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from analysis.errors import AnalysisError
from analysis.facts import DICE_COLUMNS
from study.cells import parse_trial
from study.definition import Definition
from study.errors import StudyError
from study.results import Results
from study.results.kept import kept_definition, read_committed
from study.results.weights import facts_of

TABLES = ("trials", "dice", "history", "confusion")
"""Those that are numbers and words; the masks are pictures."""
NAMING = ("model", "loss", "split", "split_kind", "axis", "seed", "index", "rung")
"""Columns of `trials` that say which training it is."""
CURVES = ("train_loss", "val_loss", "objective", "learning_rate")
"""Columns of `history`."""


@dataclass(frozen=True)
class KeptTrial:
    """One committed training."""

    id: str
    row: dict[str, Any]
    """Of `trials`; what is lacking is None. `simulated` is there where numbers were drawn and are of no training."""
    point: dict[str, Any]
    """Searched key -> value."""
    history: pd.DataFrame
    """A row an epoch."""
    test: pd.DataFrame
    """A row a class, of test images; empty of a trial that diverged."""

    @property
    def has_failed(self) -> bool:
        return bool(self.row["status"] == "failed")

    @property
    def training(self) -> str:
        return training_of(self.row)

    @property
    def cell(self) -> str:
        return parse_trial(self.id).cell.id

    @property
    def num_epochs(self) -> int:
        return int(self.history["epoch"].max()) if len(self.history) else 0

    def facts(self, names: Iterable[str]) -> dict[str, Any]:
        """Of the row, those that are there."""
        return {name: self.row[name] for name in names if self.row.get(name) is not None}

    def curve(self, column: str) -> dict[int, float]:
        """Epoch -> value of a column of `history`, where it is defined."""
        known = self.history.dropna(subset=column)
        return dict(zip(known["epoch"].astype(int), known[column].astype(float), strict=True))

    def ended(self) -> dict[int, float]:
        """Epoch -> when it ended, in seconds of Unix time, had nothing stopped the training; empty if unknown."""
        if self.row["started"] is None:
            return {}
        began, spent = self.row["started"].timestamp(), self.history["seconds"].fillna(0.0).cumsum()
        return dict(zip(self.history["epoch"].astype(int), began + spent, strict=True))

    def test_scores(self) -> Iterator[tuple[str, str, float]]:
        """Averaging, class and Dice on test images, where it is defined."""
        for averaging, column in DICE_COLUMNS.items():
            known = self.test.dropna(subset=column)
            yield from (
                (averaging, name, float(dice)) for name, dice in zip(known["class"], known[column], strict=True)
            )


@dataclass(frozen=True)
class Kept:
    """A study at OUT: its definition, and its committed trials."""

    results: Results
    definition: Definition
    rows: dict[str, dict[str, Any]]
    """Trial -> its row of `trials`; in the order of cells and indices, whole trainings and rungs of a halving."""

    def table(self, name: str) -> pd.DataFrame:
        """One of TABLES, of these trials."""
        return self.results.read(name, list(self.rows)).to_pandas()

    def refuse_others(self, place: str, there: Mapping[str, str | None]) -> None:
        """Raises AnalysisError if one of these trials is there of another study.

        :param there: trial -> `training_of` it; None if it is not known.
        """
        for trial, row in self.rows.items():
            if trial in there and there[trial] != training_of(row):
                raise AnalysisError(
                    f"{place} holds another study's trial of the name {trial}: name another place with --to"
                )

    def trials(self, without: Iterable[str] = ()) -> Iterator[KeptTrial]:
        """But for those named."""
        passed_over = frozenset(without)
        for trial, row in self.rows.items():
            if trial not in passed_over:
                history, scores = (self._rows_of(name, trial) for name in ("history", "dice"))
                test = scores[scores["partition"] == "test"]
                about = row | {"simulated": True} if self.definition.simulate else row
                yield KeptTrial(trial, about, json.loads(row["point"]), history.sort_values("epoch"), test)

    def _rows_of(self, name: str, trial: str) -> pd.DataFrame:
        by_trial, empty = self._tables[name]
        return by_trial.get(trial, empty)

    @cached_property
    def _tables(self) -> dict[str, tuple[dict[str, pd.DataFrame], pd.DataFrame]]:
        """Table -> its rows by trial, and none of them."""
        tables = {name: self.table(name) for name in ("history", "dice")}
        return {
            name: ({str(trial): rows for trial, rows in table.groupby("trial", sort=False)}, table.iloc[:0])
            for name, table in tables.items()
        }


def training_of(row: dict[str, Any]) -> str:
    """A digest of what a row of `trials` says of the training: trials of two studies may have one name."""
    return hashlib.sha256(json.dumps(facts_of(row), sort_keys=True).encode()).hexdigest()[:12]


def read_kept(results: str) -> Kept:
    """Raises AnalysisError if RESULTS is no study."""
    try:
        place = Results(results)
        definition = kept_definition(place)
        committed = read_committed(place, definition).rows
    except (StudyError, OSError) as error:
        raise AnalysisError(str(error)) from None
    return Kept(place, definition, {trial.id: committed[trial] for trial in sorted(committed)})
