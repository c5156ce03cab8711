"""nnU-Net's channels in files of their own (case_0000.png, case_0001.png): up to three are an image's colours."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from trainers.data.decoding import UnusableImage
from trainers.data.pairs.decoding import SIXTEEN_BITS, decode_image

FIRST = "_0000"
MOST = 3
TOO_MANY = (
    "more than three channels in files of their own, and an image has three colours: leave those of three, numbered "
    "_0000 to _0002, in the folder of the images, and put the others elsewhere"
)
NO_SUCH_CHANNEL = "a channel that other images have is missing: add its file, or remove those of the image"
NO_FIRST_CHANNEL = f"a channel of an image that has no {FIRST}: add it, or remove this one"
_CHANNEL = re.compile(r"_\d{4}$")


def channel_of(stem: str) -> str | None:
    """How a file's name ends, without its own ending, if it names a channel."""
    found = _CHANNEL.search(stem)
    return found[0] if found else None


def as_one_image(files: Sequence[Path], maximum: int | None = None) -> bytes:
    """The file of an image (BMP, the same bytes everywhere) whose colours are grey images; of two the blue is 0.

    :param maximum: of channels of 16 bits, what becomes 255; None: 65535.
    :raises OSError: and UnusableImage.
    """
    channels = [_grey(file, maximum or SIXTEEN_BITS) for file in files]
    if sizes := [channel.shape for channel in channels if channel.shape != channels[0].shape]:
        height, width = sizes[0]
        raise UnusableImage("channels of different sizes: save all at one size", f"one is {height} x {width}")
    channels += [np.zeros_like(channels[0])] * (MOST - len(channels))
    content = io.BytesIO()
    Image.fromarray(np.dstack(channels)).save(content, "BMP")
    return content.getvalue()


def _grey(file: Path, maximum: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    try:
        image = decode_image(file.read_bytes(), maximum)
    except UnusableImage as error:
        raise UnusableImage(error.what, f"{file.name}: {error.detail}" if error.detail else file.name) from error
    if not image.is_grey:
        raise UnusableImage(
            "a channel that is not a grey image: save every channel as one, or the image whole", file.name
        )
    return image.pixels_HWC[..., 0]
