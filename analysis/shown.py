"""What is shown of many: every configuration up to a few dozen, beyond that the best and the worst."""

from __future__ import annotations

import pandas as pd

from analysis.scores import MACRO, RANDOM, Configuration, by_split, configurations, of_kind, worded_in

NUM_BEST, NUM_WORST = 20, 4


def ranked(table: pd.DataFrame) -> list[Configuration]:
    """Every (model, loss) by its mean Dice over object classes and random splits, the highest first, undefined last."""
    wide = by_split(table[table["averaging"] == worded_in(table)])
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
        f"mean Dice over object classes and random splits, and the {NUM_WORST} with the lowest. What is said of all "
        f"configurations is said of {number}."
    )
