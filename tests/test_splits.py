"""Splits of the shipped set and of sets of other shapes."""

import math
from collections import Counter
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.definition import Definition
from study.definition_file import load, parse
from study.errors import StudyError
from study.splits import combination, make_split, make_splits, split_problems
from trainers.catalogue import BackgroundFile, Catalogue, ImageFile, read_catalogue
from trainers.split import Split

PAPER = load("paper")
STANDIN = read_catalogue("standin")
SPLITS = make_splits(PAPER, STANDIN)
CLASS_OF = {image.id: image.class_name for image in STANDIN.images}
ANGLE_OF = {image.id: image.angle for image in STANDIN.images}
GROUP_OF = {background.id: background.group for background in STANDIN.backgrounds}


def made_up(counts: dict[str, dict[float, int]], num_groups: int = 6) -> Catalogue:
    images = [
        ImageFile(f"{name}/{angle:g}/{i:03d}", name, angle, Path("none"))
        for name, by_angle in counts.items()
        for angle, count in by_angle.items()
        for i in range(count)
    ]
    backgrounds = [
        BackgroundFile(f"backgrounds/g{g}/{i}", f"g{g}", Path("none")) for g in range(num_groups) for i in (0, 1)
    ]
    return Catalogue(Path("none"), tuple(sorted(counts)), tuple(images), tuple(backgrounds), ())


@pytest.mark.parametrize("name", SPLITS)
def test_parts_are_disjoint_and_complete(name: str) -> None:
    split = SPLITS[name]
    parts = [split.train, split.val.images, split.test.images]
    assert Counter(image for part in parts for image in part) == Counter(list(CLASS_OF))


@pytest.mark.parametrize("name", SPLITS)
def test_backgrounds_are_held_out_by_whole_scenes(name: str) -> None:
    split = SPLITS[name]
    pools = [split.train_backgrounds, split.val.backgrounds, split.test.backgrounds]
    groups = [{GROUP_OF[background] for background in pool} for pool in pools]
    assert all(not a & b for a, b in combinations(groups, 2))
    assert len(split.test.backgrounds) == len(split.test.images)
    assert len(groups[0]) > len(groups[2]) > 1


def test_rotation_splits_test_the_images_of_the_paper() -> None:
    """The table of the authors' rotation splits; the stand-in set has 646 images, one clamp at 0 degrees less."""
    expected = {"rot_0": (30, 60, 207), "rot_1": (60, 30, 238), "rot_2": (0, 0, 116)}
    for name, (most, adapter_and_drill, count) in expected.items():
        test = SPLITS[name].test.images
        assert len(test) == count
        for image in test:
            assert ANGLE_OF[image] == (adapter_and_drill if CLASS_OF[image] in ("adapter", "drill") else most)
        tested = set(test)
        same = {(CLASS_OF[i], ANGLE_OF[i]) for i in tested}
        assert all((CLASS_OF[i], ANGLE_OF[i]) not in same for i in CLASS_OF if i not in tested)


def test_random_splits_are_80_20_of_every_class() -> None:
    for number in range(8):
        test = SPLITS[f"random_{number}"].test.images
        assert len(test) == 131
        for name, total in Counter(CLASS_OF.values()).items():
            assert sum(CLASS_OF[image] == name for image in test) == total - total * 8 // 10


def test_random_splits_differ_pairwise() -> None:
    tests = [frozenset(SPLITS[f"random_{i}"].test.images) for i in range(8)]
    assert all(a != b for a, b in combinations(tests, 2))
    assert all(len(a & b) < 60 for a, b in combinations(tests, 2))  # independent draws share 26 of 131 on average


def test_random_splits_of_a_tiny_set_differ_as_long_as_they_can() -> None:
    catalogue = made_up({"cup": {0: 4}})  # four choices of the one test image
    definition = parse({"grid": {"splits": [f"random_{i}" for i in range(4)]}, "training": {"batch_size": 2}})
    tests = [split.test.images for split in make_splits(definition, catalogue).values()]
    assert len(set(tests)) == 4
    with pytest.raises(StudyError, match="random_4: the data set is too small: it has 4 random splits that differ"):
        make_split("random_4", definition, catalogue)
    with pytest.raises(StudyError, match=r"random_999999999: .* too small"):
        make_split("random_999999999", definition, catalogue)


def random_tests(catalogue: Catalogue, seed: int, numbers: Iterable[int]) -> list[frozenset[str]]:
    definition = parse({"seed": seed, "training": {"batch_size": 2}})
    return [frozenset(make_split(f"random_{i}", definition, catalogue).test.images) for i in numbers]


@given(st.lists(st.integers(3, 6), min_size=1, max_size=3), st.integers(0, 2**62))
def test_random_splits_are_all_the_divisions_that_there_are_each_once(counts: list[int], seed: int) -> None:
    catalogue = made_up({f"c{i}": {0: count} for i, count in enumerate(counts)})
    total = math.prod(math.comb(count, count - count * 8 // 10) for count in counts)
    tests = random_tests(catalogue, seed, range(total))
    assert len(set(tests)) == total


def test_a_random_split_asks_for_no_other_one() -> None:
    """Its cost does not grow with its number, nor does the number of a large data set's divisions matter."""
    catalogue = made_up({"mug": {0: 3000}, "pen": {0: 40, 30: 60}})
    numbers = [0, 1, 7, 20261126, 999_999_999]
    tests = random_tests(catalogue, 0, numbers)
    assert len(set(tests)) == len(numbers)
    for test in tests:
        assert Counter(image.split("/")[0] for image in test) == {"mug": 600, "pen": 20}


def test_every_division_is_as_likely_as_another() -> None:
    """Over seeds, of the 12 pairs of first and second split of four images: chi-square with 11 degrees of freedom."""
    catalogue = made_up({"cup": {0: 4}})
    counts = Counter(tuple(random_tests(catalogue, seed, (0, 1))) for seed in range(1200))
    assert len(counts) == 12
    assert sum((count - 100) ** 2 / 100 for count in counts.values()) < 31.3  # p = 0.001


@given(st.integers(0, 12), st.data())
def test_combinations_by_rank_are_those_of_itertools(num_items: int, data: st.DataObject) -> None:
    num_chosen = data.draw(st.integers(0, num_items))
    expected = {tuple(each) for each in combinations(range(num_items), num_chosen)}
    found = [tuple(combination(rank, num_items, num_chosen)) for rank in range(len(expected))]
    assert set(found) == expected
    assert len(found) == len(expected)


def test_validation_is_a_stratified_share_of_the_training_images() -> None:
    for split in SPLITS.values():
        pool = Counter(CLASS_OF[image] for image in (*split.train, *split.val.images))
        chosen = Counter(CLASS_OF[image] for image in split.val.images)
        assert chosen == {name: max(1, round(0.15 * count)) for name, count in pool.items()}


def test_a_split_depends_on_seed_and_name_alone() -> None:
    alone = make_split("random_3", parse({"grid": {"splits": ["random_3"]}}), STANDIN)
    assert alone == SPLITS["random_3"]
    assert make_split("random_3", parse({"seed": 1}), STANDIN).test != alone.test


def test_fingerprints_tell_splits_apart() -> None:
    assert len({split.fingerprint for split in SPLITS.values()}) == len(SPLITS)
    shared = load("paper", ["splits.shared_backgrounds=true"])
    assert make_split("rot_0", shared, STANDIN).fingerprint != SPLITS["rot_0"].fingerprint


def test_shared_backgrounds_are_drawn_from_all() -> None:
    split = make_split("random_0", parse({"splits": {"shared_backgrounds": True}}), STANDIN)
    assert len(split.train_backgrounds) == len(STANDIN.backgrounds)
    assert set(split.test.backgrounds) & set(split.train_backgrounds)


def other_set(
    splits: list[str], rotations: dict[str, dict[str, list[float]]], **sections: dict[str, object]
) -> Definition:
    return parse(
        {"grid": {"splits": splits}, "splits": {"rotations": rotations}, "training": {"batch_size": 2}, **sections}
    )


def test_any_classes_and_angles() -> None:
    catalogue = made_up({"mug": {0: 5, 22.5: 5, 45: 5}, "pen": {350: 6, 45: 3}})
    split = make_split("rot_5", other_set(["rot_5"], {"rot_5": {"*": [45], "pen": [-10]}}), catalogue)
    assert {image.split("/")[:2][1] for image in split.test.images if image.startswith("mug")} == {"45"}
    assert {image.split("/")[:2][1] for image in split.test.images if image.startswith("pen")} == {"350"}


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        (
            other_set(["rot_0"], {"rot_0": {"*": [30]}}),
            ["rot_0, class mug (its angles: 0, 45), rot_0, class pen", "no image to test on", "splits.rotations.rot_0"],
        ),
        (
            other_set(["rot_0"], {"rot_0": {"*": [0, 45]}}),
            ["rot_0, class mug", "fewer than the 2 images that are needed to train on"],
        ),
        (other_set(["rot_0"], {"rot_0": {"*": [0], "mgu": [0]}}), ["'mgu'", "mug, pen"]),
        (
            other_set(["random_0"], {}, training={"batch_size": 64}),
            ["random_0 (14 images): fewer images", "than a batch has", "training.batch_size to at most 14"],
        ),
    ],
)
def test_splits_that_cannot_be_made_are_named(definition: Definition, words: list[str]) -> None:
    catalogue = made_up({"mug": {0: 5, 45: 5}, "pen": {0: 5, 45: 5}})
    with pytest.raises(StudyError) as caught:
        make_splits(definition, catalogue)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_too_few_background_groups_are_named_with_the_remedy() -> None:
    catalogue = made_up({"mug": {0: 10}}, num_groups=2)
    problems = split_problems(other_set(["random_0"], {}), catalogue)
    assert len(problems) == 1
    assert "shared_backgrounds" in problems[0].what


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c"]),
        st.dictionaries(st.sampled_from([0, 30, 60]), st.integers(1, 12), min_size=1),
        min_size=1,
    ),
    st.integers(3, 7),
    st.floats(0.05, 0.6),
    st.integers(0, 9),
)
def test_parts_are_disjoint_and_complete_for_any_set(counts, num_groups, share, seed) -> None:
    catalogue = made_up(counts, num_groups)
    definition = parse(
        {"seed": seed, "grid": {"splits": ["random_1"]}, "splits": {"test_share": share, "validation_share": share}}
    )
    try:
        split: Split = make_split("random_1", definition, catalogue)
    except StudyError as refused:
        assert "random_1" in str(refused)  # noqa: PT017 - either outcome is right, depending on the drawn set
        return
    parts = [split.train, split.val.images, split.test.images]
    assert Counter(i for part in parts for i in part) == Counter(image.id for image in catalogue.images)
    for part in parts:
        assert {i.split("/")[0] for i in part} == set(counts)


def test_what_many_splits_cannot_do_is_said_once() -> None:
    catalogue = made_up({"mug": {0: 10}}, num_groups=2)
    with pytest.raises(StudyError) as refused:
        make_splits(parse({}), catalogue)
    (line,) = str(refused.value).splitlines()[1:]
    assert line.startswith("  random_0, random_1, random_2 and 5 more: 2 background groups cannot")
