"""Splits as pure functions of (definition, catalogue): which images train, validate and test, on which backgrounds."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence

from study.cells import split_kind
from study.definition import Definition
from study.errors import StudyError
from trainers.catalogue import Catalogue, ImageFile
from trainers.seeds import generator_for
from trainers.split import Partition, Split

_MOST_REDRAWS = 1000


def make_splits(definition: Definition, catalogue: Catalogue) -> dict[str, Split]:
    """Every split of the grid, by name. Raises StudyError with all problems, each naming split, class and remedy."""
    problems = split_problems(definition, catalogue)
    if problems:
        raise StudyError("the data cannot be split as defined:\n" + "\n".join(f"  {problem}" for problem in problems))
    return {name: make_split(name, definition, catalogue) for name in definition.grid.splits}


def split_problems(definition: Definition, catalogue: Catalogue) -> list[str]:
    """Why splits of the grid cannot be made, each reason once, naming split, class and remedy."""
    problems: list[str] = []
    for name in definition.grid.splits:
        try:
            split = make_split(name, definition, catalogue)
        except StudyError as error:
            problems += str(error).splitlines()
        else:
            problems += _too_few_for_a_batch(split, definition.training.batch_size)
    return list(dict.fromkeys(problems))


def _too_few_for_a_batch(split: Split, batch_size: int) -> list[str]:
    if len(split.train) >= batch_size:
        return []
    return [
        f"{split.name}: {len(split.train)} images are left to train on, fewer than a batch; "
        f"add images or set training.batch_size to at most {len(split.train)}"
    ]


def make_split(name: str, definition: Definition, catalogue: Catalogue) -> Split:
    """The split called `name`. Raises StudyError, one problem a line."""
    tested = _tested_images(name, definition, catalogue)
    pool, test, problems = [], [], []
    for class_name, images in _by_class(catalogue.images).items():
        class_test = [image for image in images if image.id in tested]
        class_pool = [image for image in images if image.id not in tested]
        problems += _empty_parts(name, class_name, images, class_pool, class_test)
        pool += class_pool
        test += class_test
    if problems:
        raise StudyError("\n".join(problems))
    validation = _validation_images(name, definition, pool)
    train = tuple(image.id for image in pool if image.id not in validation)
    val = tuple(image.id for image in pool if image.id in validation)
    train_groups, val_groups, test_groups = _background_pools(name, definition, catalogue)
    parts = {
        "train": train,
        "train_backgrounds": train_groups,
        "val": Partition(val, _assign(definition, name, "val", val, val_groups)),
        "test": Partition(
            ids := tuple(image.id for image in test), _assign(definition, name, "test", ids, test_groups)
        ),
    }
    return Split(name=name, **parts, fingerprint=_fingerprint(parts))  # type: ignore[arg-type]


def _by_class(images: Iterable[ImageFile]) -> dict[str, list[ImageFile]]:
    by_class: dict[str, list[ImageFile]] = defaultdict(list)
    for image in images:
        by_class[image.class_name].append(image)
    return by_class


def _empty_parts(
    split: str, class_name: str, images: Sequence[ImageFile], pool: Sequence[ImageFile], test: Sequence[ImageFile]
) -> list[str]:
    angles = ", ".join(f"{angle:g}" for angle in sorted({image.angle for image in images}))
    problems = []
    if not test:
        problems.append(
            f"{split}: class {class_name} has no test image (its angles: {angles}); "
            + ("add images" if split_kind(split) == "random" else f"change splits.rotations.{split}")
        )
    if len(pool) < 2:
        problems.append(
            f"{split}: class {class_name} has {len(pool)} images to train on and validate with (its angles: {angles}); "
            "at least 2 are needed: add images or change the split"
        )
    return problems


def _tested_images(name: str, definition: Definition, catalogue: Catalogue) -> frozenset[str]:
    if split_kind(name) == "random":
        return _random_test(int(name.removeprefix("random_")), definition, catalogue)
    tested = definition.splits.rotations[name]
    unknown = sorted(set(tested) - {"*", *catalogue.classes})
    if unknown:
        raise StudyError(
            f"{name}: splits.rotations.{name} names the class {unknown[0]!r}, which the data set does not have "
            f"({', '.join(catalogue.classes)})"
        )
    return frozenset(
        image.id for image in catalogue.images if image.angle in tested.get(image.class_name, tested.get("*", ()))
    )


def _random_test(number: int, definition: Definition, catalogue: Catalogue) -> frozenset[str]:
    """The test images of random_<number>: a seeded shuffle of each class, the first 80 % (rounded down) left to train.

    The paper's authors cut without a shuffle, so that their eight random splits are one; here a draw that repeats a
    lower-numbered split's is drawn again, so that they differ pairwise.
    """
    seen: set[frozenset[str]] = set()
    for split in range(number + 1):
        for attempt in range(_MOST_REDRAWS):
            test = _stratified_draw(definition, catalogue, f"random_{split}", attempt)
            if test not in seen:
                break
        else:
            raise StudyError(
                f"random_{number}: the data set is too small for {number + 1} random splits that differ; "
                f"ask for fewer in grid.splits"
            )
        seen.add(test)
    return test


def _stratified_draw(definition: Definition, catalogue: Catalogue, split: str, attempt: int) -> frozenset[str]:
    test: list[str] = []
    for class_name, images in _by_class(catalogue.images).items():
        shuffle = generator_for(definition.seed, split, "test images", class_name, attempt)
        num_train = int(round((1 - definition.splits.test_share) * len(images), 9))
        test += [images[i].id for i in shuffle.permutation(len(images))[num_train:]]
    return frozenset(test)


def _validation_images(split: str, definition: Definition, pool: Iterable[ImageFile]) -> frozenset[str]:
    """The validation images: a seeded share of each class's training images, at least one of each class."""
    chosen: list[str] = []
    for class_name, images in _by_class(pool).items():
        shuffle = generator_for(definition.seed, split, "validation images", class_name)
        count = min(len(images) - 1, max(1, round(definition.splits.validation_share * len(images))))
        chosen += [images[i].id for i in shuffle.permutation(len(images))[:count]]
    return frozenset(chosen)


def _background_pools(
    split: str, definition: Definition, catalogue: Catalogue
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Backgrounds to train on, to validate on and to test on. Whole groups (views of one scene) are held out."""
    groups = sorted({background.group for background in catalogue.backgrounds})
    if definition.splits.shared_backgrounds:
        everything = tuple(background.id for background in catalogue.backgrounds)
        return everything, everything, everything
    if len(groups) < 3:
        raise StudyError(
            f"{split}: {len(groups)} background groups cannot be held out for training, validation and testing apart; "
            "add backgrounds (a folder in backgrounds/ is one group, so is a single file), "
            "or set splits.shared_backgrounds=true"
        )
    shuffled = [groups[i] for i in generator_for(definition.seed, split, "background groups").permutation(len(groups))]
    num_test = min(len(groups) - 2, max(1, round(definition.splits.test_share * len(groups))))
    rest = len(groups) - num_test
    num_val = min(rest - 1, max(1, round(definition.splits.validation_share * rest)))
    pools = shuffled[num_test + num_val :], shuffled[num_test : num_test + num_val], shuffled[:num_test]
    train, val, test = (tuple(b.id for b in catalogue.backgrounds if b.group in pool) for pool in pools)
    return train, val, test


def _assign(
    definition: Definition, split: str, partition: str, images: Sequence[str], backgrounds: Sequence[str]
) -> tuple[str, ...]:
    """One background for each image, drawn by the image's own name: the same for every model of the split."""
    return tuple(
        backgrounds[
            int(generator_for(definition.seed, split, partition, "background", image).integers(len(backgrounds)))
        ]
        for image in images
    )


def _fingerprint(parts: dict[str, object]) -> str:
    plain = {name: vars(part) if isinstance(part, Partition) else part for name, part in parts.items()}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:12]
