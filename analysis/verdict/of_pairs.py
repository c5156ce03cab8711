"""What the verdict says of two configurations: which is better, by how much, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.answer import Finding, difference_in_words
from analysis.axes import in_words
from analysis.classes import MACRO
from analysis.scores import RANDOM, ROUNDING, Scores, by_split, count_of, of_kind
from analysis.statistics.paired import BETTER, EQUAL, WORSE, compare
from analysis.verdict.of_choices import luck_of_the_best


def best(scores: Scores, table: pd.DataFrame, rope: float) -> Finding | None:
    """The highest mean against the next, by the mean of the classes, over the random splits that all configurations
    share: means over different splits would tell which splits are easy.

    :param table: the scores under one averaging.
    """
    question = "Which configuration is best on random splits?"
    of_all = of_kind(by_split(table), RANDOM).xs(MACRO, level="class").droplevel("averaging")
    means = of_all.dropna(how="all")
    if len(of_all) < 2 or means.empty:
        return None
    if len(means) < 2:
        (alone,) = (" ".join(map(str, name)) for name in means.index)
        return Finding(question, (f"No answer: on random splits, {alone} alone has a mean of the classes.",))
    shared = means.dropna(axis=1)
    if shared.empty:
        return Finding(question, ("No answer: on no random split has every configuration a score.",))
    ranked = shared.mean(axis=1).sort_values(ascending=False, kind="stable")
    names = [(str(model), str(loss)) for model, loss in ranked.index[:2]]
    table = table[table["split"].isin(shared.columns) | (table["split_kind"] != RANDOM)]
    paired = compare(table, *names, test_to_train=scores.test_to_train, rope=rope)
    row = paired[paired["class"] == MACRO].iloc[0]
    points = [_lead(names, row["difference"]) + _interval_or_why_not(row, scores.test_to_train)]
    points += _in_words(row, names, rope)
    if scores.test_to_train is not None:
        points.append(luck_of_the_best(table, names[0], scores.test_to_train))
    if shared.shape[1] < means.shape[1]:
        points.append(
            f"All this is judged on {shared.shape[1]} of {means.shape[1]} random splits, those on which every "
            "configuration has a score."
        )
    return Finding(question, tuple(points))


def _lead(names: list[tuple[str, str]], difference: float) -> str:
    first, second = (" ".join(name) for name in names)
    if abs(difference) < ROUNDING:
        return f"{first} and {second} have the same mean, and none is higher"
    return f"{first} leads {second} by {difference_in_words(difference)}"


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
                f"{_higher_or_lower(row['difference'])}{_interval_or_why_not(row, test_to_train)}",
                f"Of {count_of(int(row['num_pairs']), splits)} it is higher on {row['wins']}, lower on "
                f"{row['losses']}, equal on {row['ties']}{_sign_flip(row)}.",
                *_in_words(row, names, rope),
            ),
        )
        for averaging, rows in paired[paired["class"] == MACRO].groupby("averaging", sort=False)
        for _, row in rows.iterrows()
        if row["num_pairs"]
    ]


def _higher_or_lower(difference: float) -> str:
    if abs(difference) < ROUNDING:
        return "Both have the same mean"
    return f"It is {difference_in_words(abs(difference))} {'higher' if difference > 0 else 'lower'}"


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
        EQUAL: f"They are practically equal: the whole interval is within ±{rope:g}, which counts as no difference.",
    }.get(
        str(row["answer"]),
        f"That leaves it open which is better: the interval is neither wholly beyond ±{rope:g}, up to which a "
        "difference counts as none, nor wholly within.",
    )
