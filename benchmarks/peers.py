"""Ours, and how else a user would train the same network on the same images: PyTorch's tutorial, and Lightning.

Each contender is a generator of training steps, which says how many images each has trained on. All get the same
network, split and batch size, and composite and augment by the same chain. The peers have the network as its authors
describe it, in torch's own operations, and albumentations' own: what ours makes of them is part of the race.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import albumentations as A
import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.augmentation.chain import CHAIN_PROBABILITY, OPERATIONS, Operation
from trainers.batches import TrainingImages, training_batches
from trainers.data.cut_outs.compositing import composite, cropped_background, random_crops
from trainers.data.cut_outs.scenes import pools_of
from trainers.data.cut_outs.source import CutOuts
from trainers.data.size import Size
from trainers.data.split import Split
from trainers.losses.cross_entropy import cross_entropy
from trainers.networks import blocks
from trainers.networks import network as named
from trainers.networks.blocks import ConvReLU, upsample_nearest
from trainers.networks.icnet import ICNet
from trainers.optimisation import mover
from trainers.recipe import TrainingRecipe
from trainers.step import MEAN_RGB, SD_RGB, Step, prepare_process, training_step

Steps = Iterator[int]


def ours(network: str, width: float, source: CutOuts, split: Split, recipe: TrainingRecipe) -> Steps:
    """As trainers.train does it."""
    step = our_step(network, width, source, recipe)
    for batch in our_batches(source, split, recipe):
        step(*batch)
        yield recipe.batch_size


def our_step(network: str, width: float, source: CutOuts, recipe: TrainingRecipe) -> Step:
    device, precision = prepare_process(recipe)
    model = named(network).build(len(source.samples.labels), {"width": width}, 0)
    model = model.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    return training_step(mover(model, recipe), cross_entropy, device, precision)


def our_batches(
    source: CutOuts, split: Split, recipe: TrainingRecipe, strength: float = 1.0
) -> Iterator[tuple[Tensor, Tensor]]:
    return training_batches(source, our_images(split, recipe, strength), range(1, 10**6), torch.device("cpu"))


def our_images(split: Split, recipe: TrainingRecipe, strength: float) -> TrainingImages:
    return TrainingImages(split, recipe.batch_size, recipe.size, strength, ("benchmark",))


def as_described(network: str, num_classes: int, width: float) -> nn.Module:
    """The network as anybody would write it: without fused layers, which this process loses, and upsampled where its
    authors upsample."""
    blocks.fused_layers = lambda images: None
    model = named(network).build(num_classes, {"width": width}, 0)
    return UpsampledFirst(model) if isinstance(model, ICNet) else model


class UpsampledFirst(nn.Module):
    """ICNet, the same function of the same weights: features are upsampled and then convolved, dilated by 2."""

    def __init__(self, icnet: ICNet) -> None:
        super().__init__()
        self.icnet = icnet

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, ...]:
        net = self.icnet
        full, half = net.full(images_BCHW), net.halved(images_BCHW)
        fused = net.after_half(self._dilated(net.before_half, net.quartered(half)) + half)
        return (net.classify(net.after_full(self._dilated(net.before_full, fused) + full)),)

    @staticmethod
    def _dilated(layer: ConvReLU, coarse_BCHW: Tensor) -> Tensor:
        upsampled = upsample_nearest(coarse_BCHW)
        return F.relu(F.conv2d(upsampled, layer.weight, layer.bias, padding=2, dilation=2), inplace=True)


def tutorial(network: str, width: float, source: CutOuts, split: Split, recipe: TrainingRecipe) -> Steps:
    """The loop of PyTorch's "Optimizing model parameters": float32, a DataLoader, loss.backward(), optimizer.step()."""
    torch.set_num_threads(recipe.threads)
    model = as_described(network, len(source.samples.labels), width)
    loss_fn, optimizer = nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = _loader(source, split, recipe)
    model.train()
    while True:
        for images, labels in loader:
            loss = loss_fn(model(images)[0], labels)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            yield len(images)


def lightning(network: str, width: float, source: CutOuts, split: Split, recipe: TrainingRecipe) -> Steps:
    """A LightningModule under a Trainer with precision="bf16-mixed". The Trainer owns the loop, hence the thread."""
    from queue import Queue
    from threading import Thread

    done, go_on = Queue[int](), Queue[None]()
    model = as_described(network, len(source.samples.labels), width)
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # else it is slower
    loader = _loader(source, split, recipe)
    Thread(target=_fit, args=(model, loader, recipe.threads, done, go_on), daemon=True).start()
    while True:
        yield done.get()
        go_on.put(None)


def _fit(model: nn.Module, loader: Any, threads: int, done: Any, go_on: Any) -> None:
    import lightning

    torch.set_num_threads(threads)  # which is each thread's own

    class Segmentation(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
            images, labels = batch
            return F.cross_entropy(self.model(images)[0], labels)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=1e-3)

    class AfterEveryStep(lightning.Callback):
        def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, index: int) -> None:
            done.put(len(batch[0]))
            go_on.get()

    silent = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    warnings.simplefilter("ignore")
    trainer = lightning.Trainer(
        accelerator="auto", precision="bf16-mixed", max_epochs=-1, callbacks=[AfterEveryStep()], **silent
    )
    trainer.fit(Segmentation(), loader)


CONTENDERS: dict[str, Callable[[str, float, CutOuts, Split, TrainingRecipe], Steps]] = {
    "ours": ours,
    "tutorial": tutorial,
    "lightning": lightning,
}


class Composites(torch.utils.data.Dataset[tuple[Tensor, Tensor]]):
    """An image, composited and augmented anew whenever it is asked for, as a float tensor; and its classes."""

    def __init__(self, source: CutOuts, split: Split, size: Size) -> None:
        self.source, self.size = source, size
        self.rows = [source.index[sample] for sample in split.train]
        pool = pools_of(split.name, source.views, source.rules).train
        self.backgrounds = [source.backgrounds[source.places[name]] for name in pool]
        self.augment, self.draws = the_librarys_chain(size), np.random.default_rng(0)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        row = self.rows[index]
        chosen = self.backgrounds[self.draws.integers(len(self.backgrounds))]
        (crop,) = random_crops(np.array([chosen.shape[:2]]), self.draws)
        background = cropped_background(chosen, crop, self.size)
        image = composite(self.source.objects_NHWC[row], self.source.coverage_NHW[row], background)
        augmented = self.augment(image=image, mask=self.source.labels_NHW[row])
        normalised = (augmented["image"].astype(np.float32) - MEAN_RGB) / SD_RGB
        pixels = torch.from_numpy(normalised.astype(np.float32)).permute(2, 0, 1).contiguous()
        return pixels, torch.from_numpy(np.array(augmented["mask"])).long()


def the_librarys_chain(size: Size) -> A.Compose:
    """The authors' chain of nothing but albumentations."""
    chain = A.Compose([_the_librarys(operation, size) for operation in OPERATIONS], p=CHAIN_PROBABILITY)
    chain.set_random_seed(0)
    return chain


def _the_librarys(operation: Operation, size: Size) -> A.BasicTransform:
    """The operation, or what it is a faster form of."""
    magnitude, probability = operation.at(1.0, size)
    made = operation.make(magnitude, probability)
    library = next(base for base in type(made).__mro__ if base.__module__.startswith("albumentations"))
    return made if library is type(made) else library(**made.get_transform_init_args())


def _loader(source: CutOuts, split: Split, recipe: TrainingRecipe) -> Any:
    """One process, as the tutorial has it: on a CPU another would take cores from the training."""
    cv2.setNumThreads(1)
    images = Composites(source, split, recipe.size)
    return torch.utils.data.DataLoader(images, batch_size=recipe.batch_size, shuffle=True, drop_last=True)
