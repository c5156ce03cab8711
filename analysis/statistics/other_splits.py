"""Scores on folds, and on given and matched splits: each kind by itself, never mixed with random splits."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from analysis.classes import MACRO
from analysis.scores import (
    FOLD,
    GIVEN,
    HELD_OUT,
    MATCHED,
    OTHER_KINDS,
    by_split,
    configuration_name,
    count_of,
    of_kind,
)

MATCHED_PREFIX = "matched_"


def other_splits(table: pd.DataFrame) -> pd.DataFrame:
    """One row per configuration, averaging and class (MACRO, too); none where all splits are random or held-out.

    num_folds: folds with a score; fold_mean, fold_sd: over them (ddof 1; the test sets of folds are disjoint, their
    training sets are not: no interval is given); then a column for each given and matched split.
    """
    if not table["split_kind"].isin(OTHER_KINDS).any():
        return pd.DataFrame()
    wide = by_split(table)
    folds = of_kind(wide, FOLD)
    found = pd.DataFrame({"num_folds": folds.count(axis=1)}, index=wide.index)
    found = found.assign(fold_mean=folds.mean(axis=1), fold_sd=folds.std(axis=1))
    for kind in (GIVEN, MATCHED):
        named = of_kind(wide, kind)
        found[named.columns.tolist()] = named
    return found.reset_index()


def other_splits_in_words(table: pd.DataFrame) -> Iterator[str]:
    """Of the mean of classes under each averaging of the table: a sentence for every configuration and kind."""
    found = other_splits(table)
    if found.empty:
        return
    wide = by_split(table).xs(MACRO, level="class")
    rows = zip(found[found["class"] == MACRO].itertuples(), wide.iterrows(), strict=True)
    for row, (_, scores) in rows:
        if row.num_folds:
            sd = f", SD {row.fold_sd:.3f}" if row.num_folds > 1 else ""
            yield f"{configuration_name(row)}: {row.fold_mean:.3f}{sd} over {count_of(row.num_folds, 'folds')}."
        for kind in (GIVEN, MATCHED):
            listed = [f"{score:.3f} on {_with_its_own(name, scores)}" for name, score in _of(scores, kind)]
            if listed:
                yield f"{configuration_name(row)}: {', '.join(listed)}."


def _of(scores: pd.Series[float], kind: str) -> list[tuple[str, float]]:
    """Split -> score, of those of one kind that have one."""
    return [(name, score) for (of, name), score in scores.dropna().items() if of == kind]


def _with_its_own(name: str, scores: pd.Series[float]) -> str:
    """A split's name, and, of a matched one, the score on the held-out split that it matches."""
    own = dict(_of(scores, HELD_OUT)).get(name.removeprefix(MATCHED_PREFIX))
    return name if own is None else f"{name} ({own:.3f} on {name.removeprefix(MATCHED_PREFIX)} itself)"
