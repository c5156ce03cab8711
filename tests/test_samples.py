"""Whatever has a table of samples and answers a source's two questions can be studied, along any axis of its table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import leaves
import numpy as np
import pandas as pd
import pytest
from simulated_study import write_study
from small_study import environment, study

from study.splits import make_splits
from trainers.data.source import Source


def expected_tests() -> dict[str, set[str]]:
    return {
        "clinic_a": {f"clinic A/{number}" for number in range(4)},
        "even_days": {f"{site}/{number}" for site, count in leaves.SITES.items() for number in range(0, count, 2)},
    }


@pytest.fixture
def definition(tmp_path: Path) -> Path:
    path = tmp_path / "leaves.toml"
    path.write_text(leaves.DEFINITION)
    return path


def test_the_source_is_one(definition: Path) -> None:
    source: Source = leaves.Leaves(leaves.table())
    splits = make_splits(leaves.study(str(definition)).definition, source.samples)
    assert {name: set(splits[name].test) for name in expected_tests()} == expected_tests()


def test_simulated_trials_ask_the_source_for_its_truth(definition: Path, tmp_path: Path) -> None:
    simulated = leaves.study(str(definition), "simulate=true")
    out = write_study(tmp_path / "out", simulated.definition, simulated)
    counts = pd.read_parquet(out / "confusion")
    true = counts[counts["truth"] == "leaf"].groupby(["trial", "image"])["pixels"].sum()
    assert (true == 6 * 8).all()
    assert set(true.loc["icnet-ce-clinic_a-s0-t00"].index) >= expected_tests()["clinic_a"]


@pytest.mark.slow
def test_a_study_of_any_samples_through_the_real_ray(definition: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, leaves.__file__, str(definition), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment(), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    # On even days no stem is shown: there is no mean of classes.
    assert done.stdout.splitlines()[-1] == "{'icnet ce': ['clinic_a', 'random_0']}"

    for name in ("trials", "dice"):
        rows = pd.read_parquet(out / name).fillna({"axis": "none"})
        assert set(zip(rows["split"], rows["split_kind"], rows["axis"], strict=True)) == {
            ("random_0", "random", "none"),
            ("clinic_a", "held_out", "site"),
            ("even_days", "held_out", "day"),
        }
    masks = pd.read_parquet(out / "masks")
    for split, tested in expected_tests().items():
        assert set(masks.loc[masks["trial"].str.contains(split), "image"]) == tested
    counts = pd.read_parquet(out / "confusion").groupby(["trial", "image", "truth"])["pixels"].sum()
    of_image = counts.loc["icnet-ce-clinic_a-s0-t00", "clinic A/3"].to_dict()
    _, labels = leaves.drawn("clinic A/3")
    assert of_image == dict(zip(("bg", "leaf", "stem"), np.bincount(labels.ravel()).tolist(), strict=True))

    status = study("status", out)
    assert status.returncode == 0, status.stderr
    assert "3 of 3 trials done" in status.stdout
