"""What is known of each network beforehand: plans, shares of machines and simulated trials go by it, no result does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figures:
    """Of one network, at width 1 and 128 x 128 pixels."""

    images_per_second: float
    """Trained by one core of `REFERENCE` in bfloat16, another trial on its neighbour."""
    share_at_any_width: float
    """Of a step's time, what does not shrink with the network: images, logits, loss (widths 0.25 to 1.5 of
    benchmarks/results/training.md). The rest grows with the width's square."""
    gpu_share: float
    memory_gb: float


REFERENCE = "an Intel Xeon with AMX"
_KNOWN = {
    "icnet": Figures(60.0, 0.14, 0.25, 1.5),
    "unet": Figures(9.7, 0.03, 0.5, 4.0),
    "icnet_cascade": Figures(170.0, 0.48, 0.25, 1.0),
}
_UNKNOWN = _KNOWN["unet"]


def figures_of(network: str) -> Figures:
    """A network of which nothing is known is taken for the costliest: its trials get room, and start first."""
    return _KNOWN.get(network, _UNKNOWN)
