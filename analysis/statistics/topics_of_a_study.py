"""The topics that need what a study keeps beside its scores: cost, search, training, pixels and pictures."""

from __future__ import annotations

import pandas as pd

from analysis.axes import each_axis
from analysis.scores import main_averaging
from analysis.statistics import false_classes, front, lacking, search
from analysis.statistics.costs import trade_off
from analysis.statistics.importance import importance
from analysis.statistics.luck import luck
from analysis.statistics.luck_of_choice import luck_of_common_point
from analysis.statistics.material import Material
from analysis.statistics.topic import Statistic, Topic
from analysis.statistics.training import training
from study.summary import MIN_IMAGES

NUM_WORST = 20


def _worst_images(material: Material) -> pd.DataFrame:
    return material.images.head(NUM_WORST)


def _hard_images(material: Material) -> pd.DataFrame:
    return false_classes.hard_images(material.images).head(NUM_WORST)


OF_A_STUDY = (
    Topic(
        "cost",
        "Accuracy against cost",
        "What does a better score cost?",
        "Filled and joined: no other candidate is both as accurate and as cheap.",
        "A candidate is a configuration at a point that all its cells have tried (t00 is the default). Latency is per "
        "image, training time per trial, both measured on the device that the table names. chosen is what the search's "
        "rule takes, by the mean validation Dice.",
        (
            Statistic(
                "Candidates; non_dominated: in accuracy and all four costs",
                "trade_off",
                lambda m: trade_off(m.facts, main_averaging(m.table)),
            ),
        ),
        lacking.candidates,
    ),
    Topic(
        "search",
        "The search for hyperparameters",
        "Was tuning worth it, and would another split have picked the same?",
        "A ring marks each cell's choice, a cross the default point. If the rings of a configuration lie far apart, "
        "the choice depends on the split.",
        "Each cell searches for itself, by validation images. The regret is what the choice of another split would "
        "have cost. If tuning gains less than the spread (the SD of one training), you cannot count on the gain. low "
        "and high are a two-sided 95 % interval. Of one point for all cells: left_out is the score, on each split "
        "left out in turn, of what the other splits choose; optimism is how much higher the choice of all splits "
        "scores. By so much, on average over studies, the rule makes scores too high, for other splits of these "
        "images. The importance of a key is over "
        "the cells of all splits together.",
        (
            Statistic(
                "Tuned less default, on test images",
                "tuning_gain",
                lambda m: each_axis(m.runs, lambda part: search.tuning_gain(part, m.scores.test_to_train, m.within)),
                unfolded=True,
            ),
            Statistic(
                "How much of the tuned score is luck: validation less test, of the chosen and of the default trial",
                "luck",
                lambda m: luck(m.runs, m.startup, m.scores.test_to_train, m.within),
                lacks=lacking.same_metric,
            ),
            Statistic(
                "One point for all cells, the best on average: what the rule is worth",
                "luck_of_common_point",
                lambda m: luck_of_common_point(m.runs, m.startup, m.scores.test_to_train),
            ),
            Statistic(
                "Transfer of a split's choice to another split",
                "transfer",
                lambda m: each_axis(m.runs, lambda part: search.transfer(part, m.startup, m.within)),
            ),
            Statistic(
                "The point against the split: shares of the variance",
                "tuning_shares",
                lambda m: search.tuning_shares(m.runs, m.startup),
            ),
            Statistic("Importance of the hyperparameters", "importance", lambda m: importance(m.runs, m.space, m.seed)),
        ),
        lacking.searched,
    ),
    Topic(
        "front",
        "Dice and cost: the front of every cell",
        "What does the search offer between a high Dice and a low cost, and what does the rule take?",
        "A dot per trial. The line of a cell joins those that no other of its trials beats in both; a ring marks what "
        "the rule takes.",
        "The rule is the definition's: of a cell's trials whose validation Dice is at most `search.within` below the "
        "cell's highest, the cheapest. No choice sees the test images.",
        (
            Statistic(
                "Default, highest Dice, and the cheapest by the rule: cost, validation Dice and test {metric}",
                "choices",
                lambda m: each_axis(m.main_runs, lambda part: front.choices(part, m.within)),
                unfolded=True,
            ),
            Statistic(
                "The front of every cell",
                "front",
                lambda m: front.front(m.main_runs, m.within),
                report_only=True,
            ),
        ),
        lacking.two_objectives,
    ),
    Topic(
        "curves",
        "Training curves",
        "Had training settled when the weights were kept?",
        "A line per trial. The dot is the epoch with the lowest validation loss, whose weights were kept. Where curves "
        "still rise at the end, or jump from epoch to epoch, training had not settled, and part of the spread over "
        "splits comes from that.",
        "The training loss of a network with auxiliary outputs holds their losses, too; the validation loss is that of "
        "its main output alone, and may lie lower for that.",
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
    ),
    Topic(
        "false",
        "Classes that are not there",
        "What is seen that is not there, and in images of what?",
        "Each number is a percentage of the test images that show the one class and not the other; of fewer than "
        f"{MIN_IMAGES} images it is the count, such as 1/2.",
        "A row is the class in the image, a column a class that is not in it. An image counts where more pixels than "
        "the tolerance are given to that class. The class then scores 0 in the image (but for the recall, which such "
        "an image has not), and that pulls the example-wise mean below the pixel-wise one.",
        (
            Statistic(
                "Rate by class, mean and extremes over trials",
                "false_classes",
                lambda m: false_classes.false_classes(m.facts),
            ),
            Statistic(
                "Class in the image (row) x class falsely predicted, share of the class's test images",
                "false_class_matrices",
                lambda m: false_classes.as_rows(false_classes.false_class_matrices(m.facts)),
                lacks=lacking.several_classes,
            ),
        ),
    ),
    Topic(
        "images",
        "Worst, median and best test images",
        "What does a low score look like?",
        "",
        "From left to right: image, truth, prediction. Each class has its test images with the lowest, the median and "
        "the highest {metric}, over all splits of the configuration. Below each stand its {metric} and the classes "
        "predicted that are not there.",
    ),
    Topic(
        "worst_images",
        "The worst images",
        "Which test images fail?",
        "",
        "The first table has the lowest images of single trials. The second averages over all trials that tested an "
        "image: what is low there is hard for every trial.",
        (
            Statistic(f"The {NUM_WORST} lowest images of a trial", "worst_images", _worst_images, of_all=True),
            Statistic(f"The {NUM_WORST} images that are hardest for all", "hard_images", _hard_images, of_all=True),
        ),
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
    ),
)
"""In the order of reading."""
