"""Folders that no other user can enter; what one tries who becomes another user, below those of a study that runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from other_user import deeds_of_another_user
from ray_nodes import Nodes
from small_study import num_committed, started, study, wait_for

from study.cluster.private import LONGEST_PATH_OF_A_SOCKET, LONGEST_SOCKET, is_private, private_folder
from study.errors import StudyError

pytestmark = pytest.mark.slow  # importing Ray takes seconds
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder for temporary files with a short path, as Ray's sockets need it; gone at the end."""
    with private_folder() as folder:
        place = folder / "t"
        place.mkdir()
        yield place


def simulated(definition: Path, out: Path, *more: str) -> tuple[str | Path, ...]:
    """A run that goes on for long enough to be looked at."""
    return ("run", definition, "--out", out, "--simulate", "--set", "resources.simulated_seconds=1", *more)


def session_folders(driver: int) -> set[Path]:
    """As the raylets below a process were told."""
    found = set()
    for process in psutil.Process(driver).children(recursive=True):
        for word in process.cmdline() if process.name() == "raylet" else ():
            if word.startswith("--session_dir="):
                found.add(Path(word.partition("=")[2]))
    return found


@needs_root
def test_no_other_user_reaches_what_a_local_run_keeps(definition: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with started(*simulated(definition, out)) as driver:
        wait_for(lambda: num_committed(out) > 0)
        (session,) = session_folders(driver.pid)
        ours = session.parents[1]
        assert {path.name for path in session.iterdir()} >= {"sockets", "logs"}
        assert deeds_of_another_user(ours) == [f"seen: {ours}"], "its name, as that of any folder in /tmp"
        assert [path for path in ours.rglob("*") if path.is_socket()], "there was something to connect to"
        notes = {path for path in ours.parent.glob("study-*/*") if path.name.startswith("run-")}
        assert deeds_of_another_user(*notes) == []
        driver.communicate(timeout=120)
    assert not ours.exists(), "gone with the run"


@needs_root
def test_what_another_user_does_in_an_open_folder_is_seen(tmp_path: Path) -> None:
    """This test's test: every deed is possible where a folder is open, as Ray's own are."""
    with private_folder() as folder:
        folder.chmod(0o777)
        (folder / "file").write_text("open")
        (folder / "file").chmod(0o666)
        deeds = {deed.partition(":")[0] for deed in deeds_of_another_user(folder)}
    assert deeds >= {"listed", "planted in", "read", "written", "moved", "seen"}


@needs_root
def test_no_other_user_reaches_the_code_that_is_sent_to_a_cluster(
    definition: Path, short: Path, tmp_path: Path
) -> None:
    """A folder that is opened later is noticed, too."""
    out = tmp_path / "out"
    with Nodes(RAY_TMPDIR=str(short)) as nodes:
        nodes.add(cpus=1)
        once = ("--address", nodes.address, "--set", "resources.attempts=1")
        with started(*simulated(definition, out, *once), **nodes.environment) as driver:
            wait_for(lambda: num_committed(out) > 0)
            assert list(short.glob("ray/session_*/runtime_resources/py_modules_files/*/study/terminal/cli.py"))
            assert deeds_of_another_user(short) == []
            for folder in (short.parent, short):
                folder.chmod(0o755)
            output, _ = driver.communicate(timeout=120)
    assert driver.returncode == 1
    assert "other users of this node can exchange the code that was sent to it" in output


def test_no_code_is_sent_where_others_could_exchange_it(definition: Path, short: Path, tmp_path: Path) -> None:
    """Ray as one starts it without a thought. Nodes that have the code, as they have it here, use theirs."""
    for folder in (short.parent, short):
        folder.chmod(0o755)
    run = ("run", definition, "--out", tmp_path / "out", "--simulate", "--address")
    without = tmp_path / "without"
    without.mkdir()
    (without / "study.py").write_text("# a node on which the name means something else")
    with Nodes(RAY_TMPDIR=str(short)) as nodes:
        nodes.add(cpus=1)
        done = study(*run, nodes.address, "--set", "search.trials=1", **nodes.environment)
        assert done.returncode == 0, done.stdout + done.stderr
        assert not list(short.glob("ray/session_*/runtime_resources/py_modules_files/*"))
        nodes.add(cpus=1, PYTHONPATH=str(without))
        refused = study(*run, nodes.address, "--set", "search.trials=2", **nodes.environment)
    assert refused.returncode == 2
    assert "this project is not installed on" in refused.stderr
    assert "RAY_TMPDIR=~/private ray start" in refused.stderr
    assert num_committed(tmp_path / "out") == 4, "those of the first run"


@pytest.mark.parametrize(
    ("modes", "private"),
    [
        ((0o755, 0o755, 0o700), True),
        ((0o755, 0o700, 0o777), True),  # Ray's folder, below one of ours
        ((0o755, 0o755, 0o777), False),
        ((0o755, 0o777, 0o700), False),  # it can be exchanged as a whole
        ((0o755, 0o1777, 0o700), True),  # not where only owners may: /tmp
        ((0o755, 0o755, 0o711), False),  # who knows a name gets in
        ((0o755, 0o755, 0o750), False),
    ],
)
def test_which_folder_is_private(modes: tuple[int, ...], private: bool, short: Path) -> None:
    short.parent.chmod(0o755)
    folder = short
    for name, mode in zip("abc", modes, strict=True):
        folder /= name
        folder.mkdir()
        folder.chmod(mode)
    short.chmod(0o755)
    assert is_private(str(folder)) is private


@needs_root
def test_a_folder_of_another_users_is_not_private(short: Path) -> None:
    os.chown(short, 65534, 65534)
    short.chmod(0o700)
    short.parent.chmod(0o755)
    assert not is_private(str(short))


def test_what_a_killed_run_left_goes_with_the_next(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(short))  # where no other run is
    leaves = """if True:
        import os
        from study.cluster.private import private_folder
        with private_folder() as folder:
            print(folder, flush=True)
            os._exit(9)
    """
    killed = subprocess.run([sys.executable, "-c", leaves], capture_output=True, text=True)
    left = Path(killed.stdout.strip())
    (left / "log").write_text("of a killed run")
    notes = short / "study-notes"
    notes.mkdir()
    with private_folder() as one, private_folder() as other:
        assert sorted(short.iterdir()) == sorted([one, other, notes]), "notes: a user's own, whatever its name"
    assert list(short.iterdir()) == [notes]


def test_a_long_path_is_refused_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path / ("long" * 20)))
    with pytest.raises(StudyError, match=r"too long a path for Ray's sockets, by \d+ bytes\. Set RAY_TMPDIR to "):
        private_folder().__enter__()


def test_the_longest_socket_is_as_long_as_is_counted_on(definition: Path, tmp_path: Path) -> None:
    """But for the process's number, which has seven digits at most."""
    with started(*simulated(definition, tmp_path / "out")) as driver:
        wait_for(lambda: num_committed(tmp_path / "out") > 0)
        (session,) = session_folders(driver.pid)
        longest = max(len(os.fsencode(path)) for path in (session / "sockets").iterdir())
        expected = len(os.fsencode(session.parents[1])) + LONGEST_SOCKET - len("4194304") + len(str(driver.pid))
        assert longest == expected <= LONGEST_PATH_OF_A_SOCKET


@needs_root
def test_a_full_disk_for_temporary_files_is_refused_with_the_remedy(
    definition: Path, short: Path, tmp_path: Path
) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs", short], check=True)
    try:
        for spoil in ("a mebibyte is left", "nothing is left"):
            (short / spoil).write_bytes(bytes(9 << 20 if "mebibyte" in spoil else 1 << 20))
            done = study("run", definition, "--simulate", "--out", tmp_path / "out", RAY_TMPDIR="", TMPDIR=str(short))
            assert done.returncode == 2
            assert "MiB are free for temporary files, and a run needs 100" in done.stderr
            assert "Set RAY_TMPDIR to another folder" in done.stderr
            assert "Traceback" not in done.stderr
            assert not (tmp_path / "out").exists()
    finally:
        subprocess.run(["umount", short], check=True)


def test_no_folder_for_temporary_files_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_TMPDIR", "/nowhere")
    with pytest.raises(StudyError, match=r"/nowhere: no temporary files can be kept there \(No such file"):
        private_folder().__enter__()
