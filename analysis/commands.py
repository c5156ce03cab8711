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
from analysis.axes import each_axis
from analysis.enough import enough
from analysis.errors import AnalysisError
from analysis.formats import to_html
from analysis.gate import check
from analysis.load import load
from analysis.scores import RANDOM, Scores, random_and_held_out
from analysis.statistics import comparison
from analysis.statistics.catalogue import left_out_in_words, topics
from analysis.statistics.material import ROPE, Material
from analysis.statistics.training import not_settled, settling
from analysis.tables import tables as split_tables
from analysis.verdict import cannot_say, verdict

__all__ = ["check", "compare", "enough", "load", "report", "stability", "tables"]


class SplitTables(dict[tuple[str, str], pd.DataFrame]):
    """(model, loss) -> split x (averaging, class), as `analysis.tables.tables` gives; a notebook marks the worst."""

    def _repr_html_(self) -> str:
        return to_html(self)


def tables(scores: Scores, averagings: Sequence[str] | None = None) -> SplitTables:
    """The paper's Tables 2-5: one frame per (model, loss), values Dice. Raises ValueError for an unknown averaging.

    In the `attrs` of each: which selection and noise tolerance the scores are of, and `remarks`, the sentences that
    must stand beside them.
    """
    frames = split_tables(scores.table, averagings, simulated=scores.simulated)
    for frame in frames.values():
        frame.attrs |= {"selection": scores.selection, "epsilon": scores.epsilon, "remarks": remarks(scores)}
    return SplitTables(frames)


def remarks(scores: Scores) -> list[str]:
    """What must stand beside any table of scores: another selection or tolerance, unsettled training."""
    found = []
    if scores.selection == "tuned":
        found.append("Scores of the best trial of every cell by validation (--select tuned).")
    if scores.facts and scores.facts.epsilon is not None:
        found.append(f"Scores computed anew under a noise tolerance of {scores.facts.epsilon:g} (--epsilon).")
    return [*found, *filter(None, [not_settled(settling(scores.facts)) if scores.facts else ""])]


def stability(scores: Scores, seed: int = 0) -> Answer:
    """How far the scores move, and what moves them: the verdict in words, then the statistics of the catalogue.

    The functions of `analysis.statistics` say what the columns are. Under pw and ew, where they are there.
    """
    material = Material(scores, seed=seed)
    frames: dict[str, pd.DataFrame] = {}
    how_to_read: dict[str, str] = {}
    for topic in topics(material):
        chosen = [statistic for statistic in topic.statistics if not statistic.report_only]
        made = {topic.worded(each.title, material): each.compute(material) for each in chosen}
        frames |= {title: frame for title, frame in made.items() if len(frame.columns)}
        if chosen:
            how_to_read[next(iter(made))] = topic.worded(f"{topic.question} {topic.how_to_read}", material)
    findings = [*verdict(scores), cannot_say(scores)]
    return Answer(findings, frames, how_to_read, scores.simulated, left_out_in_words(material))


def compare(scores: Scores, a: tuple[str, str], b: tuple[str, str], rope: float = ROPE, seed: int = 0) -> Answer:
    """Two configurations (model, loss), paired by split: the table of `analysis.statistics.comparison.compare`.

    :param rope: differences of Dice within it count as none.
    :raises AnalysisError: a configuration that is not there, or scores that do not say how large their splits are.
    """
    if not (scores.table["split_kind"] == RANDOM).any():
        raise AnalysisError(f"{scores.source} has no random splits, over which two configurations are compared")
    if (ratio := scores.test_to_train) is None:
        raise AnalysisError(
            f"{scores.source} does not say how many images its splits train on and test, which the interval needs: "
            "compare on a study's directory"
        )
    try:
        frame = each_axis(
            random_and_held_out(scores.table),
            lambda part: comparison.compare(part, a, b, test_to_train=ratio, rope=rope, seed=seed),
        )
    except KeyError as error:
        raise AnalysisError(str(error.args[0])) from None
    title = f"{'-'.join(a)} less {'-'.join(b)}, test/train ratio {ratio:.3f}, equal within {rope:g}"
    return Answer(frames={title: frame}, simulated=scores.simulated)


def report(scores: Scores, file: str | os.PathLike[str], rope: float = ROPE, seed: int = 0) -> Path:
    """Write one self-contained HTML file and its tables as JSON beside it: see `analysis.report.report`."""
    from analysis.report.write import report as write  # here, as drawing takes a second to import

    return write(scores, file, rope, seed)
