"""The chain of augmentation on a GPU: each operation on all images of many batches that it was drawn for.

albumentations' chain (`trainers.augment`) is the definition: it draws on the CPU what happens to each image, which is a
fraction of the work. Here that is carried out by tensors, to the level wherever OpenCV's arithmetic can be repeated;
the tests state how near the others come.

Shapes: N images, H and W pixels, C = 3 colours (RGB).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from trainers.augment import OPERATIONS, Drawn
from trainers.gpu import blurring, colours, geometry, histograms, jpeg, noise
from trainers.gpu.sending import sent

Draws = Sequence[Drawn]
RAMP = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)
"""An image of every level."""


def augmented(images_NHWC: Tensor, labels_NHW: Tensor, drawn: Sequence[Draws]) -> tuple[Tensor, Tensor]:
    """Images and labels after what `Chain.drawn` has drawn for each of them."""
    images_NHWC, labels_NHW = images_NHWC.clone(), labels_NHW.clone()
    chosen: dict[str, list[tuple[int, Drawn]]] = {operation.name: [] for operation in OPERATIONS}
    for row, of_image in enumerate(drawn):
        for draw in of_image:
            chosen[draw.name].append((row, draw))
    for name, those in chosen.items():
        if not those:
            continue
        rows, draws = sent(np.array([row for row, _ in those]), images_NHWC.device), [draw for _, draw in those]
        if name in MOVING:
            images_NHWC[rows], labels_NHW[rows] = MOVING[name](images_NHWC[rows], labels_NHW[rows], draws)
        else:
            images_NHWC[rows] = RECOLOURING[name](images_NHWC[rows], draws)
    return images_NHWC, labels_NHW


def looked_up(images_NHWC: Tensor, draws: Draws) -> Tensor:
    """What depends on nothing but a pixel's level in its colour: albumentations' own answer for every level."""
    answers = np.stack([draw.transform.apply(RAMP, **draw.params)[0] for draw in draws])
    tables_N256C = sent(answers, images_NHWC.device)
    return tables_N256C.gather(1, images_NHWC.flatten(1, 2).long()).reshape(images_NHWC.shape)


def _shuffled(images_NHWC: Tensor, draws: Draws) -> Tensor:
    order_NC = sent(np.array([draw.params["channels_shuffled"] for draw in draws]), images_NHWC.device)
    return images_NHWC.gather(3, order_NC[:, None, None].expand(images_NHWC.shape))


def _parameters(draws: Draws, *names: str) -> np.ndarray:
    return np.array([[draw.params[name] for name in names] for draw in draws])


MOVING: dict[str, Callable[[Tensor, Tensor, Draws], tuple[Tensor, Tensor]]] = {
    "HorizontalFlip": lambda images, labels, _: (images.flip(2), labels.flip(2)),
    "VerticalFlip": lambda images, labels, _: (images.flip(1), labels.flip(1)),
    "Rotate": geometry.affine,
    "ShiftScaleRotate": geometry.affine,
    "OpticalDistortion": geometry.remapped,
}
"""Operations that move labels with their pixels."""
RECOLOURING: dict[str, Callable[[Tensor, Draws], Tensor]] = {
    "Blur": blurring.box_blurred,
    "RandomGamma": looked_up,
    "HueSaturationValue": lambda images, draws: colours.hsv_shifted(
        images, sent(_parameters(draws, "hue_shift", "sat_shift", "val_shift"), images.device)
    ),
    "RGBShift": looked_up,
    "RandomBrightnessContrast": looked_up,
    "MotionBlur": blurring.motion_blurred,
    "GaussianBlur": blurring.gaussian_blurred,
    "CLAHE": lambda images, draws: histograms.clahe(
        images, sent(_parameters(draws, "clip_limit")[:, 0], images.device)
    ),
    "ChannelShuffle": _shuffled,
    "ToGray": lambda images, _: colours.gray(images),
    "ImageCompression": lambda images, draws: jpeg.compressed(images, [draw.params["quality"] for draw in draws]),
    "CoarseDropout": geometry.holed,
    "Downscale": geometry.coarser,
    "FancyPCA": noise.along_main_axes,
    "Posterize": looked_up,
    "Equalize": lambda images, _: histograms.equalized(images),
    "ISONoise": noise.sensor_noise,
    "RandomFog": blurring.fogged,
}
"""Operations that leave labels alone."""
