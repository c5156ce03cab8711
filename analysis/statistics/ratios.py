"""Intervals of sums of ratios over clusters that were drawn together: the bootstrap behind comparisons on images.

A Dice over images is a ratio, sum of numerators over sum of weights; a difference of two, or a mean of many, is a sum
of ratios. The clusters (images, or units of images) are drawn, each with all that it adds to every ratio, so that what
two models have in common on an image cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.scores import ROUNDING, Floats
from analysis.statistics.spread import LEVEL, Refusal

NUM_DRAWN = 1999
MIN_CLUSTERS = 12
"""Below it the interval misses its level: `benchmarks/validity_images.py`."""
MOST_UNDEFINED = 0.05
"""Of the draws: so many may have no image of a class on some split, and are left out. More would be no fair sample."""
_AT_ONCE = 4_000_000  # numbers in memory


@dataclass(frozen=True)
class Block:
    """Ratios that share images: those of a split. n clusters, q ratios with a coefficient each, K classes."""

    clusters_n: NDArray[np.intp]
    """Which of all clusters these are."""
    numerators_nqK: Floats
    weights_nqK: Floats
    coefficients_q: Floats


@dataclass(frozen=True)
class Interval:
    """A value, its two-sided interval at LEVEL, and the two-sided p-value of its being 0; NaN where a note says why."""

    value: float
    low: float = np.nan
    high: float = np.nan
    p: float = np.nan
    note: str = ""


def intervals(blocks: Sequence[Block], seed: int = 0, num_drawn: int = NUM_DRAWN) -> list[Interval]:
    """Of each class, then of the mean over the classes: theta = sum over blocks and ratios of coefficient * ratio.

    Studentised bootstrap, symmetric (Hall 1988; Davison & Hinkley 1997, section 5.2.1): G clusters are drawn from the G
    with replacement, t* = (theta* - theta) / se*, and the interval is theta -+ se * quantile(|t*|, LEVEL), the p-value
    the share of |t*| that reach |theta| / se, the value itself counted in. se is the linearised one of a ratio (Cochran
    1977, section 6.4) by clusters: se^2 = sum over clusters of u^2, u = sum of coefficient * (a - ratio * w) / sum(w).
    """
    theta, se = (each[0] for each in replicates(blocks, np.ones((1, _num_clusters(blocks)))))
    drawn_theta, drawn_se = bootstrap(blocks, seed, num_drawn)
    refusals = [_refusal(*each) for each in zip(theta, se, _counting_clusters(blocks), strict=True)]
    return [
        Interval(float(theta[k]), note=refusal.reason)
        if refusal
        else _interval(theta[k], se[k], drawn_theta[:, k], drawn_se[:, k])
        for k, refusal in enumerate(refusals)
    ]


def bootstrap(blocks: Sequence[Block], seed: int, num_drawn: int) -> tuple[Floats, Floats]:
    """theta* and se* of every draw, shape (num_drawn, K + 1) each; NaN where a draw has no image of a class."""
    num_clusters = _num_clusters(blocks)
    generator = np.random.default_rng(seed)
    step = max(1, _AT_ONCE // max(1, num_clusters * (1 + blocks[0].numerators_nqK.shape[2])))
    parts = []
    for first in range(0, num_drawn, step):
        size = min(step, num_drawn - first)
        times = generator.multinomial(num_clusters, np.full(num_clusters, 1 / num_clusters), size=size)
        parts.append(replicates(blocks, times.astype(float)))
    theta, se = (np.concatenate(each) for each in zip(*parts, strict=True))
    return theta, se


def replicates(blocks: Sequence[Block], times_BG: Floats) -> tuple[Floats, Floats]:
    """theta and se, shape (B, K + 1) each, with every cluster counted so many times."""
    num_draws, num_clusters = times_BG.shape
    num_classes = blocks[0].numerators_nqK.shape[2]
    theta = np.zeros((num_draws, num_classes))
    influence = np.zeros((num_draws, num_clusters, num_classes))
    for block in blocks:
        times_Bn = times_BG[:, block.clusters_n]
        for q, coefficient in enumerate(block.coefficients_q):
            numerators, weights = block.numerators_nqK[:, q], block.weights_nqK[:, q]
            total = times_Bn @ weights
            with np.errstate(invalid="ignore", divide="ignore"):
                ratio = times_Bn @ numerators / np.where(total > 0, total, np.nan)
                theta += coefficient * ratio
                influence[:, block.clusters_n] += (
                    coefficient * (numerators - ratio[:, None] * weights) / np.where(total > 0, total, np.nan)[:, None]
                )
    theta = np.concatenate([theta, theta.mean(axis=1, keepdims=True)], axis=1)
    influence = np.concatenate([influence, influence.mean(axis=2, keepdims=True)], axis=2)
    return theta, np.sqrt(np.einsum("bg,bgk->bk", times_BG, influence**2))


def _num_clusters(blocks: Sequence[Block]) -> int:
    return 1 + max(int(block.clusters_n.max()) for block in blocks)


def _counting_clusters(blocks: Sequence[Block]) -> NDArray[np.int64]:
    """How many clusters count in each class; for the mean the fewest of its classes."""
    counting = np.zeros((_num_clusters(blocks), blocks[0].weights_nqK.shape[2]), bool)
    for block in blocks:
        counting[block.clusters_n] |= (block.weights_nqK > 0).any(axis=1)
    per_class = counting.sum(axis=0)
    return np.append(per_class, per_class.min())


def _refusal(theta: float, se: float, num_counting: int) -> Refusal | None:
    if np.isnan(theta):
        return Refusal("no interval: a class has no score")
    if num_counting < MIN_CLUSTERS:
        return Refusal(f"no interval: fewer than {MIN_CLUSTERS} images (or units of images) count")
    if se < ROUNDING:
        return Refusal("no interval: all images have the same difference, which proves nothing")
    return None


def _interval(theta: float, se: float, drawn_theta: Floats, drawn_se: Floats) -> Interval:
    if np.isnan(drawn_theta).mean() > MOST_UNDEFINED:
        return Interval(float(theta), note="no interval: on some split too few images count")
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.abs(drawn_theta - theta) / drawn_se
    size = np.where(np.isnan(drawn_theta), np.nan, size)
    known = np.where(drawn_se < ROUNDING, np.inf, size)[~np.isnan(size)]  # a draw without spread says nothing: far out
    half = se * float(np.quantile(known, LEVEL, method="higher"))
    p = (1 + np.sum(known >= abs(theta) / se)) / (1 + known.size)
    return Interval(float(theta), float(theta - half), float(theta + half), float(p))
