"""Noise of a camera's sensor, and shifts along the main axes of an image's colours.

Shapes: N images, H and W pixels, C = 3 colours (RGB), P = H W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from trainers.augment import Drawn
from trainers.faster.sensor_noise import MOST_PHOTONS, STEPS, normal, random_bits
from trainers.gpu.colours import hls_to_rgb, rgb_to_hls
from trainers.gpu.sending import sent

JACOBI_SWEEPS = 5
"""Three by three converges to float64's last digits in four."""


def sensor_noise(images_NHWC: Tensor, draws: Sequence[Drawn]) -> Tensor:
    """Each with a camera's noise (`trainers.faster.sensor_noise`).

    The mean of its counts depends on the image's contrast, which is known on the device only.
    """
    shape, device = images_NHWC.shape[1:3], images_NHWC.device
    bits_NHW = np.stack([random_bits(draw.params["random_seed"], shape) for draw in draws])
    hue_step_NHW, step_NHW = (sent(half.astype(np.int32), device) for half in (bits_NHW % STEPS, bits_NHW // STEPS))
    intensity, shift = (
        sent(np.array([draw.params[name] for draw in draws], np.float32), device)[:, None, None]
        for name in ("intensity", "color_shift")
    )
    hue, lightness, saturation = rgb_to_hls(images_NHWC.float() / 255).unbind(-1)
    mean_N11 = lightness.double().std((1, 2), correction=0, keepdim=True) * intensity
    noised = lightness + counts(step_NHW, mean_N11) * intensity * (1 - lightness)
    numbers_NHW = sent(normal(), device)[hue_step_NHW]
    rgb = hls_to_rgb(torch.stack([hue + numbers_NHW * (shift * intensity), noised, saturation], -1))
    return (rgb.clamp(0, 1) * 255).round().to(torch.uint8)


def counts(step_NHW: Tensor, mean_N11: Tensor) -> Tensor:
    """By Poisson's distribution: the count whose cumulative probability (float64) first reaches the step's middle."""
    count_NHW, cumulative = torch.zeros_like(step_NHW), torch.zeros_like(mean_N11)
    for number in range(MOST_PHOTONS):
        cumulative = cumulative + torch.exp(-mean_N11) * mean_N11**number / math.factorial(number)
        count_NHW += step_NHW + 0.5 > STEPS * cumulative
    return count_NHW


def along_main_axes(images_NHWC: Tensor, draws: Sequence[Drawn]) -> Tensor:
    """FancyPCA (`trainers.faster.main_axes`): each colour moved along the main axes of the image's colours."""
    factors_N3 = sent(np.stack([draw.params["alpha_vector"] for draw in draws]), images_NHWC.device)
    colours_NPC = images_NHWC.flatten(1, 2).double() / 255
    centred_NPC = colours_NPC - colours_NPC.mean(1, keepdim=True)
    covariance_NCC = centred_NPC.mT @ centred_NPC / (centred_NPC.shape[1] - 1)
    values_NC, vectors_NCC = eigen(covariance_NCC)
    moved = colours_NPC + (centred_NPC * (factors_N3 * values_NC)[:, None]) @ vectors_NCC.mT
    return (moved.clamp(0, 1) * 255).round().to(torch.uint8).reshape(images_NHWC.shape)


def eigen(symmetric_N33: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues in descending order and their vectors, in columns, by Jacobi's rotations; of either direction the one
    whose largest coordinate is positive.

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
    vectors = vectors.gather(2, order[:, None].expand(-1, 3, -1))
    return values, vectors * vectors.gather(1, vectors.abs().argmax(1, keepdim=True)).sign()
