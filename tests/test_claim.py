"""OUT belongs to one driver at a time, and a dead driver's claim does not block."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from small_study import environment, wait_for

from study.errors import StudyError
from study.results import CLAIMS, Results, claim
from study.results.claim import Claim, Driver, claimed, living_driver, this_process

BEAT = 0.05


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "SECONDS_BETWEEN_BEATS", BEAT)
    monkeypatch.setattr(claim, "SILENCE_SECONDS", 20 * BEAT)
    monkeypatch.setattr(claim, "_SECONDS_BETWEEN_LOOKS", BEAT / 5)


def elsewhere(**changes: object) -> Driver:
    """A driver of another machine, whose process nobody here can see."""
    return replace(this_process(), host="node7", machine="another", **{"holds": True} | changes)  # type: ignore[arg-type]


def write(results: Results, driver: Driver) -> None:
    results.write_bytes(f"{CLAIMS}/{driver.id}.json", claim.TypeAdapter(Driver).dump_json(driver))


@pytest.fixture
def beating(tmp_path: Path) -> Iterator[Driver]:
    """A driver of another machine that lives, and holds OUT."""
    results, driver, stop = Results(tmp_path), elsewhere(), threading.Event()
    write(results, driver)

    def beat() -> None:
        count = 0
        while not stop.wait(BEAT):
            write(results, replace(driver, beat=(count := count + 1)))

    thread = threading.Thread(target=beat)
    thread.start()
    yield driver
    stop.set()
    thread.join()


def test_a_claim_is_there_while_it_is_held_and_leaves_no_trace(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with claimed(Results(out), pytest.fail):
        assert len(list((out / CLAIMS).glob("[!.]*"))) == 1
        held = living_driver(Results(out))
        assert held is not None
        assert held.pid == os.getpid()
    assert not out.exists()


def test_a_place_with_something_in_it_is_kept(tmp_path: Path) -> None:
    with claimed(Results(tmp_path), pytest.fail):
        (tmp_path / "study.toml").write_text("")
    assert os.listdir(tmp_path) == ["study.toml"]


def test_a_second_driver_is_refused_and_leaves_the_firsts_claim(tmp_path: Path) -> None:
    results = Results(tmp_path)
    with claimed(results, pytest.fail):
        with (
            pytest.raises(StudyError, match=rf"a run on \S+ \(pid {os.getpid()}\) is at work already"),
            claimed(results, pytest.fail),
        ):
            pytest.fail("two drivers hold one place")
        assert living_driver(results) is not None


def test_a_living_driver_of_another_machine_is_seen_by_its_beats(tmp_path: Path, beating: Driver) -> None:
    said: list[str] = []
    with pytest.raises(StudyError, match="on node7"), claimed(Results(tmp_path), said.append):
        pytest.fail("two drivers hold one place")
    assert "waiting up to 1 s for a sign of its life" in said[0]
    found = living_driver(Results(tmp_path))
    assert found is not None
    assert found.host == "node7"


@pytest.mark.parametrize("clock", [-(10**6), 0, 10**6])
def test_a_silent_driver_of_another_machine_does_not_block_whatever_its_clock(
    tmp_path: Path, clock: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(Results(tmp_path), elsewhere())
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + clock)
    assert living_driver(Results(tmp_path)) is None
    with claimed(Results(tmp_path), lambda line: None):
        assert len(list((tmp_path / CLAIMS).glob("[!.]*"))) == 1


def test_a_dead_driver_of_this_machine_does_not_block_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither does one whose number another process has now."""
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("waited"))
    write(Results(tmp_path), replace(this_process(), holds=True, pid=2**22 - 3))
    write(Results(tmp_path), replace(this_process(), holds=True, process_started="1", id="other"))
    with claimed(Results(tmp_path), pytest.fail):
        pass


@pytest.mark.parametrize("goes_first", [False, True])
def test_of_two_that_ask_at_once_one_gets_it(tmp_path: Path, goes_first: bool) -> None:
    """The other one's claim is there, and it does not hold OUT yet: the claims' names decide who gives way."""
    results, waited = Results(tmp_path), threading.Event()
    rival = elsewhere(holds=False, id="f" * 33 if goes_first else "0")
    write(results, rival)

    def give_way() -> None:
        waited.wait()
        time.sleep(5 * BEAT)
        results.remove(f"{CLAIMS}/{rival.id}.json")

    thread = threading.Thread(target=give_way)
    thread.start()
    try:
        if goes_first:
            with claimed(results, lambda line: waited.set()):
                assert not (tmp_path / CLAIMS / f"{rival.id}.json").exists()
        else:
            write(results, replace(rival, beat=1))
            beats = threading.Timer(3 * BEAT, write, (results, replace(rival, beat=2)))
            beats.start()
            with pytest.raises(StudyError, match="is at work already"), claimed(results, lambda line: None):
                pytest.fail("the other one goes first")
            beats.join()
    finally:
        waited.set()
        thread.join()


@pytest.mark.parametrize("draw", range(5))
def test_of_many_that_ask_at_once_never_two_hold_it(tmp_path: Path, draw: int) -> None:
    """Real drivers in threads of one process: each knows the others by their claims alone."""
    results, start, counting = Results(tmp_path / str(draw)), threading.Barrier(6), threading.Lock()
    holding, most, outcomes = 0, 0, []

    def drive() -> None:
        nonlocal holding, most
        start.wait()
        try:
            with claimed(results, lambda line: None):
                with counting:
                    holding += 1
                    most = max(most, holding)
                time.sleep(10 * BEAT)
                with counting:
                    holding -= 1
                outcomes.append("held")
        except StudyError:
            outcomes.append("refused")

    threads = [threading.Thread(target=drive) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert sorted(outcomes) == ["held"] + ["refused"] * 5


def test_a_beat_that_is_being_written_does_not_bring_a_claim_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, begun, write_bytes = Results(tmp_path), threading.Event(), Results.write_bytes

    def write_slowly(self: Results, path: str, content: bytes) -> None:
        begun.set()
        time.sleep(4 * BEAT)
        write_bytes(self, path, content)

    mine = Claim(results)
    mine.ask(pytest.fail)
    monkeypatch.setattr(Results, "write_bytes", write_slowly)
    assert begun.wait(60)
    mine.give_up()
    time.sleep(8 * BEAT)
    assert not list(tmp_path.rglob("*.json"))


def test_who_was_silent_too_long_learns_that_another_has_taken_over(tmp_path: Path) -> None:
    results = Results(tmp_path)
    mine = Claim(results)
    mine.ask(pytest.fail)
    mine.check()
    results.remove(
        f"{CLAIMS}/{next((tmp_path / CLAIMS).glob('[!.]*')).name}"
    )  # as one does that has seen no beat for a minute
    time.sleep(5 * BEAT)
    with pytest.raises(StudyError, match="gave no sign of life for 1 s, and another run has gone on"):
        mine.check()
    mine.give_up()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"host": "x"}', '{"host": 1, "pid": "many"}'])
def test_a_foreign_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / CLAIMS).mkdir()
    (tmp_path / CLAIMS / "x.json").write_text(content)
    with (
        pytest.raises(StudyError, match=r"claims/x\.json: not written by a run of a study; remove it"),
        claimed(Results(tmp_path), pytest.fail),
    ):
        pytest.fail("claimed")


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
def test_another_process_is_known_by_its_number_and_start(tmp_path: Path, end: signal.Signals) -> None:
    """A killed one does not block; one that is stopped may go on at any time, and does."""
    code = (
        "import sys, time; from study.results.claim import claimed; from study.results import Results\n"
        "with claimed(Results(sys.argv[1]), print): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, env=environment()) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        other.send_signal(end)
        if end == signal.SIGKILL:
            other.wait()
            with claimed(Results(tmp_path), pytest.fail):
                pass
        else:
            wait_for(lambda: Path(f"/proc/{other.pid}/stat").read_text().split()[2] == "T")
            with pytest.raises(StudyError, match=rf"\(pid {other.pid}\)"), claimed(Results(tmp_path), pytest.fail):
                pytest.fail("claimed")
        other.kill()


def test_a_claim_that_calls_itself_otherwise_removes_nothing_else(tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other.json"
    other.write_text("mine")
    forged = elsewhere(id="../../other")
    Results(out).write_bytes(f"{CLAIMS}/a.json", claim.TypeAdapter(Driver).dump_json(forged))
    with claimed(Results(out), lambda line: None):
        assert not (out / CLAIMS / "a.json").exists()
    assert other.exists()


def test_an_empty_folder_that_was_there_stays(tmp_path: Path) -> None:
    for place, was_there in ((tmp_path / "mine", True), (tmp_path / "new", False)):
        if was_there:
            place.mkdir()
        with claimed(Results(place), lambda line: None):
            assert list((place / CLAIMS).iterdir())
        assert place.exists() == was_there
        assert not (place / CLAIMS).exists()
