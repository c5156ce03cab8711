"""Outputs of one column, in bfloat16 on a CPU.

oneDNN 3.12 (with AMX) leaves parts of what a convolution with a stride gives there unwritten: of its weights' gradient
where the input is narrower than the stride, of its output and both gradients where the output has several rows, too.
What is there is whatever the memory held before, NaN at worst, and other bits each time. Outputs of two columns are
right, and so is float32.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def widen_narrow_outputs(model: nn.Module) -> None:
    """Let every convolution of the model that has a stride compute a second column, of zeros behind its input, where it
    would compute one: the same function. (Not those of a class of somebody's own, which may pad by the width.)"""
    for module in model.modules():
        if type(module) in _CONVOLUTIONS and module.padding_mode == "zeros" and module.stride[-1] > 1:  # type: ignore[index]
            module.register_forward_hook(_first_of_two_columns)


def _first_of_two_columns(convolution: Any, inputs: tuple[Any, ...], outputs: Tensor) -> Tensor | None:
    """The outputs, computed again beside a second column; None, which changes nothing, where they are right."""
    if outputs.dtype != torch.bfloat16 or outputs.device.type != "cpu" or not inputs:
        return None
    width, columns, stride = inputs[0].shape[-1], outputs.shape[-1], convolution.stride[-1]
    several_rows = outputs[0, 0].numel() > columns
    if width >= stride and (columns > 1 or not several_rows):
        return None
    of_two: Tensor = convolution.forward(F.pad(inputs[0], [0, stride]))
    return of_two[..., :columns]
