"""What a training step takes on a GPU: `python benchmarks/gpu_step.py`.

Batches that lie ready in page-locked memory go through the recorded step: one training alone, then several in one
process on streams of their own; then the kernels of one step, by the time that they take. It runs without a GPU, too,
to show that it runs, one training at a time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from machine import circumstances, spread, write
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from trainers.gpu.cuda_graphs import recorded
from trainers.losses.cross_entropy import cross_entropy
from trainers.names import NETWORKS
from trainers.networks import network as named
from trainers.optimisation import mover
from trainers.recipe import TrainingRecipe
from trainers.step import prepare_process, training_step

CLASSES, WARM_UP, STEPS, SHOWN = 7, 6, 60, 12
AT_ONCE = (1, 2, 4, 8)
ON_GPU = torch.cuda.is_available()
RECIPE = TrainingRecipe() if ON_GPU else TrainingRecipe(image_size=32, batch_size=4)
Step = Callable[..., tuple[Tensor, ...]]


def main() -> None:
    """Run, and write benchmarks/results/gpu_step.md and .json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    device, precision = prepare_process(RECIPE)
    rates = {
        f"{network}, {number} at once": [rate(network, number, device, precision) for _ in range(rounds)]
        for network in NETWORKS
        for number in (AT_ONCE if ON_GPU else AT_ONCE[:1])
    }
    kernels = {network: kernels_of(network, device, precision) for network in NETWORKS}
    about = circumstances("torch")
    about["gpu"] = torch.cuda.get_device_name() if ON_GPU else None
    write("gpu_step", about, {"images_per_second": rates, "kernels": kernels}, report(rates, kernels, about))


def made(network: str, device: torch.device, precision: torch.dtype) -> Step:
    model = named(network).build(CLASSES, {"width": 1.0}, 0)
    model.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    step = training_step(mover(model, RECIPE), cross_entropy, device, precision)
    return recorded(step, device) if ON_GPU else step


def batches() -> Iterator[tuple[Tensor, ...]]:
    """Of noise, four of them again and again."""
    batch_size = RECIPE.batch_size
    generator = torch.Generator().manual_seed(0)
    few = []
    for _ in range(4):
        images = torch.randint(256, (batch_size, *RECIPE.size, 3), dtype=torch.uint8, generator=generator)
        labels = torch.randint(CLASSES, (batch_size, *RECIPE.size), dtype=torch.uint8, generator=generator)
        few.append((images.pin_memory(), labels.pin_memory()) if ON_GPU else (images, labels))
    while True:
        yield from few


def rate(network: str, at_once: int, device: torch.device, precision: torch.dtype) -> float:
    """Images a second of all trainings together."""
    team = [(made(network, device, precision), torch.cuda.Stream() if ON_GPU else None) for _ in range(at_once)]  # type: ignore[no-untyped-call]

    def run(number: int) -> None:
        for batch in (next(coming) for _ in range(number)):
            for step, stream in team:
                with torch.cuda.stream(stream) if stream else nullcontext():
                    step(*batch)
        wait()

    coming = batches()
    run(WARM_UP)
    began = time.perf_counter()
    run(STEPS)
    return at_once * STEPS * RECIPE.batch_size / (time.perf_counter() - began)


def kernels_of(network: str, device: torch.device, precision: torch.dtype) -> list[dict[str, Any]]:
    """Name, number and microseconds of a step's kernels, the costliest first."""
    step, coming = made(network, device, precision), batches()
    for _ in range(WARM_UP):
        step(*next(coming))
    wait()
    with profile(activities=[ProfilerActivity.CUDA if ON_GPU else ProfilerActivity.CPU]) as seen:
        step(*next(coming))
        wait()
    rows = [
        {
            "kernel": row.key,
            "number": row.count,
            "us": row.self_device_time_total if ON_GPU else row.self_cpu_time_total,
        }
        for row in seen.key_averages()
    ]
    return sorted(rows, key=lambda row: -row["us"])


def wait() -> None:
    if ON_GPU:
        torch.cuda.synchronize()


def report(rates: dict[str, list[float]], kernels: dict[str, list[dict[str, Any]]], about: dict[str, Any]) -> str:
    """Markdown: a table of rates, then one of kernels for each network."""
    lines = ["| network | images/s, all together | TFLOP/s |", "|---|---|---|"]
    for name, each in rates.items():
        cost = named(name.partition(",")[0]).cost(CLASSES, {"width": 1.0}, RECIPE.size)
        flop = 3e9 * cost.gflops
        lines.append(f"| {name} | {spread(each, '.0f')} | {flop * max(each) / 1e12:.0f} |")
    for network, rows in kernels.items():
        lines += ["", *_table(network, rows)]
    where = about["gpu"] or "a CPU, for want of a GPU"
    return "\n".join([*lines, "", f"On {where}. Width 1, CE, images of {RECIPE.size}."])


def _table(network: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    total, number = sum(row["us"] for row in rows), sum(row["number"] for row in rows)
    head = [f"| {network}: a step's {number} kernels, {total:.0f} us | number | us |", "|---|---|---|"]
    return head + [f"| `{row['kernel'][:90]}` | {row['number']} | {row['us']:.0f} |" for row in rows[:SHOWN]]


if __name__ == "__main__":
    main()
