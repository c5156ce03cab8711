"""What the verdict says of single classes: without a score, at zero, hardest, and predicted where they are not."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.answer import Finding
from analysis.axes import in_words
from analysis.classes import is_object
from analysis.scores import (
    CELL,
    CONFIGURATION,
    ROUNDING,
    Scores,
    capitalised,
    configuration_name,
    configurations,
    count_of,
    listed,
)
from analysis.statistics.false_classes import false_classes
from analysis.statistics.ranks import extreme_classes
from study.summary import MIN_IMAGES
from trainers.printable import in_percent

MOST_NAMED = 8  # classes, in a sentence


def lowest(table: pd.DataFrame, a_metric: str) -> str:
    """The lowest score of a class; of many zeros how many there are, and of which classes. Empty without a score.

    :param a_metric: in words, with its article.
    """
    objects = table[is_object(table["class"])].dropna(subset="dice")
    if objects.empty:
        return ""
    zero = objects["dice"] < ROUNDING
    if len(objects) > 1 and np.ptp(objects["dice"]) < ROUNDING and not zero.any():
        return f"All {len(objects)} scores (a class of a configuration on a split) are {objects['dice'].iloc[0]:.3f}."
    if zero.sum() < 2:
        low = objects.iloc[int(objects["dice"].argmin())]
        where = f"{low['class']}, {configuration_name(low)}, {low['split']}"
        return f"The lowest score seen is {a_metric} of {low['dice']:.2f}: {where}."
    everywhere, names = zero_everywhere(table), list(dict.fromkeys(objects.loc[zero, "class"]))
    others = [name for name in names if name not in everywhere]
    parts = [f"all of {listed(everywhere)}"] * bool(everywhere) + [f"some of {listed(others)}"] * bool(others)
    return (
        f"{zero.sum()} of {len(objects)} scores (a class of a configuration on a split) are {a_metric} of 0: "
        f"{'; '.join(parts)}."
    )


def zero_everywhere(table: pd.DataFrame) -> list[str]:
    """The classes whose every score is 0."""
    objects = table[is_object(table["class"])].dropna(subset="dice")
    highest = objects.groupby("class", sort=False)["dice"].max()
    return [str(name) for name in highest.index[highest < ROUNDING]]


def without_any_score(rows: pd.DataFrame) -> list[str]:
    """A sentence, if a class has no score somewhere: no test image of the split shows it, or a configuration lacks it.

    :param rows: under one averaging.
    """
    there = rows[is_object(rows["class"])].drop_duplicates([*CELL, "class"]).set_index([*CELL, "class"])["dice"]
    scored = there.unstack("class").reindex(columns=rows.loc[is_object(rows["class"]), "class"].unique()).isna()
    found = {str(name): told for name in scored if (told := _where(scored.index[scored[name]], rows))}
    if not found:
        return []
    told = "; ".join(f"{name} {where}" for name, where in list(found.items())[:MOST_NAMED])
    more = f"; and {len(found) - MOST_NAMED} more classes" if len(found) > MOST_NAMED else ""
    return [f"Without a score: {told}{more}. There the mean of classes is undefined too, and left out of what follows."]


def _where(cells: pd.MultiIndex, rows: pd.DataFrame) -> str:
    """The splits of these cells, and the configurations, where it is not the same for all; empty without any."""
    if cells.empty:
        return ""
    order = list(rows["split"].unique())
    of_each: dict[str, list[str]] = {}
    for configuration, part in cells.to_frame(index=False).groupby(CONFIGURATION, sort=False):
        splits = sorted(set(part["split"]), key=order.index)
        of_each.setdefault(listed(splits, MOST_NAMED), []).append(" ".join(map(str, configuration)))
    everywhere = len(of_each) == 1 and len(*of_each.values()) == len(configurations(rows))
    parts = [f"on {splits}" + f" ({listed(names, MOST_NAMED)})" * (not everywhere) for splits, names in of_each.items()]
    return ", ".join(parts)


def weakest(table: pd.DataFrame, metric: str) -> Finding | None:
    """The hardest class, where there are several; those that score 0 everywhere are named apart."""
    if table.loc[is_object(table["class"]), "class"].nunique() < 2:
        return None
    nothing = zero_everywhere(table)
    points = [
        f"{capitalised(metric)} of 0 on every split, by every configuration: {listed(nothing, MOST_NAMED)}."
    ] * bool(nothing)
    shares = extreme_classes(table[~table["class"].isin(nothing)]) if _num_classes(table, nothing) > 1 else None
    if shares is not None:
        shares = shares.sort_values("hardest", ascending=False, kind="stable")
        shares = shares[(shares["num_runs"] > 0) & (shares["hardest"] > 0)]
        names = [
            f"{name} in {in_percent(share)}" for name, share in zip(shares["class"], shares["hardest"], strict=True)
        ]
        if names:
            more = f", and {len(names) - MOST_NAMED} more classes" * (len(names) > MOST_NAMED)
            number = int(shares["num_runs"].iloc[0])
            which = "of the other classes" if nothing else "of a class"
            whole = number * shares["hardest"]
            equal = " (classes that are equally low share the pair)" * bool(
                (abs(whole - whole.round()) > ROUNDING).any()
            )
            points.append(
                f"Of {count_of(number, 'pairs')} of a configuration and a split, the lowest score {which} is that of "
                f"{', '.join(names[:MOST_NAMED])}{more}{equal}."
            )
    return Finding("Which class can be trusted least?", tuple(points)) if points else None


def _num_classes(table: pd.DataFrame, less: list[str]) -> int:
    names = table.loc[is_object(table["class"]), "class"]
    return int(names[~names.isin(less)].nunique())


def falsely_predicted(scores: Scores) -> Finding | None:
    """The class that is most often predicted where it is not, without shares of fewer than MIN_IMAGES images."""
    if scores.facts is None:
        return None
    found = false_classes(scores.facts)
    found = found.assign(pooled=found["num_false"] / found["num_images"])
    found = found[(found["num_images"] >= MIN_IMAGES) & (found["num_false"] > 0)]
    points = [
        f"On {in_words(str(kind), str(axis))}s: {row['class']} by {configuration_name(row)}, in {row['num_false']} of "
        f"{row['num_images']} test images without it."
        for (kind, axis), part in found.groupby(["split_kind", "axis"], sort=True)
        for _, row in part.nlargest(1, "pooled").iterrows()
    ]
    if not points:
        return None
    rule = f"An image counts once for each trial that tested it; shares of fewer than {MIN_IMAGES} images are left out."
    return Finding("What is predicted most often that is not there?", (*points, rule))
