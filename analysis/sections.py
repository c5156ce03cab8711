"""The sections of a report that scores alone can fill: each a question, how to read the answer, figures, tables."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from analysis import figures
from analysis.comparison import columns_against_rotation, compare, random_against_rotation
from analysis.facts import Facts
from analysis.false_classes import image_scores
from analysis.load import Scores
from analysis.page import Section, Table, panel
from analysis.ranks import class_agreement, class_ranks, configuration_ranks, extreme_classes
from analysis.stability import CONFIGURATION, stability, two_averagings, variance_shares
from analysis.tables import tables
from analysis.tables_output import AVERAGING_NAMES, to_html


@dataclass(frozen=True)
class Material:
    """What the sections are made of; what several need is computed once."""

    scores: Scores
    rope: float
    seed: int

    @cached_property
    def table(self) -> pd.DataFrame:
        return two_averagings(self.scores.table)

    @cached_property
    def averagings(self) -> list[str]:
        return list(dict.fromkeys(self.table["averaging"]))

    @cached_property
    def configurations(self) -> list[tuple[str, str]]:
        return list(self.table[CONFIGURATION].drop_duplicates().itertuples(index=False, name=None))

    @cached_property
    def facts(self) -> Facts:
        return self.scores.study_facts("this section")

    @cached_property
    def images(self) -> pd.DataFrame:
        return image_scores(self.facts)

    @cached_property
    def runs(self) -> pd.DataFrame:
        runs = self.facts.runs()
        return runs[runs["averaging"].isin(self.averagings)]

    def each(self) -> Iterator[tuple[str, str, str]]:
        """(model, loss, averaging)."""
        return ((*configuration, averaging) for configuration in self.configurations for averaging in self.averagings)


def _heat_maps(material: Material) -> Section:
    frames = tables(material.table)
    panels = [
        panel(
            f"{model} {loss}, {_long(averaging)}",
            figures.heat_map(frames[model, loss], averaging),
            f"Dice by split and class. The worst of each: {_worst_in_words(frames[model, loss], averaging)}.",
        )
        for model, loss, averaging in material.each()
    ]
    whole = Table(
        "All scores, the worst of each column marked", material.table, "scores.csv", given_html=to_html(frames)
    )
    return Section(
        "scores",
        "Scores by split and class",
        "Which class fails on which split?",
        "A row is a split, a column a class, a number the Dice on that split's test images; one colour scale for "
        "all. The worst of each column is bold and outlined, ties all. Below the line: splits that test a camera "
        "angle which training never saw. Look for a column that is low throughout (a hard class) and for a row that "
        "is (a hard split).",
        panels,
        [whole],
    )


def _worst_in_words(frame: pd.DataFrame, averaging: str) -> str:
    lowest = frame[averaging].min()
    where = frame[averaging].idxmin() if lowest.notna().all() else frame[averaging].fillna(2).idxmin()
    return ", ".join(f"{name} {where[name]} {lowest[name]:.2f}" for name in lowest.index)


def _dots(material: Material) -> Section:
    panels = [
        panel(
            f"{model} {loss}, {_long(averaging)}",
            figures.dots(material.table, model, loss, averaging),
            "Every random split a dot, every rotation split a numbered marker, the mean of the random splits with its "
            "95 % interval; by class. Values in the table of this section.",
        )
        for model, loss, averaging in material.each()
    ]
    return Section(
        "spread",
        "Spread over random splits",
        "How far does another random split move a score?",
        "Each dot is one training on one random split. The bar is the mean with Student's 95 % interval (from four "
        "splits on). Rotation splits are the other markers, by number. If the dots of a class spread wider than the "
        "difference you care about, one split is not enough to see it.",
        panels,
        [
            Table(
                "Mean, SD and their intervals, minimum, rotation splits, gap",
                stability(material.table),
                "stability.csv",
            )
        ],
    )


def _slopes(material: Material) -> Section:
    panels = [
        panel(
            f"{model} {loss}, {_long(averaging)}",
            figures.slopes(material.table, model, loss, averaging),
            "A line per class from its mean over random splits to each rotation split; the bars are the random splits' "
            "range.",
        )
        for model, loss, averaging in material.each()
    ]
    return Section(
        "rotation",
        "From random to rotation splits",
        "Which classes fall when the camera angle is new?",
        "Left: the mean over random splits, the bar from the lowest to the highest of them. Right: each rotation "
        "split. A line that leaves its bar downwards is a class that loses more than random splits differ.",
        panels,
        [
            Table("Is rotation harder? All columns together", random_against_rotation(material.table), "rotation.csv"),
            Table("By column: exploratory", columns_against_rotation(material.table), "rotation_columns.csv"),
        ],
    )


def _profiles(material: Material) -> Section:
    kinds = [kind for kind in ("random", "rotation") if (material.table["split_kind"] == kind).any()]
    panels = [
        panel(
            f"{kind} splits, {_long(averaging)}",
            figures.profiles(material.table, averaging, kind),
            "Share of scores (split and object class) above each Dice, a step line per configuration.",
        )
        for averaging in material.averagings
        for kind in kinds
    ]
    return Section(
        "profiles",
        "Performance profiles",
        "How many of the scores are above what you need?",
        "Choose the Dice you need on the x axis and read off the share of (split, object class) scores above it. A "
        "higher line is better everywhere; lines that cross mean that the better one depends on what you need. Thin "
        "lines are single splits: they stand in for a band, which so few splits cannot give.",
        panels,
    )


def _pairs(material: Material) -> Section:
    ratio = material.scores.test_to_train
    panels, tables_ = [], []
    for a, b in _one_factor_apart(material.configurations):
        name = f"{' '.join(a)} less {' '.join(b)}"
        panels += [
            panel(
                f"{name}, {_long(averaging)}",
                figures.paired(material.table, a, b, averaging, ratio, material.rope),
                "Differences by class, a dot per random split, the mean with its corrected 95 % interval, the region "
                "of practical equivalence as a band around zero.",
            )
            for averaging in material.averagings
        ]
        if ratio is not None:
            frame = compare(material.table, a, b, test_to_train=ratio, rope=material.rope, seed=material.seed)
            tables_.append(Table(name, frame, f"{'-'.join(a)}_less_{'-'.join(b)}.csv"))
    return Section(
        "pairs",
        "Configurations compared",
        "Does the loss, or the network, make a difference that lasts over splits?",
        "Pairs that differ in one factor, by split. The band is the region of practical equivalence "
        f"(±{material.rope:g}). The interval is Nadeau and Bengio's: it allows for splits that share training "
        "images. Only an interval that lies wholly beyond the band says that one is better; one wholly within it "
        "says that they are equal.",
        panels,
        tables_,
        notes=[]
        if ratio
        else ["No intervals: these results do not say how many images each split trains on and tests."],
    )


def _one_factor_apart(configurations: Sequence[tuple[str, str]]) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """(later, earlier): pairs with the same network or the same loss."""
    for a, b in itertools.combinations(configurations, 2):
        if (a[0] == b[0]) != (a[1] == b[1]):
            yield b, a


def _ranks(material: Material) -> Section:
    panels = [
        panel(
            f"macro, {_long(averaging)}",
            figures.ranks(material.table, averaging),
            "Rank of every configuration on every split by its mean Dice over object classes.",
        )
        for averaging in material.averagings
    ]
    return Section(
        "ranks",
        "Ranks",
        "Do the splits agree on which configuration is best, and on which class is hardest?",
        "Rank 1 is the highest score. Lines that run level mean that any split would have told you the same; lines "
        "that cross mean that the winner depends on the split. Kendall's W is 1 for full agreement; without any it "
        "is about one over the number of splits.",
        panels if len(material.configurations) > 1 else [],
        [
            Table(
                "Ranks of the configurations", configuration_ranks(material.table), "configuration_ranks.csv", open=True
            ),
            Table("Ranks of the classes", class_ranks(material.table), "class_ranks.csv"),
            Table("Agreement on the order of the classes", class_agreement(material.table), "class_agreement.csv"),
            Table("How often a class is the hardest, the easiest", extreme_classes(material.table), "extremes.csv"),
        ],
    )


def _variance(material: Material) -> Section:
    return Section(
        "variance",
        "What moves the scores",
        "Is it the split, the seed, or the configuration?",
        "Shares of the variance over random splits, by analysis of variance. A split's share near zero means that a "
        "split is not hard or easy in itself: what differs from split to split is the training's own chance, and "
        "pairing by split buys little.",
        tables=[Table("Split, configuration, rest", variance_shares(material.table), "variance_shares.csv", open=True)],
    )


def _long(averaging: str) -> str:
    return AVERAGING_NAMES.get(averaging, averaging)


OF_SCORES = (_heat_maps, _dots, _slopes, _profiles, _pairs, _ranks, _variance)
"""In the order of reading; each makes a section of the material."""
