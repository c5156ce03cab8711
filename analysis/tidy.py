"""Reading a tidy table of scores, and checking it: CSV or Parquet, one row per score."""

from __future__ import annotations

import codecs
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from analysis.classes import MACRO
from analysis.errors import AnalysisError
from analysis.metric import METRICS
from analysis.scores import (
    CONFIGURATION,
    HELD_OUT,
    KINDS,
    OTHER_KINDS,
    RANDOM,
    SHARE,
    configurations,
    listed,
    tidy,
)
from study.definition.splits import SHARE as SHARE_NAME
from study.results.bounded import read_bounded
from trainers.data.class_names import BACKGROUNDS
from trainers.dice import ALL, AVERAGINGS

COLUMNS = ("model", "loss", "split", "averaging", "class")
"""What a tidy file must have, beside the score: a column that is called as the metric. `split_kind`, `axis`, `seed` (0
without it), SIMULATED and DIVISION may be there; what else is, is passed over."""
SIMULATED = "simulated"
"""The column that tells drawn scores (1) from those of trained networks (0): tables of a simulated study carry it."""
DIVISION = "split_fingerprint"
"""The column that names a split's division of the images, as OUT/trials has it."""
OPTIONAL = ("split_kind", "axis", "seed", SIMULATED, DIVISION)
NO_OBJECTS = (BACKGROUNDS, (ALL,))
"""What a class that is no object may be called, in any case: of each kind, one name in a table."""
EARLIER_KINDS = {"rotation": HELD_OUT}
"""What a kind of split was called in files of earlier versions -> what it is called."""
_KNOWN_SPLIT = r"(random|rot)_(0|[1-9][0-9]{0,8})"
UNDEFINED = ("", "nan", "na", "null", "none")
"""How a CSV may write an undefined score, in any case."""


def read_tidy(
    path: str, background: str | None = None, metric: str = "dice"
) -> tuple[pd.DataFrame, bool, dict[str, str]]:
    """A tidy file's scores, with the columns of `TABLE_COLUMNS`; whether any is marked as simulated; and split -> what
    names its division, where that is known.

    :param background: the name of its class for the background, which becomes one of BACKGROUNDS.
    :param metric: the column that holds the scores.

    Raises AnalysisError with every kind of problem.
    """
    table = read_table(path, (*COLUMNS, metric), optional=OPTIONAL)
    problems: list[str] = []
    for column in ("model", "loss", "split", "averaging", "class"):
        empty = table[column].isna() | (table[column].astype(str) == "")
        problems += _problem(table, empty, column, "is empty")
        table[column] = table[column].astype(str)
        # `bg ` would count as an object beside `bg`, and `icnet ` as another network.
        blank = table[column] != table[column].str.strip()
        problems += _problem(table, blank, column, "begins or ends with a blank")
    if background is not None and background not in set(table["class"]):
        there = listed(sorted(set(table["class"]) - {""}))
        raise AnalysisError(f"{path}: no class is called {background!r}, to be the background; there are {there}")
    if background is not None:
        two = _two_backgrounds(table["class"], background)
        problems += two
        table["class"] = table["class"].replace({} if two else {background: BACKGROUNDS[1]})
    problems += _problems_with_names(table["class"])
    table["class"] = table["class"].map(known_class)
    table, of_splits = _with_kinds(table)
    problems += of_splits
    divisions, of_divisions = _divisions(table)
    problems += of_divisions
    odd = ~table["averaging"].isin(AVERAGINGS) & (table["averaging"] != "")
    problems += _problem(table, odd, "averaging", f"must be one of {', '.join(AVERAGINGS)}")
    score, is_score = _numbers(table[metric])
    problems += _problem(table, ~is_score, metric, "is not a number; leave an undefined score empty")
    problems += _problem(table, is_score & ~score.isna() & ~score.between(0, 1), metric, "must be from 0 to 1")
    seed, _ = _numbers(table["seed"] if "seed" in table else pd.Series(0, index=table.index))
    odd_seed = ~((seed >= 0) & (seed % 1 == 0) & (seed < 2**53))
    problems += _problem(table, odd_seed, "seed", "must be a whole number, 0 or more")
    if problems:
        raise AnalysisError("\n".join([f"{path}: no table of scores; correct or remove these rows", *problems]))
    scores = tidy(table.assign(dice=score, seed=seed.astype(np.int64)), path)
    simulated = SIMULATED in table and bool(table[SIMULATED].astype(str).str.lower().isin(("1", "true")).any())
    return scores, simulated, divisions


def _divisions(table: pd.DataFrame) -> tuple[dict[str, str], list[str]]:
    """Split -> what names its division of the images, and a line if a split has two."""
    if DIVISION not in table:
        return {}, []
    known = table.assign(**{DIVISION: table[DIVISION].fillna("").astype(str)})
    several = known.groupby("split")[DIVISION].transform("nunique").gt(1)
    names = known.drop_duplicates("split").set_index("split")[DIVISION]
    found = {str(split): name for split, name in names.items() if name}
    problems = _problem(table, several, "split", f"has two values of {DIVISION}")
    return found, problems + _alike_in_part(found, known.loc[known["split_kind"] == RANDOM, "split"].unique())


def _alike_in_part(divisions: Mapping[str, str], random: Iterable[str]) -> list[str]:
    """A line where some random splits are one division and others are not: they are fewer draws than they seem."""
    groups: dict[str, list[str]] = defaultdict(list)
    for split in random:
        if split in divisions:
            groups[divisions[split]].append(split)
    alike = [splits for splits in groups.values() if len(splits) > 1]
    if len(groups) < 2 or not alike:
        return []
    return [
        f"  {DIVISION}: {listed(alike[0], 4)} divide the images in the same way, other random splits do not: give "
        "trainings on one division as seeds of one split"
    ]


def _with_kinds(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The table with the kind and axis of every split, and a line for each problem with them.

    Without a column `split_kind` the names tell: random_<number>, or rot_<number> for a held-out split.
    """
    known = (*KINDS, *OTHER_KINDS, SHARE)
    if "split_kind" in table:
        kind = table["split_kind"].astype(str).replace(EARLIER_KINDS)
        problems = _problem(table, ~kind.isin(known), "split_kind", f"must be one of {', '.join(known)}")
    else:
        kind = table["split"].map(lambda name: RANDOM if name.startswith("random_") else HELD_OUT)
        unknown = ~table["split"].str.fullmatch(_KNOWN_SPLIT) & (table["split"] != "")
        what = "must be random_<number> or rot_<number>, of at most 9 digits, unless a column split_kind tells"
        problems = _problem(table, unknown, "split", what)
    whole = table["split"].str.extract(f"^{SHARE_NAME.pattern}$")[0]
    lost = (kind == SHARE) & ~whole.isin(table.loc[kind.isin(KINDS), "split"])
    what = "is not a share of a random or held-out split of the table, such as random_0_25pc"
    problems += _problem(table, lost, "split", what)
    axis = table["axis"].fillna("").astype(str) if "axis" in table else pd.Series("", index=table.index)
    table = table.assign(split_kind=kind, axis=axis.where(kind == HELD_OUT, ""))
    several = table.groupby("split")[["split_kind", "axis"]].transform("nunique").gt(1).any(axis=1)
    return table, problems + _problem(table, several, "split", "has two kinds or axes")


def lacking_cells(table: pd.DataFrame) -> dict[str, tuple[str, str, str, int]]:
    """What one configuration has and another lacks: the name of every cell (or of its scores under an averaging) that
    is not there -> its model, loss, split and seed."""
    place = ["split", "seed", "averaging"]
    there = set(table[[*CONFIGURATION, *place]].itertuples(index=False, name=None))
    cells = {each[:4] for each in there}
    found = {}
    for model, loss in configurations(table):
        for split, seed, averaging in table[place].drop_duplicates().itertuples(index=False, name=None):
            if (model, loss, split, seed, averaging) in there:
                continue
            cell = f"{model}-{loss}-{split}-s{seed}"
            partly = (model, loss, split, seed) in cells
            found[f"{cell} under {averaging}" if partly else cell] = (model, loss, split, int(seed))
    return found


def known_class(name: str) -> str:
    """The name under which a class is kept: its own; where it is none, in small letters."""
    is_none = any(name.casefold() in names for names in NO_OBJECTS)
    return name.casefold() if is_none else name


def _two_backgrounds(classes: pd.Series[Any], stated: str) -> list[str]:
    """A line if another class than the stated one is called as the background is."""
    others = [name for name in classes.unique() if name != stated and known_class(name) in BACKGROUNDS]
    named = " and ".join(f"class {name!r}" for name in others)
    return [f"  {named} is a background, and so is {stated!r}, as stated: keep one of them"] * bool(others)


def _problems_with_names(classes: pd.Series[Any]) -> list[str]:
    """One line for every class whose name means something else here."""
    names = list(classes.unique())
    problems = [f"  class {MACRO!r} is what the mean over the classes is called: rename it"] * (MACRO in names)
    for meanings in NO_OBJECTS:
        if len(same := [name for name in names if known_class(name) in meanings]) > 1:
            problems.append(
                f"  class {' and class '.join(map(repr, same))} both mean {meanings[0]!r}: keep one of them"
            )
    return problems


def read_table(path: str, columns: Sequence[str], optional: Sequence[str] = ()) -> pd.DataFrame:
    """Columns of a CSV (as text) or Parquet file. Raises AnalysisError if it cannot be read, or lacks one."""
    try:
        table = _read(path)
        names = table.column_names  # may be no text at all
    except (pa.ArrowException, OSError, ValueError) as error:
        raise AnalysisError(f"{path}: cannot be read as a CSV or Parquet file: {error}") from None
    if len(names) == 1 and ";" in names[0]:
        raise AnalysisError(f"{path}: its columns are separated by semicolons; save it with commas")
    if lacking := [name for name in columns if name not in names]:
        raise AnalysisError(
            f"{path}: no column {', '.join(lacking)}; a table of scores has {', '.join(columns)}"
            + _other_metric(lacking, names)
        )
    kept = [*columns, *(name for name in optional if name in names)]
    if twice := [name for name in kept if names.count(name) > 1]:
        raise AnalysisError(f"{path}: two columns {', '.join(twice)}; keep one of each")
    if not len(table):
        raise AnalysisError(f"{path}: no rows; a table of scores has one for every score")
    frame: pd.DataFrame = table.select(kept).to_pandas(ignore_metadata=True)
    return frame


def _other_metric(lacking: Sequence[str], there: Sequence[str]) -> str:
    """What to ask for, where the table has the scores of another metric."""
    others = [name for name in METRICS if name in there]
    return f". It has {others[0]}: add --metric {others[0]}" if others and set(lacking) <= METRICS.keys() else ""


def _read(path: str) -> pa.Table:
    if Path(path).suffix.lower() == ".parquet":
        return read_bounded(path)
    with Path(path).open("rb") as file:
        if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise ValueError("it is text in UTF-16; save it as CSV in UTF-8")
    as_text = {name: pa.string() for name in (*COLUMNS, *METRICS, *OPTIONAL, "bold")}
    return pyarrow.csv.read_csv(
        path,
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(column_types=as_text),
    )


def _numbers(values: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """Values as floats, and whether each was a number or a word for undefined (NaN).

    Numbers of fewer bits are the decimal ones that they stand for: .95 and not .949999988, which is neither rounded
    nor equal to a limit.
    """
    if values.dtype in (np.float32, np.float16):
        values = pd.Series([str(value) for value in values.to_numpy()], index=values.index)
    text = values.map(lambda value: "" if value is None else str(value).strip().lower())
    undefined = text.isin(UNDEFINED)
    numbers = pd.to_numeric(text.mask(undefined), errors="coerce").astype(float)
    return numbers, undefined | ~numbers.isna()


def _problem(table: pd.DataFrame, wrong: pd.Series[Any], column: str, what: str) -> list[str]:
    """One line for the rows in which a column is wrong, with the first of them (rows count from 1)."""
    if not wrong.any():
        return []
    first = int(np.argmax(wrong.to_numpy()))
    return [f"  {column} {what}: {table[column].iloc[first]!r} in row {first + 1} ({wrong.sum()} such rows)"]
