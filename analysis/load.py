"""The scores to be analysed: from a study, from a table, or from the paper itself. Imports neither torch nor ray.

Whatever they come from, they are one tidy table: one row per (model, loss, split, seed, averaging, class).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from analysis.errors import AnalysisError
from analysis.tidy import COLUMNS, check, read_table, read_tidy
from study.cells import Cell, Trial, cells, split_kind, trials
from study.committed import Row, missing, read_committed
from study.definition import Definition
from study.errors import StudyError
from study.results import DEFINITION_FILE, Results
from study.run import kept_definition
from trainers.dice import DiceScores, dice

PAPER = "paper"
"""The word that names the paper's own tables (a file or directory of that name is `./paper`)."""
SELECTIONS = ("default", "tuned")
WIDE = {"pw": "dice_pw", "ew": "dice_ew", "pooled": "dice_pooled"}

_REFERENCE = Path(__file__).parent / "reference" / "paper_tables.csv"
_REFERENCE_TRAIN = {**{f"random_{i}": 515 for i in range(8)}, "rot_0": 440, "rot_1": 409, "rot_2": 530}
_REFERENCE_TEST = {**{f"random_{i}": 131 for i in range(8)}, "rot_0": 207, "rot_1": 238, "rot_2": 117}


@dataclass(frozen=True)
class Scores:
    """Test scores, and what is known of them."""

    table: pd.DataFrame
    """Columns model, loss, split, split_kind ("random" or "rotation"), seed (int), averaging ("pw", "ew" or "pooled"),
    class, dice (0 to 1; NaN where it is undefined)."""
    source: str
    """What was asked for: a path, a URI, or the word `paper`."""
    selection: str
    """Which trial of a cell was taken: `default`, `tuned`, or `as given` where there are no trials to choose from."""
    missing: tuple[str, ...] = ()
    """Trials and cells that the definition asks for and that have no score, by id."""
    failed: dict[str, str] = field(default_factory=dict)
    """Trial id -> why it failed."""
    num_train: dict[str, int] = field(default_factory=dict)
    """Split -> images left to training, those kept for validation included; empty where unknown."""
    num_test: dict[str, int] = field(default_factory=dict)
    """Split -> images tested; empty where unknown."""


def load(results: str | os.PathLike[str], select: str = "default", epsilon: float | None = None) -> Scores:
    """The scores of a study (directory or URI), a tidy CSV or Parquet file, or the word `paper`.

    :param select: which trial of every cell of a study: `default`, trial 0, or `tuned`, the best by validation.
    :param epsilon: recompute a study's scores from its pixel counts under this noise tolerance (section 3.4: the share
        of an image's pixels below which a predicted, absent class is not counted); None takes the stored scores.
    :raises AnalysisError: they cannot be read, contradict themselves, or cannot answer `select` or `epsilon`.
    """
    source = os.fspath(results)
    if select not in SELECTIONS:
        raise AnalysisError(f"{select!r} is no selection; choose one of {', '.join(SELECTIONS)}")
    if epsilon is not None and not 0 <= epsilon < 1:
        raise AnalysisError(f"{epsilon!r} is no noise tolerance: give a share of an image's pixels, such as 0.0015")
    if source == PAPER or _names_a_file(source):
        if select != "default" or epsilon is not None:
            raise AnalysisError(
                f"{source} holds scores only, neither trials nor pixel counts: `tuned` and another epsilon need a study"
            )
        return _of_paper() if source == PAPER else Scores(read_tidy(source), source, "as given")
    try:
        return _of_study(Results(source), select, epsilon)
    except (StudyError, OSError) as error:
        raise AnalysisError(str(error)) from None


def reference_marks(scores: Scores) -> pd.DataFrame:
    """The paper's scores with `bold`, 1 where the paper prints a score in bold as the worst of its column, else 0."""
    if scores.source != PAPER:
        raise AnalysisError(f"{scores.source} has no printed marks: only the word {PAPER} names tables that have")
    keys = [column for column in COLUMNS if column != "dice"]
    marks = read_table(str(_REFERENCE), (*keys, "bold")).astype({"bold": int})
    return scores.table.merge(marks, on=keys, how="left", validate="one_to_one")


def _names_a_file(source: str) -> bool:
    return "://" not in source and (Path(source).is_file() or Path(source).suffix.lower() in (".csv", ".parquet"))


def _of_paper() -> Scores:
    table = read_tidy(str(_REFERENCE))
    return Scores(table, PAPER, "as given", num_train=dict(_REFERENCE_TRAIN), num_test=dict(_REFERENCE_TEST))


def _of_study(results: Results, select: str, epsilon: float | None) -> Scores:
    if results.read_text(DEFINITION_FILE) is None:
        raise AnalysisError(
            f"{results.out} is no study (no {DEFINITION_FILE} in it), nor a CSV or Parquet file, nor the word {PAPER}"
        )
    definition = kept_definition(results)
    committed = read_committed(results, definition)
    _check_one_study(results.out, committed)
    wanted = _considered(definition, select)
    rows = {trial: committed[trial] for trial in wanted if trial in committed}
    completed = {trial: row for trial, row in rows.items() if row["status"] == "completed"}
    chosen = _best(cells(definition), completed) if select == "tuned" else list(completed)
    scored = _stored(results, chosen)
    without = [trial.id for trial in chosen if trial.id not in set(scored["trial"])]
    undecided = {trial.cell for trial in completed} - {trial.cell for trial in chosen}
    if epsilon is not None:
        scored = _recomputed(results, scored, epsilon)
    return Scores(
        table=check(_tidy(scored, chosen), results.out),
        source=results.out,
        selection=select,
        missing=(*(t.id for t in missing(wanted, committed)), *without, *sorted(cell.id for cell in undecided)),
        failed={t.id: row["error"] or "no reason was kept" for t, row in rows.items() if t not in completed},
        num_train={
            t.cell.split: row["num_train"] + (row["num_val"] or 0) for t, row in rows.items() if row["num_train"]
        },
        num_test={t.cell.split: row["num_test"] for t, row in rows.items() if row["num_test"]},
    )


def _considered(definition: Definition, select: str) -> list[Trial]:
    """The trials that the selection looks at: the default one of every cell, or all."""
    return [trial for trial in trials(definition) if select == "tuned" or trial.index == 0]


def _best(grid: Iterable[Cell], completed: Mapping[Trial, Row]) -> list[Trial]:
    """Each cell's completed trial with the best validation objective, the first of equals. Blind to test scores."""
    judged: dict[Cell, list[Trial]] = {}
    for trial, row in completed.items():
        if _defined(row["objective"]):
            judged.setdefault(trial.cell, []).append(trial)
    return [max(judged[c], key=lambda t: (completed[t]["objective"], -t.index)) for c in grid if c in judged]


def _defined(value: float | None) -> bool:
    return value is not None and not np.isnan(value)


def _check_one_study(out: str, committed: Mapping[Trial, Row]) -> None:
    """Raises AnalysisError if trials saw different data, or different images under one split's name."""
    first: dict[str, tuple[str, str | None]] = {}
    for trial, row in committed.items():
        for what, fingerprint in (
            ("data sets", row["data_fingerprint"]),
            (f"splits called {trial.cell.split}", row["split_fingerprint"]),
        ):
            other, theirs = first.setdefault(what, (trial.id, fingerprint))
            if theirs != fingerprint:
                raise AnalysisError(
                    f"{out} mixes two {what}: {other} has fingerprint {theirs}, {trial.id} has {fingerprint}. Their "
                    "scores cannot be compared: keep the files of one of them and move the other's to another directory"
                )


def _stored(results: Results, chosen: Sequence[Trial]) -> pd.DataFrame:
    """The stored test scores of the trials: trial, class, dice_pw, dice_ew, dice_pooled."""
    test = _test_rows(results, "dice", [trial.id for trial in chosen])
    return test.select(["trial", "class", *WIDE.values()]).to_pandas()


def _test_rows(results: Results, name: str, trial_ids: Sequence[str]) -> pa.Table:
    wanted = pc.field("trial").isin(pa.array(trial_ids, pa.string()))
    return results.read(name).filter((pc.field("partition") == "test") & wanted)


def _recomputed(results: Results, stored: pd.DataFrame, epsilon: float) -> pd.DataFrame:
    """The rows of `stored` with the scores that the trials' pixel counts give under another noise tolerance."""
    trial_ids = list(dict.fromkeys(stored["trial"]))
    factors = ["trial", "image", "truth", "predicted"]
    counts = _test_rows(results, "confusion", trial_ids).to_pandas(categories=factors)
    of_trial = {str(trial): frame for trial, frame in counts.groupby("trial", observed=True, sort=False)}
    if lacking := [trial for trial in trial_ids if trial not in of_trial]:
        raise AnalysisError(
            f"{results.out}: {lacking[0]} has no pixel counts in confusion/, from which scores are recomputed: bring "
            "that table back, or leave epsilon out to take the stored scores"
        )
    classes = [name for name in dict.fromkeys(stored["class"]) if name != "all"]
    frames = [_scores_of(trial, dice(_confusion(of_trial[trial], classes), epsilon), classes) for trial in trial_ids]
    return pd.concat(frames, ignore_index=True) if frames else stored


def _confusion(counts: pd.DataFrame, classes: Sequence[str]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Pixel counts [image, truth, predicted] of one trial, shape (N, K, K), images in the order of the rows."""
    image, names = pd.factorize(counts["image"].cat.codes)
    truth, predicted = (pd.Index(classes).get_indexer(counts[side].astype(str)) for side in ("truth", "predicted"))
    if min(truth.min(), predicted.min()) < 0:
        raise AnalysisError(
            f"{counts['trial'].iloc[0]}: its pixel counts in confusion/ name a class that its scores in dice/ lack; "
            "move that trial's files away and run the study again"
        )
    confusion = np.zeros((len(names), len(classes), len(classes)), dtype=np.int64)
    np.add.at(confusion, (image, truth, predicted), counts["pixels"].to_numpy())
    return confusion


def _scores_of(trial: str, scores: DiceScores, classes: Sequence[str]) -> pd.DataFrame:
    columns = {
        "dice_pw": [*scores.pw, scores.all_pw],
        "dice_ew": [*scores.ew, scores.all_ew],
        "dice_pooled": [*scores.pooled, scores.all_pooled],
    }
    return pd.DataFrame({"trial": trial, "class": [*classes, "all"], **columns})


def _tidy(scored: pd.DataFrame, chosen: Sequence[Trial]) -> pd.DataFrame:
    """Scores with a column an averaging -> a row an averaging, with the trials' factors, in the trials' order."""
    long = scored.rename(columns={wide: name for name, wide in WIDE.items()})
    long = long.melt(["trial", "class"], list(WIDE), var_name="averaging", value_name="dice")
    cells_ = [(t.id, t.cell.model, t.cell.loss, t.cell.split, split_kind(t.cell.split), t.cell.seed) for t in chosen]
    factors = pd.DataFrame(cells_, columns=["trial", "model", "loss", "split", "split_kind", "seed"])
    return factors.merge(long, on="trial").drop(columns="trial")
