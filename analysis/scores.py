"""The tidy table of scores and its words: columns, averagings, classes, kinds of splits, the mean of classes.

A table has one row per (model, loss, split, seed, averaging, class). Two forms are made of it: `with_macro` adds the
mean of classes as a class of its own, and `by_split` has one column per split.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.classes import MACRO, NOT_OBJECTS, in_class_order, is_object
from analysis.errors import AnalysisError
from analysis.facts import Facts
from analysis.metric import DICE, Metric
from study.looks import Looks
from study.selection import best_by_validation
from trainers.dice import mean_of_objects

Floats = NDArray[np.float64]
Configuration = tuple[str, str]
"""(model, loss)"""

CONFIGURATION = ["model", "loss"]
CELL = [*CONFIGURATION, "split", "seed"]
COLUMN = [*CONFIGURATION, "averaging", "class"]  # one column of the paper's Tables 2 to 5
TRIAL = [*CONFIGURATION, "split_kind", "split", "seed"]
TABLE_COLUMNS = (*CONFIGURATION, "split", "split_kind", "axis", "seed", "averaging", "class", "dice")
KINDS = RANDOM, HELD_OUT = "random", "held_out"
"""Of splits. A held-out split tests samples whose angle, patient or the like, its axis, was not trained on."""
OTHER_KINDS = FOLD, GIVEN, MATCHED = "fold", "given", "matched"
"""Of splits that stand by themselves: they are never counted among random ones."""
SHARE = "share"
"""Of a random or held-out split that trains on a part of its training images. Only learning curves look at them."""

PAPERS = ("pw", "ew")
"""The paper's averagings: those that are shown unless others are asked for."""
SELECTED = {
    "default": "default hyperparameters",
    "tuned": "tuned hyperparameters: of each cell the trial that scored highest on validation images",
}
"""Selection -> which trial of a cell its scores are of."""
ROUNDING = 1e-9  # differences of decimal scores that are equal on paper


@dataclass(frozen=True)
class Scores:
    """Test scores, and what is known of them."""

    table: pd.DataFrame
    """Columns model, loss, split, split_kind (of KINDS, OTHER_KINDS or SHARE), axis (what a held-out split holds out;
    empty for any other one, and where unknown), seed (int), averaging ("pw", "ew" or "pooled"), class, dice (the score,
    whatever the metric: 0 to 1; NaN: undefined)."""
    source: str
    """What was asked for: a path, a URI, or the word `paper`."""
    selection: str
    """Which trial of a cell was taken: `default`, `tuned`, or `as given` where there are no trials to choose from."""
    missing: tuple[str, ...] = ()
    """Trials and cells that the definition asks for and that have no score, by id."""
    failed: dict[str, str] = field(default_factory=dict)
    """Trial id -> why it failed."""
    cells: dict[str, tuple[str, str, str, int]] = field(default_factory=dict)
    """Missing or failed trial or cell, by id -> its model, loss, split and seed."""
    num_train: dict[str, int] = field(default_factory=dict)
    """Split -> images left to training, those kept for validation included; empty where unknown."""
    num_trained: dict[str, int] = field(default_factory=dict)
    """Split -> images trained on; empty where unknown."""
    num_test: dict[str, int] = field(default_factory=dict)
    """Split -> images tested; empty where unknown."""
    divisions: dict[str, str] = field(default_factory=dict)
    """Split -> what names its division of the images, the same for the same division; empty where unknown."""
    simulated: bool = False
    """Whether the scores were drawn, not trained for."""
    looks: Looks | None = None
    """Those that were taken while the study grew; None if it was not looked at."""
    facts: Facts | None = None
    """What the study keeps beside its scores; None where there is no study."""
    metric: Metric = DICE
    """What the scores measure."""
    background: str | None = None
    """What a tidy table calls its background, where that was stated."""

    @property
    def test_to_train(self) -> float | None:
        """Images tested over images left to training, over the random splits (where there are none: the folds); None
        where unknown.

        It says how far the training sets of different divisions overlap. Of one division it is 0: there is no overlap
        to allow for where nothing is divided anew.
        """
        if self.one_division:
            return 0.0
        kinds = self.table.drop_duplicates("split").set_index("split")["split_kind"]
        kind = RANDOM if (kinds == RANDOM).any() else FOLD
        splits = [split for split in self.num_test if kinds.get(split) == kind and split in self.num_train]
        if not splits:
            return None
        return sum(self.num_test[split] for split in splits) / sum(self.num_train[split] for split in splits)

    @property
    def one_division(self) -> bool:
        """Whether all random splits, of two or more, divide the images in the same way: what their scores differ by is
        then training's own chance."""
        splits = self.table.loc[self.table["split_kind"] == RANDOM, "split"].unique()
        known = {self.divisions.get(split, "") for split in splits}
        return len(splits) > 1 and len(known) == 1 and "" not in known

    @property
    def epsilon(self) -> float | None:
        """The noise tolerance that the scores were computed under; None where unknown."""
        return None if self.facts is None else self.facts.noise_tolerance

    def study_facts(self, question: str) -> Facts:
        """Raises AnalysisError, naming the question, where there is no study to answer it."""
        if self.facts is None:
            raise AnalysisError(f"{self.source} holds scores only: {question} needs a study's directory")
        return self.facts


def tidy(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """The columns of `TABLE_COLUMNS`, classes in the paper's order.

    Raises AnalysisError for a score that is given twice.
    """
    table = in_class_order(table)[list(TABLE_COLUMNS)].reset_index(drop=True).astype({"dice": float, "seed": np.int64})
    keys = [column for column in TABLE_COLUMNS if column != "dice"]
    repeated = table.duplicated(keys)
    if repeated.any():
        named = [key for key in keys if key not in ("split_kind", "axis")]
        first = ", ".join(f"{key} {table.loc[repeated, key].iloc[0]}" for key in named)
        raise AnalysisError(f"{source}: {repeated.sum()} scores given twice ({first}, for one); keep one of each")
    return table


def with_macro(table: pd.DataFrame) -> pd.DataFrame:
    """The table and, per trial and averaging, the class MACRO: the mean over all classes of the table.

    It is undefined where one of them has no score: means over other classes could not be compared.
    Raises ValueError where a trial scores the same class twice: the table then mixes selections or partitions.
    """
    keys = [*TRIAL, "averaging", "class"]
    rows = table[[*keys, "dice"]]
    twice = rows.duplicated(keys)
    if twice.any():
        raise ValueError(f"two scores for {rows.loc[twice, keys].iloc[0].to_dict()}: keep one selection per trial")
    by_class = rows[is_object(rows["class"])].set_index(keys)["dice"].unstack("class")
    means = pd.Series(mean_of_objects(by_class.to_numpy(float)), index=by_class.index, name="dice")
    macro = means.reset_index().assign(**{"class": MACRO})
    return pd.concat([rows, macro], ignore_index=True)


def macro_by_trial(runs: pd.DataFrame) -> pd.Series[float]:
    """Trial -> its mean over the classes, of runs under one averaging."""
    rows = with_macro(runs.assign(seed=runs["trial"]))  # a trial takes the place of a seed, which it has of its own
    return rows[rows["class"] == MACRO].set_index("seed")["dice"]


def by_split(table: pd.DataFrame) -> pd.DataFrame:
    """One row per (model, loss, averaging, class), MACRO included, and one column per (split_kind, split).

    A value is the mean over the split's seeds; NaN where one of them has no score, and in the rows of a class that a
    configuration lacks altogether. Rows and columns keep the table's order.
    """
    return means_by_split(with_macro(table))


def means_by_split(rows: pd.DataFrame) -> pd.DataFrame:
    """`by_split` of rows that have what is to be averaged, MACRO or not."""
    splits = ["split_kind", "split"]
    seeds = rows.groupby([*COLUMN, *splits], observed=True)["dice"]
    wide = seeds.mean().where(seeds.count() == seeds.size()).unstack(splits)
    places = itertools.product(configurations(rows), rows["averaging"].unique(), rows["class"].unique())
    index = pd.MultiIndex.from_tuples([(*c, averaging, name) for c, averaging, name in places], names=COLUMN)
    columns = pd.MultiIndex.from_frame(rows[splits].drop_duplicates())
    return wide.reindex(index=index, columns=columns)


def variances_over_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """Shaped like `means_by_split`: the variance of a split's scores over its seeds; NaN of one seed."""
    wide = means_by_split(rows)
    seeds = rows.groupby([*COLUMN, "split_kind", "split"], observed=True)["dice"].var(ddof=1)
    return seeds.unstack(["split_kind", "split"]).reindex(index=wide.index, columns=wide.columns)


def of_kind(wide: pd.DataFrame, kind: str) -> pd.DataFrame:
    """The columns of `by_split` that are splits of one kind; none where there are none."""
    return wide.loc[:, wide.columns.get_level_values("split_kind") == kind].droplevel("split_kind", axis=1)


def random_and_held_out(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of random and held-out splits, of which most statistics speak; all rows where there are none."""
    rows = table[table["split_kind"].isin(KINDS)]
    return rows if len(rows) else table


def without_shares(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of splits that train on all the images that they have."""
    return table[table["split_kind"] != SHARE]


def objects_of(wide: pd.DataFrame) -> pd.DataFrame:
    """The rows of `by_split` that are classes."""
    return wide[~wide.index.get_level_values("class").isin(NOT_OBJECTS)]


def of_configuration(table: pd.DataFrame, model: str, loss: str) -> pd.DataFrame:
    return table[(table["model"] == model) & (table["loss"] == loss)]


def configurations(table: pd.DataFrame) -> list[Configuration]:
    """Every (model, loss), in the table's order."""
    return list(table[CONFIGURATION].drop_duplicates().itertuples(index=False, name=None))


def seeds_of(table: pd.DataFrame) -> tuple[int, int]:
    """The fewest and the most seeds of a configuration on a split."""
    numbers = table.groupby([*CONFIGURATION, "split"], observed=True)["seed"].nunique()
    return int(numbers.min()), int(numbers.max())


def in_seeds(fewest: int, most: int) -> str:
    """e.g. `one seed`, `2 to 3 seeds`."""
    return f"{fewest} to {most} seeds" if fewest < most else count_of(most, "seeds")


def configuration_name(row: Any) -> str:
    """A configuration's name in text, e.g. `icnet ce_dice`."""
    return f"{row.model} {row.loss}"


def count_of(number: int, plural: str) -> str:
    """e.g. `one random split`, `8 random splits`, `no random splits`."""
    if not number:
        return f"no {plural}"
    return f"one {plural.removesuffix('s')}" if number == 1 else f"{number} {plural}"


def capitalised(sentence: str) -> str:
    """With a capital at its beginning; the rest as it is."""
    return sentence[:1].upper() + sentence[1:]


def listed(names: Iterable[str], most: int = 8) -> str:
    """Names in a sentence: all, or so many and how many more."""
    names = list(names)
    return ", ".join(names[:most]) + f" and {len(names) - most} more" * (len(names) > most)


def two_averagings(table: pd.DataFrame) -> pd.DataFrame:
    """The rows under "pw" and "ew" where there are any: a third averaging of the same counts, in one statistic over all
    columns, would weigh some scores twice."""
    both = table[table["averaging"].isin(PAPERS)]
    return both if len(both) else table


def main_averaging(table: pd.DataFrame) -> str:
    """The averaging that words speak of: example-wise where it has a score, as it counts every image alike."""
    there = list(dict.fromkeys(table.loc[table["dice"].notna(), "averaging"]))
    return "ew" if "ew" in there else str(there[0])


def tuned_trials(trials: pd.DataFrame, within: float = 0.0) -> pd.DataFrame:
    """One row per cell that has an objective: CELL and `trial`, the id of the one that the search chose.

    Of `trials` it needs CELL, trial, index and objective, and `cost` where that counts; a trial may have several rows.

    :param within: of the highest objective, among which the cheapest is chosen.
    """
    rows = trials.assign(cost=trials.get("cost", 0.0))[[*CELL, "trial", "index", "objective", "cost"]]
    rows = rows.drop_duplicates("trial")
    cells = list(rows[CELL].itertuples(index=False, name=None))
    best = best_by_validation(zip(cells, rows["index"], rows["objective"], rows["cost"], strict=True), within)
    chosen = [best.get(cell) == index for cell, index in zip(cells, rows["index"], strict=True)]
    return rows.loc[chosen, [*CELL, "trial"]].reset_index(drop=True)
