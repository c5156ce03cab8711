"""What both commands do alike: words that are missing or misspelt, ends of any kind, and streams of any kind."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from small_study import ROOT, environment
from test_results import DEFINITION, tables

import analysis.cli
import study.terminal.cli
from study.errors import StudyError
from study.results import Results
from study.terminal.command_line import DONE, IMPOSSIBLE, INTERRUPTED, NEGATIVE, Parser, carry_out

MAINS = {"study": study.terminal.cli.main, "analysis": analysis.cli.main}


def refused(arguments: list[str], main: object, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        main(arguments)  # type: ignore[operator]
    assert caught.value.code == IMPOSSIBLE
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


@pytest.mark.parametrize("name", MAINS)
def test_a_command_left_out_is_answered_with_the_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And not with DONE: a script whose variable is empty has checked nothing."""
    said = refused([], MAINS[name], capsys)
    assert "show this help message" in said
    assert "exit status: 0 done" in said


@pytest.mark.parametrize("name", MAINS)
def test_the_version(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        MAINS[name](["--version"])
    assert caught.value.code == DONE
    assert re.fullmatch(rf"{name} \d+\.\d+\.\d+ \(segmentation-stability\)\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("name", "arguments", "guess"),
    [
        ("study", ["plna"], "plan"),
        ("study", ["stauts", "x"], "status"),
        ("study", ["plan", "--calibrat3"], "--calibrate"),
        ("study", ["run", "--retry_failed"], "--retry-failed"),
        ("study", ["run", "--ste=seed=1"], "--set"),
        ("analysis", ["tabels", "paper"], "tables"),
        ("analysis", ["tables", "paper", "--format", "makrdown"], "markdown"),
        ("analysis", ["check", "paper", "--max-gab", "0.1"], "--max-gap"),
    ],
)
def test_a_misspelt_word_gets_a_guess(
    name: str, arguments: list[str], guess: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"did you mean {guess}?\n" in refused(arguments, MAINS[name], capsys)


def test_what_is_misspelt_is_shown_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["\x1b]0;x\x07"], ["plan", "--\x1b[2J"]):
        said = refused(arguments, study.terminal.cli.main, capsys)
        assert "\\x1b" in said
        assert "\x1b" not in said


def ends(act: object) -> int:
    parser = Parser(prog="tool")
    parser.add_commands().add_parser("work")
    return carry_out(parser, act, ["work"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (StudyError("no such\x1b[2J place"), IMPOSSIBLE, "tool work: no such\\x1b[2J place\n"),
        (OSError(28, "No space left", "/full"), IMPOSSIBLE, "tool work: [Errno 28] No space left: '/full'\n"),
        (KeyboardInterrupt(), INTERRUPTED, ""),
        (KeyError("x\x07"), IMPOSSIBLE, "tool work: failed by a defect of this program. Please report it"),
        (RecursionError(), IMPOSSIBLE, "defect of this program"),
        (MemoryError(), IMPOSSIBLE, "defect of this program"),
    ],
)
def test_every_end_has_its_status_and_words(
    error: BaseException, status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failure never has the status of a finding, foreseen or not."""

    def act(options: object) -> int:
        raise error

    assert ends(act) == status
    said = capsys.readouterr().err
    assert words in said
    assert ("Traceback" in said) == ("defect" in words)
    assert not set(said) & {"\x1b", "\x07"}


def test_a_finding_is_no_failure() -> None:
    assert ends(lambda options: NEGATIVE) == NEGATIVE


# --- real streams -----------------------------------------------------------------------------------------------------


HOSTILE = "\x1b]52;c;aGk=\x07\x9b2J[/y] :smile: \u202e\nfailed: another"
SHOWN = r"\x1b]52;c;aGk=\x07\x9b2J[/y] :smile: \u202e\nfailed: another"
UNFINISHED = {"trial": "x", "reason": HOSTILE, "attempts": 10**30, "driver": HOSTILE, "when": 0}
RUN = {"total": 4, "done": 1, "failed": 1, "state": "stopped", "reason": HOSTILE, "host": HOSTILE, "pid": 1}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of many trials, one of which is there, and a table of scores; both with words that mean ill."""
    folder = tmp_path_factory.mktemp("streams")
    results = Results(folder / "out")
    results.write_text("study.toml", DEFINITION.to_toml())
    results.commit(tables("icnet-ce-random_0-s0-t00", status="failed", objective=None, error="ä \x1b]0;x\x07 犬"))
    results.write_text("unfinished/icnet-ce-rot_0-s0-t00.json", json.dumps(UNFINISHED))
    results.write_text("run.json", json.dumps(RUN))
    rows = [f"ic\x1b]0;x\x07net,ce,random_{i},ew,Becher_ä,0.{i}5" for i in range(9)]
    (folder / "table.csv").write_text("\n".join(["model,loss,split,averaging,class,dice", *rows]), encoding="utf-8")
    return folder


def shell(command: str, place: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """A command line in bash, where STUDY and ANALYSIS are the commands, without the tests' own locale."""
    runs = {name.upper(): f"{sys.executable} -m {name}" for name in MAINS}
    plain = {k: v for k, v in environment().items() if not k.startswith(("PYTHONIO", "PYTHONUTF8", "LC_", "LANG"))}
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True,
        encoding="latin-1",
        env=plain | runs | {"OUT": str(place / "out"), "TABLE": str(place / "table.csv")} | more,
        cwd=ROOT,
        timeout=120,
    )


ENCODINGS = {
    "ASCII": {"PYTHONIOENCODING": "ascii"},
    "Latin-1": {"PYTHONIOENCODING": "latin-1"},
    "a plain C locale": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
}
ANSWERS = {
    "$ANALYSIS check $TABLE --max-sd 0.01": NEGATIVE,
    "$ANALYSIS tables $TABLE --format latex": DONE,
    "$STUDY status $OUT": NEGATIVE,
}


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("command", [*ANSWERS, "$ANALYSIS tables /no/Bücher", "$STUDY plan Bücher.toml"])
def test_an_output_of_any_encoding_changes_no_status(encoding: str, command: str, place: Path) -> None:
    done = shell(command, place, **ENCODINGS[encoding])
    assert done.returncode == ANSWERS.get(command, IMPOSSIBLE), done.stderr
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.slow
def test_a_terminal_gets_text_from_an_out_of_others(place: Path) -> None:
    """On a real pseudo-terminal: nothing that sets its title, its clipboard, its colours, or that forges a line."""
    written = b""

    def read(descriptor: int) -> bytes:
        nonlocal written
        written += (content := os.read(descriptor, 65536))
        return content

    status = pty.spawn([sys.executable, "-m", "study", "status", str(place / "out")], read)
    assert os.waitstatus_to_exitcode(status) == NEGATIVE
    shown = written.decode()
    assert " ".join(shown.splitlines()).count(SHOWN) == 3  # broken between words
    assert all(character.isprintable() or character in "\r\n" for character in shown)
    assert not any(line.startswith("failed: another") for line in shown.splitlines())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "status"),
    [
        *ANSWERS.items(),
        ("$STUDY plan paper --out /nowhere/x --json", DONE),
        ("$STUDY data --json", DONE),
        ("$STUDY keys", DONE),
        ("$STUDY run --help", DONE),
        ("$STUDY status $OUT 2>&1", NEGATIVE),
        ("$STUDY plan nothing 2>&1", IMPOSSIBLE),
    ],
)
def test_a_reader_that_leaves_early_changes_nothing(command: str, status: int, place: Path) -> None:
    done = shell(f"{command} | true", place)
    assert (done.returncode, done.stderr) == (status, "")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["$STUDY status $OUT", "$ANALYSIS check $TABLE --max-sd 0.01"])
@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_a_closed_stream_changes_nothing(command: str, closed: str, place: Path) -> None:
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    done = shell(f"{command} {closed}", place)
    assert (done.returncode, done.stderr) == (NEGATIVE, "")
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


@pytest.mark.slow
@pytest.mark.parametrize("command", ["$STUDY status $OUT", "$ANALYSIS --help"])
def test_an_answer_that_cannot_be_written_is_a_failure(command: str, place: Path) -> None:
    done = shell(f"{command} > /dev/full", place)
    assert done.returncode == IMPOSSIBLE
    assert re.fullmatch(r"(study|analysis)[a-z ]*: \[Errno 28\] No space left on device\n", done.stderr), done.stderr
    assert shell(f"{command} > /dev/full 2> /dev/full", place).returncode == IMPOSSIBLE
