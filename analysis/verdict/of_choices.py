"""What the verdict says of luck in what is best on average over the splits: a configuration, a point of the search."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from analysis.scores import ROUNDING, configuration_name
from analysis.statistics.luck_of_choice import luck_of_best, luck_of_common_point
from analysis.statistics.material import Material


def luck_of_the_best(table: pd.DataFrame, first: tuple[str, str], test_to_train: float) -> str:
    """Of the configuration that leads.

    :param table: the scores under one averaging.
    """
    because = "It was chosen because it scored highest, so its lead is probably overstated"
    row = luck_of_best(table, test_to_train).iloc[0]
    if np.isnan(row["lead_luck"]) or (row["model"], row["loss"]) != first:
        return f"{because}."
    judged = _judged(row, "The highest of all", row["mean"], row["left_out_mean"])
    of_lead = "all" if row["lead_luck"] >= row["lead"] - ROUNDING else f"{row['lead_luck']:.3f}"
    luck = f"by estimate {of_lead} of its {row['lead']:.3f} is luck"
    return f"{because}: {luck}. {judged}"


def luck_of_common_points(material: Material) -> Iterator[str]:
    """Of one point for all cells, a sentence for each configuration that is shown."""
    found = luck_of_common_point(material.runs, material.startup, material.scores.test_to_train)
    for _, row in found.dropna(subset="optimism").iterrows():
        if (row["model"], row["loss"]) in material.shown:
            validation, left_out = row["validation"], row["left_out_validation"]
            test = row["left_out_test"]
            on_test = "" if np.isnan(test) else f" On test images what is chosen so has {test:.3f}."
            yield (
                f"{configuration_name(row)}: one point for all cells, the best on average of {row['num_points']:.0f}, "
                f"has {validation:.3f} on validation images (t{row['index']:02.0f}). "
                f"{_judged(row, 'The best point', validation, left_out)}{on_test}"
            )


def _judged(row: Any, what: str, score: float, left_out: float) -> str:
    """What the rule is worth on splits that had no say."""
    if row["share_same"] == 1:
        return (
            f"Without any one of the {row['num_splits']:.0f} random splits the choice would be the same, which does "
            "not show that its score owes nothing to luck."
        )
    interval = "" if np.isnan(row["low"]) else f" (95 % interval {row['low']:+.3f} to {row['high']:+.3f})"
    return (
        f"{what}, judged on splits that had no say (each of {row['num_splits']:.0f} left out in turn), scores "
        f"{left_out:.3f} instead of {score:.3f}. On average over splits of these images, the score of such a choice is "
        f"too high by that: {row['optimism']:+.3f}{interval}."
    )
