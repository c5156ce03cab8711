"""The command `analysis`, from the outside."""

from __future__ import annotations

import csv
import io
import itertools
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from small_study import ROOT

from analysis.cli import main


def said(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    assert main(arguments) == status
    captured = capsys.readouterr()
    return captured.out if status == 0 else captured.err


def test_every_command_is_in_the_documents_and_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = re.findall(r"^    ([a-z]+)(?: |$)", capsys.readouterr().out, re.MULTILINE)
    assert listed == ["tables", "stability", "compare", "report", "check", "export", "enough", "completion"]
    shown = "".join(page.read_text() for page in (ROOT / "README.md", *(ROOT / "docs/how-to").glob("*.md")))
    for command in listed:
        assert f"analysis {command}" in shown
        with pytest.raises(SystemExit) as caught:
            main([command, "--help"])
        assert caught.value.code == 0
        capsys.readouterr()


def test_the_papers_own_tables(capsys: pytest.CaptureFixture[str]) -> None:
    shown = said(capsys, "tables", "paper")
    assert shown.count("random_7") == 4
    assert re.search(r"rot_1 +0\.98\* 0\.42\* 0\.78", shown)
    rows = list(csv.DictReader(io.StringIO(said(capsys, "tables", "paper", "--format", "csv"))))
    assert len(rows) == 704


def test_the_audit_names_the_four_wrong_columns(capsys: pytest.CaptureFixture[str]) -> None:
    shown = said(capsys, "tables", "paper", "--audit")
    assert "marks wrong in 4 of 64 columns" in shown


def test_stability_leads_with_the_answer_and_its_chance_level(capsys: pytest.CaptureFixture[str]) -> None:
    shown = said(capsys, "stability", "paper")
    assert shown.startswith("In short\n")
    in_one_line = " ".join(shown.split())
    assert (
        "In 17 of 24 columns (a class of a configuration) the lowest score is on a held-out angle split: 71 %, "
        "where chance gives 27 % (exact one-sided permutation p = 0.03)" in in_one_line
    )
    assert "(all together: exact one-sided permutation p = 0.0061)" in in_one_line
    assert re.search(r"\n +64 +53 +0 0\.828 +0\.273 0\.0061\n", shown), "README's 53 of 64"
    assert "no column can be significant after Holm's correction for 48" in in_one_line


def test_compare_corrects_for_overlapping_training_sets(capsys: pytest.CaptureFixture[str]) -> None:
    shown = said(capsys, "compare", "paper", "icnet-ce_dice", "icnet-ce", "--test-to-train", "131/515")
    assert "test/train ratio 0.254" in shown
    assert re.search(r"pw +all +8 +4 +0 +4 +0\.005 \[-0\.003, 0\.013\] +0\.0331 0\.1726 +0\.1250", shown)


def test_the_papers_one_division_has_nothing_to_correct(capsys: pytest.CaptureFixture[str]) -> None:
    shown = said(capsys, "compare", "paper", "icnet-ce_dice", "icnet-ce")
    assert "less icnet-ce, one division of the images" in shown
    assert re.search(r"pw +all +8 +4 +0 +4 +0\.005 \[0\.001, 0\.009\] +0\.0331 +- +0\.1250", shown)


@pytest.mark.parametrize("ratio", ["x", "1/0", "-1", "1/x"])
def test_an_impossible_ratio_is_refused(ratio: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as status:
        main(["compare", "paper", "icnet-ce_dice", "icnet-ce", "--test-to-train", ratio])
    assert status.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_what_is_missing_is_said_beside_the_numbers(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from test_results import DEFINITION, tables

    from study.results import Results

    results = Results(tmp_path / "out")
    results.write_text("study.toml", DEFINITION.to_toml())
    results.commit(tables("icnet-ce-random_0-s0-t00", status="failed", objective=None, error="the loss became nan"))
    assert main(["tables", str(tmp_path / "out")]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tables", "/no/such/study"], ["/no/such/study", "is not a study"]),
        (["tables", "paper", "--averaging", "xx"], ["xx", "pw"]),
        (["tables", "paper", "--select", "tuned"], ["paper", "tuned"]),
        (["compare", "paper", "icnet", "unet-ce"], ["no configuration 'icnet'; it has icnet-ce, icnet-ce_dice"]),
        (["compare", "paper", "icnet-ce", "unet-x"], ["unet"]),
    ],
)
def test_what_cannot_be_done_is_one_message_and_status_2(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    message = said(capsys, *arguments, status=2)
    assert message.startswith(f"analysis {arguments[0]}: ")
    assert all(word in message for word in words), message


def small(path: Path, model: str, number: int = 8) -> str:
    rows = [
        (model, loss, f"random_{i}", "ew", "bx", 0.1 + 0.05 * i + 0.1 * (loss == "ce"))
        for loss in ("ce", "ce_dice")
        for i in range(number)
    ]
    pd.DataFrame(rows, columns=["model", "loss", "split", "averaging", "class", "dice"]).to_csv(path)
    return str(path)


def test_a_tidy_table_is_compared_without_the_sizes_of_its_splits(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shown = " ".join(said(capsys, "compare", small(tmp_path / "t.csv", "icnet"), "icnet-ce", "icnet-ce_dice").split())
    assert (
        "Of 8 random splits it is higher on 8, lower on 0, equal on 0 (exact two-sided sign-flip p = 0.00781)" in shown
    )


def test_a_tilde_stands_for_a_colon_as_in_trials_names(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    table = small(tmp_path / "t.csv", "mynets:Net", 3)
    assert "mynets:Net-ce less" in said(capsys, "compare", table, "mynets~Net-ce", "mynets:Net-ce_dice")


def test_a_workbook_holds_scores_and_trials(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As a spreadsheet takes it: no time has a zone, and no name is run as a formula."""
    from test_analysis_load import CELLS, DEFINITION, commit

    from study.results import Results

    Results(tmp_path / "out").write_text("study.toml", DEFINITION.to_toml())
    started = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
    commit(tmp_path / "out", f"{CELLS[0]}-t00", started=started, host="=1+1")
    book = tmp_path / "study.xlsx"
    said(capsys, "tables", str(tmp_path / "out"), "--format", "xlsx", "--out", str(book))
    scores = pd.read_excel(book, "scores", keep_default_na=False)
    assert list(scores["class"].unique()) == ["bg", "bx", "cl", "all"]
    (trial,) = pd.read_excel(book, "trials").to_dict("records")
    assert (trial["trial"], trial["started_utc"]) == (f"{CELLS[0]}-t00", datetime(2026, 11, 20, 12, 30))
    assert trial["host"] == "'=1+1"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--format", "xlsx"], "add --out FILE.xlsx"),
        (["--out", "x.xlsx"], "--out is for workbooks"),
        (["--format", "xlsx", "--out", "x.csv"], "ends in .xlsx"),
        (["--format", "xlsx", "--out", "no/such/x.xlsx"], "cannot be written"),
    ],
)
def test_a_workbook_needs_a_file(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert words in said(capsys, "tables", "paper", *arguments, status=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["tables", "stability", "compare", "check", "report"])
def test_before_the_first_trial_every_command_says_the_same(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from test_analysis_load import DEFINITION

    from study.results import Results

    Results(tmp_path / "out").write_text("study.toml", DEFINITION.to_toml())
    more = {"compare": ["icnet-ce", "unet-ce"], "check": ["--max-sd", "0.1"]}.get(command, [])
    message = said(capsys, command, str(tmp_path / "out"), *more, status=2)
    assert message.partition(": ")[2].strip() == (
        f"{tmp_path / 'out'}: no trial is done yet, of 4; there is nothing to analyse before one is"
    )


ODD_TABLES: dict[str, dict[str, Any]] = {
    "one score": {"splits": ["random_0"]},
    "rotation splits alone": {"splits": ["rot_0", "rot_1"]},
    "random splits alone": {"splits": ["random_0", "random_1"]},
    "one class": {"classes": ["mug"]},
    "pooled alone": {"averagings": ["pooled"]},
    "a configuration without scores": {"blank": lambda row: row["model"] == "b"},
    "an averaging without scores": {"blank": lambda row: row["averaging"] == "ew"},
    "random splits without scores": {"blank": lambda row: row["split"].startswith("random")},
    "rotation splits without scores": {"blank": lambda row: row["split"].startswith("rot")},
    "a class without scores": {"blank": lambda row: row["class"] == "pen"},
    "nothing right": {"dice": 0.0},
    "all right": {"dice": 1.0},
}


@pytest.mark.slow
@pytest.mark.parametrize("odd", list(ODD_TABLES))
def test_odd_tables_are_answered_without_a_defect(odd: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = {"splits": ["random_0", "random_1", "random_2", "random_3", "rot_0", "rot_1"]}
    given |= {"classes": ["bg", "mug", "pen", "all"], "averagings": ["pw", "ew"]} | ODD_TABLES[odd]
    names = ["model", "loss", "split", "averaging", "class"]
    places = itertools.product(["a", "b"], ["ce"], given["splits"], given["averagings"], given["classes"])
    rows = [
        dict(zip(names, place, strict=True)) | {"dice": given.get("dice", i % 97 / 97)}
        for i, place in enumerate(places)
    ]
    table = pd.DataFrame(rows)
    if blank := given.get("blank"):
        table["dice"] = table["dice"].mask(table.apply(blank, axis=1))
    table.to_csv(tmp_path / "t.csv", index=False)
    path = str(tmp_path / "t.csv")
    assert "nan" not in said(capsys, "stability", path)
    said(capsys, "tables", path)
    said(capsys, "report", path, "--out", str(tmp_path / "page.html"))
    averaging = given["averagings"][-1]
    assert main(["check", path, "--min-dice", "0.5", "--averaging", averaging]) in (0, 1, 3)


@pytest.mark.parametrize("classes", [["bg"], ["background", "all"]])
def test_a_table_without_objects_has_nothing_to_analyse(
    classes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("net", "ce", f"random_{i}", "ew", name, 0.5) for i in range(4) for name in classes]
    pd.DataFrame(rows, columns=["model", "loss", "split", "averaging", "class", "dice"]).to_csv(tmp_path / "t.csv")
    assert "no class has a score" in said(capsys, "stability", str(tmp_path / "t.csv"), status=2)


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m analysis tables paper | head -1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1
