"""The figures of a report that scores alone can fill: for each topic of the catalogue, its panels."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from analysis.formats import long_name
from analysis.report import figures
from analysis.report.page import Drawn, panel
from analysis.scores import KINDS
from analysis.shown import pairs_of
from analysis.statistics.material import Material
from analysis.tables import tables


def _averagings(material: Material) -> list[str]:
    return list(dict.fromkeys(material.table["averaging"]))


def _each(material: Material) -> Iterator[tuple[str, str, str]]:
    """(model, loss, averaging) of what is shown."""
    return ((*each, averaging) for each in material.shown for averaging in _averagings(material))


def _heat_maps(material: Material) -> Drawn:
    frames = tables(material.shown_table, simulated=material.scores.simulated)
    panels = [
        panel(
            f"{model} {loss}, {long_name(averaging)}",
            figures.heat_map(frames[model, loss], averaging),
            f"Dice by split and class. The worst of each: {_worst_in_words(frames[model, loss], averaging)}.",
        )
        for model, loss, averaging in _each(material)
    ]
    return Drawn(panels)


def _worst_in_words(frame: pd.DataFrame, averaging: str) -> str:
    lowest = frame[averaging].min()
    where = frame[averaging].idxmin() if lowest.notna().all() else frame[averaging].fillna(2).idxmin()
    return ", ".join(f"{name} {where[name]} {lowest[name]:.2f}" for name in lowest.index)


def _dots(material: Material) -> Drawn:
    panels = [
        panel(
            f"{model} {loss}, {long_name(averaging)}",
            figures.dots(material.by_configuration[model, loss], model, loss, averaging),
            "Every random split a dot, every held-out split a numbered marker, the mean of the random splits with its "
            "95 % interval; by class. Values in the table of this section.",
        )
        for model, loss, averaging in _each(material)
    ]
    return Drawn(panels)


def _slopes(material: Material) -> Drawn:
    panels = [
        panel(
            f"{model} {loss}, {long_name(averaging)}",
            figures.slopes(material.by_configuration[model, loss], model, loss, averaging),
            "A line per class from its mean over random splits to each held-out split; the bars are the random splits' "
            "range.",
        )
        for model, loss, averaging in _each(material)
    ]
    return Drawn(panels)


def _profiles(material: Material) -> Drawn:
    kinds = [kind for kind in KINDS if (material.table["split_kind"] == kind).any()]
    panels = [
        panel(
            f"{material.held_out.in_words(kind)}, {long_name(averaging)}",
            figures.profiles(material.shown_table, averaging, kind),
            "Share of scores (split and object class) above each Dice, a step line per configuration.",
        )
        for averaging in _averagings(material)
        for kind in kinds
    ]
    return Drawn(panels)


def _pairs(material: Material) -> Drawn:
    ratio, rope = material.scores.test_to_train, material.rope
    panels = [
        panel(
            f"{' '.join(a)} less {' '.join(b)}, {long_name(averaging)}",
            figures.paired(
                pd.concat([material.by_configuration[a], material.by_configuration[b]]), a, b, averaging, ratio, rope
            ),
            "Differences by class, a dot per random split, the mean with its corrected 95 % interval, the region "
            "of practical equivalence as a band around zero.",
        )
        for a, b in pairs_of(material.table)
        for averaging in _averagings(material)
    ]
    unknown = "No intervals: these results do not say how many images each split trains on and tests."
    return Drawn(panels, notes=[] if ratio else [unknown])


def _ranks(material: Material) -> Drawn:
    if len(material.shown) < 2:
        return Drawn()
    panels = [
        panel(
            f"mean of objects, {long_name(averaging)}",
            figures.ranks(material.shown_table, averaging),
            "Rank on every split by the mean Dice over object classes, among the configurations shown.",
        )
        for averaging in _averagings(material)
    ]
    return Drawn(panels)


OF_SCORES = {
    "scores": _heat_maps,
    "spread": _dots,
    "held_out": _slopes,
    "profiles": _profiles,
    "pairs": _pairs,
    "ranks": _ranks,
}
"""Topic -> what draws its panels."""
