"""A trained network's facts: predictions, what is counted in every image, and what it costs to run."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch

from trainers.batches import EvaluationImages
from trainers.boundaries import boundary_distances
from trainers.counting import at_own_sizes
from trainers.data.pixels import Pixels
from trainers.data.size import Size
from trainers.data.source import Source
from trainers.data.split import Split
from trainers.dice import confusion
from trainers.losses import loss_named
from trainers.outcome import Evaluation, Latency
from trainers.step import to_input, validated, validation
from trainers.train import Job, Trained

_WARM_UP_RUNS = 3
_TIMED_RUNS = 20


def evaluate(trained: Trained, job: Job, source: Source, split: Split, ids: Sequence[str]) -> Evaluation:
    """Predict these samples of the split's val or test (argmax over the classes) and count, where the recipe says."""
    recipe, num_classes = job.recipe.training, len(source.samples.labels)
    trained.model.eval()
    loss = loss_named(job.loss, job.loss_args)
    validate = validation(trained.model, loss, recipe, trained.device, trained.precision)
    predicted, counts = [], []

    def count(truth_NHW: Pixels, predicted_NHW: Pixels) -> None:
        counted = (each(truth_NHW, predicted_NHW, num_classes) for each in (confusion, boundary_distances))
        counts.append(tuple(counted))

    is_own = recipe.counted_at == "original size"
    batches = EvaluationImages(source, split, tuple(ids), recipe.batch_size)
    for _, true_of_batch, of_batch in validated(validate, batches, trained.device):
        predicted.append(of_batch)
        if not is_own:
            count(true_of_batch, of_batch)
    predicted_NHW = np.concatenate(predicted)
    for pair in at_own_sizes(source, ids, predicted_NHW) if is_own else ():
        count(*pair)
    confusions, boundaries = map(np.concatenate, zip(*counts, strict=True))
    return Evaluation(predicted_NHW, confusions, boundaries)


@torch.no_grad()
def latency(trained: Trained, size: Size) -> Latency:
    """Median and 95th percentile over repeated runs of one image, after a warm-up."""
    image = to_input(torch.zeros(1, *size, 3, dtype=torch.uint8, device=trained.device))
    trained.model.eval()
    milliseconds = []
    for _ in range(_WARM_UP_RUNS + _TIMED_RUNS):
        _wait_for(trained.device)
        began = time.perf_counter()
        with torch.autocast(trained.device.type, trained.precision, enabled=trained.precision != torch.float32):
            trained.model(image)
        _wait_for(trained.device)
        milliseconds.append(1000 * (time.perf_counter() - began))
    median, p95 = np.quantile(milliseconds[_WARM_UP_RUNS:], (0.5, 0.95))
    return Latency(float(median), float(p95))


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
