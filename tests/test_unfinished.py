"""What the machinery could not finish, the mark of a second driver, and waiting for what passes."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest
from test_results import DEFINITION, tables

from study.errors import StudyError
from study.patience import patiently
from study.progress import Progress
from study.results import RUN_FILE, Results
from study.session import refuse_a_second_driver
from study.unfinished import Unfinished, forget_finished, read_unfinished

TRIAL = "icnet-ce-random_0-s0-t00"


def test_it_is_read_back_until_the_trial_is_committed(tmp_path: Path) -> None:
    results = Results(tmp_path)
    assert read_unfinished(results, set()) == {}
    kept = Unfinished(TRIAL, "the worker was lost", 3)
    kept.keep(results)
    assert read_unfinished(results, set()) == {TRIAL: kept}
    assert kept.told == "the worker was lost (3 attempts)"
    results.commit(tables(TRIAL))
    assert read_unfinished(results, {TRIAL}) == {}
    forget_finished(results, {"icnet-ce-random_1-s0-t00"})
    assert read_unfinished(results, set()) == {TRIAL: kept}
    forget_finished(results, {TRIAL})
    assert read_unfinished(results, set()) == {}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"trial": "x"}', '{"trial": 1, "reason": 2, "attempts": "many"}'])
def test_a_foreign_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "x.json").write_text(content)
    with pytest.raises(StudyError, match=r"unfinished/x\.json: not written by a run of a study"):
        read_unfinished(Results(tmp_path), set())


def mark(out: Path, **changes: object) -> Results:
    progress = Progress.of(DEFINITION, {}, {"random_0": 1, "random_1": 1, "rot_0": 1})
    for name, value in changes.items():
        setattr(progress, name, value)
    results = Results(out)
    results.write_text(RUN_FILE, progress.to_json())
    return results


@pytest.mark.parametrize("changes", [{"host": "elsewhere", "pid": 1}, {"pid": os.getppid()}])
def test_a_second_driver_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]
) -> None:
    results, said = mark(tmp_path, **changes), list[str]()
    monkeypatch.setattr(time, "sleep", lambda seconds: mark(tmp_path, **changes))  # the other one's next heartbeat
    with pytest.raises(StudyError, match=r"a run of this study on \S+ \(pid \d+\) is at work already"):
        refuse_a_second_driver(results, said.append)
    assert "waiting for a sign of life" in said[0]


def test_a_driver_that_died_a_moment_ago_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results, now = mark(tmp_path, host="elsewhere"), [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    began = now[0]
    refuse_a_second_driver(results, lambda line: None)
    assert 58 <= now[0] - began <= 63


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "elsewhere", "updated": time.time() - 61},
        {"host": "elsewhere", "state": "interrupted"},
        {"pid": 2**22 - 3},
        {"pid": os.getpid()},
    ],
    ids=["silent", "ended", "dead on this machine", "ourselves"],
)
def test_the_mark_of_a_driver_that_is_gone_does_not_block(tmp_path: Path, changes: dict[str, object]) -> None:
    refuse_a_second_driver(mark(tmp_path, **changes), pytest.fail)


def test_no_mark_no_refusal(tmp_path: Path) -> None:
    refuse_a_second_driver(Results(tmp_path), pytest.fail)


def failing(times: int, number: int) -> tuple[list[int], object]:
    calls: list[int] = []

    def act() -> str:
        calls.append(1)
        if len(calls) <= times:
            raise OSError(number, "no")
        return "done"

    return calls, act


def test_what_passes_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    calls, act = failing(3, errno.ECONNREFUSED)
    assert patiently(act, 60) == "done"  # type: ignore[arg-type]
    assert len(calls) == 4


def test_what_lasts_and_what_is_no_matter_of_storage_is_raised_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("waited"))
    for number in (errno.ENOSPC, errno.EROFS, errno.EACCES):
        calls, act = failing(1, number)
        with pytest.raises(OSError, match="no"):
            patiently(act, 60)  # type: ignore[arg-type]
        assert len(calls) == 1
    with pytest.raises(ZeroDivisionError):
        patiently(lambda: 1 / 0, 60)


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    calls, act = failing(10**6, errno.ECONNREFUSED)
    with pytest.raises(OSError, match="no"):
        patiently(act, 60)  # type: ignore[arg-type]
    assert 45 <= now[0] <= 60
    assert len(calls) < 12
