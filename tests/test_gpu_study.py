"""Whole small studies whose trials share a GPU, and what goes wrong there. Skipped where there is none."""

from __future__ import annotations

import os
import re
import shutil
import signal
from pathlib import Path

import psutil
import pytest
import torch
from small_study import assert_gone, num_committed, started, study, wait_for, workers_of

from study.cluster.shared_gpus import CONTROL
from study.results import Results
from study.results.unfinished import read_unfinished

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")]
LONGER = ("--set", "training.epochs=40", "--set", "search.trials=2")


def mps() -> list[psutil.Process]:
    return [each for each in psutil.process_iter() if each.name().startswith("nvidia-cuda-mps")]


def test_a_worker_that_is_killed_on_a_shared_gpu_changes_no_bit(definition: Path, tmp_path: Path) -> None:
    """Nor does it matter to it, or to another that ran beside it, that it shared the GPU, and through MPS."""
    out = tmp_path / "out"
    with started("run", definition, "--out", out, *LONGER) as driver:
        wait_for(lambda: num_committed(out) > 1)
        assert bool(mps()) == bool(shutil.which(CONTROL))
        os.kill(workers_of(driver)[0].pid, signal.SIGKILL)
        said = driver.communicate(timeout=240)[0]
    assert driver.returncode == 0, said
    assert not mps()
    (killed,) = re.findall(r"(\S+) is tried again", said)
    for trial in {killed, "icnet-ce-rot_0-s0-t00"}:
        alone = study("trial", trial, definition, "--out", out, *LONGER)
        assert alone.returncode == 0, alone.stdout
        assert "the same tables, bit for bit" in alone.stdout


def test_nothing_is_left_on_the_gpu_by_a_driver_that_is_killed(definition: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with started("run", definition, "--out", out, *LONGER) as driver:
        wait_for(lambda: num_committed(out) > 1)
        servers = mps()
        os.kill(driver.pid, signal.SIGKILL)
    assert_gone(servers)


def test_a_trial_too_large_for_its_share_is_tried_again_with_a_gpu_to_itself(tmp_path: Path) -> None:
    """Six at once ask for more than any GPU has; the first to find room trains, the others get it to themselves."""
    out = tmp_path / "out"
    gib = torch.cuda.get_device_properties(0).total_memory / 2**30
    side = 512 if gib > 60 else 256
    settings = (
        *("grid.models=unet", "grid.losses=ce", "grid.splits=random_0,random_1,random_2", "search.trials=1"),
        *(f"training.image_size={side}", "training.batch_size=64", "training.epochs=1", "resources.gpus.unet=0.33"),
    )
    done = study("run", "paper", "--out", out, *(word for each in settings for word in ("--set", each)))
    assert "is tried again with a GPU to itself" in done.stdout
    assert done.returncode == 0, done.stdout
    assert num_committed(out) == 3
    assert read_unfinished(Results(out), ()) == {}
