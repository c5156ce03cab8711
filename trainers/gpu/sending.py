"""Values on their way to a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def sent(array: NDArray[Any], device: torch.device) -> Tensor:
    """A copy of the array on the device. From page-locked memory: else the CPU would wait until the GPU has got so far.

    Where a GPU is at work, its later kernels find the values; the caller goes on at once.
    """
    copy = torch.from_numpy(np.array(array))
    return copy.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else copy.to(device)
