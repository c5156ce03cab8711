"""The figures of a report that scores alone can fill: for each topic of the catalogue, its panels."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from matplotlib.figure import Figure

from analysis.axes import HeldOut, axes_of, by_axis, in_words, kinds_of, of_kind_and_axis
from analysis.formats import long_name
from analysis.report import figures, figures_images
from analysis.report.page import Drawn, Panel, panel
from analysis.scores import OTHER_KINDS, capitalised
from analysis.shown import class_rule, pairs_of
from analysis.statistics import lacking
from analysis.statistics.gap_curve import gap_curves
from analysis.statistics.material import Material
from analysis.tables import Tables, tables

Draw = Callable[[str, str, str], Figure]
"""From model, loss and averaging."""
Describe = Callable[[str, str, str], str]


def _of_each(material: Material, draw: Draw, describe: Describe, more: str = "") -> list[Panel]:
    """A panel for each configuration shown and each averaging, in whose caption `more` stands last."""
    return [
        panel(
            f"{model} {loss}, {long_name(averaging)}{more}",
            draw(model, loss, averaging),
            describe(model, loss, averaging),
        )
        for model, loss in material.shown
        for averaging in _averagings(material)
    ]


def _averagings(material: Material) -> list[str]:
    return list(dict.fromkeys(material.table["averaging"]))


def _about_classes(material: Material) -> list[str]:
    """A note where not every class is drawn."""
    return list(filter(None, [class_rule(material.table)]))


def _heat_maps(material: Material) -> Drawn:
    frames, metric = tables_of(material), material.scores.metric.in_words
    return Drawn(
        _of_each(
            material,
            lambda model, loss, averaging: figures.heat_map(frames[model, loss], averaging),
            lambda model, loss, averaging: (
                f"{capitalised(metric)} by split and class. "
                f"The worst of each: {_worst_in_words(frames[model, loss], averaging)}."
            ),
        )
    )


def tables_of(material: Material) -> Tables:
    """Of the configurations shown."""
    return tables(material.shown_table, simulated=material.scores.simulated, metric=material.scores.metric)


def _worst_in_words(frame: pd.DataFrame, averaging: str) -> str:
    lowest = frame[averaging].min()
    where = frame[averaging].idxmin() if lowest.notna().all() else frame[averaging].fillna(2).idxmin()
    return ", ".join(f"{name} {where[name]} {lowest[name]:.2f}" for name in lowest.index)


def _dots(material: Material) -> Drawn:
    has_others = material.shown_table["split_kind"].isin(OTHER_KINDS).any()
    others = " Folds, given and matched splits stand behind f, g and m." if has_others else ""
    panels = _of_each(
        material,
        lambda model, loss, averaging: figures.dots(
            *(material.by_configuration[model, loss], model, loss, averaging, material.classes),
            metric=material.scores.metric.in_words,
        ),
        lambda *_: (
            "Every random split a dot, every held-out split a numbered marker, the mean of the random splits with its "
            f"95 % interval; by class.{others} Values in the table of this section."
        ),
    )
    return Drawn(panels, notes=_about_classes(material))


def _slopes(material: Material) -> Drawn:
    several = len(axes_of(material.table)) > 1
    panels = [
        each
        for axis, part in by_axis(material.shown_table).items()
        for each in _of_each(
            material,
            lambda model, loss, averaging, part=part: figures.slopes(  # type: ignore[misc]
                *(part, model, loss, averaging, material.classes),
                metric=material.scores.metric.in_words,
            ),
            lambda *_: (
                "A line per class from its mean over random splits to its mean over held-out splits; a dot per split."
            ),
            f", {HeldOut((axis,)).split}s" if several and axis else "",
        )
    ]
    return Drawn(panels, notes=_about_classes(material))


def _profiles(material: Material) -> Drawn:
    panels = [
        panel(
            f"{in_words(*kind)}s, {long_name(averaging)}",
            figures.profiles(
                of_kind_and_axis(material.shown_table, *kind), averaging, metric=material.scores.metric.in_words
            ),
            "Share of scores (split and class) above each value, a step line per configuration.",
        )
        for averaging in _averagings(material)
        for kind in kinds_of(material.table)
    ]
    return Drawn(panels)


def _pairs(material: Material) -> Drawn:
    ratio, rope = material.scores.test_to_train, material.rope
    panels = [
        panel(
            f"{' '.join(a)} less {' '.join(b)}, {long_name(averaging)}",
            figures.paired(
                pd.concat([material.by_configuration[a], material.by_configuration[b]]),
                *(a, b, averaging, ratio, rope, material.classes),
                metric=material.scores.metric.in_words,
            ),
            "Differences by class, a dot per random split, the mean with its 95 % interval, the region "
            "of practical equivalence as a band around zero.",
        )
        for a, b in pairs_of(material.table)
        for averaging in _averagings(material)
    ]
    unknown = "No intervals: these results do not say how many images each split trains on and tests."
    return Drawn(panels, notes=[*_about_classes(material), *[unknown] * (ratio is None)])


def _ranks(material: Material) -> Drawn:
    if lacking.comparable(material):
        return Drawn()
    panels = [
        panel(
            f"mean of classes, {long_name(averaging)}",
            figures.ranks(material.shown_table, averaging),
            "Rank on every split by the mean score over classes, among the configurations shown.",
        )
        for averaging in _averagings(material)
    ]
    return Drawn(panels)


def _learning_curves(material: Material) -> Drawn:
    scores, metric = material.scores, material.scores.metric.in_words
    panels = _of_each(
        material,
        lambda model, loss, averaging: figures_images.learning_curve(
            *(material.shares, model, loss, averaging),
            *(scores.num_trained, scores.test_to_train, material.classes),
            metric=metric,
        ),
        lambda *_: (
            f"{capitalised(metric)} by class against the number of training images, a dot per random split, the means "
            "joined."
        ),
    )
    if not lacking.held_out_shares(material):
        found = gap_curves(material.shares, scores.num_trained)
        panels += _of_each(
            material,
            lambda *place: figures_images.gap_curve(found, *place),
            lambda *_: "Gap of the mean of classes against the number of training images, with 95 % intervals.",
            ": the gap",
        )
    return Drawn(panels, notes=_about_classes(material))


OF_SCORES = {
    "scores": _heat_maps,
    "spread": _dots,
    "held_out": _slopes,
    "learning_curve": _learning_curves,
    "profiles": _profiles,
    "pairs": _pairs,
    "ranks": _ranks,
}
"""Topic -> what draws its panels."""
