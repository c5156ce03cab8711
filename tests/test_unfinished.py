"""What the machinery could not finish, and waiting for what passes."""

from __future__ import annotations

import errno
import time
from pathlib import Path

import pytest
from test_results import tables

from study.errors import StudyError
from study.patience import retry
from study.results import Results
from study.results.unfinished import Unfinished, forget_finished, read_unfinished

TRIAL = "icnet-ce-random_0-s0-t00"


def test_it_is_read_back_until_the_trial_is_committed(tmp_path: Path) -> None:
    results = Results(tmp_path)
    assert read_unfinished(results, set()) == {}
    kept = Unfinished(TRIAL, "the worker was lost", 3)
    kept.keep(results)
    assert read_unfinished(results, set()) == {TRIAL: kept}
    assert kept.in_words == "the worker was lost (3 attempts)"
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
    assert retry(act, 60) == "done"  # type: ignore[arg-type]
    assert len(calls) == 4


def test_what_lasts_and_what_is_no_matter_of_storage_is_raised_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("waited"))
    for number in (errno.ENOSPC, errno.EROFS, errno.EACCES):
        calls, act = failing(1, number)
        with pytest.raises(OSError, match="no"):
            retry(act, 60)  # type: ignore[arg-type]
        assert len(calls) == 1
    with pytest.raises(ZeroDivisionError):
        retry(lambda: 1 / 0, 60)


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    calls, act = failing(10**6, errno.ECONNREFUSED)
    with pytest.raises(OSError, match="no"):
        retry(act, 60)  # type: ignore[arg-type]
    assert 45 <= now[0] <= 60
    assert len(calls) < 12
