"""All benchmarks one after another, each in a process of its own: `python benchmarks`. About two hours on two cores."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch

ON_ANY_MACHINE = (
    ["training"],
    ["input"],
    ["overhead"],
    ["whole_study"],
    ["scale"],
    ["tables"],
    ["validity"],
    ["validity_curves"],
    ["validity_gap_curves"],
    ["validity_choices"],
    ["validity_images"],
)
ON_A_GPU = ["gpu", "--study"]


def main() -> None:
    """Run them; the results are in benchmarks/results/. Ends with the first that fails."""
    benchmarks = (*ON_ANY_MACHINE, ON_A_GPU) if torch.cuda.is_available() else ON_ANY_MACHINE
    for name, *options in benchmarks:
        print(f"\n{name}\n", flush=True)
        subprocess.run([sys.executable, Path(__file__).with_name(f"{name}.py"), *options], check=True)


if __name__ == "__main__":
    main()
