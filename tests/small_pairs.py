"""A set of photographs with label maps that is small enough to be trained on in a test."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from trainers.data.pairs.description import MaskValue
from trainers.data.pairs.pair import Listing, Pair

CLASSES = {"background": 0, "mug": 1, "pen": 2}
COLOURS = {"mug": (220, 40, 40), "pen": (40, 60, 220)}
NUM_IMAGES = 18

DEFINITION = """
name = "small"
data.path = "{data}"
grid = {{ models = ["icnet"], losses = ["ce", "ce_dice"], splits = ["random_0", "random_1"] }}
model.width = 0.25
training = {{ image_size = [16, 32], resize = "pad", epochs = 2, batch_size = 4, counted_at = "original size" }}
search.trials = 2

[data.pairs]
classes = {{ background = 0, mug = 1, pen = 2 }}

[search.space]
"augmentation.strength" = {{ low = 0.0, high = 1.5 }}
"""


def encoded(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind, **options)
    return content.getvalue()


def pair(name: str, image: bytes, mask: bytes, **more: object) -> Pair:
    return Pair(name, f"images/{name}.png", f"masks/{name}.png", lambda: image, lambda: mask, **more)  # type: ignore[arg-type]


def listing(*pairs: Pair, classes: dict[str, MaskValue] | None = None, ignore: tuple[MaskValue, ...] = ()) -> Listing:
    return Listing(pairs, CLASSES if classes is None else classes, ignore, ())


def scenes() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Name -> image and label map, of different sizes; every image shows both classes."""
    rng, made = np.random.default_rng(0), {}
    for number in range(NUM_IMAGES):
        height, width = (int(side) for side in rng.integers(20, 50, 2))
        image = rng.integers(0, 60, (height, width, 3), dtype=np.uint8)
        labels = np.zeros((height, width), np.uint8)
        for label, colour in enumerate(COLOURS.values(), 1):
            top, left = (
                int(rng.integers(0, height - 12)),
                int(rng.integers(0, width // 2 - 8)) + (label - 1) * width // 2,
            )
            image[top : top + 12, left : left + 8] = colour
            labels[top : top + 12, left : left + 8] = label
        made[f"scene_{number:02d}"] = image, labels
    return made


def write_data(folder: Path) -> Path:
    for name, (image, labels) in scenes().items():
        for kind, pixels in (("images", image), ("masks", labels)):
            path = folder / kind / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(pixels))
    return folder


def write_definition(folder: Path) -> Path:
    path = folder / "small.toml"
    path.write_text(DEFINITION.format(data=write_data(folder / "data")))
    return path
