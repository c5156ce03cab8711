"""How many more images? Scores on shares of the training images, and what they say of more images than there are.

The mean error of a network, 1 - Dice, is taken to fall with the number n of its training images as a + b n^-c: a power
law, with what no number of images would take away (Figueroa et al. 2012; Hestness et al. 2017; the survey of Viering &
Loog 2021). Each split has a curve of its own, over the shares of its training images, and all are tested on the same
images of the split: so what splits differ by does not count.

* For a given c the law is linear: the rise from n to m images is a weighted sum of a split's scores (least squares),
  and Student's interval over the splits is one of the mean rise.
* c is not known, and three or four shares hardly tell it: so the interval covers those of every c, from FLATTEST to
  STEEPEST, that the curvature of the scores does not rule out. The one is held at 1 - SPENT_ON_EXPONENT, the other at
  LEVEL + SPENT_ON_EXPONENT, so that both hold at LEVEL together (Bonferroni). Where every c is ruled out, the curve is
  no power law.
* More images are others than these, so the interval is Nadeau and Bengio's: it allows for splits that share theirs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.scores import ROUNDING, Floats, count_of
from analysis.statistics.spread import LEVEL, Refusal
from study.summary import MIN_SPLITS_FOR_SD

FLATTEST, STEEPEST = 0.1, 2.0
EXPONENTS = np.linspace(FLATTEST, STEEPEST, 39)
"""The values of c that are tried, 0.05 apart."""
SPENT_ON_EXPONENT = 0.01
FEWEST_SHARES = 3
"""The whole training set is one of them."""
FARTHEST = 2.0
"""Times the largest number of images: beyond it nothing is said."""
WIDEST = 0.1
"""Of an interval that says something."""


@dataclass(frozen=True)
class Rise:
    """By how much the mean Dice of some splits would rise with more training images, with its interval."""

    value: float
    low: float
    high: float
    exponent: float
    """The c that fits the curvature of the mean best."""


def rise(numbers_SK: Floats, scores_SK: Floats, factor: float, test_to_train: float = 0.0) -> Rise | Refusal:
    """What `factor` times as many training images as the most that there are would add to the mean Dice.

    :param numbers_SK: training images of each of S splits at K shares, rising, the whole training set last.
    :param scores_SK: Dice, 0 to 1; a split that has no score at all is left out.
    :param test_to_train: of Nadeau and Bengio's correction; 0 takes the splits as independent.
    """
    found = rise_however_wide(numbers_SK, scores_SK, factor, test_to_train)
    if isinstance(found, Rise) and found.high - found.low > WIDEST:
        more = "more random splits would narrow it"
        return Refusal(f"the interval of the rise would be wider than {WIDEST:g}", more)
    return found


def rise_however_wide(
    numbers_SK: Floats,
    scores_SK: Floats,
    factor: float,
    test_to_train: float = 0.0,
    splits: str = "random splits",
    fewest: int = MIN_SPLITS_FOR_SD,
) -> Rise | Refusal:
    """`rise`, with any interval.

    :param splits: what the splits are called, of which it needs so many.
    """
    has_score_S = ~np.isnan(scores_SK).all(axis=1)
    numbers_SK, scores_SK = numbers_SK[has_score_S], scores_SK[has_score_S]
    if refusal := _cannot_carry(scores_SK, factor, splits, fewest):
        return refusal
    rises_CS, curvatures_CS = _of_each_split(numbers_SK, 1 - scores_SK, factor)
    values, halves = _student(rises_CS, LEVEL + SPENT_ON_EXPONENT, test_to_train)
    bends, bends_halves = _student(curvatures_CS, 1 - SPENT_ON_EXPONENT, test_to_train)
    fits = (np.abs(bends) <= bends_halves + ROUNDING) | _beside_a_root(bends)
    if not fits.any():
        return Refusal("the scores follow no power law, so there is nothing to go on with")
    best = int(np.argmin(np.abs(bends) / np.maximum(bends_halves, ROUNDING)))
    low, high = float((values - halves)[fits].min()), float((values + halves)[fits].max())
    return Rise(float(values[best]), max(-1.0, low), min(1.0, high), float(EXPONENTS[best]))


def _beside_a_root(bends_C: Floats) -> NDArray[np.bool_]:
    """The exponents between which the mean curvature changes its sign: one that fits lies between them."""
    changes = np.signbit(bends_C[:-1]) != np.signbit(bends_C[1:])
    return np.asarray(np.append(changes, False) | np.append(False, changes))


def _cannot_carry(scores_SK: Floats, factor: float, splits: str, fewest: int) -> Refusal | None:
    """Why these scores say nothing of so many images."""
    num_splits, num_shares = scores_SK.shape
    if factor > FARTHEST:
        return Refusal(f"more than {FARTHEST:g} times the images that there are is too far from what was seen")
    if num_shares < FEWEST_SHARES:
        return Refusal(f"{count_of(num_shares, 'numbers of images')}, where a curve needs {FEWEST_SHARES}")
    if num_splits < fewest:
        return Refusal(f"{count_of(num_splits, splits)} with shares, where an interval needs {fewest}")
    if np.isnan(scores_SK).any():
        return Refusal("not every share of every split has a score")
    if scores_SK[:, -1].mean() <= scores_SK[:, 0].mean() + ROUNDING:
        return Refusal("the mean does not rise with the images")
    if np.ptp(scores_SK - scores_SK.mean(axis=1, keepdims=True), axis=0).max() < ROUNDING:
        return Refusal("the curves of all splits have the same form, which proves nothing")
    return None


def _of_each_split(numbers_SK: Floats, errors_SK: Floats, factor: float) -> tuple[Floats, Floats]:
    """Under each of C exponents: the rise that each split's least-squares line over n^-c promises, and its curvature,
    a sum of errors that is 0 in the mean where the exponent is the true one. Shapes (C, S)."""
    c = EXPONENTS[:, None, None]
    x_CSK = (numbers_SK / numbers_SK[:, -1:]) ** -c
    from_mean = x_CSK - x_CSK.mean(axis=2, keepdims=True)
    squares = (from_mean**2).sum(axis=2, keepdims=True)
    slope_CS = (from_mean / squares * errors_SK).sum(axis=2)
    bent = from_mean**2 - (from_mean**2).mean(axis=2, keepdims=True)
    bent -= from_mean * (bent * from_mean).sum(axis=2, keepdims=True) / squares
    bent /= np.sqrt((bent**2).sum(axis=2, keepdims=True))
    return slope_CS * (1 - factor ** -c[:, :, 0]), (bent * errors_SK).sum(axis=2)


def _student(values_CS: Floats, level: float, test_to_train: float) -> tuple[Floats, Floats]:
    """Means over the splits, and half the width of their intervals."""
    num_splits = values_CS.shape[1]
    error = values_CS.std(axis=1, ddof=1) * np.sqrt(1 / num_splits + test_to_train)
    return values_CS.mean(axis=1), stats.t.ppf((1 + level) / 2, num_splits - 1) * error
