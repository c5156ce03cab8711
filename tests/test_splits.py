"""Splits of the shipped set and of tables of other shapes."""

import math
from collections import Counter
from collections.abc import Iterable
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.definition import Definition
from study.definition.file import load, parse
from study.errors import StudyError
from study.splits import make_split, make_splits
from study.splits.random_draws import combination
from trainers.data.cut_outs.catalogue import read_catalogue
from trainers.data.split import Split
from trainers.data.table import Sample, Samples

PAPER = load("paper")
STANDIN = read_catalogue("standin").samples
SPLITS = make_splits(PAPER, STANDIN)
CLASS_OF = {sample.id: sample.classes[0] for sample in STANDIN.rows}
ANGLE_OF = {sample.id: sample.values["angle"] for sample in STANDIN.rows}


def made_up(counts: dict[str, dict[float, int]]) -> Samples:
    """Samples by class and angle."""
    rows = [
        Sample(f"{name}/{angle:g}/{i:03d}", (name,), {"angle": angle})
        for name, by_angle in counts.items()
        for angle, count in by_angle.items()
        for i in range(count)
    ]
    return Samples(tuple(sorted(counts)), tuple(rows), in_degrees=frozenset({"angle"}))


def of_sites(**sites: int) -> Samples:
    """So many samples of each site, in a table without angles; each shows two classes."""
    names = [(site, f"{site}{i}") for site, count in sites.items() for i in range(count)]
    rows = (Sample(name, ("leaf", "stem"), {"site": site, "day": i % 2}) for i, (site, name) in enumerate(names))
    return Samples(("leaf", "stem"), tuple(rows))


@pytest.mark.parametrize("name", SPLITS)
def test_parts_are_disjoint_and_complete(name: str) -> None:
    split = SPLITS[name]
    parts = [split.train, split.val, split.test]
    assert Counter(image for part in parts for image in part) == Counter(list(CLASS_OF))


def test_rotation_splits_test_the_images_of_the_paper() -> None:
    """The table of the authors' rotation splits; the stand-in set has 646 images, one clamp at 0 degrees less."""
    expected = {"rot_0": (30, 60, 207), "rot_1": (60, 30, 238), "rot_2": (0, 0, 116)}
    for name, (most, adapter_and_drill, count) in expected.items():
        test = SPLITS[name].test
        assert len(test) == count
        for image in test:
            assert ANGLE_OF[image] == (adapter_and_drill if CLASS_OF[image] in ("adapter", "drill") else most)
        tested = set(test)
        same = {(CLASS_OF[i], ANGLE_OF[i]) for i in tested}
        assert all((CLASS_OF[i], ANGLE_OF[i]) not in same for i in CLASS_OF if i not in tested)


def test_random_splits_are_80_20_of_every_class() -> None:
    for number in range(8):
        test = SPLITS[f"random_{number}"].test
        assert len(test) == 131
        for name, total in Counter(CLASS_OF.values()).items():
            assert sum(CLASS_OF[image] == name for image in test) == total - total * 8 // 10


def test_random_splits_differ_pairwise() -> None:
    tests = [frozenset(SPLITS[f"random_{i}"].test) for i in range(8)]
    assert all(a != b for a, b in combinations(tests, 2))
    assert all(len(a & b) < 60 for a, b in combinations(tests, 2))  # independent draws share 26 of 131 on average


def test_random_splits_of_a_tiny_set_differ_as_long_as_they_can() -> None:
    samples = made_up({"cup": {0: 4}})  # four choices of the one test image
    definition = parse({"grid": {"splits": [f"random_{i}" for i in range(4)]}, "training": {"batch_size": 2}})
    tests = [split.test for split in make_splits(definition, samples).values()]
    assert len(set(tests)) == 4
    with pytest.raises(StudyError, match="random_4: the data set is too small: it has 4 random splits that differ"):
        make_split("random_4", definition, samples)
    with pytest.raises(StudyError, match=r"random_999999999: .* too small"):
        make_split("random_999999999", definition, samples)


def random_tests(samples: Samples, seed: int, numbers: Iterable[int]) -> list[frozenset[str]]:
    definition = parse({"seed": seed, "training": {"batch_size": 2}})
    return [frozenset(make_split(f"random_{i}", definition, samples).test) for i in numbers]


@given(st.lists(st.integers(3, 6), min_size=1, max_size=3), st.integers(0, 2**53 - 1))
def test_random_splits_are_all_the_divisions_that_there_are_each_once(counts: list[int], seed: int) -> None:
    samples = made_up({f"c{i}": {0: count} for i, count in enumerate(counts)})
    total = math.prod(math.comb(count, count - count * 8 // 10) for count in counts)
    tests = random_tests(samples, seed, range(total))
    assert len(set(tests)) == total


def test_a_random_split_asks_for_no_other_one() -> None:
    """Its cost does not grow with its number, nor does the number of a large data set's divisions matter."""
    samples = made_up({"mug": {0: 3000}, "pen": {0: 40, 30: 60}})
    numbers = [0, 1, 7, 20261126, 999_999_999]
    tests = random_tests(samples, 0, numbers)
    assert len(set(tests)) == len(numbers)
    for test in tests:
        assert Counter(image.split("/")[0] for image in test) == {"mug": 600, "pen": 20}


def test_every_division_is_as_likely_as_another() -> None:
    """Over seeds, of the 12 pairs of first and second split of four images: chi-square with 11 degrees of freedom."""
    samples = made_up({"cup": {0: 4}})
    counts = Counter(tuple(random_tests(samples, seed, (0, 1))) for seed in range(1200))
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
        pool = Counter(CLASS_OF[image] for image in (*split.train, *split.val))
        chosen = Counter(CLASS_OF[image] for image in split.val)
        assert chosen == {name: max(1, round(0.15 * count)) for name, count in pool.items()}


def test_a_split_depends_on_seed_and_name_alone() -> None:
    alone = make_split("random_3", parse({"grid": {"splits": ["random_3"]}}), STANDIN)
    assert alone == SPLITS["random_3"]
    assert make_split("random_3", parse({"seed": 1}), STANDIN).test != alone.test


def test_fingerprints_tell_splits_apart() -> None:
    assert len({split.fingerprint for split in SPLITS.values()}) == len(SPLITS)
    angles = {"held_out": {"angle": {"rot_0": [0]}}}
    sites = {"held_out": {"site": {"rot_0": ["A"]}}}
    rows = [Sample(str(i), ("mug",), {"angle": 30 * (i > 2), "site": "B" if i > 2 else "A"}) for i in range(9)]
    samples = Samples(("mug",), tuple(rows))
    by_angle, by_site = (make_split("rot_0", parse({"splits": table}), samples) for table in (angles, sites))
    assert by_angle.test == by_site.test
    assert by_angle.fingerprint != by_site.fingerprint, "what is held out is another thing"


def other_set(
    splits: list[str], angles: dict[str, dict[str, list[float]]], **sections: dict[str, object]
) -> Definition:
    held_out = {"held_out": {"angle": angles}} if angles else {}
    return parse({"grid": {"splits": splits}, "splits": held_out, "training": {"batch_size": 2}, **sections})


def test_any_classes_and_angles() -> None:
    samples = made_up({"mug": {0: 5, 22.5: 5, 45: 5}, "pen": {350: 6, 45: 3}})
    split = make_split("rot_5", other_set(["rot_5"], {"rot_5": {"*": [45], "pen": [-10]}}), samples)
    assert {image.split("/")[:2][1] for image in split.test if image.startswith("mug")} == {"45"}
    assert {image.split("/")[:2][1] for image in split.test if image.startswith("pen")} == {"350"}


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        (
            other_set(["rot_0"], {"rot_0": {"pen": [45]}}),
            [
                "rot_0, class mug (its angle: 0, 45): no sample to test on: change splits.held_out.angle.rot_0, or "
                "take rot_0 out of grid.splits"
            ],
        ),
        (
            other_set(["rot_0"], {"rot_0": {"*": [45, 30]}}),
            ["rot_0 (angle 30): no sample has this angle; there are: 0, 45"],
        ),
        (
            other_set(["rot_0"], {"rot_0": {"*": [0, 45]}}),
            ["rot_0, class mug", "fewer than the 2 samples that are needed to train on"],
        ),
        (other_set(["rot_0"], {"rot_0": {"*": [0], "mgu": [0]}}), ["'mgu'", "mug, pen"]),
        (
            other_set(["random_0"], {}, training={"batch_size": 64}),
            ["random_0 (14 samples): fewer samples", "than a batch has", "training.batch_size to at most 14"],
        ),
    ],
)
def test_splits_that_cannot_be_made_are_named(definition: Definition, words: list[str]) -> None:
    samples = made_up({"mug": {0: 5, 45: 5}, "pen": {0: 5, 45: 5}})
    with pytest.raises(StudyError) as caught:
        make_splits(definition, samples)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    ("held_out", "words"),
    [
        ({"sit": {"a": ["A"]}}, ["splits.held_out.sit: the samples have no column", "site, day", "did you mean site?"]),
        ({"site": {"a": ["A", "C"]}}, ['a (site "C"): no sample has this site; there are: "A", "B"']),
        ({"site": {"a": {"leaf": ["A"]}}}, ["samples show several classes each", 'a = { "*" = [...] }']),
        ({"site": {"a": ["A", "B"]}}, ['a, all samples (its site: "A", "B"): fewer than the 2 samples']),
    ],
)
def test_what_cannot_be_held_out_is_named(held_out: dict[str, object], words: list[str]) -> None:
    definition = parse({"grid": {"splits": ["a"]}, "splits": {"held_out": held_out}})
    with pytest.raises(StudyError) as caught:
        make_splits(definition, of_sites(A=4, B=9))
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_any_column_can_be_held_out() -> None:
    samples = of_sites(A=4, B=9, C=7)
    held_out = {"site": {"clinic_a": ["A"], "others": ["B", "C"]}, "day": {"even": [0]}}
    definition = parse({"splits": {"held_out": held_out}, "training": {"batch_size": 2}})
    splits = make_splits(definition, samples)
    assert list(splits) == [*(f"random_{i}" for i in range(8)), "clinic_a", "others", "even"]
    assert [(split.kind, split.axis) for split in splits.values()][-4:] == [
        ("random", None),
        ("held_out", "site"),
        ("held_out", "site"),
        ("held_out", "day"),
    ]
    assert set(splits["clinic_a"].test) == {f"A{i}" for i in range(4)}
    assert {name[0] for name in splits["others"].test} == {"B", "C"}
    assert len(splits["even"].test) == 10
    assert len(splits["random_0"].test) == 4, "samples of several classes are divided as one"
    for split in splits.values():
        assert Counter((*split.train, *split.val, *split.test)) == Counter(row.id for row in samples.rows)


def test_a_sample_without_the_axis_is_named() -> None:
    rows = (*of_sites(A=4, B=4).rows, Sample("stray", ("leaf",), {}))
    with pytest.raises(StudyError, match=r"a \(stray\): a sample without site: give it one"):
        make_split("a", parse({"splits": {"held_out": {"site": {"a": ["A"]}}}}), Samples(("leaf", "stem"), rows))


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c"]),
        st.dictionaries(st.sampled_from([0, 30, 60]), st.integers(1, 12), min_size=1),
        min_size=1,
    ),
    st.floats(0.05, 0.6),
    st.integers(0, 9),
)
def test_parts_are_disjoint_and_complete_for_any_set(counts, share, seed) -> None:
    samples = made_up(counts)
    definition = parse(
        {"seed": seed, "grid": {"splits": ["random_1"]}, "splits": {"test_share": share, "validation_share": share}}
    )
    try:
        split: Split = make_split("random_1", definition, samples)
    except StudyError as refused:
        assert "random_1" in str(refused)  # noqa: PT017 - either outcome is right, depending on the drawn set
        return
    parts = [split.train, split.val, split.test]
    assert Counter(i for part in parts for i in part) == Counter(row.id for row in samples.rows)
    for part in parts:
        assert {i.split("/")[0] for i in part} == set(counts)


def test_what_many_splits_cannot_do_is_said_once() -> None:
    with pytest.raises(StudyError) as refused:
        make_splits(parse({}), made_up({"mug": {0: 10}}))
    (line,) = str(refused.value).splitlines()[1:]
    assert line.startswith("  random_0 (7 samples), random_1 (7 samples), random_2 (7 samples) and 5 more: fewer")


def test_no_batch_is_proposed_that_is_too_small() -> None:
    definition = parse({"grid": {"splits": ["random_0"]}, "splits": {"allow_absent_classes": True}})
    with pytest.raises(StudyError, match=r"than a batch has: add samples$"):
        make_splits(definition, of_sites(a=1, b=1, c=1))
