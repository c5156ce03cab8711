"""What the verdict says of two configurations: which is better, by how much, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.answer import Finding, difference_in_words
from analysis.axes import in_words
from analysis.classes import MACRO
from analysis.scores import Scores, configuration_name, count_of
from analysis.statistics.paired import BETTER, EQUAL, WORSE, compare
from analysis.verdict.of_choices import luck_of_the_best


def best(scores: Scores, table: pd.DataFrame, macro: pd.DataFrame, rope: float) -> Finding | None:
    """The highest mean against the next, by the mean of the classes.

    :param table: the scores under one averaging; `macro` is its spread, the rows for the mean of classes.
    """
    ranked = macro.dropna(subset="mean").sort_values("mean", ascending=False, kind="stable")
    if len(ranked) < 2:
        return None
    (_, first), (_, second) = list(ranked.iterrows())[:2]
    names = [(str(each["model"]), str(each["loss"])) for each in (first, second)]
    paired = compare(table, *names, test_to_train=scores.test_to_train, rope=rope)
    row = paired[paired["class"] == MACRO].iloc[0]
    ahead = difference_in_words(first["mean"] - second["mean"])
    lead = f"{configuration_name(first)} leads {configuration_name(second)} by {ahead}"
    points = [lead + _interval_or_why_not(row, scores.test_to_train), *_in_words(row, names, rope)]
    if scores.test_to_train is not None:
        points.append(luck_of_the_best(table, names[0], scores.test_to_train))
    return Finding("Which configuration is best on random splits?", tuple(points))


def of_two(
    paired: pd.DataFrame, kind: str, names: list[tuple[str, str]], test_to_train: float | None, rope: float, metric: str
) -> list[Finding]:
    """What `compare` of two configurations says of the mean of the classes, under each averaging.

    :param paired: its rows; of several axes of held-out splits those of one.
    :param kind: the `paired_kind` of the scores.
    :param metric: in words.
    """
    splits = f"{in_words(kind, '')}s"
    return [
        Finding(
            f"Is {' '.join(names[0])} better than {' '.join(names[1])} on {splits}? "
            f"({averaging} {metric}, mean of the classes)",
            (
                f"It is {abs(row['difference']):.3f} {'higher' if row['difference'] > 0 else 'lower'}"
                f"{_interval_or_why_not(row, test_to_train)}",
                f"Of {count_of(int(row['num_pairs']), splits)} it is higher on {row['wins']}, lower on "
                f"{row['losses']}, equal on {row['ties']}{_sign_flip(row)}.",
                *_in_words(row, names, rope),
            ),
        )
        for averaging, rows in paired[paired["class"] == MACRO].groupby("averaging", sort=False)
        for _, row in rows.iterrows()
        if row["num_pairs"]
    ]


def _sign_flip(row: pd.Series[float]) -> str:
    return "" if np.isnan(row["sign_flip_p"]) else f" (exact two-sided sign-flip p = {row['sign_flip_p']:.3g})"


def _interval_or_why_not(row: pd.Series[float], test_to_train: float | None) -> str:
    """e.g. ` (95 % interval -0.086 to 0.105, which allows for shared training images).`"""
    if np.isnan(row["low"]):
        return f"; {str(row['note']).split('; ')[0]}."
    how = "which allows for shared training images" if test_to_train else "of trainings on one division of the images"
    return f" (95 % interval {row['low']:z.3f} to {row['high']:z.3f}, {how})."


def _in_words(row: pd.Series[float], names: list[tuple[str, str]], rope: float) -> Iterator[str]:
    """The one rule: all of the interval beyond the band of differences that count as none, within it, or neither."""
    if np.isnan(row["low"]):
        return
    a, b = (" ".join(each) for each in names)
    yield {
        BETTER: f"{a} is better: the whole interval is above {rope:g}, up to which a difference counts as none.",
        WORSE: f"{b} is better: the whole interval is below -{rope:g}, up to which a difference counts as none.",
        EQUAL: f"They are as good as equal: the whole interval is within ±{rope:g}, which counts as no difference.",
    }.get(
        str(row["answer"]),
        f"That leaves it open which is better: the interval is neither wholly beyond ±{rope:g}, up to which a "
        "difference counts as none, nor wholly within.",
    )
