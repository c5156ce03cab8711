"""What is predicted that is not there, and which test images go worst: from the pixel counts of every image.

A class is falsely predicted in an image whose truth lacks it when more pixels than the noise tolerance are given to it
(section 3.4): then it counts, with a Dice of 0. Background is left out: it is in every image.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.facts import Counts, Facts
from analysis.stability import CONFIGURATION
from analysis.tables import class_order
from trainers.dice import tolerance

IMAGE = ["image", "class"]


@dataclass(frozen=True)
class TrialImages:
    """A trial's N test images: which of the K object classes each shows, and which are falsely predicted in it."""

    factors: dict[str, object]
    images: list[str]
    classes: list[str]
    true_NK: NDArray[np.bool_]
    false_NK: NDArray[np.bool_]
    dice_NK: NDArray[np.float64]
    """Dice of each class in each image; NaN where the image does not show it."""


def trial_images(facts: Facts) -> Iterator[TrialImages]:
    """The test images of every selected trial. Raises AnalysisError if a trial's pixel counts are gone."""
    epsilon = facts.definition.training.epsilon if facts.epsilon is None else facts.epsilon
    factors = facts.selected.set_index("trial")[[*CONFIGURATION, "split", "split_kind", "seed"]]
    for trial, (images, classes, counts) in facts.counts(facts.chosen).items():
        yield _of_trial({"trial": trial} | factors.loc[trial].to_dict(), images, classes, counts, epsilon)


def _of_trial(
    factors: dict[str, object], images: list[str], classes: list[str], counts_NKK: Counts, epsilon: float
) -> TrialImages:
    truth, predicted = counts_NKK.sum(2)[:, 1:], counts_NKK.sum(1)[:, 1:]
    right = np.einsum("nkk->nk", counts_NKK)[:, 1:]
    tolerances = np.array([tolerance(epsilon, int(pixels)) for pixels in counts_NKK.sum((1, 2))])
    true = truth > 0
    dice = np.where(true, 2 * right / np.maximum(truth + predicted, 1), np.nan)
    return TrialImages(factors, images, classes[1:], true, ~true & (predicted > tolerances[:, None]), dice)


def false_classes(facts: Facts) -> pd.DataFrame:
    """How often each object class is predicted where it is not. One row per configuration, kind of split and class.

    rate                the share of the images without the class in which it is falsely predicted: mean over trials
    rate_low, rate_high its extremes over the trials
    share               the class's share of all false predictions of that configuration and kind
    num_trials, num_images (without the class, over all trials), num_false
    """
    rows = []
    for each in trial_images(facts):
        absent, false = (~each.true_NK).sum(0), each.false_NK.sum(0)
        counts = zip(each.classes, absent, false, strict=True)
        rows += [each.factors | {"class": name, "num_images": int(n), "num_false": int(f)} for name, n, f in counts]
    of_trial = pd.DataFrame(rows, columns=["trial", *CONFIGURATION, "split_kind", "class", "num_images", "num_false"])
    of_trial["rate"] = of_trial["num_false"] / of_trial["num_images"].where(of_trial["num_images"] > 0)
    groups = of_trial.groupby([*CONFIGURATION, "split_kind", "class"], sort=False)
    found = groups.agg(
        num_trials=("trial", "count"),
        num_images=("num_images", "sum"),
        num_false=("num_false", "sum"),
        rate=("rate", "mean"),
        rate_low=("rate", "min"),
        rate_high=("rate", "max"),
    )
    total = found.groupby([*CONFIGURATION, "split_kind"], sort=False)["num_false"].transform("sum")
    found["share"] = found["num_false"] / total.where(total > 0)
    return found.reset_index()


def false_class_matrices(facts: Facts) -> dict[tuple[str, str, str], pd.DataFrame]:
    """(model, loss, split kind) -> true object x falsely predicted class.

    A value is the share of the true object's test images, over all trials of that kind, in which the class is falsely
    predicted; NaN where the image shows the class itself (the diagonal), and in the row of an object in no test image.
    """
    sums: dict[tuple[str, str, str], tuple[list[str], NDArray[np.float64], NDArray[np.float64]]] = {}
    for each in trial_images(facts):
        key = (str(each.factors["model"]), str(each.factors["loss"]), str(each.factors["split_kind"]))
        zeros = np.zeros((len(each.classes), len(each.classes)))
        _, false, possible = sums.setdefault(key, (each.classes, zeros.copy(), zeros.copy()))
        true = each.true_NK.astype(float)
        false += true.T @ each.false_NK
        possible += true.T @ ~each.true_NK
    return {
        key: pd.DataFrame(
            np.divide(false, possible, out=np.full(false.shape, np.nan), where=possible > 0),
            index=pd.Index(classes, name="true"),
            columns=pd.Index(classes, name="falsely predicted"),
        ).loc[sorted(classes, key=class_order), sorted(classes, key=class_order)]
        for key, (classes, false, possible) in sums.items()
    }


def image_scores(facts: Facts) -> pd.DataFrame:
    """Dice of every object in every test image that shows it: trial, its factors, image, class, dice, false_classes.

    false_classes are the names of the classes falsely predicted in the image, a word each. The lowest scores first.
    """
    rows = []
    for each in trial_images(facts):
        for image, k in np.argwhere(each.true_NK):
            names = " ".join(each.classes[j] for j in np.flatnonzero(each.false_NK[image]))
            place = {"image": each.images[image], "class": each.classes[k], "dice": each.dice_NK[image, k]}
            rows.append(each.factors | place | {"false_classes": names})
    columns = ["trial", *CONFIGURATION, "split", "split_kind", "seed", *IMAGE, "dice", "false_classes"]
    return pd.DataFrame(rows, columns=columns).sort_values(["dice", "trial", "image"], ignore_index=True)


def hard_images(scores: pd.DataFrame) -> pd.DataFrame:
    """Images that are hard for every configuration, from `image_scores`: image, class, num_trials that tested it,
    mean and lowest Dice over those trials, the share of them with a falsely predicted class; the hardest first.
    """
    marked = scores.assign(with_false=scores["false_classes"] != "")
    groups = marked.groupby(IMAGE, sort=False)
    found = groups.agg(
        num_trials=("trial", "count"), mean=("dice", "mean"), lowest=("dice", "min"), with_false=("with_false", "mean")
    )
    return found.reset_index().sort_values(["mean", "image"], ignore_index=True)
