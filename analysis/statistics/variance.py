"""What moves the scores: the split, the configuration, or the rest? Balanced analysis of variance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.scores import CONFIGURATION, Floats, with_macro
from analysis.statistics.spread import Refusal


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
