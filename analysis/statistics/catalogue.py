"""Every statistic once: its title, the question that it answers, how to read it, and the function that computes it.

`analysis stability`, its JSON and the report all draw from TOPICS, in this order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from analysis.scores import main_averaging
from analysis.shown import MOST_PAIRS, pairs_of
from analysis.statistics import comparison, false_classes, ranks, search
from analysis.statistics.costs import trade_off
from analysis.statistics.importance import importance
from analysis.statistics.material import Material
from analysis.statistics.other_splits import other_splits
from analysis.statistics.spread import spread
from analysis.statistics.training import training
from analysis.statistics.variance import variance_shares

NUM_WORST = 20


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


@dataclass(frozen=True)
class Topic:
    """A question, and the statistics that answer it. In its words, {split} is a held-out split, {samples} its test."""

    id: str
    title: str
    question: str
    figures: str
    """How to read its figures."""
    how_to_read: str
    statistics: tuple[Statistic, ...] = ()
    needs_study: bool = False

    def worded(self, text: str, material: Material) -> str:
        """One of the topic's texts, in words for these scores."""
        return text.format(split=material.held_out.split, samples=material.held_out.samples, rope=material.rope)


def topics(material: Material) -> list[Topic]:
    """Those that these scores can answer."""
    return [topic for topic in TOPICS if material.scores.facts is not None or not topic.needs_study]


def _scores(material: Material) -> pd.DataFrame:
    return material.of_all_splits.assign(simulated=int(material.scores.simulated))


def _pairs(material: Material) -> pd.DataFrame:
    """`comparison.compare` of each pair that is shown; nothing where the sizes of the splits are not known."""
    ratio = material.scores.test_to_train
    if ratio is None:
        return pd.DataFrame()
    frames = []
    for a, b in pairs_of(material.table):
        rows = pd.concat([material.by_configuration[each] for each in (a, b)])
        frame = comparison.compare(rows, a, b, test_to_train=ratio, rope=material.rope, seed=material.seed)
        names = {"model": a[0], "loss": a[1], "less_model": b[0], "less_loss": b[1]}
        frames.append(pd.DataFrame(names, index=frame.index).join(frame))
    return pd.concat(frames) if frames else pd.DataFrame()


def _worst_images(material: Material) -> pd.DataFrame:
    return material.images.head(NUM_WORST)


def _hard_images(material: Material) -> pd.DataFrame:
    return false_classes.hard_images(material.images).head(NUM_WORST)


TOPICS = (
    Topic(
        "scores",
        "Scores by split and class",
        "Which class fails on which split?",
        "One colour scale for all; the worst of each column is outlined.",
        "A row is a split, a column a class, a number the Dice on that split's test images. The worst of each column "
        "is bold, ties all. Below the line: splits that test {samples}. Look for a column that is low throughout (a "
        "hard class) and for a row that is (a hard split).",
        (Statistic("Scores, the worst of each column marked", "scores", _scores, report_only=True),),
    ),
    Topic(
        "spread",
        "Spread over random splits",
        "How far does another random split move a score?",
        "Each dot is one training on one random split, and the bar the mean with its interval. Every {split} is a "
        "marker with its number.",
        "Means and SDs over random splits come with 95 % intervals (from four splits on). If the scores of a class "
        "spread wider than the difference you care about, one split is not enough to see it.",
        (
            Statistic("Scores over random splits, and on each held-out split", "spread", lambda m: spread(m.table)),
            Statistic(
                "Scores over folds, and on each given and matched split",
                "other_splits",
                lambda m: other_splits(m.of_all_splits),
            ),
        ),
    ),
    Topic(
        "held_out",
        "From random to held-out splits",
        "Which classes fall on {samples}?",
        "Left: the mean over random splits, the bar from the lowest to the highest of them. Right: each {split}. A "
        "line that leaves its bar downwards is a class that loses more than random splits differ.",
        "The difference is the mean on random less that on held-out splits. Its p is exact: how many of all ways to "
        "name as many splits held-out give a difference as large.",
        (
            Statistic(
                "Are held-out splits harder? All columns together",
                "held_out",
                lambda m: comparison.random_against_held_out(m.table, m.seed),
            ),
            Statistic(
                "Are held-out splits harder? Each column by itself: exploratory",
                "held_out_columns",
                lambda m: comparison.columns_against_held_out(m.table, m.seed),
            ),
        ),
    ),
    Topic(
        "profiles",
        "Performance profiles",
        "How many of the scores are above what you need?",
        "Choose the Dice you need on the x axis and read off the share of (split, object class) scores above it. A "
        "higher line is better everywhere; lines that cross mean that the better one depends on what you need. Thin "
        "lines are single splits: they stand in for a band, which so few splits cannot give.",
        "",
    ),
    Topic(
        "pairs",
        "Configurations compared",
        "Does the loss, or the network, make a difference that lasts over splits?",
        "A dot is a random split, the bar the mean with its interval, the band around zero the differences that count "
        "as none (±{rope:g}). Only an interval that lies wholly beyond the band says that one is better; one wholly "
        "within it says that they are equal.",
        f"Pairs that differ in one factor, by split; of more than {MOST_PAIRS}, those of the configuration with the "
        "highest mean and the next in the ranking. The interval is Nadeau and Bengio's: it allows for splits that "
        "share training images. `analysis compare` does the same for any two.",
        (Statistic("Each pair, by averaging and class", "pairs", _pairs, report_only=True, of_all=True),),
    ),
    Topic(
        "ranks",
        "Ranks",
        "Do the splits agree on which configuration is best, and on which class is hardest?",
        "Lines that run level mean that any split would have told you the same; lines that cross mean that the winner "
        "depends on the split.",
        "Rank 1 is the highest score. Kendall's W is 1 for full agreement; without any it "
        "is about one over the number of splits.",
        (
            Statistic(
                "Ranks of the configurations",
                "configuration_ranks",
                lambda m: ranks.configuration_ranks(m.table),
                unfolded=True,
            ),
            Statistic("Ranks of the classes", "class_ranks", lambda m: ranks.class_ranks(m.table), report_only=True),
            Statistic(
                "Agreement of the splits on the order of the classes",
                "class_agreement",
                lambda m: ranks.class_agreement(m.table),
            ),
            Statistic(
                "How often a class is the hardest, the easiest", "extremes", lambda m: ranks.extreme_classes(m.table)
            ),
        ),
    ),
    Topic(
        "variance",
        "What moves the scores",
        "Is it the split, the seed, or the configuration?",
        "",
        "Shares of the variance over random splits, by analysis of variance. A split's share near zero means that a "
        "split is not hard or easy in itself: what differs from split to split is the training's own chance, and "
        "pairing by split buys little.",
        (
            Statistic(
                "Shares of the variance over random splits: split, configuration, rest",
                "variance_shares",
                lambda m: variance_shares(m.table),
                unfolded=True,
            ),
        ),
    ),
    Topic(
        "cost",
        "Accuracy against cost",
        "What does a better score cost?",
        "Filled and joined: no other candidate is both as accurate and as cheap.",
        "Candidates are the configurations at every point that all cells have tried (t00: the default). Latency is of "
        "a single image, training time of a trial, both as measured on the device in the table.",
        (
            Statistic(
                "Candidates; non_dominated: in accuracy and all four costs",
                "trade_off",
                lambda m: trade_off(m.facts, main_averaging(m.table)),
            ),
        ),
        needs_study=True,
    ),
    Topic(
        "search",
        "The search for hyperparameters",
        "Was tuning worth it, and would another split have picked the same?",
        "Ringed: each cell's choice. If the rings of a configuration lie far apart, the choice is a matter of the "
        "split.",
        "Each cell searches for itself, by validation images; the regret says what another split's choice would have "
        "cost. A gain of tuning that is below the spread over splits is no gain that you can count on.",
        (
            Statistic(
                "Tuned less default, on test images",
                "tuning_gain",
                lambda m: search.tuning_gain(m.runs, m.scores.test_to_train),
                unfolded=True,
            ),
            Statistic(
                "Transfer of a split's choice to another split",
                "transfer",
                lambda m: search.transfer(m.runs, m.startup),
            ),
            Statistic(
                "The point against the split: shares of the variance",
                "tuning_shares",
                lambda m: search.tuning_shares(m.runs, m.startup),
            ),
            Statistic("Importance of the hyperparameters", "importance", lambda m: importance(m.runs, m.space, m.seed)),
        ),
        needs_study=True,
    ),
    Topic(
        "curves",
        "Training curves",
        "Had training settled when the weights were kept?",
        "A line per trial; the dot is the epoch whose weights were kept, the one of the lowest validation loss. Curves "
        "that still rise at the end, or jump from epoch to epoch, mean that part of the spread over splits is training "
        "that had not settled.",
        "",
        (
            Statistic(
                "Trials: epochs, the best one, remarks", "training", lambda m: training(m.facts), report_only=True
            ),
            Statistic(
                "Every epoch of the selected trials",
                "history",
                lambda m: m.facts.history(m.facts.chosen),
                report_only=True,
            ),
        ),
        needs_study=True,
    ),
    Topic(
        "false",
        "Classes that are not there",
        "What is seen that is not there, and in images of what?",
        "The number is in per cent of that object's test images.",
        "A row is the object in the image, a column a class that is not in it; counted are the object's test images in "
        "which more pixels than the tolerance are given to that class. Each such image "
        "scores that class 0, which is what pulls example-wise Dice below pixel-wise.",
        (
            Statistic(
                "Rate by class, mean and extremes over trials",
                "false_classes",
                lambda m: false_classes.false_classes(m.facts),
            ),
            Statistic(
                "Object in the image (row) x class falsely predicted, share of the object's test images",
                "false_class_matrices",
                lambda m: false_classes.as_rows(false_classes.false_class_matrices(m.facts)),
            ),
        ),
        needs_study=True,
    ),
    Topic(
        "images",
        "Worst, median and best test images",
        "What does a low score look like?",
        "",
        "Image, truth, prediction, from left to right. For every class the test image with the lowest, the median "
        "and the highest Dice of that class, over all splits of the configuration. Below each: its Dice, and classes "
        "predicted that are not there.",
        needs_study=True,
    ),
    Topic(
        "worst",
        "The worst scores",
        "How low can a single score be?",
        "",
        "The lowest of many scores is low by its nature: read it as what can happen, not as what is to be expected.",
        (
            Statistic(
                f"The {NUM_WORST} lowest scores",
                "worst_cells",
                lambda m: ranks.worst_cells(m.table, NUM_WORST),
                unfolded=True,
                of_all=True,
            ),
        ),
    ),
    Topic(
        "worst_images",
        "The worst images",
        "Which test images fail?",
        "",
        "Of one trial, and for all trials that tested the image: those are hard in themselves.",
        (
            Statistic(f"The {NUM_WORST} lowest images of a trial", "worst_images", _worst_images, of_all=True),
            Statistic(f"The {NUM_WORST} images that are hardest for all", "hard_images", _hard_images, of_all=True),
        ),
        needs_study=True,
    ),
    Topic(
        "provenance",
        "Where the numbers come from",
        "Which definition, data, code and machines made these numbers?",
        "",
        "The same definition, data and code give the same rows, bit for bit, on one kind of hardware; "
        "`study trial` computes any of them again and compares.",
        (
            Statistic(
                "Trials by recipe, data, code and machine",
                "provenance",
                lambda m: m.facts.provenance(),
                unfolded=True,
                report_only=True,
            ),
        ),
        needs_study=True,
    ),
)
"""In the order of reading."""
