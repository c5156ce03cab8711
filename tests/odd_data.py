"""Made-up images for data sets in which something is odd."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from trainers.data.cut_outs.catalogue import read_catalogue
from trainers.data.cut_outs.reading import check


def cut_out_image(seed: int = 0, size: tuple[int, int] = (24, 32)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 4), dtype=np.uint8)
    pixels[..., 3] = 0
    pixels[size[0] // 4 : -4, size[1] // 4 : -4, 3] = 255
    return Image.fromarray(pixels)


def problems_of(root: Path) -> list[str]:
    return [str(problem) for problem in check(read_catalogue(root))]
