"""The figures of a report that need a study behind the scores: cost, search, training, pixels and pictures."""

from __future__ import annotations

import base64
import json

import pandas as pd

from analysis.classes import is_object
from analysis.report import figures_search
from analysis.report.page import Drawn, Picture, Pictures, panel
from analysis.report.strips import Strip, colours, examples, strips
from analysis.scores import CONFIGURATION, main_averaging, tuned_trials
from analysis.statistics.costs import COSTS, non_dominated, trade_off
from analysis.statistics.false_classes import false_class_matrices
from analysis.statistics.material import Material
from study.errors import StudyError


def _trade_off(material: Material) -> Drawn:
    points = trade_off(material.facts, main_averaging(material.table))
    panels = [
        panel(
            f"mean Dice of objects against {what}",
            figures_search.trade_off(_shown(_front(points, cost), material), cost, what),
            f"Mean Dice of each candidate against {what}; those that no other beats in both are joined.",
        )
        for cost, what in COSTS.items()
        if len(points)
    ]
    return Drawn(panels)


def _front(points: pd.DataFrame, cost: str) -> pd.DataFrame:
    """The points with `non_dominated` in accuracy and this cost alone."""
    return points.assign(non_dominated=non_dominated(points.assign(lost=-points["mean"])[["lost", cost]]))


def _shown(points: pd.DataFrame, material: Material) -> pd.DataFrame:
    return points[pd.MultiIndex.from_frame(points[CONFIGURATION]).isin(material.shown)]


def _search(material: Material) -> Drawn:
    trials = material.facts.completed
    points = trials.assign(chosen=trials["trial"].isin(tuned_trials(trials)["trial"]))
    if points["index"].max() == 0 or points.empty:
        return Drawn(notes=["One trial in every cell: nothing was searched."])
    panels = []
    for model, loss in material.shown:
        panels += [
            panel(
                f"{model} {loss}: points tried",
                figures_search.search_points(points, model, loss, material.space),
                "The point of every trial, coloured by its validation objective.",
            ),
            panel(
                f"{model} {loss}: best so far",
                figures_search.search_progress(points, model, loss, material.startup),
                "The best validation objective of every cell by trial index.",
            ),
        ]
    return Drawn(panels)


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
    matrices = false_class_matrices(material.facts)
    top = max(0.25, *(matrix.max(axis=None) for matrix in matrices.values()))
    panels = [
        panel(
            f"{model} {loss}, {material.held_out.in_words(kind)}",
            figures_search.false_class_matrix(matrix, top),
            "Share of the test images of each object (row) in which each other class (column) is falsely predicted.",
        )
        for (model, loss, kind), matrix in matrices.items()
        if (model, loss) in material.shown
    ]
    return Drawn(panels)


def _strips(material: Material) -> Drawn:
    classes = list(dict.fromkeys(material.table.loc[is_object(material.table["class"]), "class"]))
    key = [(name, "#" + bytes(colour).hex()) for name, colour in colours(classes).items()]
    try:
        found = strips(material.facts, _shown(examples(material.images), material))
    except StudyError as error:
        return Drawn(notes=[f"{error}."], key=key)
    groups = [
        Pictures(f"{model} {loss}", [_picture(strip) for strip in found if (strip.model, strip.loss) == (model, loss)])
        for model, loss in material.shown
    ]
    return Drawn(pictures=groups, key=key)


def _picture(strip: Strip) -> Picture:
    false = f"; falsely predicted: {strip.false_classes}" if strip.false_classes else ""
    caption = f"{strip.class_}, {strip.rank}: Dice {strip.dice:.2f}, {strip.split}{false}"
    alt = f"Image, truth and prediction of {strip.image}: {caption}"
    return Picture(caption, alt, base64.b64encode(strip.png).decode())


def _provenance(material: Material) -> Drawn:
    facts = material.facts
    versions = [json.dumps(json.loads(each), indent=2) for each in facts.trials["versions"].dropna().unique()]
    return Drawn(texts=[("The definition", facts.definition.to_toml()), *(("Versions", each) for each in versions)])


OF_A_STUDY = {
    "cost": _trade_off,
    "search": _search,
    "curves": _curves,
    "false": _false_classes,
    "images": _strips,
    "provenance": _provenance,
}
"""Topic -> what draws its panels."""
