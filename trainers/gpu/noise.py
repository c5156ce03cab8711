"""Operations with chance at every pixel, or along the main axes of an image's colours.

Shapes: N images, H and W pixels, C = 3 colours (RGB), P = H W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from trainers.augment import Drawn
from trainers.gpu.colours import hls_to_rgb, rgb_to_hls
from trainers.gpu.sending import sent

MOST_PHOTONS = 12
"""A pixel's count passes this with a probability under 1e-14: its mean is at most 3/8."""
JACOBI_SWEEPS = 5
"""Three by three converges to float64's last digits in four."""


def sensor_noise(images_NHWC: Tensor, draws: Sequence[Drawn]) -> Tensor:
    """Each with a camera's noise: normal in hue, Poisson in lightness, of a mean that depends on the image's contrast.

    That mean is known here only, on the device, while albumentations draws with it. So these are its distributions, not
    its draws: uniform and normal numbers from the same seed, and the former turned into counts.
    """
    shape, device = images_NHWC.shape[1:3], images_NHWC.device
    generators = [np.random.default_rng(draw.params["random_seed"]) for draw in draws]
    uniform_NHW = sent(np.stack([each.random(shape, np.float32) for each in generators]), device)
    normal_NHW = sent(np.stack([each.standard_normal(shape, np.float32) for each in generators]), device)
    intensity, shift = (
        sent(np.array([draw.params[name] for draw in draws], np.float32), device)[:, None, None]
        for name in ("intensity", "color_shift")
    )
    hue, lightness, saturation = rgb_to_hls(images_NHWC.float() / 255).unbind(-1)
    mean_N11 = lightness.std((1, 2), correction=0, keepdim=True) * intensity
    noised = lightness + poisson(uniform_NHW, mean_N11) * intensity * (1 - lightness)
    rgb = hls_to_rgb(torch.stack([hue + normal_NHW * shift * intensity, noised, saturation], -1))
    return (rgb.clamp(0, 1) * 255).round().to(torch.uint8)


def poisson(uniform: Tensor, mean: Tensor) -> Tensor:
    """The count whose cumulative probability first reaches the uniform number; of small means (see MOST_PHOTONS)."""
    count, cumulative = torch.zeros_like(uniform), torch.zeros_like(mean)
    for number in range(MOST_PHOTONS):
        cumulative = cumulative + torch.exp(-mean) * mean**number / math.factorial(number)
        count += uniform > cumulative
    return count


def along_main_axes(images_NHWC: Tensor, draws: Sequence[Drawn]) -> Tensor:
    """FancyPCA: each colour moved along the main axes of the image's colours.

    As albumentations has it, the drawn factors fall on the three coordinates of a centred colour, with the eigenvalues,
    and the eigenvectors turn the result. A vector's sign is arbitrary, as is that of its factor, which is normal.
    """
    factors_N3 = sent(np.stack([draw.params["alpha_vector"] for draw in draws]), images_NHWC.device)
    colours_NPC = images_NHWC.flatten(1, 2).double() / 255
    centred_NPC = colours_NPC - colours_NPC.mean(1, keepdim=True)
    covariance_NCC = centred_NPC.mT @ centred_NPC / (centred_NPC.shape[1] - 1)
    values_NC, vectors_NCC = eigen(covariance_NCC)
    moved = colours_NPC + (centred_NPC * (factors_N3 * values_NC)[:, None]) @ vectors_NCC.mT
    return (moved.clamp(0, 1) * 255).round().to(torch.uint8).reshape(images_NHWC.shape)


def eigen(symmetric_N33: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues in descending order and their vectors, in columns, by Jacobi's rotations.

    A library's routine would ask the GPU whether it has converged, and wait for the answer.
    """
    rest, vectors = symmetric_N33, torch.eye(3, dtype=symmetric_N33.dtype, device=symmetric_N33.device)
    for _ in range(JACOBI_SWEEPS):
        for p, q in ((0, 1), (0, 2), (1, 2)):
            angle = 0.5 * torch.atan2(2 * rest[:, p, q], rest[:, q, q] - rest[:, p, p])
            turn = torch.eye(3, dtype=rest.dtype, device=rest.device).repeat(len(rest), 1, 1)
            turn[:, p, p] = turn[:, q, q] = angle.cos()
            turn[:, p, q] = angle.sin()
            turn[:, q, p] = -angle.sin()
            rest, vectors = turn.mT @ rest @ turn, vectors @ turn
    values, order = rest.diagonal(dim1=1, dim2=2).sort(descending=True)
    return values, vectors.gather(2, order[:, None].expand(-1, 3, -1))
