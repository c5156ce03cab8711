"""NVIDIA's MPS, started and ended by a program that stands in for it: what workers are told, and what users."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from small_study import wait_for

from study.planning.capacity import Machine

pytestmark = pytest.mark.slow  # importing Ray takes seconds
STAND_IN = """#!{python}
import os, pathlib, sys, time
pipes = pathlib.Path(os.environ["CUDA_MPS_PIPE_DIRECTORY"])
if sys.argv[1:] == ["-f"]:
    pathlib.Path({notes!r}).write_text(f"{{os.getpid()}} {{os.environ.get('CUDA_VISIBLE_DEVICES')}}")
    {start}
    while not (pipes / "quit").exists():
        time.sleep(0.01)
else:
    (pipes / "quit").write_text(sys.stdin.read())
"""
STARTS = '(pipes / "control").touch()'
REFUSES = 'sys.exit("An instance of this daemon is already running")'


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stand-in notes its number and the GPUs that it sees, on a machine with a GPU and no MPS as yet."""
    from study.cluster import shared_gpus

    monkeypatch.setattr(shared_gpus, "this_machine", lambda: Machine("here", 8, 1, 32))
    monkeypatch.setattr(shared_gpus, "_USUAL_PIPES", str(tmp_path / "none"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    return tmp_path / "notes"


def install(notes: Path, start: str) -> None:
    program = notes.parent / "nvidia-cuda-mps-control"
    program.write_text(STAND_IN.format(python=sys.executable, notes=str(notes), start=start))
    program.chmod(0o755)


def test_workers_find_it_and_it_ends_with_the_block(notes: Path) -> None:
    from study.cluster import sharing_gpus

    install(notes, STARTS)
    with sharing_gpus() as remark:
        assert remark is None
        assert (Path(os.environ["CUDA_MPS_PIPE_DIRECTORY"]) / "control").exists()
        number, visible = notes.read_text().split()
        assert visible == "None", "it serves all GPUs, as Ray names them"
        assert psutil.pid_exists(int(number))
    assert not psutil.pid_exists(int(number))
    assert "CUDA_MPS_PIPE_DIRECTORY" not in os.environ


def test_one_that_runs_is_used_and_left(notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from study.cluster import sharing_gpus

    install(notes, STARTS)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "control").touch()
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path / "theirs"))
    with sharing_gpus() as remark:
        assert remark is None
    assert not notes.exists()
    assert os.environ["CUDA_MPS_PIPE_DIRECTORY"] == str(tmp_path / "theirs")


def test_users_are_told_where_trials_take_turns(notes: Path) -> None:
    from study.cluster import sharing_gpus

    with sharing_gpus() as remark:
        assert remark == (
            "nvidia-cuda-mps-control is not installed: trials that share a GPU take turns, and gain little by it"
        )
    install(notes, REFUSES)
    with sharing_gpus() as remark:
        assert remark == (
            "NVIDIA's MPS cannot be used (An instance of this daemon is already running): "
            "trials that share a GPU take turns"
        )
        assert "CUDA_MPS_PIPE_DIRECTORY" not in os.environ


def test_without_a_gpu_nothing_is_started(notes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from study.cluster import shared_gpus

    install(notes, STARTS)
    monkeypatch.setattr(shared_gpus, "this_machine", lambda: Machine("here", 8, 0, 32))
    with shared_gpus.sharing_gpus() as remark:
        assert remark is None
    assert not notes.exists()


def test_it_ends_with_a_driver_that_is_killed(notes: Path, tmp_path: Path) -> None:
    install(notes, STARTS)
    code = (
        "import time; from study.cluster import shared_gpus; from study.planning.capacity import Machine\n"
        "shared_gpus.this_machine = lambda: Machine('here', 8, 1, 32)\n"
        f"shared_gpus._USUAL_PIPES = {str(tmp_path / 'none')!r}\n"
        "with shared_gpus.sharing_gpus(): time.sleep(60)"
    )
    driver = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parent.parent)
    try:
        wait_for(lambda: notes.exists() and notes.read_text() != "")
        number = int(notes.read_text().split()[0])
        assert psutil.pid_exists(number)
    finally:
        driver.kill()
        driver.wait()
    wait_for(lambda: not psutil.pid_exists(number), 10)
