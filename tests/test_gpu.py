"""Training on a GPU: the same bits twice, however its kernels are launched, and scores near a CPU's.

Skipped where there is no GPU, but for the last test, which a CPU's bfloat16 has to pass as well.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

import trainers.train as train_module
from study.cells import Cell, Trial
from study.definition.file import load
from study.definition.point import Point
from study.prepare import Prepared, prepare
from study.trial import run_trial
from trainers.batches import TrainingImages, training_batches
from trainers.gpu.cuda_graphs import WARM_UP, recorded
from trainers.losses.cross_entropy import cross_entropy
from trainers.names import LOSSES, NETWORKS
from trainers.networks import network as named
from trainers.optimisation import mover
from trainers.outcome import CannotBeTrained
from trainers.step import prepare_process, training_step
from trainers.train import Job, State, Trained, train

pytestmark = pytest.mark.slow
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
POINT = {"model.width": 0.25, "augmentation.strength": 0.5}
EPOCHS = WARM_UP + 2
"""Validation is recorded after WARM_UP of them."""


@pytest.fixture(scope="module")
def study() -> Prepared:
    return prepare(load("demo", [f"training.epochs={EPOCHS}", "training.image_size=32", "grid.splits=random_0"]))


def trained(study: Prepared, model: str, loss: str = "ce_dice", **recipe: Any) -> Trained:
    changed = study.definition.recipe.at(POINT | {f"training.{key}": value for key, value in recipe.items()})
    job = Job(model, loss, changed, purpose=(0, "a trial"))
    return train(job, study.source, study.splits["random_0"])


def bits(done: Trained) -> list[bytes]:
    return [tensor.cpu().numpy().tobytes() for tensor in done.model.state_dict().values()]


@on_gpu
@pytest.mark.parametrize("model", NETWORKS)
@pytest.mark.parametrize("loss", ["ce", "ce_dice"])
def test_the_same_training_twice_is_the_same_bits(study: Prepared, model: str, loss: str) -> None:
    first, again = (trained(study, model, loss) for _ in range(2))
    assert first.device.type == "cuda"
    assert bits(first) == bits(again)
    assert [line.val_loss for line in first.history] == [line.val_loss for line in again.history]


@on_gpu
@pytest.mark.parametrize("loss", [name for name in LOSSES if name not in ("ce", "ce_dice")])
def test_every_loss_is_deterministic_and_can_be_recorded(
    study: Prepared, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = {"weights": [1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 1.0]} if loss == "ce_weighted" else {}
    changed = study.definition.recipe.at(POINT)
    job = Job("icnet", loss, changed, purpose=(0, "a trial"), loss_args=arguments)
    first, again = (bits(train(job, study.source, study.splits["random_0"])) for _ in range(2))
    assert first == again
    launch_one_by_one(monkeypatch)
    assert bits(train(job, study.source, study.splits["random_0"])) == first


@on_gpu
@pytest.mark.parametrize("model", NETWORKS)
def test_a_graph_gives_the_bits_of_kernels_launched_one_by_one(
    study: Prepared, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = trained(study, model)
    launch_one_by_one(monkeypatch)
    assert bits(trained(study, model)) == bits(expected)


@on_gpu
@pytest.mark.parametrize(
    "recipe",
    [
        {"optimizer": "sgd", "schedule": "cosine", "warmup_epochs": 1.0, "gradient_clipping": 0.5},
        {"optimizer": "adamw", "schedule": "one_cycle", "weight_decay": 0.1, "weight_averaging": 0.9},
    ],
)
def test_what_changes_from_step_to_step_is_not_recorded(
    study: Prepared, recipe: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = trained(study, "icnet", **recipe)
    assert bits(first) == bits(trained(study, "icnet", **recipe))
    launch_one_by_one(monkeypatch)
    assert bits(first) == bits(trained(study, "icnet", **recipe))
    kept: list[State] = []
    job = Job(
        "icnet",
        "ce_dice",
        study.definition.recipe.at(POINT | {f"training.{k}": v for k, v in recipe.items()}),
        (0, "a trial"),
    )
    arguments = job, study.source, study.splits["random_0"]
    train(*arguments, on_epoch=lambda epoch, state: kept.append(copy.deepcopy(state())))
    assert bits(train(*arguments, resume=kept[1])) == bits(first)


def launch_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        train_module,
        "recorded",
        lambda compute, device: lambda *batch: compute(*(tensor.to(device) for tensor in batch)),
    )


@pytest.fixture
def others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of a library and of somebody's own, by the module name `others`."""
    (tmp_path / "others.py").write_text(OTHERS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "others", raising=False)


OTHERS = """
import random
from torch import nn
import torch.nn.functional as F

def segformer(num_classes):
    from transformers import SegformerConfig, SegformerForSemanticSegmentation
    small = dict(depths=[1, 1, 1, 1], hidden_sizes=[8, 16, 32, 64], decoder_hidden_size=32)
    return SegformerForSemanticSegmentation(SegformerConfig(num_labels=num_classes, **small))

def lraspp(num_classes):
    from torchvision.models.segmentation import lraspp_mobilenet_v3_large
    return lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=num_classes)

class Plain(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(), nn.Dropout(0.2))
        self.head = nn.Conv2d(16, num_classes, 1)

    def forward(self, images):
        return F.interpolate(self.head(self.body(images)), images.shape[2:], mode="bilinear")

class Looks(Plain):
    def forward(self, images):
        features = self.body(images)
        return F.interpolate(self.head(features * (2.0 if features.mean().item() > 0.3 else 1.0)), images.shape[2:])

class Draws(Plain):
    def forward(self, images):
        return super().forward(images) * (2.0 if self.training and random.random() < 0.5 else 1.0)

class Pools(Plain):
    def forward(self, images):
        features = self.body(images)
        return F.interpolate(self.head(features + F.adaptive_avg_pool2d(features, 1)), images.shape[2:])

class Refused(Plain):
    def forward(self, images):
        features = self.body(images)
        return F.interpolate(self.head(F.adaptive_avg_pool2d(features, 3)), images.shape[2:])
"""


@on_gpu
@pytest.mark.parametrize("network", ["segformer", "lraspp", "Plain", "Looks", "Draws", "Pools"])
def test_networks_of_others_give_the_same_bits_twice_recorded_or_not(
    study: Prepared, network: str, others: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if needed := {"segformer": "transformers", "lraspp": "torchvision"}.get(network):
        pytest.importorskip(needed)
    first = trained(study, f"others:{network}")
    assert bits(first) == bits(trained(study, f"others:{network}"))
    launch_one_by_one(monkeypatch)
    assert bits(first) == bits(trained(study, f"others:{network}"))


@on_gpu
def test_an_operation_that_is_not_deterministic_is_named_or_allowed(
    study: Prepared, others: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = Trial(Cell("others:Refused", "ce", "random_0", 0), 0)
    with pytest.raises(CannotBeTrained, match=r"others:Refused with ce needs adaptive_avg_pool2d_backward_cuda"):
        run_trial(study, trial, Point({}))
    assert trained(study, "others:Refused", deterministic=False).device.type == "cuda"


@on_gpu
def test_training_goes_on_from_any_epoch_with_the_same_bits(study: Prepared) -> None:
    kept: list[State] = []
    job = Job("icnet", "ce", study.definition.recipe.at(POINT), purpose=(0, "a trial"))
    arguments = job, study.source, study.splits["random_0"]

    def keep(epoch, state) -> None:
        if epoch.epoch == 2:
            kept.append(torch.utils._pytree.tree_map_only(torch.Tensor, torch.clone, state()))

    assert bits(train(*arguments, on_epoch=keep)) == bits(train(*arguments, resume=kept[0]))


@on_gpu
def test_a_gpu_gets_the_pixels_of_a_cpu_bit_for_bit(study: Prepared) -> None:
    recipe = study.definition.training
    images = TrainingImages(study.splits["random_0"], recipe.batch_size, recipe.size, 1.0, ("a trial",))
    there = training_batches(study.source, images, range(1, 4), torch.device("cuda"))
    here = training_batches(study.source, images, range(1, 4), torch.device("cpu"))
    for (pixels, labels), (same_pixels, same_labels) in zip(there, here, strict=True):
        assert pixels.is_pinned()
        assert torch.equal(pixels.to("cuda", non_blocking=True).cpu(), same_pixels)
        assert torch.equal(labels.to("cuda", non_blocking=True).cpu(), same_labels)


@pytest.fixture
def refusing_to_wait() -> Iterator[None]:
    yield
    torch.cuda.set_sync_debug_mode("default")


@on_gpu
@pytest.mark.parametrize("model", NETWORKS)
def test_no_step_waits_for_the_gpu(study: Prepared, model: str, refusing_to_wait: None) -> None:
    recipe = study.definition.training
    device, precision = prepare_process(recipe)
    network = named(model).build(7, {"width": 0.25}, 0).to(device, memory_format=torch.channels_last)
    step = recorded(training_step(mover(network, recipe), cross_entropy, device, precision), device)
    images = TrainingImages(study.splits["random_0"], recipe.batch_size, recipe.size, 1.0, ("a trial",))
    batches = training_batches(study.source, images, range(1, 100), device)
    for batch in islice(batches, 2 * WARM_UP):  # recorded, and memory is page-locked
        step(*batch)
    torch.cuda.set_sync_debug_mode("error")
    for batch in islice(batches, 2 * images.num_batches):
        step(*batch)


@pytest.mark.parametrize("model", NETWORKS if torch.cuda.is_available() else ["icnet", "unet"])
def test_bfloat16_learns_what_float32_on_a_cpu_learns(
    study: Prepared, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU, if there is one; else, as it takes minutes, of the paper's two networks alone. The loss falls far in
    these epochs, and nearly as far: each is within a tenth."""
    rounded = trained(study, model, precision="bf16")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    exact = trained(study, model, precision="fp32")
    assert exact.device.type == "cpu"
    assert exact.history[-1].train_loss < 0.7 * exact.history[0].train_loss
    for ours, theirs in zip(rounded.history, exact.history, strict=True):
        assert ours.train_loss == pytest.approx(theirs.train_loss, rel=0.1)
