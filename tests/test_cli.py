"""The commands, as far as they neither train nor start Ray."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from simulated_study import write_study
from small_study import ROOT, write_data

from study.cells import Cell, Trial
from study.commands.plan import _ranges
from study.commands.run import Finished
from study.definition import Definition
from study.definition.file import load
from study.prepare import Prepared, Provenance
from study.terminal.cli import main

COMMANDS = ("run", "plan", "status", "trial", "data", "init", "export", "predict", "compact", "keys", "completion")


def test_every_command_is_in_the_documents_and_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    overview = capsys.readouterr().out
    listed = re.findall(r"^    ([a-z]+)(?: |$)", overview, re.MULTILINE)
    assert tuple(listed) == COMMANDS
    shown = "".join(page.read_text() for page in (ROOT / "README.md", *(ROOT / "docs/how-to").glob("*.md")))
    for command in listed:
        assert f"study {command}" in shown
        with pytest.raises(SystemExit) as caught:
            main([command, "--help"])
        assert caught.value.code == 0
        assert "exit status: 0 done" in capsys.readouterr().out


def test_every_module_is_in_the_list_of_files() -> None:
    listed = set(re.findall(r"\w+", (ROOT / "docs/reference/files.md").read_text()))
    small = {"__init__", "__main__", "errors"}
    for package in ("study", "trainers", "analysis"):
        assert {path.stem for path in (ROOT / package).rglob("*.py")} <= listed | small


def test_plan_of_the_paper(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["plan", "paper", "--out", str(tmp_path / "none")]) == 0
    shown = capsys.readouterr().out
    assert "44 cells, 44 trials: 0 done, 44 missing" in shown
    assert re.search(r"unet-ce_dice-rot_2-s0 +t00", shown)
    assert "by the speed of an Intel Xeon with AMX: this machine may take several times as long" in shown
    assert re.search(r"\nThis machine: \d+ trials? at once\. To know how long that takes here, add --calibrate", shown)
    assert not (tmp_path / "none").exists(), "a plan writes nothing"


def test_a_plan_says_nothing_of_time_where_nothing_is_trained(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    simulated = load("demo", ["simulate=true", "search.trials=1", "grid.models=icnet", "grid.splits=random_0"])
    (tmp_path / "demo.toml").write_text(simulated.to_toml())
    command = ["plan", str(tmp_path / "demo.toml"), "--out", str(tmp_path / "out")]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "1 missing in" in said
    assert "It is simulated: no network is trained, so no time is estimated." in said
    write_study(tmp_path / "out", simulated)
    assert main(command) == 0
    again = capsys.readouterr().out
    assert "1 done, 0 missing in" in again
    assert "of one worker" not in said + again


def test_a_plan_says_what_this_machine_cannot_hold(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It may be meant for a cluster."""
    assert main(["plan", "paper", "--out", str(tmp_path / "none"), "--set", "resources.memory_gb={unet=99999}"]) == 0
    assert re.search(r"Not on this machine: a trial of icnet takes .* and 99999 GiB", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("indices", "text"),
    [([], ""), ([3], "t03"), ([0, 1, 2, 7, 9, 10], "t00-t02, t07, t09-t10"), ([99, 100], "t99-t100")],
)
def test_indices_are_shown_as_ranges(indices: list[int], text: str) -> None:
    cell = Cell("icnet", "ce", "random_0", 0)
    assert _ranges([Trial(cell, index) for index in indices]) == text


def test_those_of_a_rung_say_so() -> None:
    cell = Cell("icnet", "ce", "random_0", 0)
    trials = [*(Trial(cell, index, 4) for index in range(3)), Trial(cell, 0, 8), Trial(cell, 0)]
    assert _ranges(trials) == "t00-t02 to epoch 4, t00 to epoch 8, t00"


def test_plan_as_json(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # where all models take the same
    assert main(["plan", "demo", "--out", str(tmp_path), "--json", "--set", "search.trials=3"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["cells"], len(plan["trials"]), plan["basis"]) == (14, 42, "constants")
    assert plan["seconds"] > 0
    assert plan["here"]["at_once"] >= 1
    assert plan["here"]["hours"] is None, "nothing was measured here: another machine's figure says nothing of this one"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["run", "demo", "--set", "training.epocs=3"],
            ["study run:", "training.epocs", "did you mean training.epochs?"],
        ),
        (["plan", "papr"], ["did you mean paper?"]),
        (["plan", "--set", "data.path=/no/such/folder"], ["/no/such/folder", "no such folder"]),
        (["status", "/no/such/study"], ["/no/such/study holds no study"]),
        (["trial", "icnt-ce-random_0-s0-t00"], ["icnt-ce-random_0-s0-t00", "did you mean icnet?"]),
        (["trial", "icnet-ce-rot_7-s0-t00"], ["'rot_7'", "splits.held_out"]),
        (["trial", "icnet"], ["'icnet' is not a trial's id"]),
        (["keys", "nonsense"], ["'nonsense' is neither a section (data", "training", ") nor a key\n"]),
        (["data", "/no/such/folder"], ["/no/such/folder", "no such folder"]),
    ],
)
def test_what_cannot_be_done_is_one_message_and_status_2(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert all(word in said.err for word in words), said.err


@pytest.mark.slow
def test_a_run_says_at_once_what_it_runs_and_where(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what should be known before it trains stands in lines of its own, not behind how far it is."""
    said_before: list[str] = []

    def prepare(definition: Definition) -> Prepared:
        said_before.append(capsys.readouterr().out)
        return Prepared(definition, None, {}, "", Provenance(None, "{}"), notes=("beware of copies",))  # type: ignore[arg-type]

    monkeypatch.setattr("study.prepare.prepare", prepare)
    monkeypatch.setattr("study.commands.run.run", lambda *_, **__: Finished([], {}, {}))
    assert main(["run", "demo", "--out", str(tmp_path / "out")]) == 0
    assert said_before == [f"Study demo: 28 trials, to be kept in {tmp_path / 'out'} ...\n"]
    assert capsys.readouterr().out.startswith("Note: beware of copies\n")


def test_a_sound_data_set_is_described(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    assert main(["data", "--sheet", str(sheet)]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"box +12 +34 +14 +0 +60", shown)
    assert "72 backgrounds in 18 groups" in shown
    assert "No problems." in shown
    assert sheet.stat().st_size < 3_000_000


def test_all_problems_of_a_data_set_come_in_one_list(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Image problems by file and split problems by class, together; a negative finding."""
    data = write_data(tmp_path / "set")
    (data / "mug" / "0" / "0.png").write_bytes((data / "mug" / "0" / "0.png").read_bytes()[:60])
    for path in (data / "pen" / "60").iterdir():
        path.unlink()
    definition = tmp_path / "mine.toml"
    definition.write_text(
        'grid.splits = ["random_0", "rot_1"]\nsplits.held_out.angle.rot_1 = [60]\ntraining.batch_size = 4\n'
    )
    arguments = ["data", str(data), "--definition", str(definition), "--sheet", str(tmp_path / "s.png")]
    assert main(arguments) == 1
    shown = capsys.readouterr().out
    assert "mug/0/0.png (it ends too soon, or a checksum does not hold): unreadable" in shown
    assert "pen/60: no image in this folder" in shown
    assert "rot_1, class pen (its angle: 0, 30): no sample to test on: change splits.held_out.angle.rot_1" in shown
    assert main([*arguments, "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert len(report["problems"]) == 3
    assert report["counts"]["angle"]["mug"]["0"] == 6
