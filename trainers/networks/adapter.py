"""What networks return -> a tuple of logits. Shapes: B batch, K classes, H and W pixels of the image, h and w fewer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from trainers.networks.blocks import resize_bilinear


class Adapted(nn.Module):
    """A network of any library, as ours are used: images_BCHW -> logits_BKHW of all its outputs, the main one first."""

    def __init__(self, network: nn.Module, num_classes: int) -> None:
        super().__init__()
        self.network, self._num_classes = network, num_classes
        self.output_weights = getattr(network, "output_weights", ())

    def forward(self, images_BCHW: Tensor) -> tuple[Tensor, ...]:
        """At the images' size, whatever the network's. Raises ValueError for what are no logits of these classes."""
        height, width = images_BCHW.shape[2:]
        outputs = outputs_of(self.network(images_BCHW))
        for logits_BKhw in outputs:
            if logits_BKhw.ndim != 4 or logits_BKhw.shape[1] != self._num_classes:
                shape = " x ".join(map(str, logits_BKhw.shape))
                raise ValueError(f"a network's output has shape {shape}: it must be B x {self._num_classes} x h x w")
        return tuple(
            logits if logits.shape[2:] == (height, width) else resize_bilinear(logits, height, width)
            for logits in outputs
        )


def outputs_of(returned: Any) -> tuple[Tensor, ...]:
    """The outputs, the main one first: of a tensor, of a tuple or list, of a dict with "out", of an object with
    `logits`. Raises ValueError for anything else."""
    match returned:
        case Tensor():
            return (returned,)
        case {"out": Tensor() as main}:
            return main, *(each for name, each in returned.items() if name != "out" and isinstance(each, Tensor))
        case tuple() | list() if returned and all(isinstance(each, Tensor) for each in returned):
            return tuple(returned)
    if isinstance(logits := getattr(returned, "logits", None), Tensor):
        return (logits,)
    keys = f" with {', '.join(map(str, returned))}" if isinstance(returned, Mapping) else ""
    found = f"{type(returned).__name__}{keys}"
    raise ValueError(
        f'a network returned a {found}: it must be a tensor, a tuple of them, a dict with "out" or have logits'
    )
