"""Are held-out splits harder? Tests that a handful of splits can carry. (`paired`: is one configuration better?)

The functions of a table take the one that `analysis.scores` describes. Tests are exact where all relabellings can be
enumerated, else they draw from a generator with the given seed. Where even the most extreme data could not reach ALPHA,
there is a sentence instead of a p-value.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from analysis.scores import CONFIGURATION, HELD_OUT, ROUNDING, Floats, by_split, count_of, objects_of
from analysis.statistics.spread import Refusal

ALPHA = 0.05
MAX_ENUMERATED = 70_000  # relabellings; 2^16 sign flips are still exact
NUM_DRAWN = 20_000


def num_labelings(num_random: int, num_held_out: int) -> int:
    """Rows of `labelings`: one over it is the smallest p-value."""
    every = math.comb(num_random + num_held_out, num_held_out)
    return every if every <= MAX_ENUMERATED else NUM_DRAWN + 1


def labelings(chosen: ArrayLike, seed: int = 0) -> NDArray[np.bool_]:
    """Every way to choose as many of n as `chosen` (n booleans) does; or, beyond MAX_ENUMERATED, that one and random
    ones, so that a share over the rows is a valid p-value either way (Phipson & Smyth 2010)."""
    observed = np.asarray(chosen, bool)
    n, k = observed.size, int(observed.sum())
    if num_labelings(n - k, k) < math.comb(n, k):
        drawn = np.random.default_rng(seed).permuted(np.tile(observed, (NUM_DRAWN, 1)), axis=1)
        return np.vstack([observed, drawn])
    members = np.array(list(itertools.combinations(range(n), k)), int)
    result = np.zeros((len(members), n), bool)
    np.put_along_axis(result, members, True, axis=1)
    return result


def sign_flips(n: int, seed: int = 0) -> Floats:
    """All 2^n rows of signs, or no flip and NUM_DRAWN random rows where that exceeds MAX_ENUMERATED."""
    if 2**n > MAX_ENUMERATED:
        drawn = np.random.default_rng(seed).choice([-1.0, 1.0], size=(NUM_DRAWN, n))
        return np.vstack([np.ones(n), drawn])
    bits = np.arange(2**n)[:, None] >> np.arange(n) & 1
    return np.where(bits, -1.0, 1.0)


def relabelling_p(scores: ArrayLike, is_held_out: ArrayLike, seed: int = 0, *, two_sided: bool = False) -> Floats:
    """One-sided p of mean(random) - mean(held_out) along the last axis: the share of all labelings that reach it.

    Exact permutation test (Fisher 1935; Pitman 1937); two-sided by the absolute difference. The scores must be
    defined, with splits of both kinds.

    It tests whether held-out splits are exchangeable with random ones. Where they only vary more, with an equal mean,
    it rejects too often: of 8 random and 3 held-out splits with twice (three times) the standard deviation, p <= .05
    has a chance of .10 (.12), and of 30 and 3 one of .16 (.20).
    """
    values = np.asarray(scores, float)
    held_out = labelings(is_held_out, seed).astype(float)
    num_held_out = held_out[0].sum()
    weights = (1 - held_out) / (values.shape[-1] - num_held_out) - held_out / num_held_out
    shifted, observed = values @ weights.T, mean_shift(values, is_held_out)
    if two_sided:
        shifted, observed = np.abs(shifted), np.abs(observed)
    return np.asarray(np.mean(shifted >= observed[..., None] - ROUNDING, axis=-1))


def mean_shift(scores: ArrayLike, is_held_out: ArrayLike) -> Floats:
    """mean(random) - mean(held_out) along the last axis."""
    values, held_out = np.asarray(scores, float), np.asarray(is_held_out, bool)
    return np.asarray(values[..., ~held_out].mean(axis=-1) - values[..., held_out].mean(axis=-1))


def sign_flip_p(differences: ArrayLike, seed: int = 0) -> float:
    """Exact two-sided p of a mean of paired differences: the share of the 2^n sign changes that reach |mean|.

    It takes the differences as independent. Random splits of one data set share training images, so it is optimistic.
    """
    d = np.asarray(differences, float)
    return float(np.mean(np.abs(sign_flips(d.size, seed) @ d) >= abs(d.sum()) - ROUNDING))


def sign_flip_refusal(n: int, what: str) -> Refusal | None:
    """Why n paired differences cannot give a p-value below ALPHA: the smallest two-sided one is 2 / 2^n."""
    smallest = min(1.0, 2.0 ** (1 - n))
    if smallest <= ALPHA:
        return None
    return Refusal(f"no p-value: with {count_of(n, what)} even the clearest result would have p = {smallest:.3g}")


def relabelling_refusal(num_random: int, num_held_out: int) -> Refusal | None:
    """Why so few splits cannot give a p-value below ALPHA: the smallest is one over the number of labelings."""
    if not (num_random and num_held_out):
        return Refusal(
            f"no p-value: {count_of(num_random, 'random splits')}, {count_of(num_held_out, 'held-out splits')}"
        )
    smallest = 1 / num_labelings(num_random, num_held_out)
    if smallest <= ALPHA:
        return None
    random = f"{num_random} random" if num_random > 1 else "one random split"
    splits = f"{random} and {count_of(num_held_out, 'held-out splits')}"
    return Refusal(f"no p-value: with {splits} even the clearest result would have p = {smallest:.3g}")


def holm(pvalues: ArrayLike) -> Floats:
    """Adjusted p-values that control the family-wise error: max over j <= i of (m - j + 1) p_(j), at most 1.

    Holm 1979. NaNs stay NaN and do not count in m.
    """
    p = np.asarray(pvalues, float)
    adjusted, known = np.full(p.shape, np.nan), np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = np.arange(order.size, 0, -1) * p[order]
    adjusted[order] = np.minimum(1, np.maximum.accumulate(steps))
    return adjusted


def holm_refusal(num_tests: int, smallest_p: float) -> Refusal | None:
    """Why Holm cannot reject any of these tests: even the smallest attainable p exceeds ALPHA / m."""
    if num_tests * smallest_p <= ALPHA:
        return None
    return Refusal(
        f"no column can be significant after Holm's correction for {num_tests}: the smallest attainable p is "
        f"{smallest_p:.4f}, above {ALPHA:g} / {num_tests} = {ALPHA / num_tests:.2g}"
    )


def random_against_held_out(table: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Are held-out splits harder? One row per averaging (all configurations), then per configuration (all averagings).

    The statistic is global: per split, the mean over configurations and classes. Columns without a score on
    some of the row's splits would make these incomparable: they are left out, and counted in num_left_out.
    """
    wide = objects_of(by_split(table))
    rows = [_shift_row(rows, "", "", str(name), seed) for name, rows in wide.groupby("averaging", sort=False)]
    both = "+".join(dict.fromkeys(wide.index.get_level_values("averaging")))
    for (model, loss), columns in wide.groupby(CONFIGURATION, sort=False):
        rows.append(_shift_row(columns, model, loss, both, seed))
    return pd.DataFrame(rows)


def _shift_row(columns: pd.DataFrame, model: str, loss: str, averaging: str, seed: int) -> dict[str, Any]:
    columns = columns.dropna(axis=1, how="all")
    complete = columns.dropna()
    is_held_out = columns.columns.get_level_values("split_kind") == HELD_OUT
    sizes = kind_sizes(is_held_out)
    refusal = relabelling_refusal(*sizes)
    if complete.empty:
        refusal = Refusal("no p-value: no class has a score on every split")
    scores = complete.mean(axis=0).to_numpy(float)
    return {
        "model": model,
        "loss": loss,
        "averaging": averaging,
        "difference": float(mean_shift(scores, is_held_out)) if all(sizes) else np.nan,
        "p": np.nan if refusal else float(relabelling_p(scores, is_held_out, seed)),
        "num_labelings": num_labelings(*sizes),
        "num_columns": len(complete),
        "num_left_out": len(columns) - len(complete),
        "note": refusal.reason if refusal else "",
    }


def kind_sizes(is_held_out: NDArray[np.bool_]) -> tuple[int, int]:
    """How many random splits, and how many held-out ones."""
    return int((~is_held_out).sum()), int(is_held_out.sum())


def columns_against_held_out(table: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """The same test for every class on its own: exploratory, with Holm over all columns where it can reject."""
    wide = objects_of(by_split(table))
    is_held_out = wide.columns.get_level_values("split_kind") == HELD_OUT
    num_random, num_held_out = kind_sizes(is_held_out)
    refusal = relabelling_refusal(num_random, num_held_out)
    complete = wide.notna().all(axis=1).to_numpy()
    difference, p, adjusted = np.full((3, len(wide)), np.nan)
    if refusal is None:
        difference[complete] = mean_shift(wide[complete], is_held_out)
        p[complete] = relabelling_p(wide[complete], is_held_out, seed)
        refusal = holm_refusal(int(complete.sum()), 1 / num_labelings(num_random, num_held_out))
    if refusal is None:
        adjusted = holm(p)
    result = pd.DataFrame({"difference": difference, "p": p, "holm": adjusted}, index=wide.index)
    result["note"] = np.where(complete, refusal.reason if refusal else "", "no p-value: not defined on every split")
    return result.reset_index()
