"""The sections of a report that need a study behind the scores: cost, search, training, pixels and pictures."""

from __future__ import annotations

import base64
import json

import pandas as pd

from analysis.report import figures_search
from analysis.report.page import Picture, Pictures, Section, Table, panel
from analysis.report.sections import Material
from analysis.report.strips import Strip, colours, examples, strips
from analysis.scores import CONFIGURATION, NOT_OBJECTS, tuned_trials, worded_in
from analysis.statistics import search
from analysis.statistics.costs import COSTS, non_dominated, trade_off
from analysis.statistics.false_classes import false_class_matrices, false_classes, hard_images
from analysis.statistics.importance import importance
from analysis.statistics.ranks import worst_cells
from analysis.statistics.training import training
from study.errors import StudyError

NUM_LISTED = 20


def _trade_off(material: Material) -> Section:
    points = trade_off(material.facts, worded_in(material.table))
    panels = [
        panel(
            f"mean Dice of objects against {what}",
            figures_search.trade_off(_shown(_front(points, cost), material), cost, what),
            f"Mean Dice of each candidate against {what}; those that no other beats in both are joined.",
        )
        for cost, what in COSTS.items()
        if len(points)
    ]
    device = ", ".join(dict.fromkeys(points["device"])) if len(points) else "none"
    return Section(
        "cost",
        "Accuracy against cost",
        "What does a better score cost?",
        "Candidates are the configurations at every point that all cells have tried (t00: the default). Filled and "
        "joined: no other candidate is both as accurate and as cheap. Latency is of a single image, training time "
        f"of a trial, both as measured on this study's device: {device}.",
        panels,
        [material.listed("Candidates; non_dominated: in accuracy and all four costs", points, "trade_off.csv")],
    )


def _front(points: pd.DataFrame, cost: str) -> pd.DataFrame:
    """The points with `non_dominated` in accuracy and this cost alone."""
    return points.assign(non_dominated=non_dominated(points.assign(lost=-points["mean"])[["lost", cost]]))


def _shown(points: pd.DataFrame, material: Material) -> pd.DataFrame:
    return points[pd.MultiIndex.from_frame(points[CONFIGURATION]).isin(material.configurations)]


def _search(material: Material) -> Section:
    facts, startup, space = material.facts, (found := material.facts.definition.search).startup, found.space
    points = facts.completed.assign(chosen=facts.completed["trial"].isin(tuned_trials(facts.completed)["trial"]))
    nothing = int(points["index"].max()) == 0 if len(points) else True
    panels = []
    for model, loss in [] if nothing else material.configurations:
        panels += [
            panel(
                f"{model} {loss}: points tried",
                figures_search.search_points(points, model, loss, space),
                "The point of every trial, coloured by its validation objective.",
            ),
            panel(
                f"{model} {loss}: best so far",
                figures_search.search_progress(points, model, loss, startup),
                "The best validation objective of every cell by trial index.",
            ),
        ]
    return Section(
        "search",
        f"The search for {' and '.join(space) or 'better values'}",
        "Was tuning worth it, and would another split have picked the same?",
        "Each cell searches for itself, by validation images. Ringed: each cell's choice. If the rings of a "
        "configuration lie far apart, the choice is a matter of the split; the regret says what another split's "
        "choice would have cost. A gain of tuning that is below the spread over splits is no gain that you can count "
        "on.",
        panels,
        [
            material.listed(
                "Tuned less default, on test images",
                search.tuning_gain(material.runs, material.scores.test_to_train),
                "tuning_gain.csv",
                open=True,
            ),
            material.listed(
                "Transfer of the choice to another split", search.transfer(material.runs, startup), "transfer.csv"
            ),
            material.listed(
                "The point against the split: shares of the variance",
                search.tuning_shares(material.runs, startup),
                "tuning_shares.csv",
            ),
            material.listed(
                "Importance of the hyperparameters", importance(material.runs, space, material.seed), "importance.csv"
            ),
        ],
        notes=["One trial in every cell: nothing was searched."] if nothing else [],
    )


def _curves(material: Material) -> Section:
    history = material.facts.history(material.facts.chosen)
    panels = [
        panel(
            f"{model} {loss}",
            figures_search.curves(history, model, loss),
            "Validation objective and losses by epoch, a line per selected trial; the dot is the epoch that was kept.",
        )
        for model, loss in material.configurations
    ]
    return Section(
        "curves",
        "Training curves",
        "Had training settled when the weights were kept?",
        "A line per trial; the dot is the epoch whose weights were kept, the one of the lowest validation loss. Curves "
        "that still rise at the end, or jump from epoch to epoch, mean that part of the spread over splits is training "
        "that had not settled.",
        panels,
        [
            material.listed("Trials: epochs, the best one, what is odd", training(material.facts), "training.csv"),
            material.listed("Every epoch of the selected trials", history, "history.csv"),
        ],
    )


def _false_classes(material: Material) -> Section:
    matrices = false_class_matrices(material.facts)
    top = max(0.25, *(matrix.max(axis=None) for matrix in matrices.values()))
    panels = [
        panel(
            f"{model} {loss}, {material.held_out.in_words(kind)}",
            figures_search.false_class_matrix(matrix, top),
            "Share of the test images of each object (row) in which each other class (column) is falsely predicted.",
        )
        for (model, loss, kind), matrix in matrices.items()
        if (model, loss) in material.configurations
    ]
    return Section(
        "false",
        "Classes that are not there",
        "What is seen that is not there, and in images of what?",
        "A row is the object in the image, a column a class that is not in it; the number is the per cent of that "
        "object's test images in which more pixels than the tolerance are given to that class. Each such image "
        "scores that class 0, which is what pulls example-wise Dice below pixel-wise.",
        panels,
        [
            material.listed(
                "Rate by class, mean and extremes over trials", false_classes(material.facts), "false_classes.csv"
            )
        ],
    )


def _strips(material: Material) -> Section:
    classes = [name for name in dict.fromkeys(material.table["class"]) if name not in NOT_OBJECTS]
    groups, notes = [], []
    try:
        shown = strips(material.facts, _shown(examples(material.images), material))
    except StudyError as error:
        notes.append(f"{error}.")
    else:
        for model, loss in material.configurations:
            ours = [_picture(strip) for strip in shown if (strip.model, strip.loss) == (model, loss)]
            groups.append(Pictures(f"{model} {loss}", ours))
    return Section(
        "images",
        "Worst, median and best test images",
        "What does a low score look like?",
        "Image, truth, prediction, from left to right. For every class the test image with the lowest, the median "
        "and the highest Dice of that class, over all splits of the configuration. Below each: its Dice, and classes "
        "predicted that are not there.",
        pictures=groups,
        notes=notes,
        key=[(name, "#" + bytes(colour).hex()) for name, colour in colours(classes).items()],
    )


def _picture(strip: Strip) -> Picture:
    false = f"; falsely predicted: {strip.false_classes}" if strip.false_classes else ""
    caption = f"{strip.class_}, {strip.rank}: Dice {strip.dice:.2f}, {strip.split}{false}"
    alt = f"Image, truth and prediction of {strip.image}: {caption}"
    return Picture(caption, alt, base64.b64encode(strip.png).decode())


def worst(material: Material) -> Section:
    """The lowest scores; where there is a study, the lowest images too."""
    tables = [
        Table(f"The {NUM_LISTED} lowest scores", worst_cells(material.table, NUM_LISTED), "worst_cells.csv", open=True)
    ]
    if material.scores.facts is not None:
        hard = hard_images(material.images)
        tables += [
            Table(f"The {NUM_LISTED} lowest images of a trial", material.images.head(NUM_LISTED), "worst_images.csv"),
            Table(f"The {NUM_LISTED} images that are hardest for all", hard.head(NUM_LISTED), "hard_images.csv"),
        ]
    return Section(
        "worst",
        "The worst",
        "What is the worst that was met?",
        "The lowest of many scores is low by its nature: read it as what can happen, not as what is to be expected.",
        tables=tables,
    )


def provenance(material: Material) -> Section:
    facts = material.facts
    names = ["recipe_digest", "data_fingerprint", "git_commit", "device", "precision", "host"]
    counts = [
        (name, value, int(n)) for name in names for value, n in facts.trials[name].value_counts(dropna=False).items()
    ]
    versions = [json.dumps(json.loads(each), indent=2) for each in facts.trials["versions"].dropna().unique()]
    return Section(
        "provenance",
        "Where the numbers come from",
        "Which definition, data, code and machines made these numbers?",
        "The same definition, data and code give the same rows, bit for bit, on one kind of hardware; "
        "`study trial` computes any of them again and compares.",
        tables=[
            Table(
                "Trials by recipe, data, code and machine",
                pd.DataFrame(counts, columns=["what", "value", "trials"]),
                "provenance.csv",
                open=True,
            )
        ],
        texts=[("The definition", facts.definition.to_toml()), *(("Versions", each) for each in versions)],
    )


OF_A_STUDY = (_trade_off, _search, _curves, _false_classes, _strips)
"""In the order of reading; each makes a section of the material."""
