"""Who makes the batches changes no bit of a training, and nobody is left behind."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
from itertools import islice
from pathlib import Path

import psutil
import pytest
import torch
from small_study import ROOT, wait_for, write_data

from study.definition import parse
from study.prepare import Prepared, prepare
from trainers.batches import TrainingImages
from trainers.loaders import Batches, made_ahead, made_here
from trainers.train import Job, train

pytestmark = pytest.mark.slow  # each process takes seconds to start


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    training = {"image_size": 16, "epochs": 3, "batch_size": 4}
    data = {"path": str(write_data(tmp_path_factory.mktemp("set")))}
    return prepare(parse({"data": data, "grid": {"splits": ["random_0"]}, "training": training}))


def images(study: Prepared, purpose: str = "a trial") -> TrainingImages:
    return TrainingImages(study.splits["random_0"], 4, 16, 1.0, (purpose,))


def bits(batches) -> list[bytes]:
    return [tensor.numpy().tobytes() for batch in batches for tensor in batch]


def trained(study: Prepared, batches: Batches) -> tuple[list[bytes], list[float]]:
    job = Job("icnet", "ce", width=0.25, strength=1.0, purpose=(0, "a trial"))
    done = train(job, study.definition.training, study.dataset, study.splits["random_0"], batches=batches)
    weights = [tensor.numpy().tobytes() for tensor in done.model.state_dict().values()]
    return weights, [epoch.val_loss for epoch in done.history]


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more than this machine may have cores
@pytest.mark.parametrize("processes", [1, 3])
def test_any_number_of_processes_gives_the_same_training(study: Prepared, processes: int) -> None:
    assert trained(study, made_ahead(study.dataset, processes)) == trained(study, made_here(study.dataset))


def test_processes_serve_one_training_after_another(study: Prepared) -> None:
    """Also after one that ended in the middle of an epoch, and one that goes on from a later epoch."""
    here, ahead = made_here(study.dataset), made_ahead(study.dataset, 2)
    assert len(list(islice(ahead(images(study), range(1, 100)), 3))) == 3
    processes = {child.pid for child in multiprocessing.active_children()}
    for whose, epochs in (("another trial", range(1, 3)), ("a third", range(2, 5))):
        asked = images(study, whose)
        assert bits(ahead(asked, epochs)) == bits(here(asked, epochs))
    assert {child.pid for child in multiprocessing.active_children()} == processes
    del ahead
    gc.collect()
    wait_for(lambda: not processes & {child.pid for child in multiprocessing.active_children()})


def test_the_global_generator_is_left_alone(study: Prepared) -> None:
    before = torch.get_rng_state()
    list(made_ahead(study.dataset, 1)(images(study), range(1, 2)))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_process_that_dies_ends_the_training(study: Prepared) -> None:
    coming = made_ahead(study.dataset, 1)(images(study), range(1, 10_000))
    next(coming)
    (process,) = multiprocessing.active_children()
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="DataLoader worker"):
        list(coming)


def test_what_a_process_cannot_make_is_told(study: Prepared) -> None:
    broken = TrainingImages(study.splits["random_0"], 4, 16, 7.0, ("a trial",))
    with pytest.raises(ValueError, match=r"augmentation strength 7\.0"):
        next(made_ahead(study.dataset, 1)(broken, range(1, 2)))


def test_nobody_is_left_when_the_training_process_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "trains.py"
    script.write_text(
        "import sys, time\n"
        "from study.definition import load\n"
        "from study.prepare import prepare\n"
        "from trainers.batches import TrainingImages\n"
        "from trainers.loaders import made_ahead\n"
        "if __name__ == '__main__':\n"
        "    study = prepare(load('demo'))\n"
        "    split = next(iter(study.splits.values()))\n"
        "    coming = made_ahead(study.dataset, 2)(TrainingImages(split, 4, 48, 1.0, ('x',)), range(1, 10_000))\n"
        "    next(coming)\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(600)\n"
    )
    process = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        children = psutil.Process(process.pid).children(recursive=True)
        assert len([child for child in children if "spawn_main" in " ".join(child.cmdline())]) == 2
        process.kill()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []
