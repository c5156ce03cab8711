"""The authors' chain of 23 operations, made weaker or stronger by one number."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any, NamedTuple

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else importing it asks a server for its newest version

import albumentations as A
import cv2
import numpy as np

from trainers.augmentation.fog import RandomFog
from trainers.augmentation.principal_axes import FancyPCA
from trainers.augmentation.sensor_noise import ISONoise
from trainers.augmentation.warps import Affine, OpticalDistortion, Rotate
from trainers.data.pixels import Pixels, is_grey
from trainers.data.size import Size, square

MAX_STRENGTH = 1.5
CHAIN_PROBABILITY = 0.6
"""With which an image goes through the chain at all."""
AUTHORS_SIDE = 128
"""The image's shorter side, pixels, for which the authors' kernel sizes are meant."""
AUTHORS_SIZE = square(AUTHORS_SIDE)
SHORTEST_BLUR = 3

_REFLECT: dict[str, Any] = {"border_mode": cv2.BORDER_REFLECT_101, "mask_interpolation": cv2.INTER_NEAREST}


class Operation(NamedTuple):
    """One operation at strength 1: its probability, its magnitude (0 where it has none), how it is made of the two."""

    name: str
    probability: float
    magnitude: float
    make: Callable[[float, float], A.BasicTransform]  # (magnitude, probability)
    in_pixels: bool = False

    def at(self, strength: float, size: Size) -> tuple[float, float]:
        """(magnitude, probability) at a strength: both in proportion to it; a magnitude in pixels also to the size."""
        scale = min(size) / AUTHORS_SIDE if self.in_pixels else 1.0
        return self.magnitude * strength * scale, min(1.0, self.probability * strength)


def _odd(pixels: float) -> int:
    """The largest odd kernel side within `pixels`, at least the shortest that blurs."""
    return max(SHORTEST_BLUR, 2 * int((pixels - 1) // 2) + 1)


def _dropout(holes: float, p: float) -> A.BasicTransform:
    side = (12 / AUTHORS_SIDE, 12 / AUTHORS_SIDE)
    count = max(1, round(holes))
    return A.CoarseDropout((count, count), hole_height_range=side, hole_width_range=side, fill=0, p=p)


def _shift_scale_rotate(share: float, p: float) -> A.BasicTransform:
    shift, scale, degrees = 0.0625 * share, 0.1 * share, 35 * share
    both_axes = {"x": (-shift, shift), "y": (-shift, shift)}
    return Affine(
        scale=(1 - scale, 1 + scale),
        translate_percent=both_axes,
        rotate=(-degrees, degrees),
        keep_ratio=True,
        p=p,
        **_REFLECT,
    )


def _iso_noise(share: float, p: float) -> A.BasicTransform:
    color = (0.1 * share, 0.5 * share)
    return ISONoise(color_shift=color, intensity=color, p=p)


OPERATIONS: tuple[Operation, ...] = (
    Operation("HorizontalFlip", 0.1, 0, lambda _, p: A.HorizontalFlip(p=p)),
    Operation("VerticalFlip", 0.1, 0, lambda _, p: A.VerticalFlip(p=p)),
    Operation("Blur", 0.1, 16, lambda m, p: A.Blur((SHORTEST_BLUR, _odd(m)), p=p), in_pixels=True),
    Operation("RandomGamma", 0.1, 40, lambda m, p: A.RandomGamma((100 - m, 100 + m), p=p)),
    Operation("Rotate", 0.15, 35, lambda m, p: Rotate((-m, m), p=p, **_REFLECT)),
    Operation("ShiftScaleRotate", 0.2, 1, _shift_scale_rotate),
    Operation("OpticalDistortion", 0.2, 1, lambda m, p: OpticalDistortion((-m, m), p=p, **_REFLECT)),
    Operation(
        "HueSaturationValue",
        0.2,
        1,
        lambda m, p: A.HueSaturationValue((-20 * m, 20 * m), (-30 * m, 30 * m), (-20 * m, 20 * m), p=p),
    ),
    # As a share of white: a limit of up to 1 is taken for one, so 1 level of 255 would be the whole range.
    Operation("RGBShift", 0.15, 20 / 255, lambda m, p: A.RGBShift((-m, m), (-m, m), (-m, m), p=p)),
    Operation("RandomBrightnessContrast", 0.2, 0.2, lambda m, p: A.RandomBrightnessContrast((-m, m), (-m, m), p=p)),
    Operation("MotionBlur", 0.2, 7, lambda m, p: A.MotionBlur((SHORTEST_BLUR, _odd(m)), p=p), in_pixels=True),
    # A kernel of 3 to 7 pixels is a sigma of 0.8 to 1.4 in OpenCV's rule; sigma scales without steps.
    Operation("GaussianBlur", 0.15, 1.4, lambda m, p: A.GaussianBlur(0, (m * 0.8 / 1.4, m), p=p), in_pixels=True),
    Operation("CLAHE", 0.05, 3, lambda m, p: A.CLAHE((1, 1 + m), p=p)),
    Operation("ChannelShuffle", 0.05, 0, lambda _, p: A.ChannelShuffle(p=p)),
    Operation("ToGray", 0.1, 0, lambda _, p: A.ToGray(p=p)),
    Operation(
        "ImageCompression", 0.15, 90, lambda m, p: A.ImageCompression("jpeg", (max(1, round(100 - m)), 100), p=p)
    ),
    Operation("CoarseDropout", 0.05, 32, _dropout),
    Operation("Downscale", 0.3, 2, lambda octaves, p: A.Downscale((2**-octaves, 2**-octaves), p=p)),  # nearest
    Operation("FancyPCA", 0.1, 0.4, lambda m, p: FancyPCA(m, p=p)),
    Operation("Posterize", 0.03, 4, lambda dropped_bits, p: A.Posterize(min(7, max(1, 8 - round(dropped_bits))), p=p)),
    Operation("Equalize", 0.05, 0, lambda _, p: A.Equalize(p=p)),
    Operation("ISONoise", 0.07, 1, _iso_noise),
    # By its opacity: a lower fog coefficient means more and smaller particles, up to thousands.
    Operation("RandomFog", 0.03, 0.08, lambda m, p: RandomFog(m, (0.3, 1.0), p=p)),
)
"""The authors' chain, in their order."""


@cache
def _blank(size: Size) -> Pixels:
    return np.zeros((*size, 3), np.uint8)


class Chain(A.Compose):  # type: ignore[misc]  # albumentations ships no types that mypy is shown
    """OPERATIONS at a strength, or none: they draw one after another from one seeded generator."""

    def set_random_seed(self, seed: int | None) -> None:
        """Seed all draws to come.

        Compose itself gives every operation a generator of its own with the same seed, so that all of them toss the
        same number: the first image after seeding goes through every operation at once, or through none.
        """
        self.seed = seed
        self.set_random_state(np.random.default_rng(seed), Random(seed))

    def draw(self, size: Size) -> list[tuple[A.BasicTransform, dict[str, Any]]]:
        """The operations for the next image, and the parameters of each, which do not depend on what it shows."""
        if self.py_random.random() >= self.p:
            return []
        blank, drawn = {"image": _blank(size)}, []
        for transform in self.transforms:
            if transform.should_apply():
                params = transform.update_transform_params(transform.get_params(), blank)
                drawn.append((transform, params | transform.get_params_dependent_on_data(params, blank)))
        return drawn

    def augmented(self, image_HWC: Pixels, labels_HW: Pixels) -> tuple[Pixels, Pixels]:
        """The next image and its labels, as `chain(image=image_HWC, mask=labels_HW)` makes them, but sooner.

        A grey image, whose colours are equal, stays grey.
        """
        was_grey = is_grey(image_HWC)
        for transform, params in self.draw(Size(*labels_HW.shape)):
            image_HWC = np.ascontiguousarray(transform.apply(image_HWC, **params))
            if isinstance(transform, A.DualTransform):
                labels_HW = np.ascontiguousarray(transform.apply_to_mask(labels_HW, **params))
            elif was_grey and not is_grey(image_HWC):
                image_HWC = cv2.cvtColor(cv2.cvtColor(image_HWC, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        return image_HWC, labels_HW


def augmentation(strength: float, size: Size = AUTHORS_SIZE) -> Chain:
    """The chain at a strength: 0 is the identity, 1 the authors', up to 1.5.

    Call `chain.augmented` after `chain.set_random_seed(seed)`.
    Raises ValueError for another strength.
    """
    if not 0 <= strength <= MAX_STRENGTH:
        raise ValueError(f"augmentation strength {strength} is outside of 0 to {MAX_STRENGTH}")
    if strength == 0:
        return Chain([])
    operations = [operation.make(*operation.at(strength, size)) for operation in OPERATIONS]
    return Chain(operations, p=CHAIN_PROBABILITY)
