"""A source of the tests' own: leaves at three sites, each image with several classes, drawn from nothing but its id.

Run as a program it runs a study on them: `python leaves.py DEFINITION OUT`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from study.commands.run import run
from study.definition.file import load
from study.prepare import Prepared, prepared
from trainers.data.pixels import Pixels
from trainers.data.split import Split
from trainers.data.table import Sample, Samples
from trainers.seeds import generator_for

SIZE = 16
SITES = {"clinic A": 4, "clinic B": 5, "field": 6}
DEFINITION = """
name = "leaves"
grid = { models = ["icnet"], losses = ["ce"], splits = ["random_0", "clinic_a", "even_days"] }
training = { image_size = 16, epochs = 2, batch_size = 4 }

[splits]
allow_absent_classes = true

[splits.held_out]
site.clinic_a = ["clinic A"]
day.even_days = { "*" = [0] }
"""


@dataclass(frozen=True, eq=False)
class Leaves:
    """Every image shows a leaf, and every other one a stem below it."""

    samples: Samples

    def for_training(
        self, split: Split, ids: Sequence[str], generator: np.random.Generator
    ) -> Iterator[tuple[Pixels, Pixels]]:
        for name in ids:
            image, labels = drawn(name)
            yield (image[:, ::-1], labels[:, ::-1]) if generator.random() < 0.5 else (image, labels)

    def for_evaluation(self, split: Split, ids: Sequence[str]) -> Iterator[tuple[Pixels, Pixels]]:
        return map(drawn, ids)


def table() -> Samples:
    names = [(site, f"{site}/{number}", number) for site, count in SITES.items() for number in range(count)]
    rows = (Sample(name, classes_of(number), {"site": site, "day": number % 2}) for site, name, number in names)
    return Samples(("leaf", "stem"), tuple(rows))


def classes_of(number: int) -> tuple[str, ...]:
    return ("leaf", "stem") if number % 2 else ("leaf",)


def drawn(name: str) -> tuple[Pixels, Pixels]:
    """image_HWC and labels_HW."""
    generator = generator_for("leaves", name)
    labels = np.zeros((SIZE, SIZE), np.uint8)
    top, left = generator.integers(1, 5, 2)
    labels[top : top + 6, left : left + 8] = 1
    if int(name.rpartition("/")[2]) % 2:
        labels[top + 6 : top + 10, left + 3 : left + 5] = 2
    colours = np.array([(90, 80, 70), (40, 160, 50), (120, 90, 30)], np.uint8)
    return colours[labels] + generator.integers(0, 40, (SIZE, SIZE, 3), dtype=np.uint8), labels


def study(definition: str, *settings: str) -> Prepared:
    return prepared(load(definition, settings), Leaves(table()), "leaves, as drawn")


if __name__ == "__main__":
    finished = run(study(sys.argv[1]), sys.argv[2], lambda progress, line: None)
    print({scores.configuration: sorted(scores.random | scores.by_name) for scores in finished.scores})
