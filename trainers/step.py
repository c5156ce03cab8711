"""One step of training, and what it needs: a process that computes the same bits every time, and batches as tensors.

Shapes: B batch, H and W pixels, C = 3 colours (RGB).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trainers.batches import Batch
from trainers.losses import Loss
from trainers.losses.outputs import output_weights, total_loss
from trainers.optimisation import Mover
from trainers.recipe import TrainingRecipe

# Of ImageNet, on a scale of 0 to 255, as the paper's authors normalise.
MEAN_RGB = (123.675, 116.28, 103.53)
SD_RGB = (58.395, 57.12, 57.375)

Labels = NDArray[np.uint8]
Step = Callable[[Tensor, Tensor], tuple[Tensor, ...]]
"""Of (images_BHWC, labels_BHW), uint8, on the device. Its results are there, too, and nobody waits for them."""


def training_step(
    mover: Mover,
    loss: Loss,
    device: torch.device,
    precision: torch.dtype,
) -> Step:
    """What moves a network's weights by one batch, and gives the loss."""
    model, recipe = mover.network, mover.recipe
    weights = output_weights(model, recipe.output_weights)

    def step(images_BHWC: Tensor, labels_BHW: Tensor) -> tuple[Tensor, ...]:
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            outputs = model(to_input(images_BHWC))
        batch_loss = total_loss(loss, outputs, labels_BHW.long(), weights)
        mover.optimizer.zero_grad(set_to_none=True)
        batch_loss.backward()  # type: ignore[no-untyped-call]
        mover.move()
        return (batch_loss.detach(),)

    return step


def validation(
    model: nn.Module, loss: Loss, recipe: TrainingRecipe, device: torch.device, precision: torch.dtype
) -> Step:
    """What gives the loss of the main output on a batch, times its images, and the predicted labels_BHW."""
    weights = output_weights(model, recipe.output_weights)

    @torch.no_grad()
    def validate(images_BHWC: Tensor, labels_BHW: Tensor) -> tuple[Tensor, ...]:
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            outputs = model(to_input(images_BHWC))
        batch_loss = total_loss(loss, outputs[:1], labels_BHW.long(), weights)
        return batch_loss * len(images_BHWC), outputs[0].argmax(1).to(torch.uint8)

    return validate


def validated(validate: Step, batches: Iterable[Batch], device: torch.device) -> Iterator[tuple[float, Labels, Labels]]:
    """Of each batch: the loss times its images, the true labels_BHW and the predicted ones.

    The soft Dice is taken batch by batch, as in training; whoever sums the losses divides by the number of images.
    """
    for pixels, labels in batches:
        loss, predicted = validate(pixels.to(device), labels.to(device))
        yield float(loss), labels.cpu().numpy(), predicted.cpu().numpy()


def prepare_process(recipe: TrainingRecipe) -> tuple[torch.device, torch.dtype]:
    """Make this process compute the same bits every time; the device and the precision it computes in."""
    torch.set_num_threads(recipe.threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it CUDA's matrix products refuse to be
    torch.use_deterministic_algorithms(recipe.deterministic)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # nothing reads it, and filling it takes time
    torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]  # else cuDNN rounds the factors of fp32 to TF32
    torch.backends.cudnn.benchmark = False  # the fastest algorithm differs from one run to the next
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return device, _precision(recipe, device)


def _precision(recipe: TrainingRecipe, device: torch.device) -> torch.dtype:
    if recipe.precision != "auto":
        return {"bf16": torch.bfloat16, "fp32": torch.float32}[recipe.precision]
    return torch.bfloat16 if multiplies_bfloat16(device) else torch.float32


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the hardware does so natively."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())


def to_input(images_BHWC: Tensor) -> Tensor:
    """uint8 -> normalised images_BCHW, float32 in channels-last order (so the bytes keep their order)."""
    mean, sd = _normalisation(images_BHWC.device)
    return ((images_BHWC.float() - mean) / sd).permute(0, 3, 1, 2)


@cache  # else every use would wait for a copy to the device
@torch.inference_mode(False)
def _normalisation(device: torch.device) -> tuple[Tensor, Tensor]:
    return torch.tensor(MEAN_RGB, device=device), torch.tensor(SD_RGB, device=device)
