"""Every built-in network as one graph: for torch.export, and as ONNX in onnxruntime."""

from __future__ import annotations

import io

import numpy as np
import onnxruntime
import pytest
import torch

from trainers.data.pairs.fitting import Fitting
from trainers.data.size import Size
from trainers.names import NETWORKS
from trainers.networks import blocks, network
from trainers.portable import INPUT, Portable, exported_program, in_onnx, in_torch_format
from trainers.trained import TrainedModel

pytestmark = pytest.mark.slow
SIZE = Size(48, 64)


@pytest.mark.parametrize("name", NETWORKS)
def test_each_network_gives_the_same_probabilities_everywhere(name: str) -> None:
    made = network(name).build(4, {"width": 0.25}, seed=0).eval()
    model = TrainedModel((made,), ("background", "a", "b", "c"), Fitting(SIZE, "stretch"), torch.float32)
    images_BHWC = np.random.default_rng(0).integers(0, 256, (3, *SIZE, 3), dtype=np.uint8)
    for matrix in (blocks._bilinear_matrix, blocks._pooling_matrix):
        matrix.cache_clear()  # as in a process that has run no network yet
    program = exported_program(model, SIZE)
    expected = model.probabilities(images_BHWC)
    module = torch.export.load(io.BytesIO(in_torch_format(program))).module()
    session = onnxruntime.InferenceSession(in_onnx(program), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        given = torch.from_numpy(images_BHWC)
        found = {
            "module": Portable(model).eval()(given).numpy(),
            "torch.export": module(given).numpy(),
            "onnx": session.run(None, {INPUT: images_BHWC})[0],
        }
    for where, probabilities_BKHW in found.items():
        np.testing.assert_allclose(probabilities_BKHW, expected, atol=1e-4, err_msg=where)
    np.testing.assert_allclose(expected.sum(1), 1, atol=1e-5)
