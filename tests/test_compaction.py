"""Compaction: many trials in one file a table; the study stays one before, during and after, wherever it stops."""

from __future__ import annotations

import json
import random
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from simulated_study import write_study
from small_study import assert_same_facts, started, study, wait_for
from test_results import tables

from study.commands.run import run
from study.definition.file import load
from study.errors import StudyError
from study.prepare import prepare
from study.results import Audit, Results
from study.results.compaction import compact
from study.results.packs import is_pack
from study.results.schemas import SCHEMAS
from study.terminal.cli import main

TRIALS = [
    f"icnet-ce-random_{split}-s{seed}-t{index:02}" for split in range(3) for seed in range(2) for index in range(2)
]
DIVERGED = "icnet-ce-random_0-s0-t01"
REFIT = "icnet-ce-everything-s0-t00-refit-e3"


@pytest.fixture(autouse=True)
def small_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.results.compaction.TRIALS_A_PACK", 5)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Twelve trials, of which one has diverged, and a refit."""
    write(tmp_path / "out", [*TRIALS, REFIT])
    return tmp_path / "out"


def write(out: Path, trial_ids: list[str]) -> None:
    results = Results(out)
    for trial_id in trial_ids:
        of_trial = tables(trial_id, **({"status": "failed", "error": "diverged"} if trial_id == DIVERGED else {}))
        if trial_id == DIVERGED:
            del of_trial["dice"]
        results.commit(of_trial)


Picture = tuple[Audit, Audit, dict[str, pa.Table], dict[str, pa.Table], Any]


def picture(out: Path) -> Picture:
    """All that a reader sees."""
    results = Results(out)
    audits = results.audit(), results.audit(of_refits=True)
    trial_ids = sorted(audits[0].rows)
    whole = {name: results.read(name, trial_ids) for name in SCHEMAS}
    some = {name: results.read(name, trial_ids[1::3], SCHEMAS[name].names[1:3]) for name in SCHEMAS}
    of_one = [results.read_trial("history", TRIALS[3]), results.recipe_of(TRIALS[3]), results.tables_of(TRIALS[3])]
    return *audits, whole, some, of_one


def files(out: Path) -> list[str]:
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*.parquet"))


def test_one_study_before_and_after(out: Path) -> None:
    before, by_pandas = picture(out), {name: pd.read_parquet(out / name) for name in ("trials", "dice", "history")}
    done = compact(Results(out))
    assert (done.trials, done.packs, done.removed) == (12, 3, 12 + 12 + 11)
    assert picture(out) == before
    assert len(files(out)) == 3 * 3 + 3, "packs of three tables, and the refit's own files"
    for name, table in by_pandas.items():
        after = pd.read_parquet(out / name).sort_values("trial", kind="stable", ignore_index=True)
        pd.testing.assert_frame_equal(after, table.sort_values("trial", kind="stable", ignore_index=True))
    there = files(out)
    assert compact(Results(out)).removed == 0
    assert files(out) == there


def test_what_comes_later_is_put_together_with_small_packs(tmp_path: Path) -> None:
    for part in (TRIALS[:7], TRIALS[7:8], TRIALS[8:]):
        write(tmp_path / "grown", part)
        compact(Results(tmp_path / "grown"))
    write(tmp_path / "whole", TRIALS)
    assert picture(tmp_path / "grown") == picture(tmp_path / "whole")
    assert len([name for name in files(tmp_path / "grown") if name.startswith("trials/")]) == 3


def test_a_trial_committed_again_is_read_from_its_own_files(out: Path) -> None:
    compact(Results(out))
    again = tables(TRIALS[2], objective=0.9)
    Results(out).commit(again)
    assert Results(out).audit().rows[TRIALS[2]]["objective"] == 0.9
    assert Results(out).read("trials", TRIALS, ["trial", "objective"])["objective"].to_pylist().count(0.9) == 1
    assert Results(out).read("trials").num_rows == 12 + 1
    compact(Results(out))
    assert Results(out).audit().rows[TRIALS[2]]["objective"] == 0.9
    assert Results(out).read("trials").num_rows == 12 + 1


class Stopped(Exception):
    pass


def changes_before(stop: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the change `stop` on, nothing is written or removed any more."""
    left = iter(range(stop))

    def counted(change: Any) -> Any:
        def do(*arguments: Any) -> Any:
            if next(left, None) is None:
                raise Stopped
            return change(*arguments)

        return do

    for name in ("write_bytes", "remove"):
        monkeypatch.setattr(Results, name, counted(getattr(Results, name)))


def test_stopped_anywhere_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    """Six trials, in two packs; one already lies in an older one."""
    out = tmp_path / "few"
    write(out, TRIALS[:1])
    compact(Results(out))
    write(out, TRIALS[1:6])
    before, stopped = picture(out), 0
    for stop in range(100):
        place = Path(shutil.copytree(out, tmp_path / str(stop)))
        with pytest.MonkeyPatch.context() as monkeypatch:
            changes_before(stop, monkeypatch)
            try:
                compact(Results(place))
            except Stopped:
                stopped += 1
        assert picture(place) == before, stop
        compact(Results(place))
        assert picture(place) == before, stop
        assert len(files(place)) == 2 * 3, stop
        shutil.rmtree(place)
        if stopped <= stop:
            break
    assert stopped == 6 + 3 + 5 + 5 + 4


def test_who_reads_meanwhile_sees_every_trial_once(out: Path, tmp_path: Path) -> None:
    """While trials are added and packed, three at a time."""
    place, seen, ended = tmp_path / "grown", list[Picture | Exception](), threading.Event()
    write(place, TRIALS[:4])

    def read() -> None:
        while not ended.is_set():
            try:
                seen.append(picture(place))
            except Exception as error:  # told below
                seen.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for start in range(4, len(TRIALS), 2):
        compact(Results(place))
        write(place, TRIALS[start : start + 2])
    compact(Results(place))
    ended.set()
    reader.join()
    assert [each for each in seen if isinstance(each, Exception)] == []
    for audit, _, whole, _, _ in seen:  # type: ignore[misc]
        assert audit.damaged == {}
        assert whole["history"]["trial"].to_pylist() == sorted(audit.rows)
    assert len(seen) > 3
    seen.append(picture(place))
    assert seen[-1][2] == picture(out)[2]  # type: ignore[index]


@pytest.mark.parametrize("overlap", [0, 1, 3])
def test_two_places_put_together_are_one_study(out: Path, tmp_path: Path, overlap: int) -> None:
    """Also where both have some of the trials, in packs or not."""
    write(tmp_path / "a", TRIALS[: 6 + overlap])
    write(tmp_path / "b", [*TRIALS[6:], REFIT])
    compact(Results(tmp_path / "a"))
    if overlap < 3:
        compact(Results(tmp_path / "b"))
    both = Path(shutil.copytree(tmp_path / "b", tmp_path / "both"))
    shutil.copytree(tmp_path / "a", both, dirs_exist_ok=True)
    assert picture(both) == picture(out)
    compact(Results(both))
    assert picture(both) == picture(out)
    assert sorted(pd.read_parquet(both / "trials")["trial"]) == sorted([*TRIALS, REFIT])


FIRST = sorted(TRIALS)[:5]
"""A pack."""


@pytest.mark.parametrize("table", ["trials", "history", "dice"])
@pytest.mark.parametrize("damage", ["torn", "altered", "lost"])
def test_a_damaged_pack_is_named_and_its_trials_are_made_again(out: Path, table: str, damage: str) -> None:
    before = picture(out)
    compact(Results(out))
    packs = [path for path in (out / table).glob("*.parquet") if is_pack(path.name)]
    victim = next(path for path in packs if FIRST[0] in pq.read_table(path)["trial"].to_pylist())
    if damage == "lost":
        victim.unlink()
    else:
        content = victim.read_bytes()
        victim.write_bytes(content[:100] if damage == "torn" else content[:40] + b"!" + content[41:])
    audit = Results(out).audit()
    if (table, damage) == ("trials", "lost"):  # as of a trial's own row: it was never committed
        assert audit.damaged == {}
    else:
        what = "lost" if damage == "lost" else "not as it was committed"
        assert audit.damaged == dict.fromkeys(FIRST, f"{table} is {what} ({victim.name})")
    assert audit.rows.keys() == {*TRIALS} - {*FIRST}
    if audit.damaged:
        there = files(out)
        with pytest.raises(StudyError, match="of its trials are damaged"):
            compact(Results(out))
        assert files(out) == there
    write(out, FIRST)
    assert picture(out) == before
    compact(Results(out))
    assert picture(out) == before
    assert len(files(out)) == 3 * 3 + 3


def test_a_pack_that_is_no_pack_is_refused_by_name(out: Path) -> None:
    from study.results.packs import name_of_pack

    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"trial": ["x"]}), sink)
    content = bytes(sink.getvalue())
    (out / "trials" / name_of_pack(content)).write_bytes(content)
    for look in (Results(out).audit, lambda: Results(out).read("dice", TRIALS)):
        with pytest.raises(StudyError, match="no Parquet file of a study"):
            look()


def test_packs_are_no_foreign_files(out: Path) -> None:
    compact(Results(out))
    assert Results(out).foreign() == []
    (out / "dice" / "pack-1.parquet").write_bytes(b"")
    assert Results(out).foreign() == ["dice/pack-1.parquet"]


SIMULATED = ("simulate=true", "grid.models=icnet", "training.image_size=32")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = write_study(tmp_path / "out", load("demo", [*SIMULATED, "grid.splits=random_0,random_1,rot_0"]))
    assert main(["compact", str(out)]) == 0
    assert " ".join(capsys.readouterr().out.split()) == f"{out}: 6 trials in 2 packs; 30 files removed."
    assert main(["compact", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"trials": 6, "packs": 2, "removed": 0}
    assert main(["status", str(out)]) == 0
    assert main(["compact", str(tmp_path)]) == 2
    assert "holds no study" in capsys.readouterr().err


def test_a_run_with_nothing_to_do_packs_unless_a_trial_is_damaged(tmp_path: Path) -> None:
    definition = load("demo", [*SIMULATED, "grid.splits=random_0,random_1", "resources.compact_above=1"])
    out, said = write_study(tmp_path / "out", definition), list[str | None]()
    lost = next((out / "dice").iterdir())
    content = lost.read_bytes()
    lost.unlink()
    prepared = prepare(definition)
    run(prepared, str(out), lambda progress, line: said.append(line), retry_failed=True)
    assert said == []
    lost.write_bytes(content)
    run(prepared, str(out), lambda progress, line: said.append(line))
    assert said == ["Packing 4 trials into fewer files (resources.compact_above) ..."]
    assert len(Results(out).audit().rows) == 4
    assert Results(out).loose_trials() == []


@pytest.mark.slow
def test_a_run_packs_what_it_leaves(tmp_path: Path) -> None:
    """And a study that has been packed grows, and is the same as one that has not."""
    settings = [word for each in (*SIMULATED, "grid.splits=random_0,rot_0") for word in ("--set", each)]
    for more in ("search.trials=2", "search.trials=3"):
        for out, limit in (("loose", 0), ("packed", 1)):
            words = [*settings, "--set", more, "--set", f"resources.compact_above={limit}"]
            done = study("run", "demo", "--out", tmp_path / out, *words)
            assert done.returncode == 0, done.stdout + done.stderr
            assert ("Packing" in done.stdout) == (out == "packed")
    assert all(is_pack(path.name) for path in (tmp_path / "packed" / "trials").iterdir())
    assert_same_facts(tmp_path / "packed", tmp_path / "loose")
    done = study("run", "demo", "--out", tmp_path / "packed", *settings, "--set", "search.trials=3")
    assert done.returncode == 0
    assert "Packing" not in done.stdout


@pytest.mark.slow
def test_killed_at_a_random_moment(tmp_path: Path) -> None:
    splits = ",".join(f"random_{i}" for i in range(30))
    whole = write_study(tmp_path / "whole", load("demo", [*SIMULATED, f"grid.splits={splits}"]))
    out = Path(shutil.copytree(whole, tmp_path / "out"))
    for seed in range(3):
        with started("compact", out) as driver:
            wait_for(lambda: list((out / "claims").glob("*.json")) or driver.poll() is not None)
            time.sleep(random.Random(seed).uniform(0, 1.0))
            driver.kill()
        assert_same_facts(out, whole)
    done = study("compact", out)
    assert done.returncode == 0, done.stderr
    assert_same_facts(out, whole)
    assert len(list((out / "dice").iterdir())) == 1
