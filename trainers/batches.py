"""Split -> what a trial trains on, drawn by seeds named after what they are for.

Shapes: B images in a batch, H and W pixels, C = 3 colours (RGB).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trainers.augment import augmentation
from trainers.compositing import background_crop, composite
from trainers.data import Dataset
from trainers.recipe import TrainingRecipe
from trainers.seeds import generator_for, seed_of
from trainers.split import Split

Pixels = NDArray[np.uint8]


def training_batches(
    dataset: Dataset, split: Split, recipe: TrainingRecipe, strength: float, purpose: tuple[str | int, ...], epoch: int
) -> Iterator[tuple[Pixels, Pixels]]:
    """One epoch of composited, augmented images_BHWC and labels_BHW, shuffled; an incomplete last batch is dropped.

    `purpose` names whose images they are (study seed, trial). Every batch has draws of its own, so the batches can be
    made in any order, by any number of processes, and are the same.
    """
    backgrounds = dict(zip(dataset.background_ids, dataset.backgrounds, strict=True))
    pool = [backgrounds[name] for name in split.train_backgrounds]
    rows = np.array([dataset.index[image] for image in split.train])
    order = generator_for(*purpose, "order", epoch).permutation(rows)
    chain = augmentation(strength, recipe.image_size)
    for batch in range(len(rows) // recipe.batch_size):
        draws = generator_for(*purpose, "backgrounds", epoch, batch)
        chain.set_random_seed(seed_of(*purpose, "augmentation", epoch, batch) % 2**32)
        images, labels = [], []
        for row in order[batch * recipe.batch_size : (batch + 1) * recipe.batch_size]:
            background = background_crop(pool[draws.integers(len(pool))], draws, recipe.image_size)
            image = composite(dataset.objects_NHWC[row], dataset.coverage_NHW[row], background)
            augmented = chain(image=image, mask=dataset.labels_NHW[row])
            images.append(augmented["image"])
            labels.append(augmented["mask"])
        yield np.stack(images), np.stack(labels)
