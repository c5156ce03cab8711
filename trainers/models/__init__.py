"""The networks, by name, and what they cost."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from trainers.models.icnet import ICNet
from trainers.models.icnet_cascade import ICNetCascade
from trainers.models.unet import UNet

MODELS: dict[str, type[nn.Module]] = {"icnet": ICNet, "unet": UNet, "icnet_cascade": ICNetCascade}
"""Each is made by (num_classes, width) and maps images_BCHW to a tuple of logits, the finest, at full size, first."""


def build(name: str, num_classes: int, width: float, generator: torch.Generator) -> nn.Module:
    """The network, on the CPU, every weight drawn from `generator` alone: Keras's start, as the paper's authors had it
    (kernels uniform after Glorot, biases zero)."""
    with torch.device("meta"):  # no weight is drawn from the global generator
        model = MODELS[name](num_classes, width)
    model = model.to_empty(device="cpu")
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_uniform_(module.weight, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    return model


def num_parameters(model: nn.Module) -> int:
    """Weights and the batch norms' running means and variances, as Keras counts."""
    statistics = [buffer for name, buffer in model.named_buffers() if not name.endswith("num_batches_tracked")]
    return sum(tensor.numel() for tensor in (*model.parameters(), *statistics))


def gflops(name: str, num_classes: int, width: float, image_size: int) -> float:
    """1e9 floating point operations to predict one image: convolutions and products, two for each multiply-add."""
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        MODELS[name](num_classes, width).eval()(torch.empty(1, 3, image_size, image_size))
    return float(counter.get_total_flops()) / 1e9
