"""What is predicted that is not there, and which test images go worst: from the pixel counts of every image.

A class is falsely predicted in an image whose truth lacks it when more pixels than the noise tolerance are given to it
(section 3.4): then it counts, with a Dice of 0. Background is left out: it is in every image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.facts import Facts
from analysis.scores import CONFIGURATION
from trainers.dice import Counts, class_order

IMAGE = ["image", "class"]
_SPLITS = [*CONFIGURATION, "split_kind", "axis"]
OfSplits = tuple[str, str, str, str]
"""(model, loss, kind of split, axis)"""


def false_classes(facts: Facts) -> pd.DataFrame:
    """How often each class is predicted where it is not. One row per configuration, kind of split, axis, class.

    rate                the share of the images without the class in which it is falsely predicted: mean over trials
    rate_low, rate_high its extremes over the trials
    share               the class's share of all false predictions of that configuration, kind and axis
    num_trials, num_images (without the class, over all trials), num_false
    """
    rows = []
    for each in facts.test_images:
        absent, false = (~each.true_NK).sum(0), each.false_NK.sum(0)
        counts = zip(each.classes, absent, false, strict=True)
        rows += [each.factors | {"class": name, "num_images": int(n), "num_false": int(f)} for name, n, f in counts]
    of_trial = pd.DataFrame(rows, columns=["trial", *_SPLITS, "class", "num_images", "num_false"])
    of_trial["rate"] = of_trial["num_false"] / of_trial["num_images"].where(of_trial["num_images"] > 0)
    groups = of_trial.groupby([*_SPLITS, "class"], sort=False)
    found = groups.agg(
        num_trials=("trial", "count"),
        num_images=("num_images", "sum"),
        num_false=("num_false", "sum"),
        rate=("rate", "mean"),
        rate_low=("rate", "min"),
        rate_high=("rate", "max"),
    )
    total = found.groupby(_SPLITS, sort=False)["num_false"].transform("sum")
    found["share"] = found["num_false"] / total.where(total > 0)
    return found.reset_index()


@dataclass(frozen=True)
class FalseClasses:
    """True class (rows) x falsely predicted class (columns), over all trials of a configuration, kind and axis."""

    num_false: pd.DataFrame
    """Test images that show the one, not the other, and in which the other is predicted."""
    num_images: pd.DataFrame
    """Test images that show the one, not the other."""

    @property
    def shares(self) -> pd.DataFrame:
        """NaN where there is no such image; so on the diagonal, and in the row of a class in no test image."""
        return self.num_false / self.num_images.where(self.num_images > 0)


def false_class_matrices(facts: Facts) -> dict[OfSplits, FalseClasses]:
    """For each configuration, kind and axis of split: what is seen in images of what. An image counts once for each
    trial that tested it."""
    sums: dict[OfSplits, tuple[list[str], Counts, Counts]] = {}
    for each in facts.test_images:
        model, loss, kind, axis = (str(each.factors[name]) for name in _SPLITS)
        zeros = np.zeros((len(each.classes), len(each.classes)), np.int64)
        _, false, possible = sums.setdefault((model, loss, kind, axis), (each.classes, zeros.copy(), zeros.copy()))
        true = each.true_NK.astype(np.int64)
        false += true.T @ each.false_NK
        possible += true.T @ ~each.true_NK
    return {
        key: FalseClasses(*(_in_order(counts, classes) for counts in (false, possible)))
        for key, (classes, false, possible) in sums.items()
    }


def _in_order(counts: Counts, classes: list[str]) -> pd.DataFrame:
    rows, columns = pd.Index(classes, name="true"), pd.Index(classes, name="falsely predicted")
    return pd.DataFrame(counts, rows, columns).loc[class_order(classes), class_order(classes)]


def as_rows(matrices: dict[OfSplits, FalseClasses]) -> pd.DataFrame:
    """The shares below each other; a class `mug` that is falsely predicted has the column `mug seen`. num_images:
    images of the true class that lack some other."""
    frames = []
    for (model, loss, kind, axis), found in matrices.items():
        shares = found.shares.add_suffix(" seen").rename_axis(index="true class", columns=None).reset_index()
        shares.insert(1, "num_images", found.num_images.max(axis=1).to_numpy())
        place = pd.DataFrame({"model": model, "loss": loss, "split_kind": kind, "axis": axis}, index=shares.index)
        frames.append(place.join(shares))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def image_scores(facts: Facts) -> pd.DataFrame:
    """The score of every class in every test image that shows it: trial, its factors, image, class, dice (the score,
    whatever the metric; an image that says nothing is left out), false_classes.

    false_classes are the names of the classes falsely predicted in the image, a word each. The lowest scores first.
    """
    rows = []
    for each in facts.test_images:
        for image, k in np.argwhere(~np.isnan(each.score_NK)):
            names = " ".join(each.classes[j] for j in np.flatnonzero(each.false_NK[image]))
            place = {"image": each.images[image], "class": each.classes[k], "dice": each.score_NK[image, k]}
            rows.append(each.factors | place | {"false_classes": names})
    columns = ["trial", *CONFIGURATION, "split", "split_kind", "seed", *IMAGE, "dice", "false_classes"]
    return pd.DataFrame(rows, columns=columns).sort_values(["dice", "trial", "image"], ignore_index=True)


def hard_images(scores: pd.DataFrame) -> pd.DataFrame:
    """Images that are hard for every configuration, from `image_scores`: image, class, num_trials that tested it,
    mean and lowest score over those trials, the share of them with a falsely predicted class; the hardest first.
    """
    marked = scores.assign(with_false=scores["false_classes"] != "")
    groups = marked.groupby(IMAGE, sort=False)
    found = groups.agg(
        num_trials=("trial", "count"), mean=("dice", "mean"), lowest=("dice", "min"), with_false=("with_false", "mean")
    )
    return found.reset_index().sort_values(["mean", "image"], ignore_index=True)
