"""Is one configuration better than another? Paired by split.

The functions of a table take the one that `analysis.scores` describes. See `comparison` for the exact tests.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from analysis.axes import in_words
from analysis.scores import (
    CONFIGURATION,
    FOLD,
    GIVEN,
    HELD_OUT,
    MATCHED,
    RANDOM,
    ROUNDING,
    Floats,
    by_split,
    count_of,
    of_kind,
)
from analysis.statistics.comparison import (
    kind_sizes,
    mean_shift,
    relabelling_p,
    relabelling_refusal,
    sign_flip_p,
    sign_flip_refusal,
)
from analysis.statistics.spread import LEVEL, Refusal, without_score
from study.summary import MIN_SPLITS_FOR_SD

BETTER, EQUAL, WORSE, OPEN = "better", "equal", "worse", "open"
_DRAWN = (RANDOM, FOLD)
"""Kinds of splits that stand for others like them: their differences have an interval."""
HOW_TO_READ = (
    "Differences are paired by split; of several seeds a split's score is the mean. {intervals} p_better, p_equal "
    "and p_worse are the probabilities of a difference above, within and below what counts as none, and answer is "
    "what the interval says: better or worse if all of it is beyond what counts as none, equal if all of it is "
    "within, else open. held_out_p is sign_flip_p over the held-out splits; interaction is the difference there "
    "minus that on random splits, with its exact two-sided permutation p-value. All p-values are two-sided and of "
    "one row: among many rows some are small by chance."
)
"""{intervals} are the words of `intervals_in_words`."""
_NUMBERS = ["low", "high", "naive_p", "nb_p", "sign_flip_p", "p_better", "p_equal", "p_worse"]


def nadeau_bengio(differences: ArrayLike, test_to_train: float) -> tuple[Floats, Floats, int]:
    """Mean, standard error and degrees of freedom of paired differences over J random splits (the last axis).

    se^2 = s^2 (1 / J + n_test / n_train), df = J - 1 (Nadeau & Bengio 2003): the splits share training images, so their
    differences are correlated and s^2 / J is too small. The ratio is the caller's; 0 gives the naive t test.
    """
    d = np.asarray(differences, float)
    variance = d.var(axis=-1, ddof=1) * (1 / d.shape[-1] + test_to_train)
    return d.mean(axis=-1), np.sqrt(variance), d.shape[-1] - 1


def nadeau_bengio_interval(differences: ArrayLike, test_to_train: float) -> tuple[Floats, Floats]:
    """Student's interval with the error of `nadeau_bengio`."""
    mean, se, df = nadeau_bengio(differences, test_to_train)
    half = stats.t.ppf((1 + LEVEL) / 2, df) * se
    return mean - half, mean + half


def interval_of_difference(differences: Floats, test_to_train: float) -> tuple[float, float]:
    """`nadeau_bengio_interval` as it is shown: cut off where no difference of two Dice can be."""
    low, high = nadeau_bengio_interval(differences, test_to_train)
    return max(float(low), -1.0), min(float(high), 1.0)


def interval_refusal(differences: Floats, test_to_train: float | None) -> Refusal | None:
    """Why differences on random splits, all defined, have no `interval_of_difference`; None where they have one."""
    if differences.size < MIN_SPLITS_FOR_SD:
        return Refusal(f"no interval: {count_of(differences.size, 'random splits')}, fewer than {MIN_SPLITS_FOR_SD}")
    if np.ptp(differences) < ROUNDING:
        return Refusal(f"no interval: equal on all {differences.size} random splits, which proves nothing")
    if test_to_train is None:
        return Refusal("no interval: how many images were tested and trained on is not known")
    return None


def intervals_in_words(test_to_train: float | None) -> str:
    """Whose intervals and p-values those of `compare` are."""
    if test_to_train is None:
        return (
            "How many images the splits train on and test is not known, so there is no interval; naive_p (Student's t) "
            "and sign_flip_p (exact) are optimistic where splits share training images."
        )
    if not test_to_train:
        return (
            "The random splits are one division of the images: what differs is the training's own chance. low and "
            "high (95 %) and naive_p are Student's, sign_flip_p is exact; nb_p, for splits that share some of their "
            "training images, does not apply."
        )
    return (
        "low and high (95 %) and nb_p are Nadeau and Bengio's: they allow for splits that share training images. "
        "naive_p (Student's t) and sign_flip_p (exact) do not, and are optimistic."
    )


def answer(low: float, high: float, rope: float) -> str:
    """What an interval of a difference says, where differences within rope count as none: BETTER if all of it is above
    rope, WORSE if all is below -rope, EQUAL if all is within, else OPEN (so where there is no interval)."""
    if low > rope:
        return BETTER
    if high < -rope:
        return WORSE
    return EQUAL if low >= -rope and high <= rope else OPEN


def paired_kind(table: pd.DataFrame) -> str:
    """The kind of splits over which two configurations are compared: random ones, or the first kind that is there."""
    there = set(table["split_kind"])
    return next(kind for kind in (RANDOM, FOLD, HELD_OUT, GIVEN, MATCHED) if kind in there)


def compare(
    table: pd.DataFrame,
    a: tuple[str, str],
    b: tuple[str, str],
    *,
    test_to_train: float | None,
    rope: float,
    seed: int = 0,
) -> pd.DataFrame:
    """Is configuration a = (model, loss) better than b? One row per averaging and class, "all" and macro included.

    The differences a - b are paired by split, seeds averaged first. Over the splits of `paired_kind`, random ones
    where there are any:

    num_pairs, wins, losses, ties of a, and the mean `difference`
    low, high       its Nadeau-Bengio interval
    naive_p, nb_p   of Student's t as if splits were independent, and with the Nadeau-Bengio variance
    sign_flip_p     exact; optimistic, too, where splits share training images
    p_better, p_equal, p_worse   Student's posterior of the difference with the Nadeau-Bengio variance, above, within
                    and below -+rope (Corani & Benavoli 2015)
    answer          `answer` of the interval

    Beside random splits: the difference on every held-out split, and held_out_p, `sign_flip_p` of these where they are
    enough; interaction, their mean less that on random splits, with the two-sided interaction_p of `relabelling_p`. The
    p-values are per column; a family of them needs `holm`.

    :param test_to_train: 0 where the splits are one division of the images, whose differences are independent: the
        interval is then Student's, and nb_p has no object. None where unknown: there is no interval.
    :raises KeyError: a configuration that the table lacks.
    """
    wide, kind = by_split(table), paired_kind(table)
    known = list(dict.fromkeys(zip(*(wide.index.get_level_values(name) for name in CONFIGURATION), strict=True)))
    for each in (a, b):
        if each not in known:
            raise KeyError(f"no configuration {each} in the table; it has {known}")
    rows_a, rows_b = (_of_configuration(wide, *each) for each in (a, b))
    differences = rows_a - rows_b.reindex(rows_a.index)
    of_kinds = {each: of_kind(differences, each) for each in (kind, HELD_OUT)}
    rows = [_paired(row[~np.isnan(row)], kind, test_to_train, rope, seed) for row in of_kinds[kind].to_numpy(float)]
    found = pd.DataFrame(rows, index=differences.index)
    notes = found.pop("note")
    held_out = of_kinds[HELD_OUT]
    found[held_out.columns.tolist()] = held_out
    refusal = None
    if kind != HELD_OUT and held_out.shape[1]:
        refusal = sign_flip_refusal(held_out.shape[1], "held-out splits")
        found["held_out_p"] = [
            np.nan if refusal or np.isnan(d).any() else sign_flip_p(d, seed) for d in held_out.values
        ]
        found["interaction"], found["interaction_p"] = _interaction(differences, seed)
    unscored = dict(zip(wide.index, without_score(wide), strict=True))
    of_both = [
        [f"{' '.join(each)}: {unscored[*each, *row]}" for each in (a, b) if unscored[*each, *row]]
        for row in found.index
    ]
    on_held_out = refusal.reason if refusal else ""
    found["note"] = ["; ".join(filter(None, (n, on_held_out, *u))) for n, u in zip(notes, of_both, strict=True)]
    return found.reset_index()


def _interaction(differences: pd.DataFrame, seed: int) -> tuple[Floats, Floats]:
    """What held-out splits add to each row's difference, and its two-sided p; NaN where a split has no difference."""
    kinds = differences.columns.get_level_values("split_kind")
    differences = differences.loc[:, kinds.isin((RANDOM, HELD_OUT))]
    is_held_out = differences.columns.get_level_values("split_kind") == HELD_OUT
    complete = differences.notna().all(axis=1).to_numpy()
    added, p = np.full((2, len(differences)), np.nan)
    if 0 < is_held_out.sum() < is_held_out.size:
        added[complete] = -mean_shift(differences[complete], is_held_out)
    if not relabelling_refusal(*kind_sizes(is_held_out)):
        p[complete] = relabelling_p(differences[complete], is_held_out, seed, two_sided=True)
    return added, p


def _of_configuration(wide: pd.DataFrame, model: str, loss: str) -> pd.DataFrame:
    names = wide.index
    chosen = (names.get_level_values("model") == model) & (names.get_level_values("loss") == loss)
    return wide[chosen].droplevel(CONFIGURATION)


def _paired(d: Floats, kind: str, test_to_train: float | None, rope: float, seed: int) -> dict[str, Any]:
    """The columns of `compare` for one column's differences on splits of one kind."""
    wins, losses = int(np.sum(d > ROUNDING)), int(np.sum(d < -ROUNDING))
    row: dict[str, Any] = {"num_pairs": d.size, "wins": wins, "losses": losses, "ties": d.size - wins - losses}
    row["difference"] = d.mean() if d.size else np.nan
    row |= dict.fromkeys(_NUMBERS, np.nan)
    splits = f"{in_words(kind, '')}s"
    too_few = sign_flip_refusal(d.size, splits)
    if not too_few:
        row["sign_flip_p"] = sign_flip_p(d, seed)
    no_interval = _interval_refusal(d, kind, splits, test_to_train)
    if kind in _DRAWN and d.size > 1 and np.ptp(d) >= ROUNDING:
        row["naive_p"] = _student_p(d, 0.0)
    if not no_interval and test_to_train is not None:
        row |= _by_student(d, test_to_train, rope)
    row["answer"] = answer(row["low"], row["high"], rope)
    return row | {"note": "; ".join(each.reason for each in (no_interval, too_few if d.size else None) if each)}


def _by_student(d: Floats, test_to_train: float, rope: float) -> dict[str, Any]:
    low, high = interval_of_difference(d, test_to_train)
    mean, se, df = nadeau_bengio(d, test_to_train)
    better, worse = stats.t.sf((rope - mean) / se, df), stats.t.cdf((-rope - mean) / se, df)
    nb_p = _student_p(d, test_to_train) if test_to_train else np.nan
    chances = {"p_better": better, "p_equal": 1 - better - worse, "p_worse": worse}
    return {"low": low, "high": high, "nb_p": nb_p} | chances


def _student_p(d: Floats, test_to_train: float) -> float:
    mean, se, df = nadeau_bengio(d, test_to_train)
    return float(2 * stats.t.sf(abs(mean) / se, df))


def _interval_refusal(d: Floats, kind: str, splits: str, test_to_train: float | None) -> Refusal | None:
    if d.size < 2:
        return Refusal(f"no interval: {count_of(d.size, 'differences')} on {splits}")
    if kind not in _DRAWN:
        return Refusal(f"no interval: {splits} are not a sample of further ones")
    if np.ptp(d) < ROUNDING:
        return Refusal(f"no interval: all {d.size} differences on {splits} are equal")
    if test_to_train is None:
        return Refusal(
            "no interval: it needs the images tested over those left to training, which these results do not tell "
            "(`analysis compare --test-to-train`)"
        )
    return None
