"""The sections of a report that scores alone can fill: each a question, how to read the answer, figures, tables."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from analysis.facts import Facts
from analysis.formats import long_name, to_html
from analysis.report import figures
from analysis.report.page import Section, Table, panel
from analysis.scores import CONFIGURATION, KINDS, Configuration, HeldOut, Scores, configurations, two_averagings
from analysis.shown import ranked, shown_of
from analysis.statistics.comparison import columns_against_held_out, compare, random_against_held_out
from analysis.statistics.false_classes import image_scores
from analysis.statistics.ranks import class_agreement, class_ranks, configuration_ranks, extreme_classes
from analysis.statistics.spread import spread
from analysis.statistics.variance import variance_shares
from analysis.tables import tables

MOST_PAIRS = 12


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
    def held_out(self) -> HeldOut:
        return HeldOut.of(self.scores.table)

    @cached_property
    def averagings(self) -> list[str]:
        return list(dict.fromkeys(self.table["averaging"]))

    @cached_property
    def configurations(self) -> list[Configuration]:
        """Those that are shown."""
        return shown_of(self.scores.table)

    @cached_property
    def tables(self) -> dict[Configuration, pd.DataFrame]:
        """The scores of each that is shown."""
        groups = self.table.groupby(CONFIGURATION, sort=False, observed=True)
        return {(str(m), str(loss)): rows for (m, loss), rows in groups if (m, loss) in self.configurations}

    @cached_property
    def drawn(self) -> pd.DataFrame:
        """The scores of all that are shown."""
        return pd.concat(self.tables.values(), ignore_index=True)

    def listed(self, title: str, frame: pd.DataFrame, file: str, *, open: bool = False, html: str = "") -> Table:
        """A table of which the page holds the rows of what is shown, and the JSON beside it all."""
        rows = None
        if len(self.configurations) < len(configurations(self.scores.table)):
            there = pd.MultiIndex.from_frame(frame[CONFIGURATION]).isin(self.configurations)
            rows = frame[there | (frame["model"] == "")]
        return Table(title, frame, file, open, html, rows)

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
    frames = tables(material.drawn, simulated=material.scores.simulated)
    panels = [
        panel(
            f"{model} {loss}, {long_name(averaging)}",
            figures.heat_map(frames[model, loss], averaging),
            f"Dice by split and class. The worst of each: {_worst_in_words(frames[model, loss], averaging)}.",
        )
        for model, loss, averaging in material.each()
    ]
    scores = material.table.assign(simulated=int(material.scores.simulated))
    whole = material.listed("Scores, the worst of each column marked", scores, "scores.csv", html=to_html(frames))
    return Section(
        "scores",
        "Scores by split and class",
        "Which class fails on which split?",
        "A row is a split, a column a class, a number the Dice on that split's test images; one colour scale for "
        "all. The worst of each column is bold and outlined, ties all. Below the line: splits that test "
        f"{material.held_out.samples}. Look for a column that is low throughout (a hard class) and for a row that "
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
            f"{model} {loss}, {long_name(averaging)}",
            figures.dots(material.tables[model, loss], model, loss, averaging),
            "Every random split a dot, every held-out split a numbered marker, the mean of the random splits with its "
            "95 % interval; by class. Values in the table of this section.",
        )
        for model, loss, averaging in material.each()
    ]
    return Section(
        "spread",
        "Spread over random splits",
        "How far does another random split move a score?",
        "Each dot is one training on one random split. The bar is the mean with Student's 95 % interval (from four "
        "splits on). Held-out splits are the other markers, by number. If the dots of a class spread wider than the "
        "difference you care about, one split is not enough to see it.",
        panels,
        [
            material.listed(
                "Mean, SD and their intervals, minimum, held-out splits, gap",
                spread(material.table),
                "stability.csv",
            )
        ],
    )


def _slopes(material: Material) -> Section:
    panels = [
        panel(
            f"{model} {loss}, {long_name(averaging)}",
            figures.slopes(material.tables[model, loss], model, loss, averaging),
            "A line per class from its mean over random splits to each held-out split; the bars are the random splits' "
            "range.",
        )
        for model, loss, averaging in material.each()
    ]
    return Section(
        "held_out",
        f"From random to {material.held_out.split}s",
        f"Which classes fall on {material.held_out.samples}?",
        "Left: the mean over random splits, the bar from the lowest to the highest of them. Right: each held_out "
        "split. A line that leaves its bar downwards is a class that loses more than random splits differ.",
        panels,
        [
            material.listed(
                "Are held-out splits harder? All columns together",
                random_against_held_out(material.table),
                "held_out.csv",
            ),
            material.listed("By column: exploratory", columns_against_held_out(material.table), "held_out_columns.csv"),
        ],
    )


def _profiles(material: Material) -> Section:
    kinds = [kind for kind in KINDS if (material.table["split_kind"] == kind).any()]
    panels = [
        panel(
            f"{material.held_out.in_words(kind)}, {long_name(averaging)}",
            figures.profiles(material.drawn, averaging, kind),
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
    ratio, rope = material.scores.test_to_train, material.rope
    panels, frames = [], []
    for a, b in pairs_of(material):
        rows = pd.concat([material.tables[a], material.tables[b]])
        panels += [
            panel(
                f"{' '.join(a)} less {' '.join(b)}, {long_name(averaging)}",
                figures.paired(rows, a, b, averaging, ratio, rope),
                "Differences by class, a dot per random split, the mean with its corrected 95 % interval, the region "
                "of practical equivalence as a band around zero.",
            )
            for averaging in material.averagings
        ]
        if ratio is not None:
            frame = compare(rows, a, b, test_to_train=ratio, rope=rope, seed=material.seed)
            frames.append(frame.assign(model=a[0], loss=a[1], less_model=b[0], less_loss=b[1]))
    names = [*CONFIGURATION, "less_model", "less_loss"]
    tables_ = (
        [Table("Each pair, by averaging and class", _first(pd.concat(frames), names), "pairs.csv")] if frames else []
    )
    return Section(
        "pairs",
        "Configurations compared",
        "Does the loss, or the network, make a difference that lasts over splits?",
        f"Pairs that differ in one factor, by split; of more than {MOST_PAIRS}, those of the configuration with the "
        "highest mean and the next in the ranking. The band is the region of practical equivalence "
        f"(±{rope:g}). The interval is Nadeau and Bengio's: it allows for splits that share training "
        "images. Only an interval that lies wholly beyond the band says that one is better; one wholly within it "
        "says that they are equal. `analysis compare` does the same for any two.",
        panels,
        tables_,
        notes=[]
        if ratio
        else ["No intervals: these results do not say how many images each split trains on and tests."],
    )


def _first(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """These columns before the others."""
    return frame[[*names, *(name for name in frame.columns if name not in names)]]


def pairs_of(material: Material) -> list[tuple[Configuration, Configuration]]:
    """(later, earlier) in the table's order: pairs with the same network or the same loss; of more than MOST_PAIRS,
    those of the best with the next in the ranking."""
    pairs = [(b, a) for a, b in itertools.combinations(material.configurations, 2) if _one_factor_apart(a, b)]
    if len(pairs) <= MOST_PAIRS:
        return pairs
    best, *others = [each for each in ranked(material.table) if each in material.configurations]
    nearest = [each for each in others if _one_factor_apart(best, each)]
    return [(best, each) for each in nearest[:MOST_PAIRS]]


def _one_factor_apart(a: Configuration, b: Configuration) -> bool:
    return (a[0] == b[0]) != (a[1] == b[1])


def _ranks(material: Material) -> Section:
    panels = [
        panel(
            f"mean of objects, {long_name(averaging)}",
            figures.ranks(material.drawn, averaging),
            "Rank on every split by the mean Dice over object classes, among the configurations shown.",
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
            material.listed(
                "Ranks of the configurations", configuration_ranks(material.table), "configuration_ranks.csv", open=True
            ),
            material.listed("Ranks of the classes", class_ranks(material.table), "class_ranks.csv"),
            material.listed(
                "Agreement on the order of the classes", class_agreement(material.table), "class_agreement.csv"
            ),
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


OF_SCORES = (_heat_maps, _dots, _slopes, _profiles, _pairs, _ranks, _variance)
"""In the order of reading; each makes a section of the material."""
