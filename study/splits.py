"""Splits as pure functions of (definition, catalogue): which images train, validate and test, on which backgrounds."""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from study.cells import split_kind
from study.definition import Definition
from study.errors import StudyError
from trainers.catalogue import Catalogue, ImageFile
from trainers.problems import Problem, told
from trainers.seeds import generator_for, shuffled
from trainers.split import Partition, Split


class SplitError(StudyError):
    """A split cannot be made. `problems` holds every reason, each naming split, class and remedy."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [f"  {line}" for line in told(self.problems)]
        super().__init__("\n".join(["the data cannot be split as defined:", *lines]))


def make_splits(definition: Definition, catalogue: Catalogue) -> dict[str, Split]:
    """Every split of the grid, by name. Raises SplitError with all problems."""
    problems = split_problems(definition, catalogue)
    if problems:
        raise SplitError(problems)
    return {name: make_split(name, definition, catalogue) for name in definition.grid.splits}


def split_problems(definition: Definition, catalogue: Catalogue) -> list[Problem]:
    """Why splits of the grid cannot be made."""
    problems: list[Problem] = []
    for name in definition.grid.splits:
        try:
            split = make_split(name, definition, catalogue)
        except SplitError as error:
            problems += error.problems
        else:
            problems += _too_few_for_a_batch(split, definition.largest_batch_size)
    return problems


def _too_few_for_a_batch(split: Split, batch_size: int) -> list[Problem]:
    count = len(split.train)
    if count >= batch_size:
        return []
    what = (
        f"fewer images are left to train on than a batch has: add images or set training.batch_size to at most {count}"
    )
    return [Problem(split.name, what, f"{count} images")]


def make_split(name: str, definition: Definition, catalogue: Catalogue) -> Split:
    """The split called `name`. Raises SplitError."""
    tested = _tested_images(name, definition, catalogue)
    pool, test, problems = [], [], []
    for class_name, images in _by_class(catalogue.images).items():
        class_test = [image for image in images if image.id in tested]
        class_pool = [image for image in images if image.id not in tested]
        problems += _empty_parts(name, class_name, images, class_pool, class_test)
        pool += class_pool
        test += class_test
    if problems:
        raise SplitError(problems)
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
) -> list[Problem]:
    angles = ", ".join(f"{angle:g}" for angle in sorted({image.angle for image in images}))
    place, detail = f"{split}, class {class_name}", f"its angles: {angles}"
    remedy = "add images" if split_kind(split) == "random" else f"change splits.rotations.{split}"
    problems = []
    if not test:
        problems.append(Problem(place, f"no image to test on: {remedy}", detail))
    if len(pool) < 2:
        what = f"fewer than the 2 images that are needed to train on and to validate with: {remedy}"
        problems.append(Problem(place, what, detail))
    return problems


def _tested_images(name: str, definition: Definition, catalogue: Catalogue) -> frozenset[str]:
    if split_kind(name) == "random":
        return _random_test(int(name.removeprefix("random_")), definition, catalogue)
    tested = definition.splits.rotations[name]
    unknown = sorted(set(tested) - {"*", *catalogue.classes})
    if unknown:
        what = f"splits.rotations names a class that the data set does not have ({', '.join(catalogue.classes)})"
        raise SplitError([Problem(name, what, f"class {each!r}") for each in unknown])
    return frozenset(
        image.id for image in catalogue.images if image.angle in tested.get(image.class_name, tested.get("*", ()))
    )


def _random_test(number: int, definition: Definition, catalogue: Catalogue) -> frozenset[str]:
    """The test images of random_<number>: of each class a random share; the others, rounded down, are left to train.

    The paper's authors cut without a shuffle, so that their eight random splits are one. Here all the ways to choose
    test images are numbered, and a seeded shuffle of these numbers gives every split its own: splits differ pairwise,
    and none asks what the others are.
    """
    by_class = [
        (images, len(images) - int(round((1 - definition.splits.test_share) * len(images), 9)))
        for images in _by_class(catalogue.images).values()
    ]
    ways = [math.comb(len(images), num_test) for images, num_test in by_class]
    if number >= math.prod(ways):
        what = f"the data set is too small: it has {math.prod(ways)} random splits that differ; ask for no others"
        raise SplitError([Problem(f"random_{number}", what)])
    rank = shuffled(number, math.prod(ways), definition.seed, "test images of random splits")
    tested = []
    for (images, num_test), ways_of_class in zip(by_class, ways, strict=True):
        rank, rank_of_class = divmod(rank, ways_of_class)
        tested += [images[i].id for i in combination(rank_of_class, len(images), num_test)]
    return frozenset(tested)


def combination(rank: int, num_items: int, num_chosen: int) -> list[int]:
    """The combination that has this rank, from 0, among all those of `num_chosen` of the items 0 to num_items - 1."""
    chosen: list[int] = []
    ways = math.comb(num_items, num_chosen)  # to choose what is still to be chosen among the items still to come
    for item in range(num_items):
        with_it = ways * (num_chosen - len(chosen)) // (num_items - item)
        if rank < with_it:
            chosen.append(item)
            ways = with_it
        else:
            rank -= with_it
            ways -= with_it
    return chosen


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
        what = (
            f"{len(groups)} background groups cannot be held out for training, validation and testing apart; "
            "add backgrounds (a folder in backgrounds/ is one group, so is a single file), "
            "or set splits.shared_backgrounds=true"
        )
        raise SplitError([Problem(split, what)])
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
