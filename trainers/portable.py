"""A trained model as one graph that runs without this project: for torch.export, and from there for ONNX.

Shapes: B batch, H and W pixels, C = 3 colours (RGB), K classes.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from trainers.data.size import Size
from trainers.step import MEAN_RGB, SD_RGB
from trainers.trained import TrainedModel, mean_probabilities

INPUT, OUTPUT = "images", "probabilities"


class Portable(nn.Module):
    """images_BHWC, uint8, at the working size -> probabilities_BKHW, float32. Normalisation is inside; all is computed
    in float32."""

    mean: Tensor
    sd: Tensor

    def __init__(self, model: TrainedModel) -> None:
        super().__init__()
        self.networks = nn.ModuleList(model.networks)
        self.register_buffer("mean", torch.tensor(MEAN_RGB))
        self.register_buffer("sd", torch.tensor(SD_RGB))

    def forward(self, images_BHWC: Tensor) -> Tensor:
        given = ((images_BHWC.float() - self.mean) / self.sd).permute(0, 3, 1, 2)
        return mean_probabilities([network(given)[0] for network in self.networks])


def exported_program(model: TrainedModel, size: Size) -> torch.export.ExportedProgram:
    """For batches of any number of images. Raises what torch does where a network cannot be one graph."""
    example = torch.zeros(2, *size, 3, dtype=torch.uint8)
    portable = Portable(model).cpu().eval()
    with torch.no_grad():
        portable(example)  # what a network makes at its first use and keeps, such as matrices, must not be a tracer's
    with _flags_as_torch_starts():
        return torch.export.export(portable, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))


@contextmanager
def _flags_as_torch_starts() -> Iterator[None]:
    """A process that has trained keeps cuDNN from rounding; export asks for these flags in words that know no such
    state, and fails. (Nothing is computed on a GPU here.)"""
    conv: Any = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    rnn: Any = torch.backends.cudnn.rnn
    before = conv.fp32_precision, rnn.fp32_precision
    conv.fp32_precision = rnn.fp32_precision = "tf32"
    try:
        yield
    finally:
        conv.fp32_precision, rnn.fp32_precision = before


def in_torch_format(program: torch.export.ExportedProgram) -> bytes:
    """What `torch.export.load` reads."""
    file = io.BytesIO()
    torch.export.save(program, file)
    return file.getvalue()


def in_onnx(program: torch.export.ExportedProgram) -> bytes:
    """One file, weights inside. Raises ImportError where onnx and onnxscript are not installed, and what torch does."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # of torchvision, which it can do without
    with _flags_as_torch_starts(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own deprecated words
        made = torch.onnx.export(program, input_names=[INPUT], output_names=[OUTPUT], dynamo=True, verbose=False)
    assert made is not None
    return bytes(made.model_proto.SerializeToString())
