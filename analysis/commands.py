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

from analysis.answer import Answer, Finding
from analysis.axes import each_axis
from analysis.enough import enough
from analysis.errors import AnalysisError
from analysis.formats import to_html
from analysis.gate import check
from analysis.load import load
from analysis.scores import Scores, random_and_held_out
from analysis.statistics import paired
from analysis.statistics.catalogue import left_out_in_words, topics
from analysis.statistics.material import ROPE, Material
from analysis.statistics.training import not_settled, settling
from analysis.tables import tables as split_tables
from analysis.verdict import cannot_say, verdict
from analysis.verdict.of_pairs import of_two
from analysis.verdict.of_same_images import on_the_same_images
from analysis.verdict.of_splits import looked_at

__all__ = ["check", "compare", "enough", "load", "report", "stability", "tables"]


class SplitTables(dict[tuple[str, str], pd.DataFrame]):
    """(model, loss) -> split x (averaging, class), as `analysis.tables.tables` gives; a notebook marks the worst."""

    def _repr_html_(self) -> str:
        return to_html(self)


def tables(scores: Scores, averagings: Sequence[str] | None = None) -> SplitTables:
    """The paper's Tables 2-5: one frame per (model, loss), values scores. Raises ValueError for an unknown averaging.

    In the `attrs` of each: which selection and noise tolerance the scores are of, and `remarks`, the sentences that
    must stand beside them.
    """
    frames = split_tables(scores.table, averagings, simulated=scores.simulated, metric=scores.metric)
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
    if scores.metric.tolerance is not None:
        found.append(f"Boundaries agree where they lie within {scores.metric.tolerance_in_words} (--tolerance).")
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
        made = {topic.worded(each.title, material): each.shown(material) for each in chosen}
        frames |= {title: frame for title, frame in made.items() if len(frame.columns)}
        if chosen:
            how_to_read[next(iter(made))] = topic.worded(f"{topic.question} {topic.how_to_read}", material)
    findings = [*verdict(scores), cannot_say(scores)]
    return Answer(findings, frames, how_to_read, scores.simulated, left_out_in_words(material), scores.metric)


def compare(
    scores: Scores,
    a: tuple[str, str],
    b: tuple[str, str],
    rope: float = ROPE,
    test_to_train: float | None = None,
    seed: int = 0,
) -> Answer:
    """Two configurations (model, loss), paired by split: the answer for the mean of classes in words, and the table of
    `analysis.statistics.paired.compare`; and paired by image, that of
    `analysis.statistics.on_these_images.compare_on_images`, where pixel counts are kept.

    :param rope: differences of a score within it count as none.
    :param test_to_train: images tested over images left to training, which the interval needs; None: as known.
    :raises AnalysisError: a configuration that is not there.
    """
    ratio = scores.test_to_train if test_to_train is None else test_to_train
    table = random_and_held_out(scores.table)
    try:
        frame = each_axis(table, lambda part: paired.compare(part, a, b, test_to_train=ratio, rope=rope, seed=seed))
    except KeyError as error:
        raise AnalysisError(str(error.args[0])) from None
    title = f"{'-'.join(a)} less {'-'.join(b)}, {_ratio_in_words(ratio)}, equal within {rope:g}"
    looked = [Finding("What was measured?", tuple(told))] if (told := looked_at(scores)) else []
    found = of_two(
        frame.drop_duplicates(["averaging", "class"]),
        paired.paired_kind(table),
        [a, b],
        ratio,
        rope,
        scores.metric.in_full,
    )
    same = on_the_same_images(scores, a, b, seed)
    how_to_read = {title: paired.HOW_TO_READ.format(intervals=paired.intervals_in_words(ratio))}
    return Answer(
        [*looked, *found, *same.findings],
        {title: frame} | same.frames,
        how_to_read | same.how_to_read,
        scores.simulated,
        same.left_out,
        scores.metric,
    )


def _ratio_in_words(ratio: float | None) -> str:
    if ratio is None:
        return "sizes of the splits not known"
    return f"test/train ratio {ratio:.3f}" if ratio else "one division of the images"


def report(scores: Scores, file: str | os.PathLike[str], rope: float = ROPE, seed: int = 0) -> Path:
    """Write one self-contained HTML file and its tables as JSON beside it; the path of the page.

    The same scores give the same bytes.

    :param rope: differences of a score within it count as none.
    :raises AnalysisError: FILE cannot be written, or is not the name of an HTML file.
    """
    from analysis.report.write import report as write  # here, as drawing takes a second to import

    return write(scores, file, rope, seed)
