"""Draws docs/demo.png from a demo study: `python docs/demo_figure.py results/demo`."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image

from study.definition import load
from study.prepare import prepare
from trainers.images import fixed_images

CLASSES = ("bx", "cl", "dr", "du", "ad", "bo")
COLOURS = np.array(
    [[0, 0, 0], [213, 94, 0], [0, 158, 115], [0, 114, 178], [240, 228, 66], [204, 121, 167], [86, 180, 233]], np.uint8
)
SHOWN = "icnet-ce_dice-random_0-s0-t00"


def dots(axes, dice: pd.DataFrame, configuration: tuple[str, str]) -> None:
    """Test Dice by class: every random split a dot, every rotation split a diamond."""
    model, loss = configuration
    test = dice.query("model == @model and loss == @loss and partition == 'test' and index == 0")
    for row, name in enumerate(CLASSES):
        of_class = test[test["class"] == name]
        random, rotation = (of_class[of_class["split_kind"] == kind]["dice_ew"] for kind in ("random", "rotation"))
        axes.plot(random, [row] * len(random), "o", color="#0072b2", label="random splits" if row == 0 else None)
        axes.plot(
            rotation, [row] * len(rotation), "D", mfc="none", color="#d55e00", label="rot_0" if row == 0 else None
        )
    axes.set(
        title=f"{model}, {loss}", xlim=(-0.03, 1.03), yticks=range(6), yticklabels=CLASSES, xlabel="example-wise Dice"
    )
    axes.grid(axis="x", alpha=0.3)


def strip(axes, out: Path) -> None:
    """Test images of the six classes, their truth, and what was predicted."""
    study = prepare(load("demo"))
    split = study.splits["random_0"]
    images, truth = fixed_images(study.dataset, split.test)
    masks = pd.read_parquet(out / "masks").query("trial == @SHOWN").set_index("image")["mask"]
    chosen = [
        next(i for i, name in enumerate(split.test.images) if name.startswith(f"{c}/")) for c in study.dataset.classes
    ]
    predicted = [np.asarray(Image.open(io.BytesIO(masks[split.test.images[i]]))) for i in chosen]
    rows = [images[chosen], COLOURS[truth[chosen]], COLOURS[np.stack(predicted)]]
    axes.imshow(np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0), interpolation="nearest")
    axes.set(
        xticks=[], yticks=[24, 72, 120], yticklabels=["image", "truth", "predicted"], title=f"Test images of {SHOWN}"
    )


def main(out: Path) -> None:
    dice = pd.read_parquet(out / "dice")
    figure, axes = plt.subplot_mosaic(
        [["a", "b", "c", "d"], ["s", "s", "s", "s"]], figsize=(11, 8), height_ratios=[2, 3]
    )
    configurations = [(model, loss) for model in ("icnet", "unet") for loss in ("ce", "ce_dice")]
    for place, configuration in zip("abcd", configurations, strict=True):
        dots(axes[place], dice, configuration)
    figure.legend(*axes["a"].get_legend_handles_labels(), loc="upper right", ncols=2, fontsize=9, frameon=False)
    strip(axes["s"], out)
    figure.tight_layout(rect=(0, 0, 1, 0.97))
    figure.savefig(Path(__file__).parent / "demo.png", dpi=100)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
