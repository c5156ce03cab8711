"""A source of the tests' own: fields from above, wider than high; a pixel is of a class, or not labelled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from study.definition.file import parse
from study.prepare import Prepared, prepared
from trainers.data.class_names import IGNORED
from trainers.data.pixels import Pixels
from trainers.data.size import Size
from trainers.data.split import Split
from trainers.data.table import Sample, Samples
from trainers.seeds import generator_for

SIZE = Size(32, 48)
CLASSES = ("crop", "soil", "water")
SAMPLES = Samples(
    CLASSES,
    tuple(Sample(f"field {number}", CLASSES, {"year": number % 3}) for number in range(18)),
    has_background=False,
    has_ignored=True,
)


@dataclass(frozen=True, eq=False)
class Fields:
    """Every image shows all classes, and some pixels at its edges whose class nobody knows."""

    samples: Samples = SAMPLES

    def for_training(
        self, split: Split, ids: Sequence[str], generator: np.random.Generator
    ) -> Iterator[tuple[Pixels, Pixels]]:
        return map(self.drawn, ids)

    def for_evaluation(self, split: Split, ids: Sequence[str]) -> Iterator[tuple[Pixels, Pixels]]:
        return map(self.drawn, ids)

    def drawn(self, name: str) -> tuple[Pixels, Pixels]:
        """image_HWC and labels_HW."""
        generator = generator_for("fields", name)
        labels = np.repeat(np.sort(generator.choice(len(CLASSES), SIZE.width))[None], SIZE.height, 0).astype(np.uint8)
        top, left = generator.integers(2, 8, 2)
        labels[:top], labels[:, :left] = IGNORED, IGNORED
        colours = np.zeros((256, 3), np.uint8)
        colours[: len(CLASSES)] = (60, 140, 40), (120, 90, 30), (40, 60, 150)
        image = colours[labels]
        image[labels != IGNORED] += generator.integers(0, 60, (int((labels != IGNORED).sum()), 3), dtype=np.uint8)
        return image, labels


def study(*, simulate: bool = False, precision: str = "fp32") -> Prepared:
    """One trial of every network and loss of ours, of seconds."""
    definition = parse(
        {
            "name": "fields",
            "simulate": simulate,
            "grid": {
                "models": ["icnet", "unet", "icnet_cascade"],
                "losses": ["ce", "ce_dice"],
                "splits": ["last_year"],
            },
            "splits": {"held_out": {"year": {"last_year": [2]}}},
            "model": {"width": 0.1},
            "training": {"image_size": SIZE, "epochs": 2, "batch_size": 4, "precision": precision},
        }
    )
    return prepared(definition, Fields(), "fields, as drawn")
