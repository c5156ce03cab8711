"""Which purchase makes a mean surest: one more split, one more seed on each, or more images?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.classes import MACRO
from analysis.scores import CONFIGURATION, Floats
from analysis.statistics.causes import ImagePart, Key, by_configuration, components
from analysis.statistics.spread import Refusal

NOW, SPLIT, SEED, IMAGES = "as it is", "one more split", "one more seed on each", "twice the images"
COLUMNS = [*CONFIGURATION, "averaging", "purchase", "num_trials", "se", "se_elsewhere", "gain_per_trial"]


def purchases(table: pd.DataFrame, images: Mapping[Key, ImagePart] | None = None) -> pd.DataFrame:
    """The mean of classes, as it is and after each purchase: one row per configuration, averaging and purchase.

    num_trials         that it takes: R for a split, S for a seed on each, and all S R anew for other images
    se                 of the mean over S splits and R seeds, for other random splits of these images:
                       se^2 = v_split / S + v_seed / (S R)
    se_elsewhere       for other images like these: se^2 + v_images * tested / all, as the test images have the same
                       difficulty in every split and no number of splits averages it out. It is the least that it may
                       be: training on other images may add to it. NaN where no pixel counts are kept
    gain_per_trial     by how much se falls, over num_trials

    What is predicted takes the estimates of `causes.components` for the truth. Twice the images halve the images'
    part; the rest of the split's is taken to stay.
    """
    rows = []
    for (model, loss, averaging, name), scores in by_configuration(table):
        if name == MACRO and not isinstance(scores, Refusal):
            key = {"model": model, "loss": loss, "averaging": averaging}
            part = (images or {}).get((model, loss, averaging, name))
            rows += [key | row for row in _rows(scores[0], part)]
    return pd.DataFrame(rows, columns=COLUMNS)


def predicted_se(v_split: float, v_seed: float, num_splits: int, num_seeds: int) -> float:
    """Of the mean over so many splits and seeds: sqrt(v_split / S + v_seed / (S R))."""
    return float(np.sqrt((v_split + v_seed / num_seeds) / num_splits))


def _rows(scores_SR: Floats, part: ImagePart | None) -> list[dict[str, Any]]:
    (s, r), (split, seed) = scores_SR.shape, components(scores_SR)
    sampling = part.sampling if part else np.nan
    shared = 1 - part.share_left if part else np.nan
    between_images = min(split, sampling * (1 - shared)) if part else 0.0
    offers = [(NOW, 0, s, r, split, sampling), (SPLIT, r, s + 1, r, split, sampling)]
    offers += [(SEED, s, s, r + 1, split, sampling)]
    offers += [(IMAGES, s * r, s, r, split - between_images / 2, sampling / 2)] * bool(part)
    found: list[dict[str, Any]] = []
    for purchase, num_trials, splits, seeds, of_split, of_images in offers:
        se = predicted_se(of_split, seed, splits, seeds)
        elsewhere = float(np.sqrt(se**2 + of_images * shared))
        gained = (found[0]["se"] - se) / num_trials if found else np.nan
        row = {"purchase": purchase, "num_trials": num_trials, "se": se, "se_elsewhere": elsewhere}
        found.append(row | {"gain_per_trial": gained})
    return found
