"""The tables on disk: committed whole or not at all, and read back as they were."""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from study.cells import parse_trial
from study.commands.trial import differing_columns
from study.definition.file import load
from study.errors import StudyError
from study.outside import Outside
from study.prepare import versions
from study.results import DEFINITION_FILE, RUN_FILE, Audit, Results
from study.results.committed import check_same_inputs, outcomes, refuse_foreign_files
from study.results.kept import kept_definition, missing, read_committed
from study.results.schemas import CIRCUMSTANCES, SCHEMAS, table_of
from study.terminal.cli import main

DEFINITION = load("demo")


def trial_row(trial_id: str, **changes: object) -> dict[str, object]:
    trial = parse_trial(trial_id)
    return {
        "trial": trial_id,
        "model": trial.cell.model,
        "loss": trial.cell.loss,
        "split": trial.cell.split,
        "seed": trial.cell.seed,
        "index": trial.index,
        "point": '{"augmentation.strength": 1.0, "model.width": 0.5}',
        "width": 0.5,
        "strength": 1.0,
        "status": "completed",
        "objective": 0.4,
        "started": datetime(2026, 1, 1, tzinfo=UTC),
        "recipe_digest": DEFINITION.recipe_digest(),
    } | changes


def tables(trial_id: str, **changes: object) -> dict[str, pa.Table]:
    return {
        "trials": table_of("trials", [trial_row(trial_id, **changes)], recipe=DEFINITION.keys_that_decide_a_trial()),
        "history": table_of("history", [{"trial": trial_id, "epoch": 1, "train_loss": 0.1}]),
        "dice": table_of(
            "dice", [{"trial": trial_id, "class": "bg", "dice_ew": None}, {"trial": trial_id, "class": "bx"}]
        ),
    }


def test_what_is_committed_is_read_back(tmp_path: Path) -> None:
    results = Results(tmp_path / "out")
    for trial_id in ("icnet-ce-random_0-s0-t01", "icnet-ce-random_0-s0-t00"):
        results.commit(tables(trial_id))
    audit = results.audit()
    assert list(audit.rows) == ["icnet-ce-random_0-s0-t00", "icnet-ce-random_0-s0-t01"]
    assert audit.damaged == {}
    assert audit.rows["icnet-ce-random_0-s0-t00"]["started"] == datetime(2026, 1, 1, tzinfo=UTC)
    assert results.recipe_of("icnet-ce-random_0-s0-t01") == DEFINITION.keys_that_decide_a_trial()
    frame = pd.read_parquet(tmp_path / "out" / "dice")
    assert list(frame.columns) == SCHEMAS["dice"].names
    assert len(frame) == 4
    assert frame["dice_ew"].isna().all()


def test_a_trial_that_diverged_leaves_no_scores_of_another(tmp_path: Path) -> None:
    results, failed = Results(tmp_path), tables("icnet-ce-random_0-s0-t00", status="failed", objective=None)
    results.commit(tables("icnet-ce-random_0-s0-t00"))
    results.commit({"trials": failed["trials"]})
    assert [path.name for path in tmp_path.rglob("*.parquet")] == ["icnet-ce-random_0-s0-t00.parquet"]
    assert list(results.audit().rows) == ["icnet-ce-random_0-s0-t00"]


def test_an_empty_place_is_an_empty_study(tmp_path: Path) -> None:
    results = Results(tmp_path / "nothing")
    assert results.audit() == Audit({}, {})
    assert results.read("dice").schema == SCHEMAS["dice"]
    assert results.read_text("study.toml") is None
    assert not (tmp_path / "nothing").exists()


def test_the_trials_row_is_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results, written = Results(tmp_path), []
    write = Results._write
    monkeypatch.setattr(
        Results, "_write", lambda self, name, content: (written.append(name), write(self, name, content))
    )
    results.commit(tables("icnet-ce-random_0-s0-t00"))
    assert [name.partition("/")[0] for name in written] == ["dice", "history", "trials"]


@pytest.mark.slow
def test_a_writer_killed_half_way_leaves_nothing_to_read(tmp_path: Path) -> None:
    """A process that dies in the middle of a write (SIGKILL, in fsync) has committed nothing, and the next one can."""
    code = (
        "import os, signal\n"
        "from study.results import Results\n"
        "os.fsync = lambda fd: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"Results({str(tmp_path)!r}).write_text('trials/icnet-ce-random_0-s0-t00.parquet', 'x' * 100000)\n"
    )
    died = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent)
    assert died.returncode == -9
    assert len(os.listdir(tmp_path / "trials")) == 1, "the unfinished file is there, hidden"
    assert Results(tmp_path).audit().rows == {}
    Results(tmp_path).commit(tables("icnet-ce-random_0-s0-t00"))
    assert len(Results(tmp_path).audit().rows) == 1
    assert len(pd.read_parquet(tmp_path / "trials")) == 1


def test_a_failed_write_leaves_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StudyError, match=r"study\.toml cannot be written there: .*No space left"):
        Results(tmp_path).write_text("study.toml", "x")
    assert os.listdir(tmp_path) == []


def test_what_killed_writers_left_is_swept_after_a_while(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.commit(tables("icnet-ce-random_0-s0-t00"))
    old, new = (tmp_path / "dice" / f".x.parquet.unfinished-{age}" for age in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    before = set(tmp_path.rglob("*"))
    results.sweep()
    assert before - set(tmp_path.rglob("*")) == {old}


ONE, OTHER = "icnet-ce-random_0-s0-t00", "icnet-ce-random_0-s0-t01"


@pytest.fixture
def two_trials(tmp_path: Path) -> Path:
    for trial_id in (ONE, OTHER):
        Results(tmp_path).commit(tables(trial_id))
    return tmp_path


@pytest.mark.parametrize("table", ["trials", "dice", "history"])
def test_a_lost_torn_mixed_or_edited_file_is_seen(two_trials: Path, table: str) -> None:
    """And the trial counts as not committed; all others stand."""
    victim, theirs = (two_trials / table / f"{trial_id}.parquet" for trial_id in (ONE, OTHER))
    whole = victim.read_bytes()
    edited = pq.read_table(victim)
    edited = edited.set_column(edited.column_names.index("trial"), "trial", [["edited"] * edited.num_rows])
    pq.write_table(edited, two_trials / "edited")
    for content in (whole[:-9], b"", theirs.read_bytes(), (two_trials / "edited").read_bytes(), None):
        victim.unlink() if content is None else victim.write_bytes(content)
        audit = Results(two_trials).audit()
        assert list(audit.rows) == [OTHER]
        if table == "trials" and content is None:
            assert audit.damaged == {}, "without its row a trial was never committed"
        else:
            lost = "is lost" if content is None else "is not as it was committed"
            assert audit.damaged == {ONE: f"{table} {lost}"}
        victim.write_bytes(whole)
    assert list(Results(two_trials).audit().rows) == [ONE, OTHER]


def test_a_rows_own_values_are_covered_by_its_digest(two_trials: Path) -> None:
    victim = two_trials / "trials" / f"{ONE}.parquet"
    rows = pq.read_table(victim).to_pylist()
    for change in ({"objective": 0.9}, {"digests": "{}"}, {"digests": None}, {"digests": '{"trials": "x"}'}):
        pq.write_table(table_of("trials", [rows[0] | change]), victim)
        assert Results(two_trials).audit().damaged == {ONE: "trials is not as it was committed"}


def test_a_digest_is_that_of_the_file(two_trials: Path) -> None:
    row = Results(two_trials).audit().rows[ONE]
    content = (two_trials / "dice" / f"{ONE}.parquet").read_bytes()
    assert json.loads(row["digests"])["dice"] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("column", ["digests", "point"])
def test_results_of_an_earlier_version_are_refused_in_one_sentence(two_trials: Path, column: str) -> None:
    victim = two_trials / "trials" / f"{ONE}.parquet"
    pq.write_table(pq.read_table(victim).drop_columns([column]), victim)
    with pytest.raises(
        StudyError, match=rf"{ONE}\.parquet was written by an earlier version .* run it anew, elsewhere"
    ):
        Results(two_trials).audit()


def test_the_definition_of_an_earlier_version_is_refused_in_one_sentence(tmp_path: Path) -> None:
    kept = "[search]\ntrials = 2\nwidth = [0.2, 0.4]\nstrength = [0.0, 1.0]\n"
    (tmp_path / "study.toml").write_text(kept)
    with pytest.raises(StudyError) as caught:
        kept_definition(Results(tmp_path))
    assert str(caught.value) == f"{tmp_path} was made by an earlier version of this project: run it anew, elsewhere"


@pytest.mark.parametrize("name", ["dice/notes.txt", "dice/other.parquet", "trials/icnet/x.parquet", "masks/a.csv"])
def test_a_foreign_file_in_a_tables_folder_is_refused(two_trials: Path, name: str) -> None:
    """As pandas.read_parquet(OUT/dice) would stumble over it."""
    Results(two_trials).write_text(DEFINITION_FILE, DEFINITION.to_toml())
    refuse_foreign_files(Results(two_trials))
    Results(two_trials).write_text(name, "mine")
    with pytest.raises(StudyError, match="holds files that are not of a study: " + "/".join(name.split("/")[:2])):
        refuse_foreign_files(Results(two_trials))


def test_a_place_where_something_else_lies_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    (tmp_path / "study.toml").write_text('name = "a definition of the user\'s own"')
    with pytest.raises(StudyError, match=r"not of a study: study\.toml, thesis\.tex\. Use another --out"):
        refuse_foreign_files(Results(tmp_path))


def test_what_lies_beside_a_studys_tables_is_left_alone(two_trials: Path) -> None:
    Results(two_trials).write_text(DEFINITION_FILE, DEFINITION.to_toml())
    (two_trials / "report.html").write_text("a report")
    (two_trials / "trials" / ".hidden.parquet").write_text("not parquet")
    refuse_foreign_files(Results(two_trials))
    assert len(Results(two_trials).audit().rows) == 2


def test_another_recipe_is_refused_with_the_differing_keys(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.commit(tables("icnet-ce-random_0-s0-t00"))
    other = load("demo", ["training.epochs=3", "seed=9", "search.trials=50"])
    with pytest.raises(StudyError) as caught:
        read_committed(results, other)
    message = str(caught.value)
    assert f"training.epochs: {DEFINITION.training.epochs} there, 3 here" in message
    assert "seed: 0 there, 9 here" in message
    assert "search.trials" not in message


def test_simulated_trials_are_no_place_for_trained_ones(tmp_path: Path) -> None:
    Results(tmp_path).commit(tables("icnet-ce-random_0-s0-t00"))
    with pytest.raises(StudyError, match=r"holds trained trials, and this definition simulates: .* simulate=false"):
        read_committed(Results(tmp_path), load("demo", ["simulate=true"]))


def test_other_data_and_other_splits_are_refused(tmp_path: Path) -> None:
    from study.prepare import Prepared, Provenance
    from trainers.data.split import Split

    split = Split("random_0", "random", None, (), (), (), fingerprint="s1")
    study = Prepared(DEFINITION, None, {"random_0": split}, "d1", Provenance(None, "{}"))  # type: ignore[arg-type]
    results = Results(tmp_path)
    trial = parse_trial("icnet-ce-random_0-s0-t00")
    here = {"data_fingerprint": "d1", "split_fingerprint": "s1", "code": None, "versions": json.dumps(versions())}
    check_same_inputs(results, study.inputs, {trial: here})
    with pytest.raises(StudyError, match="another data set"):
        check_same_inputs(results, study.inputs, {trial: here | {"data_fingerprint": "d2"}})
    with pytest.raises(StudyError, match="another split called random_0"):
        check_same_inputs(results, study.inputs, {trial: here | {"split_fingerprint": "s2"}})


def test_trials_of_other_code_are_refused(tmp_path: Path) -> None:
    from study.prepare import Prepared, Provenance

    outside = Outside({"a:Net": {"code": "source 123"}})
    study = Prepared(DEFINITION, None, {}, "d1", Provenance(None, "{}"), outside)  # type: ignore[arg-type]
    trial = parse_trial("a~Net-ce-random_0-s0-t00")
    here = {"data_fingerprint": "d1", "split_fingerprint": "s1", "versions": json.dumps(versions())}
    here |= {"code": '{"a:Net": "source 123"}'}
    check_same_inputs(Results(tmp_path), study.inputs, {trial: here})
    with pytest.raises(
        StudyError, match=r'a~Net-ce-random_0-s0-t00, for one\)[^$]*"source 456" there, "source 123" here'
    ):
        check_same_inputs(Results(tmp_path), study.inputs, {trial: here | {"code": '{"a:Net": "source 456"}'}})
    not_in_the_grid = parse_trial("a~Other-ce-random_0-s0-t00")
    check_same_inputs(Results(tmp_path), study.inputs, {not_in_the_grid: here | {"code": "whatever"}})


@pytest.mark.parametrize("package", ["torch", "optuna"])
def test_other_versions_are_refused_unless_mixed_knowingly(tmp_path: Path, package: str) -> None:
    from study.prepare import Prepared, Provenance

    trial, other = parse_trial("icnet-ce-random_0-s0-t00"), json.dumps(versions() | {package: "0.9"})
    row = {"data_fingerprint": "d1", "split_fingerprint": "s1", "code": None, "versions": other}
    study = Prepared(DEFINITION, None, {}, "d1", Provenance(None, "{}"))  # type: ignore[arg-type]
    with pytest.raises(StudyError, match=rf"other versions \({package} 0.9, here .*mixed_versions=true"):
        check_same_inputs(Results(tmp_path), study.inputs, {trial: row})
    mixed = load("demo", ["resources.mixed_versions=true"])
    check_same_inputs(Results(tmp_path), dataclasses.replace(study.inputs, definition=mixed), {trial: row})
    unimportant = row | {"versions": json.dumps(versions() | {"ray": "0.9", "python": "3.0"})}
    check_same_inputs(Results(tmp_path), study.inputs, {trial: unimportant})


def test_outcomes_and_missing(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.commit(tables("icnet-ce-random_0-s0-t00"))
    results.commit(tables("icnet-ce-random_0-s0-t01", status="failed", objective=None, error="NaN"))
    committed = read_committed(results, DEFINITION).rows
    assert [outcome.objective for outcome in outcomes(DEFINITION, committed).values()] == [0.4, None]
    wanted = [parse_trial(f"icnet-ce-random_0-s0-t0{i}") for i in range(3)]
    assert missing(wanted, committed) == wanted[2:]


def test_a_table_that_an_earlier_version_did_not_keep_is_no_difference(tmp_path: Path) -> None:
    """And a trial that lacks it is whole: nothing is trained again for it. One that is kept is compared."""
    results, trial_id = Results(tmp_path), "icnet-ce-random_0-s0-t00"
    before = tables(trial_id)
    boundary = {"trial": trial_id, "partition": "test", "image": "i", "class": "bx", "side": "truth", "distance": 1}
    now = before | {"boundary": table_of("boundary", [boundary | {"pixels": 5}])}
    results.commit(before)
    assert results.audit().damaged == {}
    assert differing_columns(now, results, trial_id) == []
    results.commit(now)
    other = now | {"boundary": table_of("boundary", [boundary | {"pixels": 6}])}
    assert differing_columns(other, results, trial_id) == ["boundary.pixels"]
    (tmp_path / f"boundary/{trial_id}.parquet").unlink()
    assert results.audit().damaged == {trial_id: "boundary is lost"}
    assert differing_columns(now, results, trial_id) == ["boundary (lost or torn)"]


def test_circumstances_are_columns() -> None:
    for table, columns in CIRCUMSTANCES.items():
        assert set(columns) < set(SCHEMAS[table].names)


@pytest.mark.parametrize("content", [b"[[[]]]", b"\xff", b'{"done": null}', b"[" * 200_000, b""])
def test_what_a_run_said_of_itself_decides_nothing(
    two_trials: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    Results(two_trials).write_text(DEFINITION_FILE, DEFINITION.to_toml())
    Results(two_trials).write_bytes(RUN_FILE, content)
    assert main(["status", str(two_trials)]) == 1
    shown = capsys.readouterr()
    assert "2 of 28 trials done" in shown.out
    assert "run.json says nothing of a last run" in shown.out
    assert shown.err == ""
