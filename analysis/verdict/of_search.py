"""What the verdict says of the search: whether tuning was worth it, and what successive halving saved and risked."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.answer import Finding
from analysis.classes import MACRO
from analysis.facts import Facts
from analysis.scores import CELL, Scores, configuration_name, count_of
from analysis.shown import shown_of
from analysis.statistics.ranks import mean_tau
from analysis.statistics.search import tuning_gain
from study.halving import epochs_of_a_cell
from trainers.printable import in_percent


def was_tuning_worth_it(scores: Scores, averaging: str) -> Finding | None:
    """Nothing where nothing was searched, or no trial beside the default one has been run."""
    if scores.facts is None or not (scores.facts.completed["index"] > 0).any():
        return None
    points = [*_gains(scores, scores.facts, averaging), *_of_halving(scores.facts)]
    return Finding("Was tuning worth it?", tuple(points)) if points else None


def _gains(scores: Scores, facts: Facts, averaging: str) -> Iterator[str]:
    """Of each configuration that is shown, on test images of random splits."""
    runs, shown = facts.runs, shown_of(scores.table)
    gains = tuning_gain(runs[runs["averaging"] == averaging], scores.test_to_train, facts.definition.search.within)
    for row in gains[(gains["class"] == MACRO) & (gains["num_splits"] > 0)].itertuples():
        if (row.model, row.loss) in shown:
            interval = "" if np.isnan(row.low) else f" (95 % interval {row.low:+.3f} to {row.high:+.3f})"
            beside = "" if np.isnan(row.spread) else f", beside an SD over random splits of {row.spread:.3f}"
            note = f". {row.note[0].upper()}{row.note[1:]}" if row.note else ""
            yield (
                f"{configuration_name(row)}: tuned less default {row.gain:+.3f}{interval} on "
                f"{count_of(row.num_splits, 'random splits')}{beside}{note}."
            )


def _of_halving(facts: Facts) -> Iterator[str]:
    definition = facts.definition
    if definition.search.halving is None:
        return
    halved, whole = epochs_of_a_cell(definition), definition.search.trials * definition.training.epochs
    yield (
        f"Successive halving trains {halved:,} epochs in a cell, and all its trials to the end would take {whole:,}: "
        f"{in_percent(1 - halved / whole)} are saved."
    )
    for rung, taus in _agreement(facts):
        yield (
            f"After {count_of(rung, 'epochs')}, how well did the order of the trials that reached the end agree with "
            f"their order there? Mean Kendall's tau {np.mean(taus):.2f} over {count_of(len(taus), 'cells')} (1: the "
            "same order, 0: no agreement). Trials that were ended earlier are not among them."
        )


def _agreement(facts: Facts) -> Iterator[tuple[int, list[float]]]:
    """Of each rung, Kendall's tau between the objectives there and at the end, of every cell with three trials or more
    that went on to it."""
    end = facts.completed.set_index([*CELL, "index"])["objective"]
    for rung, rows in facts.rungs[facts.rungs["status"] == "completed"].groupby("rung"):
        both = pd.DataFrame({"early": rows.set_index([*CELL, "index"])["objective"], "late": end}).dropna()
        cells = [each for _, each in both.groupby(level=CELL, sort=False) if len(each) > 2]
        taus = [tau for each in cells if not np.isnan(tau := mean_tau(each[["early", "late"]].to_numpy(float).T))]
        if taus:
            yield int(rung), taus
