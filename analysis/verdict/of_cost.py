"""What the verdict says of a search by Dice and cost: what the rule chooses, and what that saves and loses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.answer import Finding
from analysis.facts import Facts
from analysis.scores import Scores, configuration_name
from analysis.shown import shown_of
from analysis.statistics.costs import cost_of, trade_off
from analysis.statistics.front import choices
from study.definition.sections import Search

UNITS = {"gflops": "GFLOPs", "parameters": "parameters", "latency_ms": "ms an image"}


def what_the_rule_chooses(scores: Scores, averaging: str) -> Finding | None:
    """Nothing where the search goes by the Dice alone."""
    if scores.facts is None or (cost := cost_of(scores.facts.definition.search)) is None:
        return None
    points = [*_of_all_points(scores.facts, averaging, cost), *_split_by_split(scores, scores.facts, averaging, cost)]
    rule = _rule(scores.facts.definition.search)
    if scores.facts.completed["objective"].isna().all():
        points = ["Nothing: no trial has a validation score, as no validation sample shows a class."]
    return Finding("What does the rule choose, by Dice and cost?", (rule, *points)) if points else None


def _rule(search: Search) -> str:
    if not search.within:
        return "The rule of this study: the highest validation Dice; of equals the cheapest."
    return f"The rule of this study: the cheapest whose validation Dice is at most {search.within:g} below the highest."


def _of_all_points(facts: Facts, averaging: str, cost: str) -> Iterator[str]:
    """The one choice among the points that all splits have tried, by means over the splits."""
    candidates = trade_off(facts, averaging)
    if len(candidates) < 2 or not candidates["chosen"].any():
        return
    (_, chosen), *_ = candidates[candidates["chosen"]].iterrows()
    rivals = candidates[candidates["num_cells"] == candidates["num_cells"].max()]
    highest = rivals.loc[rivals["objective"].idxmax()]
    told = f"One for all splits, of {len(rivals)} candidates that all have tried: {_of_candidate(chosen, cost)}"
    is_highest = highest["label"] == chosen["label"]
    yield f"{told}, the highest." if is_highest else f"{told}. The highest: {_of_candidate(highest, cost)}."


def _of_candidate(candidate: pd.Series[float], cost: str) -> str:
    point = f" ({candidate['point']})" * bool(candidate["point"])
    return (
        f"{candidate['label']}{point}, {_amount([candidate[cost]], cost)}, validation Dice {candidate['objective']:.3f}"
    )


def _split_by_split(scores: Scores, facts: Facts, averaging: str, cost: str) -> Iterator[str]:
    """What each cell chooses for itself, configuration by configuration, beside what the Dice alone would choose."""
    runs = facts.runs
    found = choices(runs[runs["averaging"] == averaging], facts.definition.search.within)
    for (model, loss), rows in found[found["num_splits"] > 0].groupby(["model", "loss"], sort=False):
        if (model, loss) not in shown_of(scores.table):
            continue
        of_choice = rows.set_index("choice")
        cheapest, highest = (
            _of_choice(of_choice.loc[choice], cost, scores.metric.in_words) for choice in ("cheapest", "highest")
        )
        alone = "as by the Dice alone" if cheapest == highest else f"by the Dice alone {highest}"
        yield f"{configuration_name(of_choice.iloc[0])}, each random split for itself: {cheapest}; {alone}."


def _of_choice(row: pd.Series[float], cost: str, metric: str) -> str:
    amounts = [row["cost"], row["low"], row["high"]]
    return f"{_amount(amounts, cost)}, mean test {metric} {row['dice']:.3f}"


def _amount(values: list[float], cost: str) -> str:
    """A value, or a median with its extremes, e.g. `0.31 GFLOPs`, `median 0.31 (0.2 to 0.9) GFLOPs`."""
    middle, *ends = (f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in values)
    if np.ptp(values) == 0:
        return f"{middle} {UNITS[cost]}"
    return f"median {middle} ({' to '.join(ends)}) {UNITS[cost]}"
