"""What a trial takes, and what machines hold: by hand, and as properties."""

from __future__ import annotations

import math
import os

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.definition.file import load
from study.errors import StudyError
from study.planning.capacity import Machine, Request, gpu_share, request, this_machine, trials_at_once

CPU_ONLY = Machine("box", cpus=16, gpus=0, memory=64)
GPUS = Machine("g", cpus=32, gpus=4, memory=256, count=3)
HEAD = Machine("head", cpus=0, gpus=0, memory=8)


def test_without_gpus_a_trial_takes_its_threads() -> None:
    definition = load("paper", ["training.threads=2"])
    assert request(definition, "unet", [CPU_ONLY]) == Request(2, 0, 4)
    assert request(definition, "icnet", [CPU_ONLY]) == Request(2, 0, 4), "the same, so that workers are kept"
    assert trials_at_once(definition, [CPU_ONLY]) == 8


def test_this_machine_is_as_the_system_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    here = this_machine()
    assert (here.cpus, here.gpus, here.count) == (len(os.sched_getaffinity(0)), 0, 1)
    assert here.memory == pytest.approx(0.7 * psutil.virtual_memory().total / 2**30, rel=0.01)


def test_memory_may_be_what_limits() -> None:
    assert trials_at_once(load("paper", ["grid.models=unet"]), [Machine("box", 16, 0, 8.9)]) == 2


def test_with_gpus_a_trial_takes_as_large_a_part_of_the_cpus() -> None:
    definition = load("paper")
    assert request(definition, "unet", [HEAD, GPUS]) == Request(1.0, 0.125, 4)
    assert request(definition, "unet", [HEAD, GPUS], alone=True) == Request(8.0, 1.0, 4)
    assert trials_at_once(load("paper", ["grid.models=icnet"]), [HEAD, CPU_ONLY, GPUS]) == 3 * 4 * 8  # none on CPUs


@pytest.mark.parametrize(
    ("image_size", "batch_size", "share"),
    [
        ("32", 4, 0.125),
        ("128", 16, 0.125),
        ("128", 17, 0.25),
        ("[128,256]", 16, 0.25),
        ("256", 16, 0.5),
        ("512", 16, 1),
    ],
)
def test_a_trial_of_larger_batches_takes_more_of_a_gpu(image_size: str, batch_size: int, share: float) -> None:
    settings = [f"training.image_size={image_size}", f"training.batch_size={batch_size}"]
    assert gpu_share(load("paper", settings), "icnet") == share
    assert gpu_share(load("paper", [*settings, "resources.gpus.icnet=0.7"]), "icnet") == 0.7


def test_networks_of_one_share_ask_for_the_same_so_that_workers_are_kept() -> None:
    definition = load("paper")
    assert request(definition, "icnet", [GPUS]) == request(definition, "unet", [GPUS]) == Request(1.0, 0.125, 4)
    other = load("paper", ["resources.gpus.unet=0.5"])
    assert request(other, "icnet", [GPUS]) == Request(1.0, 0.125, 1.5)


def test_types_that_may_be_added_count_as_if_they_were_there() -> None:
    definition = load("paper", ["grid.models=unet"])
    assert trials_at_once(definition, [HEAD, Machine("spot", 8, 1, 32, count=10)]) == 80
    assert trials_at_once(load("paper", ["resources.workers=5"]), [GPUS]) == 5


def test_a_share_is_not_put_together_from_two_gpus() -> None:
    assert Request(1, 0.6, 0).on(Machine("g", 8, 2, math.inf)) == 2
    assert Request(0, 0.25, 0).on(Machine("g", 0, 1, 0)) == 4


@pytest.mark.parametrize(
    ("machines", "settings", "message"),
    [
        ([CPU_ONLY], "training.threads=17", r"icnet takes 17 CPUs and 4 GiB, and no machine has that:\n  box: 16 CPUs"),
        ([Machine("small", 4, 0, 2.5)], "grid.models=unet", r"1 CPU and 4 GiB.*\n  small: 4 CPUs, 0 GPUs, 2.5 GiB"),
        ([HEAD], "grid.models=unet", "no machine has that"),
    ],
)
def test_what_fits_nowhere_is_refused_with_the_numbers(machines: list[Machine], settings: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        trials_at_once(load("paper", [settings]), machines)


@given(
    st.floats(0.01, 1), st.integers(1, 8), st.floats(1, 64), st.floats(0.5, 64), st.floats(0.1, 8), st.floats(0.1, 8)
)
def test_what_fits_fits(share: float, gpus: int, cpus: float, memory: float, asked: float, gib: float) -> None:
    number = Request(asked, share, gib).on(Machine("m", cpus, gpus, memory))
    assert number * asked <= cpus + 1e-6
    assert number * gib <= memory + 1e-6
    assert math.ceil(number / math.floor(1 / share + 1e-9)) <= gpus
