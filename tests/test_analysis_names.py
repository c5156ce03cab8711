"""Names that have a meaning here, and that users may have too: of classes, models, losses and folders."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import small_study
from simulated_study import write_study
from test_analysis_load import CELLS, DEFINITION, commit

from analysis.classes import MACRO, is_object
from analysis.cli import main
from analysis.commands import stability
from analysis.errors import AnalysisError
from analysis.gate import check
from analysis.load import load
from analysis.scores import by_split
from study.definition import file as definition_file
from study.results import Results
from trainers.data.pairs.description import Pairs

SPLITS = [*(f"random_{i}" for i in range(4)), "rot_0"]


def tidy(path: Path, classes: Sequence[str], configurations: Sequence[tuple[str, str]] = (("net", "ce"),)) -> Path:
    """Every class at another level, a hundredth more on every next split."""
    rows = [
        (model, loss, split, "ew", name, 0.1 * k + 0.01 * i)
        for (model, loss), (i, split), (k, name) in itertools.product(
            configurations, enumerate(SPLITS), enumerate(classes)
        )
    ]
    pd.DataFrame(rows, columns=["model", "loss", "split", "averaging", "class", "dice"]).to_csv(path, index=False)
    return path


def test_a_class_called_macro_is_a_class_like_any(tmp_path: Path) -> None:
    scores = load(tidy(tmp_path / "t.csv", ["macro", "pen"]))
    wide = by_split(scores.table).droplevel(["model", "loss", "averaging"])
    assert wide.loc["macro", ("random", "random_1")] == pytest.approx(0.01)
    assert wide.loc[MACRO, ("random", "random_1")] == pytest.approx(0.06), "the mean over both"
    assert list(check(scores, min_dice=0.01, class_="macro").checks["class"]) == ["macro"]
    assert "| macro" in " | ".join(stability(scores).text().split())


def test_macro_on_the_command_line_is_the_mean_where_no_class_is_called_so(tmp_path: Path) -> None:
    scores = load(tidy(tmp_path / "t.csv", ["mug", "pen"]))
    assert list(check(scores, min_dice=0.01, class_="macro").checks["class"]) == [MACRO]
    assert list(check(scores, min_dice=0.01, class_=MACRO).checks["class"]) == [MACRO]


@pytest.mark.parametrize(
    ("name", "kept"), [("background", "background"), ("Background", "background"), ("BG", "bg"), ("All", "all")]
)
def test_background_and_all_are_no_objects_whatever_they_are_called(tmp_path: Path, name: str, kept: str) -> None:
    scores = load(tidy(tmp_path / "t.csv", [name, "mug"]))
    assert set(scores.table["class"]) == {kept, "mug"}
    wide = by_split(scores.table).droplevel(["model", "loss", "averaging"])
    assert wide.loc[MACRO].tolist() == wide.loc["mug"].tolist()
    assert list(check(scores, min_dice=0.1, class_=name).checks["class"]) == [kept]


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["bg", "background", "mug"], "class 'bg' and class 'background' both mean 'bg': keep one of them"),
        (["all", "ALL", "mug"], "class 'all' and class 'ALL' both mean 'all'"),
        ([MACRO, "mug"], f"class '{MACRO}' is what the mean over the classes is called: rename it"),
    ],
)
def test_names_that_clash_are_refused(tmp_path: Path, classes: list[str], message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        load(tidy(tmp_path / "t.csv", classes))


def test_configurations_with_hyphens_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tidy(tmp_path / "t.csv", ["mug"], [("u-net", "ce"), ("u", "net-dice"), ("a", "b-c"), ("a-b", "c")])
    for a, b in (("u-net-ce", "u-net-dice"), ("u-net-dice", "u-net-ce")):
        assert main(["compare", str(table), a, b]) == 0, "both names are understood"
    assert main(["compare", str(table), "a-b-c", "u-net-ce"]) == 2
    message = capsys.readouterr().err
    assert "means the model 'a' with the loss 'b-c' and the model 'a-b' with the loss 'c'" in message
    assert main(["compare", str(table), "u-net", "u-net-ce"]) == 2
    assert "no configuration 'u-net'; it has u-net-ce, u-net-dice, a-b-c" in capsys.readouterr().err


def test_a_folder_called_paper_is_pointed_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["tables", "paper"]) == 0
    assert capsys.readouterr().err == ""
    (tmp_path / "paper").mkdir()
    assert main(["tables", "paper"]) == 0
    assert "./paper" in capsys.readouterr().err


@pytest.mark.slow
def test_classes_called_like_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("true", "note", "low", "x", "x_low", "index", "macro")
    monkeypatch.setattr(small_study, "COLOURS", dict.fromkeys(names, (200, 40, 40)))
    settings = ["simulate=true", "grid.losses=ce", "grid.splits=random_0,rot_0", "search.trials=1"]
    made = definition_file.load(str(small_study.write_definition(tmp_path)), settings)
    out = write_study(tmp_path / "out", made)
    assert main(["stability", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["tables"]
    (matrix,) = (rows for title, rows in found.items() if title.startswith("Class in the image (row)"))
    assert {row["true class"] for row in matrix} == set(names)
    assert set(matrix[0]) == {
        *("model", "loss", "split_kind", "axis", "num_images", "true class"),
        *(f"{name} seen" for name in names),
    }
    assert main(["stability", str(out)]) == 0
    assert "x_low seen" in capsys.readouterr().out, "an interval's end is hidden, a class is not"
    assert main(["report", str(out), "--out", str(tmp_path / "page.html")]) == 0


@pytest.mark.parametrize(
    ("classes", "name"),
    [({"background": 0, "cl": 1}, "background"), (["bg", "bx"], "bg"), (None, "background")],
)
def test_the_background_of_label_maps_has_the_users_word(tmp_path: Path, classes: Any, name: str) -> None:
    """In OUT it is `bg`, as it is in the sets of cut-outs."""
    Results(tmp_path).write_text("study.toml", DEFINITION.to_toml())
    commit(tmp_path, f"{CELLS[0]}-t00")
    facts = load(tmp_path).study_facts("a test")
    assert "bg" in set(facts.test_scores(facts.chosen)["class"])
    pairs = Pairs(classes=classes)
    definition = DEFINITION.model_copy(update={"data": DEFINITION.data.model_copy(update={"pairs": pairs})})
    named = replace(facts, definition=definition)
    assert [*dict.fromkeys(named.test_scores(named.chosen)["class"])] == [name, "bx", "cl", "all"]
    assert named.counts(named.chosen)[f"{CELLS[0]}-t00"].classes == [name, "bx", "cl"]
    assert {*named.test_images[0].classes} == {"bx", "cl"}, "it is no object"
    assert not is_object(pd.Series([name])).any()


def test_the_gate_takes_either_word_for_the_background(tmp_path: Path) -> None:
    row = {"model": "m", "loss": "l", "split": "random_0", "averaging": "ew", "dice": 0.5}
    pd.DataFrame([row | {"class": each} for each in ("Background", "mug")]).to_csv(tmp_path / "s.csv", index=False)
    scores = load(tmp_path / "s.csv")
    for word in ("bg", "background", "BG"):
        assert set(check(scores, min_dice=0.1, class_=word).checks["class"]) == {"background"}
