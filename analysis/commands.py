"""What the commands do, as functions: each takes what `load` gives, and returns what a notebook shows as tables.

from analysis.commands import check, compare, load, report, stability, tables

scores = load("results/demo")
stability(scores)
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from analysis.answer import Answer
from analysis.errors import AnalysisError
from analysis.formats import to_html
from analysis.gate import check
from analysis.load import load
from analysis.scores import Scores, two_averagings, worded_in
from analysis.statistics import comparison, ranks, search, spread
from analysis.statistics.costs import trade_off
from analysis.statistics.false_classes import false_class_matrices, false_classes, hard_images, image_scores
from analysis.statistics.importance import importance
from analysis.statistics.variance import variance_shares
from analysis.tables import tables as split_tables
from analysis.verdict import ROPE, cannot_say, verdict

__all__ = ["check", "compare", "load", "report", "stability", "tables"]

NUM_WORST = 10


class SplitTables(dict[tuple[str, str], pd.DataFrame]):
    """(model, loss) -> split x (averaging, class), as `analysis.tables.tables` gives; a notebook marks the worst."""

    def _repr_html_(self) -> str:
        return to_html(self)


def tables(scores: Scores, averagings: Sequence[str] | None = None) -> SplitTables:
    """The paper's Tables 2-5: one frame per (model, loss), values Dice. Raises ValueError for an unknown averaging."""
    return SplitTables(split_tables(scores.table, averagings, simulated=scores.simulated))


def stability(scores: Scores, seed: int = 0) -> Answer:
    """How far the scores move, and what moves them: the verdict in words, then every statistic behind it.

    The functions of `analysis.statistics` say what the columns are. Under pw and ew, where they are there.
    """
    table = two_averagings(scores.table)
    frames = {
        "Scores over random splits, and on each held-out split": spread.spread(table),
        "Are held-out splits harder? All columns together": comparison.random_against_held_out(table, seed),
        "The same by column: exploratory": comparison.columns_against_held_out(table, seed),
        "What moves the scores on random splits": variance_shares(table),
        "Do splits agree on the order of the classes?": ranks.class_agreement(table),
        "The order of the configurations": ranks.configuration_ranks(table),
        "Share of runs in which a class is the hardest, and the easiest": ranks.extreme_classes(table),
        f"The {NUM_WORST} worst cells": ranks.worst_cells(table, NUM_WORST),
    }
    if scores.facts is not None:
        frames |= _of_a_study(scores, seed)
    return Answer([*verdict(scores), cannot_say(scores)], frames, scores.simulated)


def _of_a_study(scores: Scores, seed: int) -> dict[str, pd.DataFrame]:
    """The statistics that need more than scores: pixel counts, and every trial of the search."""
    facts = scores.study_facts("this")
    images, runs, startup = image_scores(facts), facts.runs(), facts.definition.search.startup
    matrices = {
        f"True object (row) x falsely predicted class, share of its test images: {model} {loss}, {kind} splits": matrix
        for (model, loss, kind), matrix in false_class_matrices(facts).items()
    }
    return {
        "How often is a class predicted that is not there?": false_classes(facts),
        **{title: _as_rows(matrix) for title, matrix in matrices.items()},
        f"The {NUM_WORST} worst test images": images.head(NUM_WORST),
        f"The {NUM_WORST} images that are hardest for all": hard_images(images).head(NUM_WORST),
        "Was tuning worth it? Tuned less default, on test images": search.tuning_gain(runs, scores.test_to_train),
        "Would another split have picked the same hyperparameters?": search.transfer(runs, startup),
        "How much does the choice of the point move, against the split?": search.tuning_shares(runs, startup),
        "Which hyperparameter mattered?": importance(runs, facts.definition.search.space, seed),
        "Accuracy against cost": trade_off(facts, worded_in(scores.table)),
    }


def _as_rows(matrix: pd.DataFrame) -> pd.DataFrame:
    """The matrix as a table whose columns no class can be called like."""
    return matrix.add_suffix(" seen").rename_axis(index="true object", columns=None).reset_index()


def compare(scores: Scores, a: tuple[str, str], b: tuple[str, str], rope: float = ROPE, seed: int = 0) -> Answer:
    """Two configurations (model, loss), paired by split: the table of `analysis.statistics.comparison.compare`.

    :param rope: differences of Dice within it count as none.
    :raises AnalysisError: a configuration that is not there, or scores that do not say how large their splits are.
    """
    if scores.test_to_train is None:
        raise AnalysisError(
            f"{scores.source} does not say how many images its splits train on and test, which the interval needs: "
            "compare on a study's directory"
        )
    try:
        frame = comparison.compare(scores.table, a, b, test_to_train=scores.test_to_train, rope=rope, seed=seed)
    except KeyError as error:
        raise AnalysisError(str(error.args[0])) from None
    title = f"{'-'.join(a)} less {'-'.join(b)}, test/train ratio {scores.test_to_train:.3f}, equal within {rope:g}"
    return Answer(frames={title: frame}, simulated=scores.simulated)


def report(scores: Scores, file: str | os.PathLike[str], rope: float = ROPE, seed: int = 0) -> Path:
    """Write one self-contained HTML file and its tables as JSON beside it: see `analysis.report.report`."""
    from analysis.report.write import report as write  # here, as drawing takes a second to import

    return write(scores, file, rope, seed)
