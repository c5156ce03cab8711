"""Cut-outs as a source: objects at the working size, each pasted before a part of a background."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trainers.data.cut_outs.catalogue import Catalogue
from trainers.data.cut_outs.compositing import composite, cut_out, random_crops, whole_background
from trainers.data.cut_outs.reading import Reading
from trainers.data.cut_outs.scenes import NOTHING_HELD_OUT, Background, SceneRules, assigned, pools_of, scene_problems
from trainers.data.pixels import Pixels, resized
from trainers.data.problems import DataError
from trainers.data.size import Size
from trainers.data.split import Split
from trainers.data.table import Samples

BACKGROUND_SIDES = 4
"""Backgrounds are kept with a shorter side of at most this many working sizes."""


@dataclass(frozen=True, eq=False)
class CutOuts:
    """Objects and backgrounds, decoded once. N samples, H x W pixels, C = 3 colours; every array is read-only."""

    samples: Samples
    objects_NHWC: Pixels
    """The object's colours times its coverage."""
    coverage_NHW: Pixels
    """The share of each pixel that the object covers, 0 to 255."""
    labels_NHW: Pixels
    """The class id where the mask is (resized by nearest pixel), else 0."""
    views: tuple[Background, ...]
    backgrounds: tuple[Pixels, ...]
    """One (height, width, 3) array for each of `views`, of its own size."""
    rules: SceneRules
    index: dict[str, int] = field(init=False)
    """The row of each sample's id."""
    places: dict[str, int] = field(init=False)
    """The place of each background's id."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", {sample.id: row for row, sample in enumerate(self.samples.rows)})
        object.__setattr__(self, "places", {view.id: place for place, view in enumerate(self.views)})
        for value in (*vars(self).values(), *self.backgrounds):
            if isinstance(value, np.ndarray):
                value.flags.writeable = False

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__post_init__()  # pickling forgets that the arrays are read-only

    def for_training(
        self, split: Split, ids: Sequence[str], generator: np.random.Generator
    ) -> Iterator[tuple[Pixels, Pixels]]:
        """Each object before a random crop of one of the split's training backgrounds: of any, if it trains on all."""
        from trainers.data.cut_outs.pasting import pasted  # Numba takes time to import: not for those who only look

        trains_on_all = split.kind == "all"
        pool = tuple(self.places) if trains_on_all else pools_of(split.drawn_as, self.views, self.rules).train
        chosen = [self.backgrounds[self.places[pool[i]]] for i in generator.choice(len(pool), len(ids))]
        crops = random_crops(np.array([background.shape[:2] for background in chosen]), generator)
        for sample, background, crop in zip(ids, chosen, crops, strict=True):
            row = self.index[sample]
            yield pasted(self.objects_NHWC[row], self.coverage_NHW[row], background, crop), self.labels_NHW[row]

    def for_evaluation(self, split: Split, ids: Sequence[str]) -> Iterator[tuple[Pixels, Pixels]]:
        """Each object before a whole background of its own, of a scene that the split does not train on."""
        size, behind = Size(*self.labels_NHW.shape[1:]), self._assigned(split, ids)
        whole = {name: whole_background(self.backgrounds[self.places[name]], size) for name in set(behind)}
        for sample, name in zip(ids, behind, strict=True):
            row = self.index[sample]
            yield composite(self.objects_NHWC[row], self.coverage_NHW[row], whole[name]), self.labels_NHW[row]

    def _assigned(self, split: Split, ids: Sequence[str]) -> list[str]:
        """The background of each val or test sample."""
        pools, tested = pools_of(split.drawn_as, self.views, self.rules), set(split.test)
        partitions = ["test" if sample in tested else "val" for sample in ids]
        return [
            assigned(getattr(pools, partition), self.rules, split.drawn_as, partition, sample)
            for sample, partition in zip(ids, partitions, strict=True)
        ]


def load(
    catalogue: Catalogue, size: Size, rules: SceneRules = NOTHING_HELD_OUT, *, allow_copies: bool = False
) -> CutOuts:
    """Decode every image once, at the working size (`compositing` says what is kept of it).

    Raises DataError with every problem: those of `check`, the objects that vanish at the working size, and backgrounds
    that cannot be held out by the rules.
    """
    reading = Reading(catalogue)
    shape = (len(catalogue.images), *size)
    objects_NHWC = np.zeros((*shape, 3), np.uint8)
    coverage_NHW = np.zeros(shape, np.uint8)
    labels_NHW = np.zeros(shape, np.uint8)
    for row, image in enumerate(catalogue.images):
        rgba_HWC = reading.pixels_of(image)
        if rgba_HWC is None:
            continue
        objects_NHWC[row], coverage_NHW[row], mask_HW = cut_out(rgba_HWC, size)
        labels_NHW[row] = mask_HW * np.uint8(catalogue.classes.index(image.class_name) + 1)
        if not mask_HW.any():
            reading.report(image, f"the object vanishes at {size} pixels: raise image_size")
    native = (reading.pixels_of(background) for background in catalogue.backgrounds)
    backgrounds = [_reduced(image, BACKGROUND_SIDES * max(size)) for image in native if image is not None]
    if problems := [*reading.all_problems(allow_copies), *scene_problems(catalogue.views, rules)]:
        raise DataError(problems)
    return CutOuts(
        catalogue.samples, objects_NHWC, coverage_NHW, labels_NHW, catalogue.views, tuple(backgrounds), rules
    )


def _reduced(image_HWC: Pixels, shorter_side: int) -> Pixels:
    """The image with a shorter side of at most `shorter_side` pixels, its aspect kept."""
    height, width = image_HWC.shape[:2]
    scale = min(1.0, shorter_side / min(height, width))
    return resized(image_HWC, round(height * scale), round(width * scale))
