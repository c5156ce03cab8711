"""The tables on disk: committed whole or not at all, and read back as they were."""

import dataclasses
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
from study.committed import check_same_inputs, missing, outcomes, read_committed
from study.definition import load
from study.errors import StudyError
from study.prepare import versions
from study.results import CIRCUMSTANCES, SCHEMAS, Results, table_of

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
        "width": 0.5,
        "strength": 1.0,
        "status": "completed",
        "objective": 0.4,
        "started": datetime(2026, 1, 1, tzinfo=UTC),
        "recipe_digest": DEFINITION.recipe_digest(),
    } | changes


def tables(trial_id: str, **changes: object) -> dict[str, pa.Table]:
    return {
        "trials": table_of("trials", [trial_row(trial_id, **changes)], recipe=DEFINITION.recipe()),
        "history": table_of("history", [{"trial": trial_id, "epoch": 1, "train_loss": 0.1}]),
        "dice": table_of(
            "dice", [{"trial": trial_id, "class": "bg", "dice_ew": None}, {"trial": trial_id, "class": "bx"}]
        ),
    }


def test_what_is_committed_is_read_back(tmp_path: Path) -> None:
    results = Results(tmp_path / "out")
    for trial_id in ("icnet-ce-random_0-s0-t01", "icnet-ce-random_0-s0-t00"):
        results.commit(tables(trial_id))
    assert [row["trial"] for row in results.trials()] == ["icnet-ce-random_0-s0-t00", "icnet-ce-random_0-s0-t01"]
    assert results.trials()[0]["started"] == datetime(2026, 1, 1, tzinfo=UTC)
    assert results.recipe_of("icnet-ce-random_0-s0-t01") == DEFINITION.recipe()
    frame = pd.read_parquet(tmp_path / "out" / "dice")
    assert list(frame.columns) == SCHEMAS["dice"].names
    assert len(frame) == 4
    assert frame["dice_ew"].isna().all()


def test_an_empty_place_is_an_empty_study(tmp_path: Path) -> None:
    results = Results(tmp_path / "nothing")
    assert results.trials() == []
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
    assert Results(tmp_path).trials() == []
    Results(tmp_path).commit(tables("icnet-ce-random_0-s0-t00"))
    assert len(Results(tmp_path).trials()) == 1
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


def test_a_torn_file_is_named(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.commit(tables("icnet-ce-random_0-s0-t00"))
    (tmp_path / "trials" / "icnet-ce-random_0-s0-t01.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(StudyError, match=r"icnet-ce-random_0-s0-t01\.parquet"):
        results.trials()


def test_other_files_in_out_are_left_alone(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.commit(tables("icnet-ce-random_0-s0-t00"))
    (tmp_path / "trials" / "notes.txt").write_text("mine")
    (tmp_path / "trials" / ".hidden.parquet").write_text("not parquet")
    assert len(results.trials()) == 1


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


def test_other_data_and_other_splits_are_refused(tmp_path: Path) -> None:
    from study.prepare import Prepared, Provenance
    from trainers.split import Partition, Split

    split = Split("random_0", (), (), Partition((), ()), Partition((), ()), fingerprint="s1")
    study = Prepared(DEFINITION, None, {"random_0": split}, "d1", Provenance(None, "{}"))  # type: ignore[arg-type]
    results = Results(tmp_path)
    trial = parse_trial("icnet-ce-random_0-s0-t00")
    here = {"data_fingerprint": "d1", "split_fingerprint": "s1", "versions": json.dumps(versions())}
    check_same_inputs(results, study, {trial: here})
    with pytest.raises(StudyError, match="another data set"):
        check_same_inputs(results, study, {trial: here | {"data_fingerprint": "d2"}})
    with pytest.raises(StudyError, match="another split called random_0"):
        check_same_inputs(results, study, {trial: here | {"split_fingerprint": "s2"}})


@pytest.mark.parametrize("package", ["torch", "optuna"])
def test_other_versions_are_refused_unless_mixed_knowingly(tmp_path: Path, package: str) -> None:
    from study.prepare import Prepared, Provenance

    trial, other = parse_trial("icnet-ce-random_0-s0-t00"), json.dumps(versions() | {package: "0.9"})
    row = {"data_fingerprint": "d1", "split_fingerprint": "s1", "versions": other}
    study = Prepared(DEFINITION, None, {}, "d1", Provenance(None, "{}"))  # type: ignore[arg-type]
    with pytest.raises(StudyError, match=rf"other versions \({package} 0.9, here .*mixed_versions=true"):
        check_same_inputs(Results(tmp_path), study, {trial: row})
    mixed = load("demo", ["resources.mixed_versions=true"])
    check_same_inputs(Results(tmp_path), dataclasses.replace(study, definition=mixed), {trial: row})
    unimportant = row | {"versions": json.dumps(versions() | {"ray": "0.9", "python": "3.0"})}
    check_same_inputs(Results(tmp_path), study, {trial: unimportant})


def test_outcomes_and_missing(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.commit(tables("icnet-ce-random_0-s0-t00"))
    results.commit(tables("icnet-ce-random_0-s0-t01", status="failed", objective=None, error="NaN"))
    committed = read_committed(results, DEFINITION)
    assert [outcome.objective for outcome in outcomes(committed).values()] == [0.4, None]
    wanted = [parse_trial(f"icnet-ce-random_0-s0-t0{i}") for i in range(3)]
    assert missing(wanted, committed) == wanted[2:]


def test_circumstances_are_columns() -> None:
    for table, columns in CIRCUMSTANCES.items():
        assert set(columns) < set(SCHEMAS[table].names)


@pytest.mark.parametrize("uri", ["nowhere://x/y", "s3:///"])
def test_places_that_are_none(uri: str) -> None:
    with pytest.raises(StudyError, match="no place to keep results"):
        Results(uri)


def test_a_uri_is_a_place(tmp_path: Path) -> None:
    results = Results(f"file://{tmp_path}/out")
    results.commit(tables("icnet-ce-random_0-s0-t00"))
    assert pq.read_table(tmp_path / "out" / "trials").num_rows == 1
    assert Results(str(tmp_path / "out")).trials() == results.trials()
