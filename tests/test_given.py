"""Splits that were made elsewhere: nnU-Net's file, and a column of the samples."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tables import assert_a_division, by_patient

from study.definition import Definition
from study.definition.file import load, parse
from study.errors import StudyError
from study.splits import make_split, make_splits, split_notes
from trainers.data.table import Sample, Samples

SAMPLES = by_patient(*[["lsr"] * 3] * 4)
IDS = [row.id for row in SAMPLES.rows]


def of_file(path: Path, entries: Any, *splits: str, **section: Any) -> Definition:
    path.write_text(json.dumps(entries))
    return parse(
        {
            "grid": {"splits": list(splits or ("given_0",))},
            "splits": {"given": {"file": str(path)}, **section},
            "training": {"batch_size": 2},
        }
    )


def in_folders(*places: str) -> Samples:
    return Samples(("leaf",), tuple(Sample(place, ("leaf",), {}) for place in places))


def in_parts(**parts: int) -> Samples:
    """Samples with a column `part`."""
    rows = [Sample(f"{part}{i}", ("leaf",), {"part": part}) for part, count in parts.items() for i in range(count)]
    return Samples(("leaf",), tuple(rows))


def by_column() -> Definition:
    return parse(
        {
            "grid": {"splits": ["given"]},
            "splits": {"given": {"column": "part"}},
            "training": {"batch_size": 2},
        }
    )


def test_what_nnunet_calls_val_is_tested(tmp_path: Path) -> None:
    entries = [{"train": IDS[3:], "val": IDS[:3]}, {"train": IDS[:9], "val": IDS[9:]}]
    splits = make_splits(of_file(tmp_path / "s.json", entries, "given_0", "given_1"), SAMPLES)
    assert [split.test for split in splits.values()] == [tuple(IDS[:3]), tuple(IDS[9:])]
    for split in splits.values():
        assert split.kind == "given"
        assert split.axis is None
        assert_a_division(split, SAMPLES)


def test_with_a_test_set_val_is_val_and_what_is_not_named_is_left_out(tmp_path: Path) -> None:
    definition = of_file(tmp_path / "s.json", [{"train": IDS[4:9], "val": IDS[3:4], "test": IDS[:3]}])
    split = make_split("given_0", definition, SAMPLES)
    assert (split.train, split.val, split.test) == (tuple(IDS[4:9]), tuple(IDS[3:4]), tuple(IDS[:3]))


def test_how_many_samples_a_split_leaves_out_is_said(tmp_path: Path) -> None:
    entries = [{"train": IDS[4:9], "val": IDS[:3]}, {"train": IDS[3:], "val": IDS[:3]}]
    definition = of_file(tmp_path / "s.json", entries, "given_0", "given_1")
    notes = split_notes(make_splits(definition, SAMPLES).values(), definition, SAMPLES)
    assert notes == ["given_0 leaves out 4 samples of 12, which no list of its entry names"]


def test_file_names_do_for_ids(tmp_path: Path) -> None:
    samples = in_folders("a/x", "a/y.v2", "b/z", "b/w", "c/v")
    entries = {"train": ["x.png", "images/z.nii.gz", "b/w.png", "c/v"], "val": ["a/y.v2"]}
    split = make_split("given_0", of_file(tmp_path / "s.json", entries), samples)
    assert set(split.train) | set(split.val) == {"a/x", "b/z", "b/w", "c/v"}
    assert split.test == ("a/y.v2",)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (
            {"train": [*IDS[3:], "nobody", "none.png"], "val": IDS[:3]},
            ["given_0 ('nobody'), given_0 ('none.png'): no sample has this id or file name"],
        ),
        ({"train": IDS[2:], "val": IDS[:3]}, ["given_0 (p0_2): a sample that is in train and val: name it once"]),
        ({"train": [*IDS[3:], IDS[4]], "val": IDS[:3]}, ["given_0 (p1_1): a sample that is twice in train"]),
        ({"train": IDS, "val": []}, ["given_0 (val): an empty list: name samples in it, or leave it out"]),
        ({"train": [], "val": IDS[:1], "test": IDS[1:]}, ["given_0 (train): an empty list"]),
        ({"train": IDS[3:], "val": IDS[:3], "test": []}, ["given_0 (test): an empty list"]),
        ({"train": IDS[:1], "val": IDS[1:]}, ["fewer than the 2 samples"]),
    ],
)
def test_what_is_wrong_with_a_list_is_named(tmp_path: Path, entry: dict[str, list[str]], words: list[str]) -> None:
    with pytest.raises(StudyError) as caught:
        make_splits(of_file(tmp_path / "s.json", [entry]), SAMPLES)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_name_of_two_samples_is_refused(tmp_path: Path) -> None:
    definition = of_file(tmp_path / "s.json", [{"train": ["b/x", "b/y"], "val": ["x.png"]}])
    with pytest.raises(StudyError, match=r"given_0 \('x.png'\): several samples have this name"):
        make_splits(definition, in_folders("a/x", "b/x", "b/y"))


@pytest.mark.parametrize("content", ["", "[]", "{}", '[{"train": ["a"]}]', '[{"train": [1], "val": []}]', "[[[", "3"])
def test_a_file_that_is_no_list_of_splits_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "s.json"
    definition = of_file(path, [])
    path.write_text(content)
    with pytest.raises(StudyError, match=r"splits\.given\.file: .*s\.json"):
        make_splits(definition, SAMPLES)
    path.unlink()
    with pytest.raises(StudyError) as caught:
        make_splits(definition, SAMPLES)
    assert f"there is no {path}, and none in the data set's folder, standin: correct" in str(caught.value)
    assert "Errno" not in str(caught.value)


def test_a_number_that_the_file_has_not_is_refused(tmp_path: Path) -> None:
    definition = of_file(tmp_path / "s.json", [{"train": IDS[3:], "val": IDS[:3]}] * 2, "given_2")
    with pytest.raises(StudyError, match=r"given_2: splits\.given\.file has 2 splits, given_0 to given_1"):
        make_splits(definition, SAMPLES)


def test_the_files_content_is_in_the_fingerprint(tmp_path: Path) -> None:
    entries = [{"train": IDS[3:], "val": IDS[:3]}, {"train": IDS[4:], "val": IDS[:4]}]
    names = {make_split("given_0", of_file(tmp_path / "s.json", [each]), SAMPLES).fingerprint for each in entries}
    assert len(names) == 2
    moved = of_file(tmp_path / "other.json", entries[:1])
    assert make_split("given_0", moved, SAMPLES).fingerprint in names, "its name is not"


def test_a_relative_path_starts_at_the_definition_and_is_kept_absolute(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text('grid.splits = ["given_0"]\n[splits.given]\nfile = "s.json"\n')
    definition = load(str(tmp_path / "my.toml"))
    assert definition.splits.given is not None
    assert definition.splits.given.file == str(tmp_path / "s.json")
    assert parse(tomllib.loads(definition.to_toml())) == definition


def test_a_relative_path_may_be_within_the_data_set(tmp_path: Path) -> None:
    """But what lies beside the definition comes first; neither is there: that is what is named."""
    (tmp_path / "my.toml").write_text('data.path = "set"\ngrid.splits = ["given_0"]\nsplits.given.file = "a/s.json"\n')
    beside, within = tmp_path / "a/s.json", tmp_path / "set/a/s.json"

    def file() -> str | None:
        given = load(str(tmp_path / "my.toml")).splits.given
        return given.file if given else None

    assert file() == str(beside)
    for there in (within, beside):
        there.parent.mkdir(parents=True)
        there.write_text("[]")
        assert file() == str(there)


def test_given_lists_that_divide_a_unit_are_refused(tmp_path: Path) -> None:
    definition = of_file(tmp_path / "s.json", [{"train": IDS[4:], "val": IDS[:4]}], unit="patient")
    with pytest.raises(
        StudyError,
        match=r'given_0, patient "p1" \(in train and test\): one patient is in two parts.*take given_0 out of grid',
    ):
        make_splits(definition, SAMPLES)


def test_a_column_gives_one_split() -> None:
    split = make_split("given", by_column(), in_parts(train=5, Validation=2, test=3))
    assert (len(split.train), len(split.val), len(split.test)) == (5, 2, 3)
    assert split.test == ("test0", "test1", "test2")


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [("Train", "val", "TEST"), ("training", "valid", "testing"), ("Training", "Validation", "Testing")],
)
def test_a_column_may_have_any_usual_words(train: str, val: str, test: str) -> None:
    split = make_split("given", by_column(), in_parts(**{train: 5, val: 2, test: 3}))
    assert (len(split.train), len(split.val), len(split.test)) == (5, 2, 3)


def test_without_test_values_a_columns_val_is_tested() -> None:
    split = make_split("given", by_column(), in_parts(train=6, val=3))
    assert split.test == ("val0", "val1", "val2")
    assert len(split.val) == 1


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (in_parts(train=5, tset=1), ['given (tset0 has "tset"): a sample whose part, which is splits.given.column']),
        (
            Samples(("leaf",), (*in_parts(train=5, test=1).rows, Sample("stray", ("leaf",), {}))),
            ["given (stray has none): a sample whose part"],
        ),
        (SAMPLES, ["splits.given.column: the samples have no column 'part' (they have: patient)"]),
    ],
)
def test_what_is_wrong_with_a_column_is_named(samples: Samples, words: list[str]) -> None:
    with pytest.raises(StudyError) as caught:
        make_splits(by_column(), samples)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_regular_file_is_not_read(tmp_path: Path, kind: str) -> None:
    path = Path("/dev/zero") if kind == "device" else tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    splits = {"given": {"file": str(path)}}
    with pytest.raises(StudyError, match=f"splits.given.file: {path} cannot be read: no regular file"):
        make_splits(parse({"grid": {"splits": ["given_0"]}, "splits": splits}), SAMPLES)


@pytest.mark.parametrize(
    ("given", "name", "words"),
    [
        (None, "given_0", ["'given_0': no split is given", '[splits.given] file = "splits_final.json"']),
        ({"column": "part"}, "given_0", ["the split of splits.given.column is called given"]),
        ({"file": "s.json"}, "given", ["are called given_0, given_1"]),
        ({}, "given", ['splits.given: needs either file = "splits_final.json" or column = "part"']),
        ({"file": "s.json", "column": "part"}, "given", ["splits.given: needs either"]),
        ({"file": "s\0.json"}, "given_0", ["splits.given.file", "cannot be kept"]),
        ({"fil": "s.json"}, "given_0", ["splits.given.fil: unknown key"]),
    ],
)
def test_given_splits_that_there_are_not(given: Any, name: str, words: list[str]) -> None:
    with pytest.raises(StudyError) as caught:
        parse({"grid": {"splits": [name]}, "splits": {"given": given} if given is not None else {}})
    assert all(word in str(caught.value) for word in words), str(caught.value)
