"""The figures of a report that need a study behind the scores: cost, search, training, pixels and pictures."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection

import numpy as np
import pandas as pd

from analysis.axes import in_words
from analysis.report import figures_search
from analysis.report.page import Drawn, Picture, Pictures, panel
from analysis.report.strips import Strip, examples, strips
from analysis.scores import CELL, CONFIGURATION, capitalised, main_averaging, tuned_trials
from analysis.shown import MOST_CLASSES, class_rule
from analysis.statistics import front, lacking
from analysis.statistics.costs import COSTS, non_dominated, trade_off
from analysis.statistics.false_classes import FalseClasses, false_class_matrices
from analysis.statistics.material import Material
from study.errors import StudyError
from study.summary import MIN_IMAGES


def _trade_off(material: Material) -> Drawn:
    metric = material.scores.metric.in_words
    points = trade_off(material.facts, main_averaging(material.table))
    panels = [
        panel(
            f"mean {metric} of the classes against {what}",
            figures_search.trade_off(
                *(_shown(_front(points, cost), material), cost, what),
                ringed=cost == material.cost,
                metric=metric,
            ),
            f"Mean {metric} of each candidate against {what}; those that no other beats in both are joined."
            + " A ring marks what the rule takes." * (cost == material.cost),
        )
        for cost, what in COSTS.items()
        if len(points)
    ]
    return Drawn(panels, notes=[f"{capitalised(note)}." for note in points["note"].unique() if note])


def _front(points: pd.DataFrame, cost: str) -> pd.DataFrame:
    """The points with `non_dominated` in accuracy and this cost alone."""
    return points.assign(non_dominated=non_dominated(points.assign(lost=-points["mean"])[["lost", cost]]))


def _shown(points: pd.DataFrame, material: Material) -> pd.DataFrame:
    return points[pd.MultiIndex.from_frame(points[CONFIGURATION]).isin(material.shown)]


def _search(material: Material) -> Drawn:
    trials, runs = material.facts.completed, material.facts.runs
    points = trials.assign(chosen=trials["trial"].isin(tuned_trials(runs, material.within)["trial"]))
    sides, of_trials = figures_search.sides_of(material.space), _of_trials(material)
    panels = []
    for model, loss in material.shown:
        panels += [
            panel(
                f"{model} {loss}: points tried{f', {across}' * (len(sides) > 1)}",
                figures_search.search_points(points, model, loss, material.space, across, up),
                f"The point of {of_trials}, coloured by its validation objective.",
            )
            for across, up in sides
        ]
        panels.append(
            panel(
                f"{model} {loss}: best so far",
                figures_search.search_progress(points, model, loss, material.startup),
                f"The best validation objective of every cell by trial index, of {of_trials}.",
            )
        )
    return Drawn(panels, notes=_keys_not_shown(material.space))


def _fronts(material: Material) -> Drawn:
    trials = material.main_runs.drop_duplicates("trial")
    on_front = front.front(material.main_runs, material.within).set_index([*CELL, "index"])
    places = pd.MultiIndex.from_frame(trials[[*CELL, "index"]])
    chosen = places.isin(on_front.index[on_front["chosen"]])
    points = trials.assign(on_front=places.isin(on_front.index), chosen=chosen)
    what = COSTS[str(material.cost)]
    panels = [
        panel(
            f"{model} {loss}",
            figures_search.fronts(points, model, loss, what),
            f"Validation Dice of {_of_trials(material)} against {what}; every cell's front joined, its choice ringed.",
        )
        for model, loss in material.shown
    ]
    return Drawn(panels)


def _of_trials(material: Material) -> str:
    """Which trials figures of the search show: with halving those alone that were trained to the end."""
    halving = material.facts.definition.search.halving
    return "every trial" if halving is None else "every trial that halving let reach the last epoch"


def _keys_not_shown(space: Collection[str]) -> list[str]:
    """The sentence that names them, where there are any."""
    left_out = list(space)[figures_search.MOST_KEYS :]
    if not left_out:
        return []
    return [
        f"Of {len(space)} searched keys the first {figures_search.MOST_KEYS} have a figure; without one: "
        f"{', '.join(left_out)}. The column point of OUT/trials has the values of all."
    ]


def _curves(material: Material) -> Drawn:
    history = material.facts.history(material.facts.chosen)
    panels = [
        panel(
            f"{model} {loss}",
            figures_search.curves(history, model, loss),
            "Validation objective and losses by epoch, a line per selected trial; the dot is the epoch that was kept.",
        )
        for model, loss in material.shown
    ]
    return Drawn(panels)


def _false_classes(material: Material) -> Drawn:
    if lacking.several_classes(material):
        return Drawn()
    matrices = false_class_matrices(material.facts)
    many = [found.shares.where(found.num_images >= MIN_IMAGES) for found in matrices.values()]
    top = max(0.25, np.nanmax([0.0, *(shares.max(axis=None) for shares in many)]))
    panels = [
        panel(
            f"{model} {loss}, {in_words(kind, axis)}s",
            figures_search.false_class_matrix(_most_confused(found), top),
            "Share of the test images of each class (row) in which each other class (column) is falsely predicted.",
        )
        for (model, loss, kind, axis), found in matrices.items()
        if (model, loss) in material.shown
    ]
    number = max((len(found.num_images) for found in matrices.values()), default=0)
    note = f"Each figure has the {MOST_CLASSES} of {number} classes that are confused most often; the table has all."
    return Drawn(panels, notes=[note] * (number > MOST_CLASSES))


def _most_confused(found: FalseClasses) -> FalseClasses:
    """All classes, or the MOST_CLASSES of more with the highest rates, as truth or as prediction."""
    rates = found.shares.sum(axis=0) + found.shares.sum(axis=1)
    chosen = set(rates.sort_values(ascending=False, kind="stable").index[:MOST_CLASSES])
    names = [name for name in rates.index if name in chosen]
    return FalseClasses(found.num_false.loc[names, names], found.num_images.loc[names, names])


def _strips(material: Material) -> Drawn:
    try:
        shown = _shown(examples(material.images, material.classes), material)
        key_of, found = strips(material.facts, shown)
    except StudyError as error:
        return Drawn(notes=[f"{error}."])
    key = [(name, "#" + bytes(colour).hex()) for name, colour in key_of.items()]
    groups = [
        Pictures(
            f"{model} {loss}",
            [
                _picture(strip, material.scores.metric.in_words)
                for strip in found
                if (strip.model, strip.loss) == (model, loss)
            ],
        )
        for model, loss in material.shown
    ]
    return Drawn(pictures=groups, key=key, notes=list(filter(None, [class_rule(material.table)])))


def _picture(strip: Strip, metric: str) -> Picture:
    false = f"; falsely predicted: {', '.join(strip.false_classes.split())}" if strip.false_classes else ""
    caption = f"{strip.class_}, {strip.rank}: {metric} {strip.dice:.2f}, {strip.split}{false}"
    alt = f"Image, truth and prediction of {strip.image}: {caption}"
    return Picture(caption, alt, base64.b64encode(strip.png).decode())


def _provenance(material: Material) -> Drawn:
    facts = material.facts
    versions = [json.dumps(json.loads(each), indent=2) for each in facts.trials["versions"].dropna().unique()]
    return Drawn(texts=[("The definition", facts.definition.to_toml()), *(("Versions", each) for each in versions)])


OF_A_STUDY = {
    "cost": _trade_off,
    "search": _search,
    "front": _fronts,
    "curves": _curves,
    "false": _false_classes,
    "images": _strips,
    "provenance": _provenance,
}
"""Topic -> what draws its panels."""
