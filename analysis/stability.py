"""How far one configuration's scores move: over random splits, from random to rotation splits, and what moves them.

Every function takes the table of scores: one row per trial, averaging and class, with the columns `model`, `loss`,
`split`, `split_kind` ("random" or "rotation"), `seed`, `averaging`, `class` and `dice`. Standard deviations have
ddof 1. Undefined scores are left out and counted. What too few splits cannot answer is a sentence, not a number.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from analysis.tables import ALL, BACKGROUND

Floats = NDArray[np.float64]

CONFIGURATION = ["model", "loss"]
COLUMN = [*CONFIGURATION, "averaging", "class"]  # one column of the paper's Tables 2 to 5
TRIAL = [*CONFIGURATION, "split_kind", "split", "seed"]
MACRO = "mean of objects"
"""In place of a class: the mean over all object classes. No data set's class and no tidy table's can be called so."""
NOT_OBJECTS = (BACKGROUND, ALL, MACRO)
MIN_SPLITS_FOR_SD = 4
MOST_NAMED = 4  # splits, in a sentence
ROUNDING = 1e-9  # differences of decimal scores that are equal on paper


@dataclass(frozen=True)
class Refusal:
    """Why a number is not given."""

    reason: str


def is_object(classes: pd.Series[Any]) -> pd.Series[Any]:
    return ~classes.isin(NOT_OBJECTS)


def with_macro(table: pd.DataFrame) -> pd.DataFrame:
    """The table and, per trial and averaging, the class MACRO: the mean over all object classes of the table.

    It is undefined where one of them has no score: means over other classes could not be compared.
    Raises ValueError where a trial scores the same class twice: the table then mixes selections or partitions.
    """
    keys = [*TRIAL, "averaging", "class"]
    rows = table[[*keys, "dice"]]
    twice = rows.duplicated(keys)
    if twice.any():
        raise ValueError(f"two scores for {rows.loc[twice, keys].iloc[0].to_dict()}: keep one selection per trial")
    by_class = rows[is_object(rows["class"])].set_index(keys)["dice"].unstack("class")
    macro = by_class.mean(axis=1, skipna=False).rename("dice").reset_index().assign(**{"class": MACRO})
    return pd.concat([rows, macro], ignore_index=True)


def by_split(table: pd.DataFrame) -> pd.DataFrame:
    """One row per (model, loss, averaging, class), macro included, and one column per (split_kind, split).

    A value is the mean over the split's seeds; NaN where one of them has no score, and in the rows of a class that a
    configuration lacks altogether. Rows and columns keep the table's order.
    """
    rows, splits = with_macro(table), ["split_kind", "split"]
    seeds = rows.groupby([*COLUMN, *splits], observed=True)["dice"]
    wide = seeds.mean().where(seeds.count() == seeds.size()).unstack(splits)
    configurations = rows[CONFIGURATION].drop_duplicates().itertuples(index=False, name=None)
    places = itertools.product(configurations, rows["averaging"].unique(), rows["class"].unique())
    index = pd.MultiIndex.from_tuples([(*c, averaging, name) for c, averaging, name in places], names=COLUMN)
    columns = pd.MultiIndex.from_frame(rows[splits].drop_duplicates())
    return wide.reindex(index=index, columns=columns)


def of_kind(wide: pd.DataFrame, kind: str) -> pd.DataFrame:
    """The columns of `by_split` that are splits of one kind; none where there are none."""
    return wide.loc[:, wide.columns.get_level_values("split_kind") == kind].droplevel("split_kind", axis=1)


def two_averagings(table: pd.DataFrame) -> pd.DataFrame:
    """The rows under "pw" and "ew" where there are any: a third averaging of the same counts, in one statistic over all
    columns, would weigh some scores twice."""
    both = table[table["averaging"].isin(("pw", "ew"))]
    return both if len(both) else table


def objects_of(wide: pd.DataFrame) -> pd.DataFrame:
    """The rows of `by_split` that are object classes."""
    return wide[~wide.index.get_level_values("class").isin(NOT_OBJECTS)]


def mean_interval(mean: ArrayLike, sd: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Student's interval of a mean: mean -+ t(n - 1) sd / sqrt(n); NaN below two values."""
    mean, sd, n = np.asarray(mean, float), np.asarray(sd, float), np.asarray(n, float)
    with np.errstate(invalid="ignore", divide="ignore"):
        half = stats.t.ppf((1 + level) / 2, n - 1) * sd / np.sqrt(n)
    return mean - half, mean + half


def sd_interval(sd: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Interval of a normal standard deviation: sd sqrt((n - 1) / chi2(n - 1)) at both tails; NaN below two values."""
    sd, df = np.asarray(sd, float), np.asarray(n, float) - 1
    tails = (1 + level) / 2, (1 - level) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = (sd * np.sqrt(df / stats.chi2.ppf(tail, df)) for tail in tails)
    return low, high


def sd_refusal(n: int, what: str = "values") -> Refusal | None:
    """The sentence that stands where an SD of so few values would; None where the SD can be given."""
    if n >= MIN_SPLITS_FOR_SD:
        return None
    what = what.removesuffix("s") if n == 1 else what
    if n < 2:
        return Refusal(f"no SD: {n} {what}")
    low, high = sd_interval(1, n)
    return Refusal(f"no SD of {n} {what}: the true one may lie anywhere from {low:.2f} to {high:.2f} times theirs")


def stability(table: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """What a re-split does to every score, and what the rotation splits do to it. Classes, then "macro".

    num_splits      random splits with a score; num_rotation likewise; num_seeds: fewest trials behind a split's value
    num_undefined   splits without a score (for macro: over all its classes); the note names them
    mean, sd        over random splits, seeds averaged first, with the intervals of `mean_interval`, `sd_interval`
    sd_logit        sd of log(D / (1 - D)), without the ceiling that makes good classes look steady
    minimum         over random splits; then one column per rotation split, and their mean `rotation_mean`
    gap             mean - rotation_mean; retained_share: rotation_mean / mean
    error_ratio     (1 - rotation_mean) / (1 - mean)
    """
    wide = by_split(table)
    random, rotation = of_kind(wide, "random"), of_kind(wide, "rotation")
    n, mean, sd = random.count(axis=1), random.mean(axis=1), random.std(axis=1)
    mean_low, mean_high = mean_interval(mean, sd, n, level)
    sd_low, sd_high = sd_interval(sd, n, level)
    shown, rotation_mean = n >= MIN_SPLITS_FOR_SD, rotation.mean(axis=1)
    result = pd.DataFrame({"num_splits": n, "num_rotation": rotation.count(axis=1)}, index=wide.index)
    result["num_seeds"] = _num_seeds(table, wide.index)
    result["num_undefined"] = num_undefined(wide)
    result = result.assign(mean=mean, mean_low=mean_low, mean_high=mean_high, sd=sd.where(shown))
    result = result.assign(sd_low=np.where(shown, sd_low, np.nan), sd_high=np.where(shown, sd_high, np.nan))
    result = result.assign(sd_logit=_logit(random).std(axis=1).where(shown), minimum=random.min(axis=1))
    result[rotation.columns.tolist()] = rotation
    result = result.assign(rotation_mean=rotation_mean, gap=mean - rotation_mean)
    result["retained_share"] = rotation_mean / mean.where(mean > 0)
    result["error_ratio"] = (1 - rotation_mean) / (1 - mean).where(mean < 1)
    few = [_notes(*counts) for counts in zip(n, result["num_rotation"], strict=True)]
    notes = zip(few, without_score(wide), strict=True)
    result["note"] = ["; ".join(filter(None, each)) for each in notes]
    return result.reset_index()


def _num_seeds(table: pd.DataFrame, rows: pd.MultiIndex) -> pd.Series[Any]:
    """The fewest seeds that a split with a score has, for each row of `by_split`."""
    scored = with_macro(table).dropna(subset="dice")
    seeds = scored.groupby([*COLUMN, "split"], observed=True)["seed"].nunique()
    return seeds.groupby(COLUMN, observed=True).min().reindex(rows, fill_value=0).astype(int)


def without_score(wide: pd.DataFrame) -> list[str]:
    """For each row of `by_split` the sentence that names the classes and splits without a score; empty where all have
    one. For macro they are those of its classes."""
    splits = wide.columns.get_level_values("split")
    lacking: dict[tuple[str, ...], list[str]] = {}
    sentences = []
    for (*configuration, name), missing in zip(wide.index, wide.isna().to_numpy(), strict=True):
        if name == MACRO:
            told = lacking.get(tuple(configuration), [])
        else:
            told = [f"{name} has no score on {_listed(splits[missing])}"] if missing.any() else []
            if told and name not in NOT_OBJECTS:
                lacking.setdefault(tuple(configuration), []).extend(told)
        sentences.append("; ".join(told))
    return sentences


def _listed(names: pd.Index[Any]) -> str:
    return ", ".join(names[:MOST_NAMED]) + f" and {len(names) - MOST_NAMED} more" * (len(names) > MOST_NAMED)


def num_undefined(wide: pd.DataFrame) -> pd.Series[Any]:
    """Scores missing from each row of `by_split`; a macro row has those of its classes."""
    missing = wide.isna().sum(axis=1)
    groups = [*CONFIGURATION, "averaging"]
    classes = objects_of(missing.to_frame()).groupby(groups)[0].sum()
    of_macro = missing.index.get_level_values("class") == MACRO
    missing[of_macro] = classes.reindex(missing.index[of_macro].droplevel("class")).to_numpy()
    return missing


def shifts(table: pd.DataFrame) -> pd.DataFrame:
    """Per column (without macro), the largest |random_i - rotation_j|, |mean random - rotation_j|, and the means'."""
    wide = by_split(table)
    wide = wide[wide.index.get_level_values("class") != MACRO]
    random, rotation = of_kind(wide, "random"), of_kind(wide, "rotation")
    ends = [random.max(axis=1) - rotation.min(axis=1), rotation.max(axis=1) - random.min(axis=1)]
    against_one = rotation.sub(random.mean(axis=1), axis=0).abs().max(axis=1)
    means = (random.mean(axis=1) - rotation.mean(axis=1)).abs()
    result = pd.DataFrame({"pair": np.fmax(*ends), "mean_against_one": against_one, "means": means})
    return result.reset_index()


def shifts_above(table: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """In how many columns each of the three `shifts` exceeds the threshold, and the largest of each."""
    values = shifts(table)[["pair", "mean_against_one", "means"]]
    result = pd.DataFrame({"num_above": (values > threshold + ROUNDING).sum(), "num_columns": values.count()})
    result["largest"] = values.max()
    extreme = "a pick of extremes, which noise alone makes large: no headline"
    result["note"] = [extreme, "each rotation split is one trial", ""]
    return result.rename_axis("shift").reset_index()


def variance_shares(table: pd.DataFrame) -> pd.DataFrame:
    """What moves the scores on random splits: split, configuration, or the rest (per averaging and class, and macro).

    Balanced two-way analysis of variance with random effects, C configurations x S splits x R seeds: with mean squares
    M, v_seed = M_within, v_interaction = (M_interaction - M_within) / R, v_split = (M_split - M_interaction) / (C R)
    and v_configuration = (M_configuration - M_interaction) / (S R), negative ones set to 0 (Searle, Casella &
    McCulloch 1992, ch. 4). The residual is interaction + seed, which one seed per split cannot tell apart.

    icc = v_split / (v_split + v_residual), which is ICC(C,1) with configurations as raters (McGraw & Wong 1996);
    p_split belongs to F = M_split / M_interaction and is exploratory.
    """
    rows = with_macro(table)
    rows = rows[rows["split_kind"] == "random"]
    groups = rows.groupby(["averaging", "class"], sort=False, observed=True)
    found = [{"averaging": key[0], "class": key[1], **components(balanced(group))} for key, group in groups]
    return pd.DataFrame(found)


def balanced(rows: pd.DataFrame) -> Floats | Refusal:
    """The scores of one class as configuration x split x seed, or why that is not possible."""
    place = [*CONFIGURATION, "split"]
    defined = rows.dropna(subset="dice").sort_values([*place, "seed"])
    sizes = defined.groupby(place, observed=True).size()
    num_splits, num_configurations = rows["split"].nunique(), len(rows[CONFIGURATION].drop_duplicates())
    if min(num_splits, num_configurations) < 2:
        return Refusal("no shares: they need at least two splits and two configurations")
    if len(sizes) < num_splits * num_configurations or sizes.nunique() > 1:
        return Refusal("no shares: not every configuration has the same number of scores on every split")
    scores: Floats = defined["dice"].to_numpy(float)
    return scores.reshape(num_configurations, num_splits, -1)


def components(scores_CSR: Floats | Refusal) -> dict[str, Any]:
    shares = ["share_split", "share_configuration", "share_residual", "share_seed"]
    names = ["num_configurations", "num_splits", "num_seeds", *shares, "icc", "residual_sd", "p_split", "note"]
    if isinstance(scores_CSR, Refusal):
        return dict.fromkeys(names, np.nan) | {"note": scores_CSR.reason}
    c, s, r = scores_CSR.shape
    cells, grand = scores_CSR.mean(axis=2), scores_CSR.mean()
    of_split, of_configuration = cells.mean(axis=0), cells.mean(axis=1)
    fitted = of_split[None, :] + of_configuration[:, None] - grand
    m_split = c * r * np.sum((of_split - grand) ** 2) / (s - 1)
    m_configuration = s * r * np.sum((of_configuration - grand) ** 2) / (c - 1)
    df = (s - 1) * (c - 1)
    m_interaction = r * np.sum((cells - fitted) ** 2) / df
    seed = np.sum((scores_CSR - cells[:, :, None]) ** 2) / (c * s * (r - 1)) if r > 1 else np.nan
    residual = m_interaction if r == 1 else max(0.0, (m_interaction - seed) / r) + seed
    split = max(0.0, (m_split - m_interaction) / (c * r))
    configuration = max(0.0, (m_configuration - m_interaction) / (s * r))
    parts = np.array([split, configuration, residual, seed]) / (split + configuration + residual or np.nan)
    icc = split / (split + residual or np.nan)
    p = stats.f.sf(m_split / (m_interaction or np.nan), s - 1, df)
    note = "" if r > 1 else "one seed per split: the residual holds seed and interaction together"
    return dict(zip(names, (c, s, r, *parts, icc, np.sqrt(residual), p, note), strict=True))


def _logit(dice: pd.DataFrame) -> pd.DataFrame:
    """log(D / (1 - D)); NaN at 0 and 1, where it has no value."""
    inside = dice.where((dice > 0) & (dice < 1))
    return np.log(inside / (1 - inside))


def _notes(num_random: int, num_rotation: int) -> str:
    found = [sd_refusal(num_random, "random splits"), sd_refusal(num_rotation, "rotation splits")]
    return "; ".join(refusal.reason for refusal in found if refusal)
