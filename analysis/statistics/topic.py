"""A topic of the catalogue: a question, the statistics that answer it, and how to read them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from analysis.axes import kinds_in_words
from analysis.scores import OTHER_KINDS, in_seeds
from analysis.statistics.material import Material
from analysis.statistics.paired import intervals_in_words

Lacks = Callable[[Material], str]
"""Why these scores leave nothing to say, in a few words; empty where there is something."""


def lacks_nothing(_: Material) -> str:
    return ""


@dataclass(frozen=True)
class Statistic:
    """One table."""

    title: str
    name: str
    """Of its file, and in JSON."""
    compute: Callable[[Material], pd.DataFrame]
    unfolded: bool = False
    """Whether a report shows it without being asked."""
    report_only: bool = False
    """Too long for a terminal."""
    of_all: bool = False
    """Whether a report shows rows of every configuration, and not only of those that are shown one by one."""
    lacks: Lacks = lacks_nothing

    def shown(self, material: Material) -> pd.DataFrame:
        """Its table, in which a column of scores is called as the metric."""
        metric = material.scores.metric.name
        return self.table(material).rename(columns={"dice": metric, "held_out_dice": f"held_out_{metric}"})

    def table(self, material: Material) -> pd.DataFrame:
        """What it computes of these scores, once. Not to be changed."""
        if self.name not in material.computed:
            material.computed[self.name] = self.compute(material)
        return material.computed[self.name]


@dataclass(frozen=True)
class Topic:
    """A question, and the statistics that answer it. In its words, and in the titles of its statistics, {split} is a
    held-out split, {samples} its test, {others} are the splits that are neither random nor held out; {again} is what
    random splits repeat, {score} what a split's score is of,
    {metric} is what it measures, {intervals} whose intervals are shown of differences."""

    id: str
    title: str
    question: str
    figures: str
    """How to read its figures."""
    how_to_read: str
    statistics: tuple[Statistic, ...] = ()
    lacks: Lacks = lacks_nothing

    def worded(self, text: str, material: Material) -> str:
        """One of the topic's texts, in words for these scores."""
        words = {"split": material.held_out.split, "samples": material.held_out.samples, "rope": material.rope}
        words["metric"] = material.scores.metric.in_words
        fewest, most = material.seeds
        words["score"] = "one training" if most == 1 else f"the mean of {in_seeds(fewest, most)}"
        words["intervals"] = intervals_in_words(material.scores.test_to_train)
        words["again"] = f"another {'training on this division' if material.scores.one_division else 'random split'}"
        return text.format(**words, others=kinds_in_words(material.of_all_splits, OTHER_KINDS))
