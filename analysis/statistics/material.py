"""What statistics and figures are made of; what several need is computed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from analysis.axes import HeldOut
from analysis.classes import is_object
from analysis.facts import Facts
from analysis.scores import (
    CONFIGURATION,
    KINDS,
    SHARE,
    Configuration,
    Scores,
    configurations,
    main_averaging,
    random_and_held_out,
    seeds_of,
    tidy,
    two_averagings,
    without_shares,
)
from analysis.shown import classes_shown, shown_of
from analysis.statistics import false_classes
from analysis.statistics.causes import ImagePart, Key, image_parts
from analysis.statistics.costs import cost_of
from analysis.statistics.image_sums import TrialSums, by_image
from study.definition.space import Choices, Range

ROPE = 0.01
"""Differences of Dice within it count as none, unless the caller says otherwise."""


@dataclass(frozen=True)
class Material:
    """Scores, and what is asked of them."""

    scores: Scores
    rope: float = ROPE
    seed: int = 0

    @cached_property
    def computed(self) -> dict[str, pd.DataFrame]:
        """Name of a statistic -> its table, of those that have been asked for."""
        return {}

    @cached_property
    def table(self) -> pd.DataFrame:
        """The scores under the paper's averagings, on random and held-out splits where there are any."""
        return random_and_held_out(self.of_all_splits)

    @cached_property
    def of_all_splits(self) -> pd.DataFrame:
        """The scores under the paper's averagings, on splits that train on all that they have."""
        return without_shares(two_averagings(self.scores.table))

    @cached_property
    def shares(self) -> pd.DataFrame:
        """The scores under the paper's averagings on random and held-out splits and their shares."""
        rows = two_averagings(self.scores.table)
        return rows[rows["split_kind"].isin((*KINDS, SHARE))]

    @cached_property
    def held_out(self) -> HeldOut:
        return HeldOut.of(self.scores.table)

    @cached_property
    def shown(self) -> list[Configuration]:
        """The configurations that are shown one by one."""
        return shown_of(self.scores.table)

    @cached_property
    def classes(self) -> list[str]:
        """The classes that are drawn one by one."""
        return classes_shown(self.table)

    @cached_property
    def by_configuration(self) -> dict[Configuration, pd.DataFrame]:
        """The scores of each that is shown."""
        groups = self.of_all_splits.groupby(CONFIGURATION, sort=False, observed=True)
        return {(str(m), str(loss)): rows for (m, loss), rows in groups if (m, loss) in self.shown}

    @cached_property
    def shown_table(self) -> pd.DataFrame:
        """The scores of all that are shown."""
        return pd.concat(self.by_configuration.values(), ignore_index=True)

    @cached_property
    def num_classes(self) -> int:
        return int(self.table.loc[is_object(self.table["class"]), "class"].nunique())

    def num_splits(self, kind: str) -> int:
        return int(self.scores.table.loc[self.scores.table["split_kind"] == kind, "split"].nunique())

    @cached_property
    def num_configurations(self) -> int:
        return len(configurations(self.scores.table))

    @cached_property
    def seeds(self) -> tuple[int, int]:
        """The fewest and the most seeds of a configuration on a split."""
        return seeds_of(self.scores.table)

    @property
    def facts(self) -> Facts:
        return self.scores.study_facts("this statistic")

    @cached_property
    def images(self) -> pd.DataFrame:
        return false_classes.image_scores(self.facts)

    @cached_property
    def by_image(self) -> tuple[list[TrialSums], dict[str, str]] | str:
        """`image_sums.by_image` of the configurations that are shown."""
        return by_image(self.scores.facts, self.shown)

    @cached_property
    def image_parts(self) -> dict[Key, ImagePart]:
        """What the test images do to each score of the configurations shown; empty where it is not known."""
        if isinstance(self.by_image, str):
            return {}
        return image_parts(*self.by_image, self.scores.num_train, list(self.table["averaging"].unique()))

    @cached_property
    def default_table(self) -> pd.DataFrame | None:
        """The scores of the default trials, where those at hand are of tuned ones."""
        if self.scores.selection != "tuned":
            return None
        completed = self.facts.completed
        default = completed.loc[(completed["index"] == 0) & completed["rung"].isna(), "trial"]
        return two_averagings(tidy(self.facts.test_scores(list(default)), self.scores.source))

    @cached_property
    def runs(self) -> pd.DataFrame:
        """Every trial of the search, under the averagings of `table`."""
        runs = self.facts.runs
        return runs[runs["averaging"].isin(self.table["averaging"].unique())]

    @property
    def main_runs(self) -> pd.DataFrame:
        """`runs` under the averaging that words speak of."""
        return self.runs[self.runs["averaging"] == main_averaging(self.table)]

    @property
    def within(self) -> float:
        """Of a cell's highest validation objective: the cheapest trial there is the tuned one."""
        return self.facts.definition.search.within

    @property
    def cost(self) -> str | None:
        """The search's second objective, a key of `costs.COSTS`; None where it goes by the Dice alone."""
        return cost_of(self.facts.definition.search)

    @property
    def startup(self) -> int:
        """How many points all cells have in common."""
        return self.facts.definition.search.startup

    @property
    def space(self) -> Mapping[str, Range | Choices]:
        """What was searched."""
        return self.facts.definition.search.space
