"""What a study keeps beside its scores: trials, pixel counts of every image, training curves, predicted masks."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from PIL import Image

from analysis.classes import in_class_order
from analysis.errors import AnalysisError
from study.definition import Definition
from study.results import Results
from study.selection import cost_column
from trainers.data.class_names import BACKGROUNDS
from trainers.data.size import Size
from trainers.dice import ALL, AVERAGINGS, BACKGROUND, DiceScores, dice_of_shown, image_scores

DICE_COLUMNS = {averaging: f"dice_{averaging}" for averaging in AVERAGINGS}
FACTORS = ["trial", "model", "loss", "split", "split_kind", "axis", "seed"]
MASK_OVERHEAD = 4096
"""Bytes that a mask and its names may take beyond a byte a pixel."""

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class TrialImages:
    """A trial's N test images: which of the K classes each shows, and which are falsely predicted in it."""

    factors: dict[str, object]
    images: list[str]
    classes: list[str]
    true_NK: NDArray[np.bool_]
    false_NK: NDArray[np.bool_]
    dice_NK: NDArray[np.float64]
    """Dice of each class in each image; NaN where the image does not show it."""
    object_share: float
    """Of the pixels of its predictions, those that are not background."""
    alone: str
    """The class as which all pixels are predicted; empty where they are several."""
    predicted_K: Counts
    """How many pixels, over all its images, are predicted as each class."""


@dataclass(frozen=True)
class Facts:
    """The rows of a study at OUT. Tables are read when asked for, and only the trials that are asked for."""

    results: Results
    """Where they are read."""
    definition: Definition
    """What was to be run."""
    trials: pd.DataFrame
    """A row for each committed trial of the definition, with halving for each whole training that has come so far, with
    the columns of OUT/trials."""
    chosen: tuple[str, ...]
    """The trials whose scores were selected, by id; not those on shares of the training images."""
    rungs: pd.DataFrame = field(default_factory=pd.DataFrame)
    """The same columns, of the beginnings of trainings, which successive halving compares."""
    epsilon: float | None = None
    """The noise tolerance to recompute scores under; None takes the stored ones."""

    @property
    def completed(self) -> pd.DataFrame:
        """The rows of `trials` that have scores, those on shares of the training images apart."""
        whole = self.trials["split_kind"] != "share"
        return self.trials[whole & (self.trials["status"] == "completed")]

    @property
    def selected(self) -> pd.DataFrame:
        """The rows of `trials` that were selected."""
        return self.trials[self.trials["trial"].isin(self.chosen)]

    def class_name(self, stored: str) -> str:
        """A class of the tables in the user's words: the background of label maps by its whole name."""
        pairs = self.definition.data.pairs
        named = pairs is not None and BACKGROUND not in (pairs.background, *(pairs.classes or ()))
        return BACKGROUNDS[1] if stored == BACKGROUND and named else stored

    def test_scores(self, trial_ids: Collection[str]) -> pd.DataFrame:
        """Test Dice of these trials, tidy: columns of `FACTORS`, averaging, class, dice; in the order of the ids."""
        names = ["trial", "partition", "class", *DICE_COLUMNS.values()]
        stored = self.results.read("dice", trial_ids, names).filter(pc.field("partition") == "test")
        wide = stored.select(["trial", "class", *DICE_COLUMNS.values()]).to_pandas()
        wide["class"] = wide["class"].map(self.class_name)
        if self.epsilon is not None:
            wide = self._recomputed(wide, self.epsilon)
        long = wide.rename(columns={name: averaging for averaging, name in DICE_COLUMNS.items()})
        long = long.melt(["trial", "class"], list(DICE_COLUMNS), var_name="averaging", value_name="dice")
        return in_class_order(self._factors(trial_ids).merge(long, on="trial"))

    @cached_property
    def runs(self) -> pd.DataFrame:
        """Test Dice of every completed trial: `test_scores` with index, point (JSON), validation objective, and cost
        (0 where the search does not go by one)."""
        column = cost_column(self.definition.search.objectives)
        completed = self.completed.assign(cost=self.completed[column] if column else 0.0)
        points = completed[["trial", "index", "point", "objective", "cost"]]
        return self.test_scores(list(points["trial"])).merge(points, on="trial")

    def counts(self, trial_ids: Collection[str]) -> dict[str, tuple[list[str], list[str], Counts]]:
        """Trial -> its test images, its classes (the background first where there is one), and pixel counts [image,
        truth, predicted].

        Raises AnalysisError for a trial that has none.
        """
        columns = ["trial", "partition", "image", "truth", "predicted", "pixels"]
        rows = self.results.read("confusion", trial_ids, columns).filter(pc.field("partition") == "test")
        frame = rows.to_pandas(categories=["trial", "image", "truth", "predicted"])
        of_trial = {str(trial): part for trial, part in frame.groupby("trial", observed=True, sort=False)}
        if lacking := [trial for trial in trial_ids if trial not in of_trial]:
            raise AnalysisError(
                f"{self.results.out}: {lacking[0]} has no pixel counts in confusion/: bring that table back, or ask "
                "for what needs the scores alone"
            )
        scored = self.results.read("dice", trial_ids, ["trial", "class"]).to_pandas()
        classes = {str(t): [c for c in dict.fromkeys(part) if c != ALL] for t, part in scored.groupby("trial")["class"]}
        found = {trial: _confusion(of_trial[trial], classes[trial]) for trial in trial_ids}
        return {trial: (images, [*map(self.class_name, names)], k) for trial, (images, names, k) in found.items()}

    @cached_property
    def test_images(self) -> list[TrialImages]:
        """The test images of every selected trial. Raises AnalysisError if a trial's pixel counts are gone."""
        epsilon = self.definition.training.epsilon if self.epsilon is None else self.epsilon
        factors = self.selected.set_index("trial")[FACTORS[1:]]
        return [
            _of_trial({"trial": trial} | factors.loc[trial].to_dict(), images, classes, counts, epsilon)
            for trial, (images, classes, counts) in self.counts(self.chosen).items()
        ]

    def history(self, trial_ids: Collection[str]) -> pd.DataFrame:
        """The trials' epochs: the columns of OUT/history, the trials' factors, and the epoch that was selected."""
        epochs: pd.DataFrame = self.results.read("history", trial_ids).to_pandas()
        selected = self.trials[["trial", "selected_epoch"]]
        return self._factors(trial_ids).merge(epochs, on="trial").merge(selected, on="trial")

    def provenance(self) -> pd.DataFrame:
        """How many trials have each recipe, data set, code and machine: columns what, value, trials."""
        names = ["recipe_digest", "data_fingerprint", "git_commit", "device", "precision", "deterministic", "host"]
        counts = [(n, value, int(k)) for n in names for value, k in self.trials[n].value_counts(dropna=False).items()]
        return pd.DataFrame(counts, columns=["what", "value", "trials"])

    def masks(self, trial_id: str, images: Sequence[str]) -> dict[str, NDArray[np.uint8]]:
        """The trial's predicted label maps of these test images, shape (H, W).

        Raises StudyError or AnalysisError where they are not what a study of this image size writes.
        """
        size = self.definition.training.size
        (num_test,) = self.trials.loc[self.trials["trial"] == trial_id, "num_test"]
        stored = self.results.read_trial("masks", trial_id, int(num_test) * (size.pixels + MASK_OVERHEAD))
        rows = stored.filter(pc.field("image").isin(pa.array(images, pa.string())))
        return {row["image"]: _label_map(row["mask"], size) for row in rows.to_pylist()}

    def _factors(self, trial_ids: Collection[str]) -> pd.DataFrame:
        """The columns FACTORS of these trials, in their order."""
        return self.trials.set_index("trial").loc[list(trial_ids)].reset_index()[FACTORS]

    def _recomputed(self, stored: pd.DataFrame, epsilon: float) -> pd.DataFrame:
        """The rows of `stored` with the scores that the trials' pixel counts give under another noise tolerance."""
        counts = self.counts(list(dict.fromkeys(stored["trial"])))
        frames = [
            _scores_of(trial, dice_of_shown(kept, epsilon), classes) for trial, (_, classes, kept) in counts.items()
        ]
        return pd.concat(frames, ignore_index=True) if frames else stored


def _of_trial(
    factors: dict[str, object], images: list[str], classes: list[str], counts_NKK: Counts, epsilon: float
) -> TrialImages:
    found = image_scores(counts_NKK, epsilon)
    first = int(classes[0] in BACKGROUNDS)
    shown, false = found.shown[:, first:], found.false[:, first:]
    dice = np.where(shown, found.dice[:, first:], np.nan)
    predicted_K = counts_NKK.sum((0, 1))
    object_share = float(predicted_K[first:].sum() / predicted_K.sum())
    alone = classes[int(predicted_K.argmax())] if np.count_nonzero(predicted_K) == 1 else ""
    return TrialImages(factors, images, classes[first:], shown, false, dice, object_share, alone, predicted_K[first:])


def _confusion(rows: pd.DataFrame, classes: list[str]) -> tuple[list[str], list[str], Counts]:
    """One trial's images in the order of the rows, its classes, and its counts, shape (N, K, K)."""
    image, codes = pd.factorize(rows["image"].cat.codes)
    names = [str(name) for name in rows["image"].cat.categories[codes]]
    truth, predicted = (pd.Index(classes).get_indexer(rows[side].astype(str)) for side in ("truth", "predicted"))
    if min(truth.min(), predicted.min()) < 0:
        raise AnalysisError(
            f"{rows['trial'].iloc[0]}: its pixel counts in confusion/ name a class that its scores in dice/ lack; "
            "move that trial's files away and run the study again"
        )
    counts = np.zeros((len(names), len(classes), len(classes)), dtype=np.int64)
    np.add.at(counts, (image, truth, predicted), rows["pixels"].to_numpy())
    return names, classes, counts


def _scores_of(trial: str, scores: DiceScores, classes: Sequence[str]) -> pd.DataFrame:
    columns = {name: [*getattr(scores, of), getattr(scores, f"all_{of}")] for of, name in DICE_COLUMNS.items()}
    return pd.DataFrame({"trial": trial, "class": [*classes, ALL], **columns})


def _label_map(png: bytes, size: Size) -> NDArray[np.uint8]:
    """Decode a predicted mask: one byte a pixel, shape (H, W). Raises AnalysisError if it is no such image."""
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            if image.mode != "L" or image.size != size[::-1]:
                raise AnalysisError(f"a predicted mask is no label map: mode {image.mode}, size {image.size}")
            return np.asarray(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise AnalysisError(f"a predicted mask cannot be decoded: {error}") from None
