"""`study data`: a data set is judged by itself, and what it says can be used."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odd_data import cut_out_image
from small_study import write_data
from test_splits import made_up

from study.commands.data import describe_data
from study.definition.file import parse
from study.proposals import propose_held_out, proposed_toml, proposed_unit
from study.splits import make_split, make_splits, split_problems
from study.terminal.cli import main
from trainers.data.cut_outs.catalogue import read_catalogue
from trainers.data.distribution import describe
from trainers.data.table import Sample, Samples, Value

ROTATIONS = ("rot_0", "rot_1", "rot_2")


def test_without_a_definition_the_sets_own_angles_are_proposed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = write_data(tmp_path / "set")
    (data / "pen" / "60").rename(data / "pen" / "90")
    assert main(["data", str(data)]) == 0
    shown = capsys.readouterr().out
    assert "No problems." in shown
    proposed = shown[shown.index("[splits.held_out.angle]") :]
    assert proposed.splitlines() == [
        "[splits.held_out.angle]",
        'rot_0 = { "*" = [0] }',
        'rot_1 = { "*" = [30] }',
        'rot_2 = { "*" = [60], pen = [90] }',
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["set"], "nothing is written unasked"
    (tmp_path / "mine.toml").write_text(f'data.path = "{data}"\ntraining.batch_size = 4\n{proposed}')
    assert main(["plan", "mine.toml", "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)["trials"]
    assert {each["trial"].split("-")[2] for each in planned} == {*(f"random_{i}" for i in range(8)), *ROTATIONS}
    assert main(["data", "--definition", "mine.toml"]) == 0, "without PATH, the definition's own data set"
    assert "rot_0" not in capsys.readouterr().out
    assert main(["data", "", "--definition", "mine.toml"]) == 2, "nor is another one taken for an empty name"


@given(
    st.dictionaries(
        st.sampled_from(["a", "b-1", "c.2", "d"]),
        st.dictionaries(st.sampled_from([0, 22.5, 30, 60, 90]), st.integers(1, 4), min_size=1),
        min_size=1,
    )
)
def test_every_proposed_split_can_be_made(counts: dict[str, dict[float, int]]) -> None:
    samples = made_up(counts)
    proposed = propose_held_out(samples, "angle")
    table = tomllib.loads(proposed_toml(samples))
    if not proposed:
        assert table == {}
        assert any(sum(sum(by.values()) - count >= 2 for count in by.values()) == 0 for by in counts.values())
        return
    definition = parse({**table, "grid": {"splits": list(proposed)}, "training": {"batch_size": 2}})
    assert definition.splits.held_out == {"angle": proposed}
    assert all(make_split(name, definition, samples).test for name in proposed)
    for tested in proposed.values():
        for name, by_angle in describe(samples, "angle").items():
            assert by_angle[tested.get(name, tested["*"])[0]] > 0
    per_class = [[tested.get(name, tested["*"]) for tested in proposed.values()] for name in counts]
    assert all(len(set(angles)) == len(angles) for angles in per_class), "no angle of a class twice"


def test_of_many_angles_a_few_are_proposed() -> None:
    several = made_up({"mug": dict.fromkeys(range(0, 360, 10), 2), "pen": dict.fromkeys((0, 90), 2)})
    proposed = propose_held_out(several, "angle")
    assert proposed == {"rot_0": {"*": (0,)}, "rot_90": {"*": (90,)}}
    alone = propose_held_out(made_up({"mug": dict.fromkeys(range(0, 360, 10), 2)}), "angle")
    assert [tested["*"] for tested in alone.values()] == [(angle,) for angle in range(0, 360, 50)]


def test_any_column_is_proposed_also_of_samples_that_show_several_classes() -> None:
    rows = [
        Sample(f"{site}{day}", ("leaf", "stem"), {"Site ID": site, "day": day}) for site in "AB" for day in range(4)
    ]
    samples = Samples(("leaf", "stem"), tuple(rows))
    assert propose_held_out(samples, "day") == {f"day_{day}": {"*": (day,)} for day in range(4)}
    table = tomllib.loads(proposed_toml(samples))
    assert table["splits"]["held_out"]["Site ID"] == {"site_id_a": {"*": ["A"]}, "site_id_b": {"*": ["B"]}}
    assert split_problems(parse({**table, "training": {"batch_size": 2}}), samples) == []


def of_patients(number: int, visits: int = 2) -> Samples:
    rows = [
        Sample(f"{patient}_{visit}", ("leaf", "stem"), {"Patient": patient, "visit": visit, "site": "AB"[patient % 2]})
        for patient in range(number)
        for visit in range(visits)
    ]
    return Samples(("leaf", "stem"), tuple(rows))


def test_a_column_of_groups_is_proposed_as_the_unit() -> None:
    samples = of_patients(6)
    assert proposed_unit(samples) == "Patient"
    proposed = proposed_toml(samples)
    assert "# No split holds out visit: a Patient has several." in proposed
    definition = parse({**tomllib.loads(proposed), "training": {"batch_size": 2}})
    assert definition.splits.unit == "Patient"
    assert definition.splits.held_out["site"] == {"site_a": {"*": ("A",)}, "site_b": {"*": ("B",)}}
    assert [*definition.splits.held_out["Patient"]] == [f"patient_{i}" for i in range(6)]
    assert split_problems(definition, samples) == []


@pytest.mark.parametrize(
    "samples", [of_patients(3), of_patients(8, visits=1), made_up({"mug": dict.fromkeys(range(9), 5)})]
)
def test_few_values_single_samples_and_angles_are_no_units(samples: Samples) -> None:
    assert proposed_unit(samples) is None


def test_of_words_up_to_twenty_are_held_out_one_by_one() -> None:
    for number, proposed in ((20, 20), (21, 11)):
        rows = [Sample(f"{site}_{i}", ("leaf",), {"site": f"s{site:02d}"}) for site in range(number) for i in range(2)]
        assert len(propose_held_out(Samples(("leaf",), tuple(rows)), "site")) == proposed


def test_splits_are_called_by_the_values_that_they_test_or_numbered() -> None:
    def names(axis: str, *values: Value) -> list[str]:
        rows = [Sample(f"{value}/{i}", ("leaf",), {axis: value}) for value in values for i in range(2)]
        return list(propose_held_out(Samples(("leaf",), tuple(rows)), axis))

    assert names("clinic", "A (north)", "clinic B") == ["clinic_a_north", "clinic_b"]
    assert names("clinic", "A+", "A-") == ["clinic_0", "clinic_1"]
    assert names("clinic", "x" * 60, "y") == ["clinic_0", "clinic_1"]
    assert names("day", 3, 4) == ["day_3", "day_4"]
    assert names("depth", -3, 3, 22.5) == ["depth_minus_3", "depth_3", "depth_22_5"]


def test_a_value_without_samples_of_some_class_is_not_proposed() -> None:
    rows = [
        Sample(f"{s}{i}", ("leaf", "stem") if s != "A" else ("leaf",), {"site": s}) for s in "ABC" for i in range(3)
    ]
    assert propose_held_out(Samples(("leaf", "stem"), tuple(rows)), "site") == {
        "site_b": {"*": ("B",)},
        "site_c": {"*": ("C",)},
    }


def test_where_a_class_has_one_angle_none_is_held_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_data(tmp_path / "set")
    for angle in ("30", "60"):
        shutil.rmtree(data / "mug" / angle)
    assert main(["data", str(data)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("# No split holds out angle: a class has one value only")


def test_few_backgrounds_are_shared_in_what_is_proposed(tmp_path: Path) -> None:
    data = write_data(tmp_path / "set")
    for number in (2, 3, 4):
        (data / f"backgrounds/{number}.png").unlink()
    proposal = describe_data(str(data)).proposal
    assert proposal
    definition = parse({**tomllib.loads(proposal), "training": {"batch_size": 4}})
    assert make_splits(definition, read_catalogue(data).samples).keys() == {
        *(f"random_{i}" for i in range(8)),
        *("rot_0", "rot_30", "rot_60"),
    }


def test_a_class_that_no_definition_can_split_is_a_problem(folder: Path) -> None:
    assert [str(problem) for problem in describe_data(str(folder)).problems] == [
        f"{name} (2 samples): fewer than the 3 samples that are needed to train, to validate and to test: add some"
        for name in ("mug", "pen")
    ]


def test_the_definition_decides_whether_copies_may_be(tmp_path: Path) -> None:
    data = write_data(tmp_path / "set")
    os.link(data / "mug/0/0.png", data / "mug/0/again.png")
    table = {"grid": {"splits": ["random_0"]}, "training": {"batch_size": 4}}
    assert len(describe_data(str(data), parse(table)).problems) == 1
    assert describe_data(str(data), parse(table | {"data": {"allow_copies": True}})).problems == []


def test_a_full_turn_is_one_angle(folder: Path) -> None:
    for number, name in enumerate(("mug/360/d", "mug/022.50/e", "pen/330/f", "pen/-360.0/g")):
        (folder / name).parent.mkdir(parents=True)
        cut_out_image(20 + number).save(folder / f"{name}.png")
    report = describe_data(str(folder))
    assert report.problems == []
    assert report.counts == {"angle": {"mug": {0: 2, 22.5: 2, 330: 0}, "pen": {0: 2, 22.5: 0, 330: 2}}}
    splits = {"held_out": {"angle": {"rot_0": {"mug": [360], "pen": [-30]}}}, "shared_backgrounds": True}
    definition = parse({"splits": splits, "training": {"batch_size": 2}})
    tested = make_split("rot_0", definition, read_catalogue(folder).samples).test
    assert set(tested) == {"mug/0/a", "mug/360/d", "pen/-30/c", "pen/330/f"}


def test_what_cannot_be_read_is_one_message(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files that vanish or cannot be opened leave no fingerprint, and no second message."""
    (folder / "mug/0/a.png").unlink()
    (folder / "mug/0/a.png").mkdir()
    os.mkfifo(folder / "pen/0/pipe.png")
    os.mkfifo(folder / "pen/0/README")
    assert main(["data", str(folder)]) == 1
    shown = capsys.readouterr().out
    assert "mug/0/a.png: a folder where only images are expected" in shown
    assert "pen/0/pipe.png: no regular file" in shown
    assert "README" not in shown
    assert "Fingerprint" not in shown
    assert describe_data(str(folder)).to_json()["fingerprint"] is None


def of_a_definition(folder: Path, text: str) -> str:
    """A definition of a small set, written there."""
    (folder / "my.toml").write_text(f'data.path = "{write_data(folder / "set")}"\ntraining.batch_size = 4\n{text}')
    return str(folder / "my.toml")


PEN_ALONE = """
grid.splits = ["steep", "fold_0", "matched_steep"]
[splits.held_out.angle]
steep = { pen = [60] }
"""


def test_a_class_that_a_split_lacks_is_named_by_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = of_a_definition(tmp_path, PEN_ALONE)
    for command in (["plan", file], ["data", "--definition", file], ["run", file, "--out", str(tmp_path / "out")]):
        assert main(command) in (1, 2)
        shown = capsys.readouterr()
        assert "steep, class mug (its angle: 0, 30, 60): no sample to test on" in shown.out + shown.err


def test_classes_that_may_be_absent_are_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = of_a_definition(tmp_path, f"splits.allow_absent_classes = true\n{PEN_ALONE}")
    note = "steep, class mug, matched_steep, class mug: no test sample shows it, so it has no score"
    assert main(["plan", file]) == 0
    assert note in " ".join(capsys.readouterr().out.split())
    assert main(["plan", file, "--json"]) == 0
    assert note in json.loads(capsys.readouterr().out)["notes"]
    assert main(["data", "--definition", file]) == 0
    assert note in " ".join(capsys.readouterr().out.split())
