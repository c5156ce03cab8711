"""Networks and losses under names of the user's own: described, refused, tried, and trained through Ray."""

from __future__ import annotations

import importlib.util
import json
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from small_study import num_committed, study, write_data
from torch import nn

from study.cells import Cell, parse_trial
from study.definition.file import load, parse
from study.errors import StudyError
from study.outside import outside_of
from study.parts import check_weights, find_parts, try_parts
from trainers.data.size import square
from trainers.data.table import Samples
from trainers.networks import network

NETS = '''
"""A network of a package of several files, which reads the weights of its encoder from a file."""

import sys
import warnings

import torch
from torch import nn

from .blocks.encoder import Encoder


class Net(nn.Module):
    def __init__(self, num_classes: int, depth: int = 1, widths: list[int] = [4], weights: str | None = None):
        super().__init__()
        self.encoder = Encoder(widths, depth)
        self.head = nn.Conv2d(widths[-1], num_classes, 1)
        if weights:
            self.encoder.load_state_dict(torch.load(weights))

    def forward(self, images):
        return self.head(self.encoder(images))


def elsewhere(num_classes: int, weights: str, in_workers: str):
    """Reads another file where Ray has been imported."""
    return Net(num_classes, weights=in_workers if "ray" in sys.modules else weights)
'''
ENCODER = """
from torch import nn

class Encoder(nn.Sequential):
    def __init__(self, widths, depth):
        layers, channels = [], 3
        for width in widths:
            for _ in range(depth):
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
                channels = width
            layers.append(nn.MaxPool2d(2))
        super().__init__(*layers)
"""
LOSS = """
from torch.nn.functional import cross_entropy

class Scaled:
    def __init__(self, scale: float = 1.0):
        self.scale = scale

    def __call__(self, logits, labels):
        return self.scale * cross_entropy(logits, labels)
"""
DEFINITION = """
name = "named"
data.path = "data"
grid = {{ models = ["icnet", "thin", "mine"], losses = ["sharp", "own"], splits = ["random_0"] }}
model.width = 0.25
training = {{ image_size = 16, epochs = 2, batch_size = 4 }}

[models.thin]
make = "icnet"
args = {{ width = 0.2 }}

[models.mine]
make = "mine.nets:Net"
args = {{ depth = 2, widths = [4, 6], weights = "{weights}" }}

[losses.sharp]
make = "focal"
args = {{ gamma = 1.0 }}

[losses.own]
make = "mine.losses.scaled:Scaled"
args = {{ scale = 2.0 }}
"""
SAMPLES = Samples(("mug", "pen"), ())


def write_weights(path: Path, seed: int, depth: int = 2, widths: tuple[int, ...] = (4, 6)) -> Path:
    """Of the encoder, as somebody has trained it elsewhere."""
    namespace: dict[str, Any] = {}
    exec(ENCODER, namespace)
    encoder, generator = namespace["Encoder"](widths, depth), torch.Generator().manual_seed(seed)
    for tensor in encoder.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=generator))
    torch.save(encoder.state_dict(), path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A definition, and beside it a package; this process forgets its modules afterwards."""
    write_data(tmp_path / "data")
    for name in ("mine/blocks", "mine/losses"):
        (tmp_path / name).mkdir(parents=True)
    for name, text in (
        *(("mine/nets.py", NETS), ("mine/blocks/encoder.py", ENCODER), ("mine/losses/scaled.py", LOSS)),
        *((f"mine/{inner}__init__.py", "") for inner in ("", "blocks/", "losses/")),
    ):
        (tmp_path / name).write_text(text)
    weights = write_weights(tmp_path / "encoder.pt", seed=0)
    (tmp_path / "named.toml").write_text(DEFINITION.format(weights=weights))
    path = list(sys.path)
    yield tmp_path
    sys.path[:] = path
    for name in [name for name in sys.modules if name.partition(".")[0] in ("mine", "libraries")]:
        del sys.modules[name]


@pytest.mark.slow
def test_named_parts_go_through_ray(folder: Path, tmp_path: Path) -> None:
    """From a package of several files beside the definition, with weights that the network reads."""
    file, out = folder / "named.toml", tmp_path / "out"
    done = study("run", file, "--out", out, "--set", "resources.workers=2", folder=Path("/"))
    assert done.returncode == 0, done.stdout + done.stderr
    rows = pd.read_parquet(out / "trials").set_index("trial")
    assert set(rows["status"]) == {"completed"}
    assert set(rows.index) == {f"{m}-{x}-random_0-s0-t00" for m in ("icnet", "thin", "mine") for x in ("sharp", "own")}
    assert dict(zip(rows["model"], rows["width"].fillna(0), strict=True)) == {"icnet": 0.25, "thin": 0.2, "mine": 0}
    mine = json.loads(rows.loc["mine-sharp-random_0-s0-t00", "code"])
    assert mine["losses.sharp"] == {"make": "focal", "args.gamma": 1.0}
    assert mine["models.mine"].items() >= {"make": "mine.nets:Net", "args.depth": 2, "args.widths": [4, 6]}.items()
    assert mine["models.mine"]["code"].startswith("source ")
    assert len(mine["models.mine"]["weights"]) == 12
    thin = json.loads(rows.loc["thin-own-random_0-s0-t00", "code"])
    assert thin["models.thin"] == {"make": "icnet", "args.width": 0.2}
    assert rows.loc["thin-own-random_0-s0-t00", "parameters"] < rows.loc["icnet-own-random_0-s0-t00", "parameters"]
    losses = pd.read_parquet(out / "history").groupby("trial")["train_loss"].first()
    assert losses["icnet-own-random_0-s0-t00"] > 1.5 * losses["icnet-sharp-random_0-s0-t00"], "scaled by two"

    again = study("trial", "mine-own-random_0-s0-t00", file, "--out", out)
    assert "the same tables, bit for bit" in again.stdout, again.stdout + again.stderr
    assert study("status", out).returncode == 0

    changed = study("run", file, "--out", out, "--set", "models.mine.args.depth=1")
    assert changed.returncode == 2
    assert "fails" in changed.stderr, "the weights are of another depth"
    weightless = ("--set", "models.mine.args={depth=3, widths=[4, 6]}")
    for command in ("plan", "run"):
        changed = study(command, file, "--out", out, *weightless)
        assert changed.returncode == 2
        assert "models.mine: args.depth is 2 there, 3 here" in changed.stderr
        assert "models.mine: args.weights is " in changed.stderr
        assert "models.thin" not in changed.stderr
    write_weights(folder / "encoder.pt", seed=1)
    other = study("run", file, "--out", out)
    assert other.returncode == 2
    assert f'models.mine: weights is "{mine["models.mine"]["weights"]}" there' in other.stderr
    write_weights(folder / "encoder.pt", seed=0)

    names = "grid.models=icnet,thin,mine,thinner"
    more = ("--set", names, "--set", 'models.thinner={make="icnet", args={width=0.15}}')
    planned = study("plan", file, "--out", out, *more)
    assert "6 done, 2 missing" in planned.stdout, planned.stdout + planned.stderr
    assert num_committed(out) == 6


@pytest.mark.slow
def test_a_node_that_loads_other_weights_fails_before_it_trains(folder: Path, tmp_path: Path) -> None:
    first, other = (write_weights(tmp_path / f"{seed}.pt", seed, 1, (4,)) for seed in (1, 2))
    args = f'args = {{ weights = "{first}", in_workers = "{other}" }}'
    (folder / "elsewhere.toml").write_text(
        'data.path = "data"\ngrid = { models = ["moved"], losses = ["ce"], splits = ["random_0"] }\n'
        "training = { image_size = 16, epochs = 1, batch_size = 4 }\nresources.attempts = 1\n"
        f'[models.moved]\nmake = "mine.nets:elsewhere"\n{args}\n'
    )
    for remark in ("loads other weights on this machine", "cannot be made on this machine: FileNotFoundError"):
        done = study("run", folder / "elsewhere.toml", "--out", tmp_path / "out")
        assert done.returncode != 0
        assert f"models.moved {remark}" in done.stdout + done.stderr
        assert num_committed(tmp_path / "out") == 0
        other.unlink(missing_ok=True)


def test_weights_that_do_not_depend_on_the_seed_are_what_was_loaded(folder: Path) -> None:
    definition = load(str(folder / "named.toml"))
    find_parts(definition)
    tried = try_parts(definition, SAMPLES)
    assert tried.weights.keys() == {"models.mine"}
    assert tried.costs.keys() == {"thin", "mine"}
    outside = replace(outside_of(definition), weights=tried.weights)
    check_weights(definition, outside, "mine", 3)
    check_weights(definition, outside, "icnet", 3)
    write_weights(folder / "encoder.pt", seed=1)
    with pytest.raises(StudyError, match=r"models\.mine loads other weights on this machine \([0-9a-f]{12}\) than "):
        check_weights(definition, outside, "mine", 3)
    assert try_parts(definition, SAMPLES).weights != tried.weights
    (folder / "encoder.pt").unlink()
    with pytest.raises(StudyError, match=r"models\.mine cannot be made on this machine: FileNotFoundError"):
        check_weights(definition, outside, "mine", 3)
    gone = r"models\.mine fails: FileNotFoundError: .*; args\.weights = \".*encoder\.pt\" is not a file on this machine"
    with pytest.raises(StudyError, match=gone):
        try_parts(definition, SAMPLES)
    (folder / "encoder.pt").write_bytes(b"a picture of a cat")
    with pytest.raises(StudyError, match=r"models\.mine fails: .*; is args\.weights = \".*\" what it can read"):
        try_parts(definition, SAMPLES)


def test_a_network_that_draws_all_of_its_weights_has_no_digest(folder: Path) -> None:
    load(str(folder / "named.toml"))
    sys.path.append(str(folder))
    assert network("mine.nets:Net").loaded_weights(3, {}) is None
    assert network("mine.nets:Net", {"weights": str(write_weights(folder / "1.pt", 1, 1, (4,)))}).loaded_weights(3, {})


def test_weights_that_are_loaded_where_there_is_no_memory_are_no_cause_for_warnings(folder: Path) -> None:
    sys.path.append(str(folder))
    kind = network("mine.nets:Net", {"weights": str(write_weights(folder / "1.pt", 1, 1, (4,)))})
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        assert kind.cost(3, {}, square(32)).parameters > 0
    assert heard == []


def test_all_files_of_a_package_travel(folder: Path) -> None:
    outside = outside_of(load(str(folder / "named.toml")))
    assert {"mine/nets.py", "mine/blocks/encoder.py", "mine/losses/scaled.py"} <= outside.files.keys()
    assert json.loads(outside.identity_of(Cell("thin", "ce", "random_0", 0)) or "") == {
        "models.thin": {"make": "icnet", "args.width": 0.2}
    }
    assert outside.identity_of(Cell("icnet", "ce", "random_0", 0)) is None


def test_what_is_no_longer_described_is_not_compared(folder: Path) -> None:
    cell = Cell("mine", "own", "random_0", 0)
    outside = outside_of(load(str(folder / "named.toml")))
    identity = outside.identity_of(cell)
    assert outside.differences(cell, identity) == []
    fewer = outside_of(parse({"grid": {"models": ["icnet"], "losses": ["ce"]}}))
    assert fewer.differences(cell, identity) == []
    other_scale = load(str(folder / "named.toml"), ["losses.own.args.scale=3.0"])
    assert outside_of(other_scale).differences(cell, identity) == ["losses.own: args.scale is 2.0 there, 3.0 here"]
    assert outside_of(other_scale).differences(Cell("mine", "sharp", "random_0", 0), None) != []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["models.mine.args.dept=3"], "models.mine: mine.nets:Net takes no dept: it takes depth, weights, widths"),
        (["models.mine.args.num_classes=3"], "models.mine: mine.nets:Net takes no num_classes: it takes depth"),
        (["losses.own.args.scales=3"], "losses.own: mine.losses.scaled:Scaled takes no scales: it takes scale"),
        (
            ["models.mine.make=mine.nets:Nett"],
            "models.mine: mine.nets:Nett: module 'mine.nets' has no attribute 'Nett'; did you mean Net?",
        ),
        (
            ["models.mine.make=mine.nts:Net"],
            "models.mine: mine.nts:Net: there is no module mine.nts; did you mean mine.nets?",
        ),
        (
            ["losses.own.args={sale=1.0}"],
            "mine.losses.scaled:Scaled takes no sale: it takes scale; did you mean scale?",
        ),
        (["models.mine.make=mine.nets:elsewhere"], "models.mine: mine.nets:elsewhere takes no depth and no widths"),
        (
            ["models.mine={make='mine.nets:elsewhere', args={weights='w.pt'}}"],
            "models.mine needs in_workers: put in_workers = ... into args of [models.mine]",
        ),
        (
            ["grid.models=mine", "models={mine={make='mine.nets:Net'}}", "model.width=0.5"],
            "model.width: no network of the grid",
        ),
        (["model.channels=3"], "model.channels: no network of the grid takes it"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(folder: Path, settings: list[str], words: str) -> None:
    definition = load(str(folder / "named.toml"), settings)
    with pytest.raises(StudyError) as caught:
        (outside_of(definition), find_parts(definition))
    assert words in str(caught.value)


def test_what_fails_is_named_as_the_definition_names_it(folder: Path) -> None:
    settings = ["losses.sharp.args.gamma=-1", "models.mine.args.depth=wide"]
    definition = load(str(folder / "named.toml"), settings)
    find_parts(definition)
    with pytest.raises(StudyError) as caught:
        try_parts(definition, SAMPLES)
    lines = str(caught.value).splitlines()
    assert [line.split(" fails: ")[0] for line in lines] == ["models.mine", "losses.sharp"]
    assert "gamma must be at least 0" in lines[1]


IN_USE = {"models": ["mine"], "losses": ["ce"]}


def of_mine(make: str, **args: object) -> dict[str, Any]:
    return {"grid": IN_USE, "models": {"mine": {"make": make, "args": args}}}


def of_loss(make: str, **args: object) -> dict[str, Any]:
    return {"grid": {"losses": ["mine"]}, "losses": {"mine": {"make": make, "args": args}}}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"models": {"icnet": {"make": "unet"}}}, ["models.icnet: icnet is a built-in one: give yours another name"]),
        ({"losses": {"ce": {"make": "focal"}}}, ["losses.ce: ce is a built-in one"]),
        ({"models": {"my-net": {"make": "unet"}}}, ["models: 'my-net' is not a name: it needs a to z first"]),
        ({"models": {"Mine": {"make": "unet"}}}, ["models: 'Mine' is not a name"]),
        ({"models": {"mine": {"make": "unet"}}}, ["models.mine: nothing in grid.models is called mine: add it there"]),
        ({"grid": {"models": ["mine"]}}, ["grid.models: 'mine' is neither one of icnet, "]),
        (
            {"grid": {"models": ["mime"]}, "models": {"mine": {"make": "unet"}}},
            ["grid.models: 'mime' is neither one of icnet, ", "; did you mean mine?"],
        ),
        (of_mine("bisenet", width=9), ["models.mine.args.width: must be a number, at least 0.01, at most 4, not 9"]),
        (of_mine("bisenet", width="half"), ["models.mine.args.width: must be a number, at least 0.01", "not 'half'"]),
        (of_mine("bisenet", width=True), ["models.mine.args.width: must be a number", "not True"]),
        (of_mine("bisenet", widht=0.5), ["models.mine: bisenet takes no widht", "did you mean width?"]),
        (
            of_mine("bisenet", width=0.5) | {"model": {"width": 0.3}},
            ["model.width: does nothing here, as every network"],
        ),
        (of_loss("focal", gama=1), ["losses.mine: focal takes no gama: it takes gamma; did you mean gamma?"]),
        (of_loss("focal", gamma="x"), ["losses.mine.args.gamma: must be a number, not 'x'"]),
        (of_loss("ce_weighted", weights=1.0), ["losses.mine.args.weights: must be a list of numbers, not 1.0"]),
        (of_loss("ce", gamma=1.0), ["losses.mine: ce takes no gamma: it takes none of yours"]),
        ({"grid": IN_USE, "models": {"mine": {"make": "unot"}}}, ["models.mine.make", "did you mean unet?"]),
        ({"grid": IN_USE, "models": {"mine": {"args": {}}}}, ["models.mine: lacks make"]),
        (
            {"grid": IN_USE, "models": {"mine": {"make": "unet", "arg": {}}}},
            ["models.mine.arg: unknown key", "did you mean models.mine.args?"],
        ),
        (
            {"grid": IN_USE, "models": {"mine": {"make": "unet", "args": {"a-b": 1}}}},
            ["models.mine.args", "'a-b' is not a name for an argument"],
        ),
        (
            {"grid": IN_USE, "models": {"mine": {"make": "unet", "args": {"x": [float("nan")]}}}},
            ["models.mine.args", "x must be true or false, text, a number"],
        ),
        (
            {
                "grid": IN_USE,
                "models": {"mine": {"make": "unet", "args": {"width": 0.5}}},
                "search": {"trials": 2, "space": {"model.width": {"low": 0.2, "high": 2.0}}},
            },
            ['search.space."model.width": models.mine.args fixes width: leave it out of the one or of the other'],
        ),
        ({"grid": {"losses": ["ce_weighted"]}}, ["grid.losses: ce_weighted needs weights: write losses.NAME = "]),
        (
            {"grid": {"losses": ["balanced"]}, "losses": {"balanced": {"make": "ce_weighted"}}},
            ["losses.balanced: ce_weighted needs weights"],
        ),
        ({"resources": {"gpus": {"min": 0.5}}}, ["resources.gpus: 'min' is neither one of icnet"]),
    ],
)
def test_refusals_of_a_definition(table: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(StudyError) as caught:
        parse(table)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert "1 problem" in str(caught.value)


def test_a_definition_with_named_parts_is_kept_whole(folder: Path) -> None:
    definition = load(str(folder / "named.toml"))
    (folder / "kept.toml").write_text(definition.to_toml())
    assert load(str(folder / "kept.toml")) == definition
    assert definition.resources.modules == (str(folder), str(Path.cwd()))
    other = load(str(folder / "named.toml"), ["models.mine.args.depth=3"])
    assert other.recipe_digest() == definition.recipe_digest(), "the other models' trials stay"
    assert parse_trial("mine-own-random_0-s0-t00").cell == Cell("mine", "own", "random_0", 0)


def test_one_name_may_be_a_networks_and_a_losss(folder: Path) -> None:
    both = {"models": {"mine": {"make": "icnet"}}, "losses": {"mine": {"make": "focal"}}}
    outside = outside_of(parse({"grid": {"models": ["mine"], "losses": ["mine"]}, **both}))
    code = json.loads(outside.identity_of(Cell("mine", "mine", "random_0", 0)) or "")
    assert code == {"models.mine": {"make": "icnet"}, "losses.mine": {"make": "focal"}}


LIBRARIES = '''
"""Networks with the signatures and the outputs of libraries'."""

from torch import nn
from torch.nn.functional import interpolate


class Body(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 3, 2, 1)

    def forward(self, images):
        return self.conv(images).relu()


class FCN(nn.Module):
    def __init__(self, num_classes, aux):
        super().__init__()
        self.backbone, self.classifier = Body(4), nn.Conv2d(4, num_classes, 1)
        self.aux_classifier = nn.Conv2d(4, num_classes, 1) if aux else None

    def forward(self, x):
        features, size = self.backbone(x), x.shape[-2:]
        found = {"out": interpolate(self.classifier(features), size=size, mode="bilinear")}
        if self.aux_classifier:
            found["aux"] = interpolate(self.aux_classifier(features), size=size, mode="bilinear")
        return found


def fcn_resnet50(*, weights=None, progress=True, num_classes=None, aux_loss=None, weights_backbone="V1", **kwargs):
    """As torchvision.models.segmentation has it."""
    if weights_backbone is not None:
        raise OSError("no network to download from")
    return FCN(num_classes, aux_loss)


class Unet(nn.Module):
    """As segmentation_models_pytorch has it."""

    def __init__(self, encoder_name="resnet34", encoder_depth=5, encoder_weights="imagenet", decoder_channels=(8, 4),
                 in_channels=3, classes=1, activation=None, aux_params=None, **kwargs):
        super().__init__()
        if encoder_weights is not None:
            raise OSError("no network to download from")
        self.encoder, self.segmentation_head = Body(decoder_channels[-1]), nn.Conv2d(decoder_channels[-1], classes, 1)

    def forward(self, x):
        return interpolate(self.segmentation_head(self.encoder(x)), scale_factor=2.0)


def create_model(model_name, pretrained=False, features_only=False, **kwargs):
    """As timm has it: a list of features, each coarser than the one before."""
    assert features_only
    body = Body(4)
    body.forward = lambda images: [body.conv(images), body.conv(images)[..., ::2, ::2]]
    return body


class OnTimm(nn.Module):
    def __init__(self, num_classes, backbone="resnet18", pretrained=True):
        super().__init__()
        self.features = create_model(backbone, pretrained=pretrained, features_only=True)
        self.head = nn.Conv2d(4, num_classes, 1)

    def forward(self, images):
        return self.head(self.features(images)[-1])
'''


@pytest.mark.parametrize(
    ("make", "args", "outputs"),
    [
        ("fcn_resnet50", {"weights_backbone": "", "aux_loss": True}, 2),
        ("fcn_resnet50", {}, 0),
        ("Unet", {"encoder_weights": "imagenet"}, 0),
        ("Unet", {"encoder_weights": "", "decoder_channels": [8, 6]}, 1),
        ("OnTimm", {"backbone": "resnet18", "pretrained": False}, 1),
    ],
)
def test_networks_of_the_shape_of_libraries(folder: Path, make: str, args: dict[str, Any], outputs: int) -> None:
    (folder / "libraries.py").write_text(LIBRARIES.replace("is not None:", "not in (None, ''):"))
    table = {"models": {"theirs": {"make": f"libraries:{make}", "args": args}}, "model": {"width": 1.0}}
    grid = {"models": ["theirs"], "losses": ["ce"]}
    definition = parse({**table, "grid": grid, "resources": {"modules": [str(folder)]}})
    find_parts(definition)
    if not outputs:
        with pytest.raises(StudyError, match=r"models\.theirs fails: OSError: no network to download from"):
            try_parts(definition, SAMPLES)
        return
    assert try_parts(definition, SAMPLES).costs["theirs"].gflops > 0
    built = network(f"libraries:{make}", args).build(3, {"width": 1.0}, 0)
    found = built(torch.zeros(2, 3, 32, 48))
    assert [each.shape for each in found] == [(2, 3, 32, 48)] * outputs


SEGFORMER = """
from transformers import SegformerConfig, SegformerForSemanticSegmentation

def segformer(num_classes, widths=(8, 8, 16, 16), **more):
    config = SegformerConfig(num_labels=num_classes, hidden_sizes=list(widths), depths=[1, 1, 1, 1],
                             decoder_hidden_size=16, **more)
    return SegformerForSemanticSegmentation(config)
"""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("transformers") is None, reason="transformers is not installed")
def test_segformer_is_trained_from_scratch_through_ray(folder: Path, tmp_path: Path) -> None:
    (folder / "hf.py").write_text(SEGFORMER)
    (folder / "hf.toml").write_text(
        'data.path = "data"\ngrid = { models = ["segformer"], losses = ["ce"], splits = ["random_0"] }\n'
        "training = { image_size = 64, epochs = 2, batch_size = 4 }\n"
        '[models.segformer]\nmake = "hf:segformer"\nargs = { num_attention_heads = [1, 1, 2, 2] }\n'
    )
    done = study("run", folder / "hf.toml", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = pd.read_parquet(tmp_path / "out" / "trials").to_dict("records")
    assert row["status"] == "completed"
    assert "weights" not in json.loads(row["code"])["models.segformer"], "all are drawn"
    again = study("trial", row["trial"], folder / "hf.toml", "--out", tmp_path / "out")
    assert "the same tables, bit for bit" in again.stdout, again.stdout + again.stderr


def test_arguments_are_each_networks_own() -> None:
    """One that changes the list it is given changes nobody else's."""

    class Greedy(nn.Conv2d):
        def __init__(self, num_classes: int, widths: list[int]) -> None:
            super().__init__(3, num_classes, 1)
            widths.append(7)

    args = {"widths": [1, 2]}
    kind = replace(network("icnet"), make=Greedy, name="a:b", takes=frozenset({"widths"}), args=args)
    kind.build(3, {}, 0)
    assert args == {"widths": [1, 2]}
