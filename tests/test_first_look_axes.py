"""Along which columns a first study holds samples out: parts, columns that say the same, and how many splits run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from study.definition.file import parse
from study.first_look.axes import MOST_RUN, axes_of, part_column, those_run
from study.first_look.columns import propose_pattern
from study.first_look.splits import ProposedSplits, propose_splits
from study.splits import make_splits
from trainers.data.likeness import NOTHING_ALIKE
from trainers.data.table import Sample, Samples, Value


def of_columns(columns: Mapping[str, Sequence[Value]]) -> Samples:
    """Samples that all show two classes, and have these values, sample by sample."""
    rows = zip(*columns.values(), strict=True)
    samples = (Sample(f"{i:03d}", ("leaf", "stem"), dict(zip(columns, row, strict=True))) for i, row in enumerate(rows))
    return Samples(("leaf", "stem"), tuple(samples))


def each(times: int, *values: Value) -> list[Value]:
    return [value for value in values for _ in range(times)]


def proposed(samples: Samples) -> ProposedSplits:
    """Of which the splits can be made."""
    found = propose_splits(samples, NOTHING_ALIKE)
    make_splits(parse(found.as_table()), samples)
    return found


DRIVES = each(6, "a", "b", "c", "d")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("train", "val"), "part"),
        (("Training", "Testing"), "part"),
        (("train", "validation", "test"), "part"),
        (("val", "test"), None),
        (("train", "other"), None),
        (("train",), None),
    ],
)
def test_a_column_of_parts_is_known_by_its_values(words: Sequence[str], part: str | None) -> None:
    assert part_column(of_columns({"drive": each(2, *words), "part": each(2, *words)[::-1]})) == (part and "drive")
    assert part_column(of_columns({"drive": [1] * 2 * len(words), "part": each(2, *words)})) == part


def test_parts_give_one_split_and_none_is_held_out() -> None:
    samples = of_columns({"part": each(6, "train", "train", "train", "val"), "drive": DRIVES})
    found = proposed(samples)
    assert (found.unit, found.unit_is_set, found.given) == ("drive", True, "part")
    assert found.names[4:] == ["given"]
    assert [*found.described["drive"]] == ["drive_a", "drive_b", "drive_c", "drive_d"]
    assert parse(found.as_table()).splits.given == parse({"splits": {"given": {"column": "part"}}}).splits.given


def test_a_unit_is_kept_though_a_split_cannot_be_made_with_it() -> None:
    """Frames of a drive are in two parts; and all drives but one were by day, which leaves one to learn from."""
    parts = ["train", "train", "train", "val", "val", "val"] * 4
    samples = of_columns({"drive": DRIVES, "part": parts, "time": each(6, "day", "day", "day", "dusk")})
    found = proposed(samples)
    assert (found.unit, found.unit_is_set, found.given) == ("drive", True, None)
    assert set(found.described) == {"drive"}
    assert "Left out, as they cannot be made with splits.unit = 'drive': given." in found.notes
    assert "No split holds out time: none can be made with splits.unit = 'drive'." in found.notes


def test_of_few_units_those_held_out_by_chance_are_not_held_out_again() -> None:
    """Each of four random splits tests one of four drives: as a held-out split of drives would."""
    samples = of_columns({"drive": DRIVES})
    found = proposed(samples)
    assert found.names == ["random_0", "random_1", "random_2", "random_3"]
    assert [*found.described["drive"]] == ["drive_a", "drive_b", "drive_c", "drive_d"]
    assert not found.not_run, "those that are many"
    assert any("random splits are held-out ones, too" in note for note in found.notes)
    assert not any("test the same images, so" in note for note in found.notes)
    many = proposed(of_columns({"drive": each(3, *(f"d{i}" for i in range(12)))}))
    assert len(many.held_out["drive"]) == MOST_RUN
    assert not many.few_units


def test_columns_and_splits_that_say_the_same_are_named_once() -> None:
    columns = {"age": each(6, 30, 31, 32, 33), "drive": DRIVES, "time": each(6, "day", "day", "dusk", "dusk")}
    columns["first"] = each(6, "yes", "no", "no", "no")
    found = axes_of(of_columns(columns), "drive")
    assert {axis: [*splits] for axis, splits in found.held_out.items()} == {
        "drive": ["drive_a", "drive_b", "drive_c", "drive_d"],
        "time": ["time_day", "time_dusk"],
        "first": ["first_no"],
    }
    assert found.notes == (
        "age divides the images as drive does: left out",
        "first_yes would test the same images as drive_a: left out",
    )


def test_a_column_that_equals_the_part_is_no_group() -> None:
    samples = of_columns({"part": each(9, "train", "test"), "folder": each(9, "A", "B"), "site": ["x", "y", "z"] * 6})
    assert axes_of(samples, None).held_out.keys() == {"site"}
    assert axes_of(samples, None).notes == ("folder divides the images as part does: left out",)


def test_few_splits_of_many_are_run_and_the_others_are_described() -> None:
    sites, days = each(2, *(f"s{i:02d}" for i in range(12))), [1, 2] * 12
    found = proposed(of_columns({"site": sites, "day": days}))
    assert {axis: len(splits) for axis, splits in found.held_out.items()} == {"site": MOST_RUN}, "a site has two days"
    assert len(found.described["site"]) == 12
    assert set(parse(found.as_table()).splits.held_out["site"]) == set(found.described["site"])
    (said,) = [note for note in found.notes if "are run" in note]
    assert said.startswith("8 held-out splits are run, so that a first study ends soon. 4 more are described under ")
    assert "to run more, add names to grid.splits." in said
    several = {axis: {f"{axis}_{i}": {"*": (i,)} for i in range(number)} for axis, number in (("a", 2), ("b", 20))}
    assert {axis: [*splits] for axis, splits in those_run(several).items()} == {
        "a": ["a_0", "a_1"],
        "b": ["b_0", "b_3", "b_6", "b_10", "b_13", "b_16"],
    }


def test_a_pattern_calls_parts_by_their_name() -> None:
    found = propose_pattern([f"{part}/{drive}_{i}" for part in ("train", "val") for drive in "ab" for i in range(3)])
    assert found
    assert found.text == "{part}/{group}_{group_2}"
