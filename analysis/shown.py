"""What is shown of many configurations, pairs and classes: all up to some number, beyond it the best and the worst."""

from __future__ import annotations

import itertools

import pandas as pd

from analysis.classes import MACRO, is_object
from analysis.scores import RANDOM, Configuration, by_split, configurations, main_averaging, of_kind

NUM_BEST, NUM_WORST = 20, 4
MOST_PAIRS = 12
MOST_CLASSES = 12
NUM_HARDEST = 8


def ranked(table: pd.DataFrame) -> list[Configuration]:
    """Every (model, loss) by its mean score over classes and random splits, the highest first, undefined last."""
    wide = by_split(table[table["averaging"] == main_averaging(table)])
    macro = of_kind(wide.xs(MACRO, level="class"), RANDOM).droplevel("averaging")
    return list(macro.mean(axis=1).sort_values(ascending=False, kind="stable").index)


def shown_of(table: pd.DataFrame) -> list[Configuration]:
    """Those to be shown, in the table's order: all, or the NUM_BEST best and the NUM_WORST worst of more."""
    everything = configurations(table)
    if len(everything) <= NUM_BEST + NUM_WORST:
        return everything
    in_order = ranked(table)
    chosen = {*in_order[:NUM_BEST], *in_order[-NUM_WORST:]}
    return [each for each in everything if each in chosen]


def rule(table: pd.DataFrame) -> str:
    """The sentence that says what is shown of many; empty where all is."""
    number = len(configurations(table))
    if number <= NUM_BEST + NUM_WORST:
        return ""
    return (
        f"Of {number} configurations {NUM_BEST + NUM_WORST} are listed one by one: the {NUM_BEST} with the highest "
        f"mean score over classes and random splits, and the {NUM_WORST} with the lowest. What is said of all "
        f"configurations is said of {number}."
    )


def classes_shown(table: pd.DataFrame) -> list[str]:
    """The classes to be drawn one by one, in the table's order: all, or of more than MOST_CLASSES the hardest
    and the easiest by their mean score over configurations and random splits (where there are none, all splits)."""
    objects = table[is_object(table["class"]) & (table["averaging"] == main_averaging(table))]
    names = list(dict.fromkeys(table.loc[is_object(table["class"]), "class"]))
    if len(names) <= MOST_CLASSES:
        return names
    random = objects[objects["split_kind"] == RANDOM]
    means = (random if len(random) else objects).groupby("class", sort=False)["dice"].mean().reindex(names)
    in_order = list(means.sort_values(kind="stable").index)
    chosen = {*in_order[:NUM_HARDEST], *in_order[NUM_HARDEST - MOST_CLASSES :]}
    return [name for name in names if name in chosen]


def class_rule(table: pd.DataFrame) -> str:
    """The sentence that says which of many classes are drawn; empty where all are."""
    number = table.loc[is_object(table["class"]), "class"].nunique()
    if number <= MOST_CLASSES:
        return ""
    return (
        f"Of {number} classes {MOST_CLASSES} are drawn here: the {NUM_HARDEST} with the lowest mean score over "
        f"configurations and random splits, and the {MOST_CLASSES - NUM_HARDEST} with the highest. The first section "
        "and the tables have all."
    )


def pairs_of(table: pd.DataFrame) -> list[tuple[Configuration, Configuration]]:
    """Pairs (later, earlier) of those shown that have the same network or the same loss; of more than MOST_PAIRS, those
    of the best with the next in the ranking."""
    shown = shown_of(table)
    pairs = [(b, a) for a, b in itertools.combinations(shown, 2) if _one_factor_apart(a, b)]
    if len(pairs) <= MOST_PAIRS:
        return pairs
    best, *others = [each for each in ranked(table) if each in shown]
    nearest = [each for each in others if _one_factor_apart(best, each)]
    return [(best, each) for each in nearest[:MOST_PAIRS]]


def _one_factor_apart(a: Configuration, b: Configuration) -> bool:
    return (a[0] == b[0]) != (a[1] == b[1])
