"""What a large set of photographs with label maps takes: `python benchmarks/pairs.py`.

A set is drawn in a temporary folder, surveyed as `study plan` does, and opened as `study run` does: every image is
decoded once into a file. Then batches are drawn from that file, without augmentation. Each step runs in a process of
its own, whose peak of memory is its own. Linux only. Of 20,000 pairs of 512 x 512 the set takes 1.3 GiB, its file 20.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from machine import circumstances, write
from PIL import Image

from study.data_set import data_set_of
from study.definition import Definition
from study.definition.file import parse
from trainers.data.split import Split

CLASSES = 8
SECONDS_OF_DRAWING = 20.0
BATCH = 16


def main() -> None:
    """Run, and write benchmarks/results/pairs.md and .json."""
    parser = argparse.ArgumentParser(description="Memory and time of a large set of pairs.")
    parser.add_argument("--pairs", type=int, nargs="+", default=[2_000, 20_000], help="default: %(default)s")
    parser.add_argument("--side", type=int, default=512, help="of the images, and of the working size")
    parser.add_argument("--of", choices=sorted(STEPS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help="where the set and its file are put; default: TMPDIR")
    options = parser.parse_args()
    if options.of:
        print(json.dumps(STEPS[options.of](options.folder, options.side)))
        return
    found = [measured(number, options.side, options.folder) for number in options.pairs]
    about = circumstances("numpy", "pillow")
    write("pairs", about, {"measurements": found}, report(found))


def measured(number: int, side: int, parent: Path | None) -> dict[str, float]:
    """One set, drawn, surveyed, opened and drawn from."""
    with tempfile.TemporaryDirectory(dir=parent) as name:
        folder = Path(name)
        with ProcessPoolExecutor() as pool:
            num_bytes = sum(pool.map(partial(draw_pair, folder, side), range(number), chunksize=100))
        found: dict[str, float] = {"pairs": number, "side": side, "set_gib": num_bytes / 2**30}
        for step in STEPS:
            found |= in_a_process(step, folder, side)
            print(found, file=sys.stderr)
    return found


def in_a_process(step: str, folder: Path, side: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--of", step, "--folder", str(folder), "--side", str(side)]
    answer = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"TMPDIR": str(folder)}
    )
    found: dict[str, float] = json.loads(answer.stdout)
    return found


def draw_pair(folder: Path, side: int, number: int) -> int:
    """A photograph (JPEG) of coloured rectangles on noise, and its mask (PNG); their bytes."""
    rng = np.random.default_rng(number)
    noise = rng.integers(0, 80, (side // 4, side // 4, 3), dtype=np.uint8)
    image = np.array(Image.fromarray(noise).resize((side, side), Image.Resampling.BILINEAR))
    labels = np.zeros((side, side), np.uint8)
    for label in rng.integers(1, CLASSES + 1, 6):
        top, left, height, width = rng.integers(0, side // 2, 4)
        part = slice(top, top + height + 8), slice(left, left + width + 8)
        image[part] = image[part] // 2 + np.uint8(12 * label)
        labels[part] = label
    places = folder / f"images/{number:06d}.jpg", folder / f"masks/{number:06d}.png"
    for place, pixels in zip(places, (image, labels), strict=True):
        place.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(place, **({"quality": 92} if place.suffix == ".jpg" else {}))
    return sum(place.stat().st_size for place in places)


def definition_of(folder: Path, side: int) -> Definition:
    names = ["background", *(f"class_{label}" for label in range(1, CLASSES + 1))]
    return parse({"data": {"path": str(folder), "pairs": {"classes": names}}, "training": {"image_size": side}})


def plan(folder: Path, side: int) -> dict[str, float]:
    began = time.perf_counter()
    data_set_of(definition_of(folder, side)).samples()
    return {"plan_seconds": time.perf_counter() - began, "plan_peak_mib": peak()}


def open_and_draw(folder: Path, side: int) -> dict[str, float]:
    before, began = peak(), time.perf_counter()
    source, _ = data_set_of(definition_of(folder, side)).load()
    seconds, opened = time.perf_counter() - began, peak()
    rng, ids = np.random.default_rng(0), [row.id for row in source.samples.rows]
    split = Split("random_0", "random", None, tuple(ids), (), (), "")
    drawn, began = 0, time.perf_counter()
    while time.perf_counter() - began < SECONDS_OF_DRAWING:
        batch = [ids[place] for place in rng.integers(len(ids), size=BATCH)]
        images, _ = zip(*source.for_training(split, batch, rng), strict=True)
        drawn += len(np.stack(images))
    return {
        "imports_mib": before,
        "open_seconds": seconds,
        "open_peak_mib": opened,
        "images_per_second": drawn / (time.perf_counter() - began),
        "draw_peak_mib": peak(),
    }


def peak() -> float:
    """Of this process, MiB, pages of files apart from those that it has mapped."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


STEPS: dict[str, Callable[[Path, int], dict[str, float]]] = {"plan": plan, "open": open_and_draw}


def report(found: list[dict[str, float]]) -> str:
    """A Markdown table."""
    columns = {
        "pairs": ("pairs", ".0f"),
        "side": ("side", ".0f"),
        "set, GiB": ("set_gib", ".1f"),
        "s to plan": ("plan_seconds", ".0f"),
        "peak, MiB": ("plan_peak_mib", ".0f"),
        "s to decode": ("open_seconds", ".0f"),
        "its peak, MiB": ("open_peak_mib", ".0f"),
        "images drawn a second": ("images_per_second", ".0f"),
        "peak after drawing, MiB": ("draw_peak_mib", ".0f"),
    }
    rows = ["| " + " | ".join(format(each[key], form) for key, form in columns.values()) + " |" for each in found]
    return "\n".join(["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns), *rows])


if __name__ == "__main__":
    main()
