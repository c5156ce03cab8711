"""One step of training, and what it needs: a process that computes the same bits every time, and batches as tensors.

Shapes: B batch, H and W pixels, C = 3 colours (RGB).
"""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trainers.losses import total_loss
from trainers.recipe import LossName, TrainingRecipe

# Of ImageNet, on a scale of 0 to 255, as the paper's authors normalise.
MEAN_RGB = (123.675, 116.28, 103.53)
SD_RGB = (58.395, 57.12, 57.375)

Step = Callable[[NDArray[np.uint8], NDArray[np.uint8]], Tensor]
"""(images_BHWC, labels_BHW) -> the loss, on the device and not waited for; the weights have moved."""


def training_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: LossName,
    recipe: TrainingRecipe,
    device: torch.device,
    precision: torch.dtype,
) -> Step:
    """What moves the model's weights by one batch."""

    def step(images_BHWC: NDArray[np.uint8], labels_BHW: NDArray[np.uint8]) -> Tensor:
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            outputs = model(to_input(images_BHWC, device))
        batch_loss = total_loss(loss, outputs, to_target(labels_BHW, device), recipe.cascade_weights)
        optimizer.zero_grad(set_to_none=True)
        batch_loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return batch_loss.detach()

    return step


def prepare_process(recipe: TrainingRecipe) -> tuple[torch.device, torch.dtype]:
    """Make this process compute the same bits every time; the device and the precision it computes in."""
    torch.set_num_threads(recipe.threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it CUDA's matrix products refuse to be
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # nothing reads it, and filling it takes time
    torch.backends.cudnn.benchmark = False  # the fastest algorithm differs from one run to the next
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return device, _precision(recipe, device)


def _precision(recipe: TrainingRecipe, device: torch.device) -> torch.dtype:
    if recipe.precision != "auto":
        return {"bf16": torch.bfloat16, "fp32": torch.float32}[recipe.precision]
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if native else torch.float32


def to_input(images_BHWC: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Normalised images_BCHW, float32 in channels-last order (so the bytes keep their order)."""
    pixels = torch.from_numpy(images_BHWC).to(device, non_blocking=True).float()
    mean, sd = (torch.tensor(values, device=device) for values in (MEAN_RGB, SD_RGB))
    return ((pixels - mean) / sd).permute(0, 3, 1, 2)


def to_target(labels_BHW: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Class ids as int64."""
    return torch.from_numpy(labels_BHW).to(device, non_blocking=True).long()
