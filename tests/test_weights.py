"""Trained networks that a study keeps: which, and that they are those of its rows."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from small_study import study
from torch import nn

from study.cells import Cell, Trial, cells, trials
from study.definition.file import load
from study.definition.point import Point
from study.prepare import prepare
from study.results import Results
from study.results.layout import WEIGHTS
from study.results.weights import COLUMNS, Best, best_trials, configuration_of, file_of, remove_beaten
from trainers.evaluate import evaluate
from trainers.networks import network
from trainers.train import Job, Trained
from trainers.weights import NotWeights, facts_in, load_weights, weights_in_bytes

SPLITS = "grid.splits=random_0,random_1,rot_0"


def a_network() -> nn.Sequential:
    made = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))
    made.register_parameter("tied", made[0].weight)
    return made


def test_weights_come_back_bit_for_bit() -> None:
    one, other = a_network(), a_network()
    content = weights_in_bytes(one.to(memory_format=torch.channels_last), {"trial": "icnet"})
    load_weights(other, content)
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name
    assert weights_in_bytes(other, {"trial": "icnet"}) == content
    assert facts_in(content) == {"trial": "icnet"}


@pytest.mark.parametrize("content", [b"", b"torn", weights_in_bytes(nn.Conv2d(3, 4, 3), {})[:-1]])
def test_bytes_that_are_no_weights_are_refused(content: bytes) -> None:
    with pytest.raises(NotWeights):
        load_weights(a_network(), content)
    with pytest.raises(NotWeights):
        facts_in(content)


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(NotWeights, match="Missing key"):
        load_weights(a_network(), weights_in_bytes(nn.Conv2d(3, 4, 3), {}))


def row_of(objective: float | None, gflops: float = 1.0) -> dict[str, object]:
    return {"objective": objective, "gflops": gflops}


def test_the_best_is_looked_for_on_random_splits() -> None:
    definition = load("demo", ["grid.models=icnet,unet", "grid.losses=ce", SPLITS, "search.trials=2"])
    found = {trial: row_of(0.5) for trial in trials(definition)}
    best = Cell("icnet", "ce", "random_1", 0)
    found |= {Trial(best, 1): row_of(0.7), Trial(Cell("icnet", "ce", "rot_0", 0), 0): row_of(0.9)}
    found |= {Trial(Cell("icnet", "ce", "random_7", 0), 0): row_of(0.95), Trial(best, 0, 8): row_of(0.99)}
    found |= {
        Trial(Cell("unet", "ce", split, 0), i): row_of(None) for split in ("random_0", "random_1") for i in (0, 1)
    }
    assert best_trials(definition, found, configuration_of) == {("icnet", "ce"): Trial(best, 1)}
    held_out_alone = load("demo", ["grid.models=icnet", "grid.losses=ce", "grid.splits=rot_0", "search.trials=1"])
    (cell,) = cells(held_out_alone)
    assert best_trials(held_out_alone, {Trial(cell, 0): row_of(0.1)}, configuration_of) == {
        ("icnet", "ce"): Trial(cell, 0)
    }


def test_with_two_objectives_it_is_the_cheapest_near_the_best() -> None:
    by_cost = ['search.objectives=["dice","gflops"]', "search.within=0.02"]
    one = ["grid.models=icnet", "grid.losses=ce", "grid.splits=random_0", "search.trials=3"]
    definition = load("demo", [*one, *by_cost])
    (cell,) = cells(definition)
    rows = {Trial(cell, 0): row_of(0.5), Trial(cell, 1): row_of(0.49, 0.5), Trial(cell, 2): row_of(0.4, 0.1)}
    assert best_trials(definition, rows, configuration_of) == {("icnet", "ce"): Trial(cell, 1)}
    best = Best(definition, {Trial(cell, 0): 0.5})
    assert best.to_beat(Trial(cell, 1)) == pytest.approx(0.48)
    assert Best(definition, {}).to_beat(Trial(cell, 1)) is None
    best.note(Trial(cell, 2), None)
    assert best.to_beat(Trial(cell, 1)) == pytest.approx(0.48)


@pytest.mark.parametrize(("keep", "num_left"), [("all", 3), ("best", 1), ("none", 0)])
def test_what_is_beaten_is_removed(tmp_path: Path, keep: str, num_left: int) -> None:
    definition = load(
        "demo",
        [
            "grid.models=icnet",
            "grid.losses=ce",
            "grid.splits=random_0",
            "search.trials=3",
            f"resources.keep_weights={keep}",
        ],
    )
    results, of_another = Results(tmp_path), Trial(Cell("unet", "ce", "random_0", 0), 0)
    rows = {trial: row_of(0.5 + trial.index / 10) for trial in trials(definition)}
    for trial in (*rows, of_another):
        results.write_bytes(file_of(trial), b"weights")
    remove_beaten(results, definition, rows)
    left = set(results.names(WEIGHTS, ".safetensors"))
    assert len(left) == num_left + 1, "what another definition kept stays"
    if keep == "best":
        assert Path(file_of(max(rows, key=lambda trial: trial.index))).name in left


@pytest.mark.slow
def test_the_networks_that_are_kept_are_those_of_the_rows(undisturbed: Path) -> None:
    """The best of each configuration by validation on random splits; it predicts what stands in the tables."""
    rows = pd.read_parquet(undisturbed / "trials").set_index("trial").sort_index()
    random = rows[rows["split_kind"] == "random"]
    best = random.groupby(["model", "loss"])["objective"].idxmax()
    folder = undisturbed / WEIGHTS
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{trial}.safetensors" for trial in best)
    prepared = prepare(load(str(undisturbed / "study.toml")))
    split = prepared.splits["random_0"]
    for trial in best:
        row = rows.loc[trial]
        made = network("icnet").build(len(prepared.source.samples.labels), {"width": row["width"]}, seed=7)
        load_weights(made, (folder / f"{trial}.safetensors").read_bytes())
        job = Job("icnet", row["loss"], prepared.definition.recipe.at(Point.from_json(row["point"])), ("any",))
        trained = Trained(made, (), 1, torch.device("cpu"), getattr(torch, row["precision"]), 0.0, 0.0)
        predicted = evaluate(trained, job, prepared.source, split, split.test).predicted_NHW
        masks = pd.read_parquet(undisturbed / "masks" / f"{trial}.parquet").set_index("image")["mask"]
        for image, labels_HW in zip(split.test, predicted, strict=True):
            np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(masks[image]))), labels_HW)
        facts = facts_in((folder / f"{trial}.safetensors").read_bytes())
        assert (
            facts.items()
            >= ({"trial": trial} | {name: row[name] for name in COLUMNS[1:] if pd.notna(row[name])}).items()
        )
        assert json.loads(facts["labels"]) == list(prepared.source.samples.labels)


@pytest.mark.slow
def test_all_are_kept_if_all_are_wanted(definition: Path, tmp_path: Path) -> None:
    one = ("grid.losses=ce", "search.trials=2", "search.startup=1")
    settings = [word for setting in one for word in ("--set", setting)]
    done = study("run", definition, "--out", tmp_path / "out", *settings, "--set", "resources.keep_weights=all")
    assert done.returncode == 0, done.stderr
    kept = {path.stem for path in (tmp_path / "out/weights").iterdir()}
    assert kept == {path.stem for path in (tmp_path / "out/trials").iterdir()}
    assert len(kept) == 4
    again = study("run", definition, "--out", tmp_path / "out", *settings, "--set", "resources.keep_weights=none")
    assert again.returncode == 0, again.stderr
    assert not list((tmp_path / "out/weights").iterdir())
