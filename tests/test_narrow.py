"""Images so narrow that a network halves them to one column, in bfloat16 on a CPU: numbers are right, and the same bits
each time. (Only with AMX does oneDNN get them wrong: elsewhere these tests pass without the work-around.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from trainers.cpu.narrow import widen_narrow_outputs
from trainers.networks import network

CONVOLUTIONS: dict[str, Callable[[], nn.Module]] = {
    "3 by 3": lambda: nn.Conv2d(16, 32, 3, 2, 1),
    "of many channels": lambda: nn.Conv2d(16, 256, 3, 2, 1),
    "stride 3": lambda: nn.Conv2d(16, 32, 3, 3, 1),
    "stride along the rows": lambda: nn.Conv2d(16, 32, (1, 3), (1, 2), (0, 1)),
    "padded by more than half": lambda: nn.Conv2d(16, 32, 4, 2, 2),
    "dilated": lambda: nn.Conv2d(16, 32, 3, 2, 2, 2),
    "in groups": lambda: nn.Conv2d(16, 32, 3, 2, 1, groups=4),
    "of one axis": lambda: nn.Conv1d(16, 32, 3, 2, 1),
}


def fill_memory(number: int) -> None:
    """With NaN, so that what reads memory which nobody has written is seen."""
    junk = [torch.full((size * number,), float("nan")) for size in (100, 1000, 5000, 10_000, 100_000)]
    del junk


@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_a_narrow_outputs_numbers_are_right(kind: str, width: int) -> None:
    torch.manual_seed(0)  # of this process's own generator: layers know no other
    layer: Any = nn.Sequential(CONVOLUTIONS[kind]())
    widen_narrow_outputs(layer)
    shape = (2, 16, width) if kind == "of one axis" else (8, 16, 16, width)
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0)).bfloat16()
    exact: Any = CONVOLUTIONS[kind]().double()
    exact.load_state_dict({name: value.bfloat16() for name, value in layer[0].state_dict().items()})
    expected = exact(images.double())
    expected.square().sum().backward()
    for attempt in range(3):
        layer.zero_grad()
        fill_memory(attempt + 1)
        with torch.autocast("cpu", torch.bfloat16):
            found = layer(images)
        assert found.shape == expected.shape
        found.float().square().sum().backward()
        assert torch.allclose(found.double(), expected, rtol=0.05, atol=0.05)
        gradient, theirs = layer[0].weight.grad.double(), exact.weight.grad
        assert torch.allclose(gradient, theirs, rtol=0.1, atol=0.05 * float(theirs.abs().max()))


@pytest.mark.parametrize(
    ("name", "height", "width"),
    [("swiftnet", 16, 0.25), ("bisenet", 64, 0.25), ("refinenet", 64, 0.25), ("refinenet", 64, 1.0)],
)
def test_networks_have_the_same_gradients_each_time(name: str, height: int, width: float) -> None:
    images = torch.randn(2, 3, height, 16, generator=torch.Generator().manual_seed(0))

    def gradients(attempt: int) -> list[torch.Tensor]:
        model: Any = network(name).build(3, {"width": width}, 0)
        model = model.to(memory_format=torch.channels_last).train()
        torch.manual_seed(0)  # for dropout
        fill_memory(attempt + 1)
        with torch.autocast("cpu", torch.bfloat16):
            outputs = model(images)
        sum(each.float().square().sum() for each in outputs).backward()
        return [weight.grad for weight in model.parameters() if weight.grad is not None]

    first = gradients(0)
    assert all(gradient.isfinite().all() for gradient in first)
    for attempt in (1, 2):
        assert all(torch.equal(*pair) for pair in zip(first, gradients(attempt), strict=True))
