"""Simulated results say so wherever they are shown, and are no results of a model."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from simulated_study import write_study
from small_study import write_definition

from analysis.cli import main
from study.definition import file as definition_file

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    settings = ["simulate=true", "grid.losses=ce,ce_dice", "grid.splits=random_0,random_1,rot_0", "search.trials=1"]
    return write_study(folder / "out", definition_file.load(str(write_definition(folder)), settings))


@pytest.mark.parametrize(
    "arguments",
    [
        *(["tables", "--format", name] for name in ("text", "markdown", "latex", "html", "csv", "json")),
        ["stability"],
        ["stability", "--json"],
        ["compare", "icnet-ce", "icnet-ce_dice"],
        ["check", "--max-sd", "0.9", "--simulated"],
    ],
    ids=" ".join,
)
def test_every_answer_says_that_it_is_simulated(
    out: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    status = main([arguments[0], str(out), *arguments[1:]])
    assert status == (3 if arguments[0] == "check" else 0)
    assert "simulated" in capsys.readouterr().out.lower()


def test_a_program_reads_it_in_a_field(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["stability", str(out), "--json"])
    assert json.loads(capsys.readouterr().out)["simulated"] is True
    main(["tables", str(out), "--json"])
    assert {row["simulated"] for row in json.loads(capsys.readouterr().out)} == {True}
    main(["stability", "paper", "--json"])
    assert json.loads(capsys.readouterr().out)["simulated"] is False


def test_the_report_says_it_in_its_headline(out: Path, tmp_path: Path) -> None:
    assert main(["report", str(out), "--out", str(tmp_path / "page.html")]) == 0
    assert "<h1>Simulated: " in (tmp_path / "page.html").read_text()
    assert json.loads((tmp_path / "page.json").read_text())["simulated"] is True


def test_a_table_of_them_does_not_slip_through_the_gate(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["tables", str(out), "--format", "csv"])
    text = capsys.readouterr().out
    assert {row["simulated"] for row in csv.DictReader(text.splitlines())} == {"1"}
    (tmp_path / "t.csv").write_text(text)
    assert main(["check", str(tmp_path / "t.csv"), "--max-sd", "0.9"]) == 2
    assert "holds simulated scores" in capsys.readouterr().err


def test_what_cannot_be_repeated_bit_for_bit_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["simulate=true", "grid.losses=ce", "search.trials=1", "training.deterministic=false"]
    out = write_study(tmp_path / "out", definition_file.load(str(write_definition(tmp_path)), settings))
    main(["stability", str(out)])
    assert "operations that are not deterministic" in " ".join(capsys.readouterr().out.split())
