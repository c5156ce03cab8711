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
from analysis.metric import DICE, SURFACE, Metric
from study.definition import Definition
from study.results import Results
from study.selection import cost_column
from trainers.boundaries import FARTHER, SIDES
from trainers.data.class_names import BACKGROUNDS
from trainers.data.size import Size
from trainers.dice import (
    ALL,
    AVERAGINGS,
    BACKGROUND,
    ClassScores,
    Counts,
    ImageCounts,
    Ratio,
    image_counts,
    scores_of_shown,
)

DICE_COLUMNS = {averaging: f"dice_{averaging}" for averaging in AVERAGINGS}
FACTORS = ["trial", "model", "loss", "split", "split_kind", "axis", "seed"]
MASK_OVERHEAD = 4096
"""Bytes that a mask and its names may take beyond a byte a pixel."""


@dataclass(frozen=True)
class TrialImages:
    """A trial's N test images: which of the K classes each shows, and which are falsely predicted in it."""

    factors: dict[str, object]
    images: list[str]
    classes: list[str]
    true_NK: NDArray[np.bool_]
    false_NK: NDArray[np.bool_]
    score_NK: NDArray[np.float64]
    """Of each class in each image, by the metric asked for; NaN where the image does not show it, or says nothing."""
    found_NK: NDArray[np.bool_]
    """Whether a pixel of the class is found."""
    object_share: float
    """Of the pixels of its predictions, those that are not background."""
    alone: str
    """The class as which all pixels are predicted; empty where they are several."""
    predicted_K: Counts
    """How many pixels, over all its images, are predicted as each class."""


@dataclass(frozen=True)
class Counted:
    """What is counted in a trial's N test images of its K classes, and what the metric asked for makes of it."""

    images: list[str]
    classes: list[str]
    """The background first where there is one."""
    pixels: ImageCounts
    ratio: Ratio


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
    """The noise tolerance that was asked for; None: the study's."""
    metric: Metric = DICE
    """What the scores measure."""

    @property
    def noise_tolerance(self) -> float:
        """The noise tolerance under which scores are computed."""
        return self.definition.training.epsilon if self.epsilon is None else self.epsilon

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
        """Test scores of these trials, tidy: columns of `FACTORS`, averaging, class, dice (the score, whatever the
        metric); in the order of the ids."""
        names = ["trial", "partition", "class", *DICE_COLUMNS.values()]
        stored = self.results.read("dice", trial_ids, names).filter(pc.field("partition") == "test")
        wide = stored.select(["trial", "class", *DICE_COLUMNS.values()]).to_pandas()
        wide["class"] = wide["class"].map(self.class_name)
        if self.epsilon is not None or not self.metric.is_dice:
            wide = self._recomputed(wide)
        long = wide.rename(columns={name: averaging for averaging, name in DICE_COLUMNS.items()})
        long = long.melt(["trial", "class"], list(DICE_COLUMNS), var_name="averaging", value_name="dice")
        return in_class_order(self._factors(trial_ids).merge(long, on="trial"))

    @cached_property
    def runs(self) -> pd.DataFrame:
        """Test scores of every completed trial: `test_scores` with index, point (JSON), validation objective, and cost
        (0 where the search does not go by one)."""
        column = cost_column(self.definition.search.objectives)
        completed = self.completed.assign(cost=self.completed[column] if column else 0.0)
        points = completed[["trial", "index", "point", "objective", "cost"]]
        return self.test_scores(list(points["trial"])).merge(points, on="trial")

    def counts(self, trial_ids: Collection[str]) -> dict[str, Counted]:
        """Trial -> what is counted in its test images. Raises AnalysisError for a trial of which that is not kept."""
        of_trial = self._counted_rows("confusion", trial_ids, ["trial", "image", "truth", "predicted"])
        if lacking := [trial for trial in trial_ids if trial not in of_trial]:
            raise AnalysisError(
                f"{self.results.out}: {lacking[0]} has no pixel counts in confusion/: bring that table back, or ask "
                "for what needs the scores alone"
            )
        scored = self.results.read("dice", trial_ids, ["trial", "class"]).to_pandas()
        classes = {str(t): [c for c in dict.fromkeys(part) if c != ALL] for t, part in scored.groupby("trial")["class"]}
        of_boundaries = self._boundary_rows(trial_ids) if self.metric.name == SURFACE else {}
        found = {}
        for trial in trial_ids:
            images, names, counts_NKK = _confusion(of_trial[trial], classes[trial])
            boundaries = _boundaries(of_boundaries[trial], images, names) if of_boundaries else None
            pixels = image_counts(counts_NKK, self.noise_tolerance)
            shown_names = [*map(self.class_name, names)]
            found[trial] = Counted(images, shown_names, pixels, self.metric.ratio(pixels, boundaries))
        return found

    def _counted_rows(
        self, table: str, trial_ids: Collection[str], names: list[str], numbers: Sequence[str] = ()
    ) -> dict[str, pd.DataFrame]:
        """Trial -> its rows of a table of pixels, of test images: these columns, and pixels."""
        columns = [*names, "partition", *numbers, "pixels"]
        rows = self.results.read(table, trial_ids, columns).filter(pc.field("partition") == "test")
        frame = rows.to_pandas(categories=names)
        return {str(trial): part for trial, part in frame.groupby("trial", observed=True, sort=False)}

    def _boundary_rows(self, trial_ids: Collection[str]) -> dict[str, pd.DataFrame]:
        """Trial -> its rows of `boundary`, of test images. Raises AnalysisError for a trial that has none."""
        of_trial = self._counted_rows("boundary", trial_ids, ["trial", "image", "class", "side"], ["distance"])
        if lacking := [trial for trial in trial_ids if trial not in of_trial]:
            why = "simulated trials have none" if self.definition.simulate else "an earlier version ran them"
            raise AnalysisError(
                f"{self.results.out}: {len(lacking)} of {len(trial_ids)} trials ({lacking[0]}, for one) keep no "
                f"boundaries, as {why}: the surface Dice needs trials that are trained by this version, in another OUT"
            )
        return of_trial

    @cached_property
    def test_images(self) -> list[TrialImages]:
        """The test images of every selected trial. Raises AnalysisError if a trial's pixel counts are gone."""
        factors = self.selected.set_index("trial")[FACTORS[1:]]
        return [
            _of_trial({"trial": trial} | factors.loc[trial].to_dict(), counted)
            for trial, counted in self.counts(self.chosen).items()
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

    def _recomputed(self, stored: pd.DataFrame) -> pd.DataFrame:
        """The rows of `stored` with the scores that the trials' counts give by the metric and under the tolerance that
        were asked for."""
        counts = self.counts(list(dict.fromkeys(stored["trial"])))
        frames = [
            _scores_of(trial, scores_of_shown(each.pixels, each.ratio), each.classes) for trial, each in counts.items()
        ]
        return pd.concat(frames, ignore_index=True) if frames else stored


def _of_trial(factors: dict[str, object], counted: Counted) -> TrialImages:
    classes, pixels = counted.classes, counted.pixels
    first = int(classes[0] in BACKGROUNDS)
    predicted_K = pixels.predicted.sum(0)
    return TrialImages(
        factors,
        counted.images,
        classes[first:],
        true_NK=pixels.shown[:, first:],
        false_NK=pixels.false[:, first:],
        score_NK=np.where(pixels.shown, counted.ratio.values, np.nan)[:, first:],
        found_NK=pixels.true_positives[:, first:] > 0,
        object_share=float(predicted_K[first:].sum() / predicted_K.sum()),
        alone=classes[int(predicted_K.argmax())] if np.count_nonzero(predicted_K) == 1 else "",
        predicted_K=predicted_K[first:],
    )


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


def _boundaries(rows: pd.DataFrame, images: list[str], classes: list[str]) -> Counts:
    """One trial's boundary pixels as `boundary_distances` counts them."""
    counts = np.zeros((len(images), len(classes), len(SIDES), FARTHER + 1), np.int64)
    names = (("image", images), ("class", classes), ("side", SIDES))
    places = [pd.Index(known).get_indexer(rows[column].astype(str)) for column, known in names]
    if any(len(place) and place.min() < 0 for place in places):
        raise AnalysisError(
            f"{rows['trial'].iloc[0]}: its boundaries in boundary/ are of other images or classes than its pixel "
            "counts in confusion/; move that trial's files away and run the study again"
        )
    distance = rows["distance"].fillna(FARTHER).to_numpy(int)
    np.add.at(counts, (*places, distance), rows["pixels"].to_numpy())
    return counts


def _scores_of(trial: str, scores: ClassScores, classes: Sequence[str]) -> pd.DataFrame:
    columns = {name: [*getattr(scores, of), getattr(scores, f"all_{of}")] for of, name in DICE_COLUMNS.items()}
    return pd.DataFrame({"trial": trial, "class": [*classes, ALL], **columns})


def _label_map(png: bytes, size: Size) -> NDArray[np.uint8]:
    """Decode a predicted mask: one byte a pixel, shape (H, W). Raises AnalysisError if it is no such image."""
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            if image.mode != "L" or image.size != size[::-1]:
                raise AnalysisError(f"a predicted mask is not a label map: mode {image.mode}, size {image.size}")
            return np.asarray(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise AnalysisError(f"a predicted mask cannot be decoded: {error}") from None
