"""How networks start: every weight drawn by a seed, and none forgotten."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn


@runtime_checkable
class StartsItself(Protocol):
    """A module whose start belongs to its design: it writes all its weights, and draws none."""

    def start(self) -> None: ...


def keras_start(model: nn.Module, generator: torch.Generator) -> nn.Module:
    """Keras's, as the paper's authors had it: kernels uniform after Glorot, biases zero. Modules with a start of their
    own have that."""
    for module in model.modules():
        if isinstance(module, StartsItself):
            module.start()
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(module.weight, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    return model


@contextmanager
def draws_seeded_by(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """The global generators of torch, numpy and Python, from which a network may draw, start at the seed, and are
    afterwards as they were; on a GPU that of the GPU, too."""
    before, on_gpu = torch.get_rng_state(), device is not None and device.type == "cuda"
    before_on_gpu = torch.cuda.get_rng_state() if on_gpu else None
    of_numpy, of_python = np.random.get_state(), random.getstate()  # noqa: NPY002 - a network's own draws
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    random.seed(seed)
    if on_gpu:
        torch.cuda.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before)
        np.random.set_state(of_numpy)  # noqa: NPY002
        random.setstate(of_python)
        if before_on_gpu is not None:
            torch.cuda.set_rng_state(before_on_gpu)


def cpu_draws() -> tuple[object, ...]:
    """The states of those generators on the CPU: equal as long as nobody draws from them."""
    of_numpy = np.random.get_state(legacy=False)["state"]  # noqa: NPY002
    return torch.get_rng_state().numpy().tobytes(), of_numpy["key"].tobytes(), of_numpy["pos"], random.getstate()


@contextmanager
def unwritten_memory_is_nan() -> Iterator[None]:
    """Tensors of floats that are made and not written to hold NaN, and no remains of others."""
    deterministic = torch.are_deterministic_algorithms_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = True  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(deterministic)
        torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]


def undrawn(model: nn.Module) -> list[str]:
    """Names of the parameters and buffers that hold a NaN."""
    tensors = [*model.named_parameters(), *model.named_buffers()]
    return [name for name, tensor in tensors if tensor.is_floating_point() and tensor.isnan().any()]


def digest_of_equal(one: nn.Module, other: nn.Module) -> str | None:
    """Twelve hexadecimal digits that name the tensors which two networks of one kind have alike, apart from those that
    are one value throughout, such as biases of 0. None if there are none."""
    digest, theirs, found = hashlib.sha256(), other.state_dict(), False
    for name, tensor in sorted(one.state_dict().items()):
        if torch.equal(tensor, theirs[name]) and tensor.numel() and (tensor != tensor.flatten()[0]).any():
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
            digest.update(tensor.contiguous().view(torch.uint8).numpy().tobytes())
            found = True
    return digest.hexdigest()[:12] if found else None
