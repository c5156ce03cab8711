"""Networks and losses of others: found, known, carried to the workers, and trained as ours are."""

from __future__ import annotations

import copy
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from small_study import study, write_data
from torch import nn

from study import data_set
from study.cells import Cell, Trial, parse_trial
from study.commands.plan import plan
from study.commands.trial import trial
from study.defined_names import check_defined
from study.definition.file import load, parse
from study.errors import StudyError
from study.outside import Outside, outside_of
from study.parts import find_parts, try_parts
from study.planning.calibration import calibrate
from study.prepare import Prepared, prepare, provenance
from study.results import Results
from study.results.tables import Run
from study.simulation import simulate
from study.splits import make_splits
from study.trial import refusals_of_torch
from trainers.data.cut_outs import reading
from trainers.data.size import square
from trainers.data.table import Samples
from trainers.losses import loss_named
from trainers.losses.cross_entropy import cross_entropy
from trainers.names import NotFound
from trainers.networks import Network, network
from trainers.networks.adapter import Adapted, outputs_of
from trainers.outcome import CannotBeTrained, Epoch
from trainers.train import Job, State, train

PARTS = '''
"""A network and a loss, as somebody has them beside his definition."""

import torch
from torch import nn

from my_layers import Gate


class SmallNet(nn.Module):
    def __init__(self, num_classes: int, channels: int = 8, dropout: float = 0.1) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, channels, 8, 8), nn.ReLU(), nn.Dropout2d(dropout))
        self.gate = Gate(channels)
        self.up = nn.ConvTranspose2d(channels, num_classes, 2, 2)
        self.aux = nn.Conv2d(channels, num_classes, 1)

    def forward(self, images):
        features = self.gate(self.features(images))
        return {"out": self.up(features), "aux": self.aux(features)}


def focal(logits, labels):
    log_p = torch.log_softmax(logits, 1)
    truth = nn.functional.one_hot(labels, logits.shape[1]).permute(0, 3, 1, 2)
    log_p_truth = (log_p * truth).sum(1)
    return -((1 - log_p_truth.exp()) ** 2 * log_p_truth).mean()
'''
LAYERS = """
import torch
from torch import nn


class Gate(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm, self.linear = nn.LayerNorm(channels), nn.Linear(channels, channels)

    def forward(self, features):
        weights = torch.sigmoid(self.linear(self.norm(features.mean((2, 3)))))
        return features * weights[:, :, None, None]
"""
DEFINITION = """
name = "outside"
seed = 2
data.path = "data"
grid = { models = ["parts:SmallNet", "icnet"], losses = ["parts:focal"], splits = ["random_0"] }
model = { width = 0.25, channels = 6 }
training = { image_size = 16, epochs = 2, batch_size = 4 }

[search]
trials = 3
startup = 2

[search.space]
"training.learning_rate" = { low = 1e-4, high = 1e-2, log = true }
"training.batch_size" = { choices = [4, 6] }
"""

SAMPLES = Samples(("mug", "pen"), ())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_data(tmp_path / "data")
    (tmp_path / "parts.py").write_text(PARTS)
    (tmp_path / "my_layers.py").write_text(LAYERS)
    (tmp_path / "unused.py").write_text("x = 1 / 0")
    (tmp_path / "mine.toml").write_text(DEFINITION)
    return tmp_path


@pytest.fixture
def importable(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder on the path of this process, which forgets its modules afterwards."""
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in ("parts", "my_layers"):
        sys.modules.pop(name, None)


@pytest.mark.slow
def test_a_network_and_a_loss_of_a_folder_go_through_ray(folder: Path, tmp_path: Path) -> None:
    """With a searched learning rate and a choice; the workers get the code, and a trial is the same bits anywhere."""
    out = tmp_path / "out"
    done = study("run", folder / "mine.toml", "--out", out, "--set", "resources.workers=2")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = pd.read_parquet(out / "trials").set_index("trial")
    assert len(rows) == 2 * 3
    assert set(rows["status"]) == {"completed"}
    mine = rows[rows["model"] == "parts:SmallNet"]
    assert list(mine.index) == [f"parts~SmallNet-parts~focal-random_0-s0-t0{i}" for i in range(3)]
    assert mine["width"].isna().all(), "this network takes none"
    assert set(rows.loc[rows["model"] == "icnet", "width"]) == {0.25}
    points = rows["point"].map(json.loads)
    assert {key for point in points for key in point} == {"training.learning_rate", "training.batch_size"}
    assert {point["training.batch_size"] for point in points} == {4, 6}
    assert points.map(lambda point: point["training.learning_rate"]).nunique() == 4, "TPE's differ by cell"
    history = pd.read_parquet(out / "history").groupby("trial")["learning_rate"].first()
    assert (history == points.map(lambda point: point["training.learning_rate"]).reindex(history.index)).all()
    assert set(mine["parameters"]) == {6 * 3 * 64 + 6 + 2 * 6 + 6 * 6 + 6 + 6 * 3 * 4 + 3 + 6 * 3 + 3}
    codes = {model: json.loads(code) for model, code in zip(rows["model"], rows["code"], strict=True)}
    assert set(codes["icnet"]) == {"parts:focal"}
    assert set(codes["parts:SmallNet"]) == {"parts:SmallNet", "parts:focal"}
    assert all(re.fullmatch(r"source [0-9a-f]{12}", each) for code in codes.values() for each in code.values())

    again = study("trial", "parts~SmallNet-parts~focal-random_0-s0-t02", folder / "mine.toml", "--out", out)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "the same tables, bit for bit" in again.stdout
    assert study("status", out).returncode == 0
    (folder / "my_layers.py").write_text(LAYERS.replace("sigmoid", "tanh"))
    other = study("run", folder / "mine.toml", "--out", out, "--set", "search.trials=4")
    assert other.returncode == 2
    assert "trials of other code or arguments" in other.stderr


def test_the_code_is_found_without_running_it(folder: Path) -> None:
    found = outside_of(load(str(folder / "mine.toml")))
    assert set(found.files) == {"parts.py", "my_layers.py"}
    assert found.versions == {}
    cell = Cell("parts:SmallNet", "ce", "random_0", 0)
    before = found.identity_of(cell)
    assert found.identity_of(Cell("icnet", "ce", "random_0", 0)) is None
    (folder / "unused.py").write_text("2 / 0")
    assert outside_of(load(str(folder / "mine.toml"))).identity_of(cell) == before
    (folder / "my_layers.py").write_text(LAYERS + "\n")
    assert outside_of(load(str(folder / "mine.toml"))).identity_of(cell) != before
    assert "parts" not in sys.modules


def test_a_package_is_taken_whole(tmp_path: Path) -> None:
    package = tmp_path / "mypkg"
    (package / "deep").mkdir(parents=True)
    modules = ("__init__.py", "nets.py", "deep/__init__.py", "deep/more.py")
    for name in modules:
        (package / name).write_text("Net = None")
    (package / "__pycache__").mkdir()
    for name in ("__pycache__/nets.pyc", ".hidden"):
        (package / name).write_text("no code")
    (package / "means.csv").write_text("1,2")
    os.mkfifo(package / "pipe.py")  # it would be waited for
    (package / "folder.py").mkdir()
    definition = parse({"grid": {"models": ["mypkg.nets:Net"]}, "resources": {"modules": [str(tmp_path)]}})
    found = outside_of(definition)
    assert set(found.files) == {f"mypkg/{name}" for name in (*modules, "means.csv")}
    (package / "means.csv").write_text("1,3")
    assert outside_of(definition).identities != found.identities, "what a network reads is part of it"
    with (package / "weights.pt").open("wb") as file:
        file.truncate(17 * 2**20)
    with pytest.raises(StudyError, match=r"mypkg take 17 MiB, and at most 16 travel .* give its absolute path"):
        outside_of(definition)


def test_a_second_module_of_one_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two definitions in one process, each with a network of its own in a file of the same name."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    net = "from torch import nn\n\n\ndef net(num_classes):\n    return nn.Conv2d(3, num_classes, {})\n"
    definitions = {}
    for folder, kernel in (("one", 1), ("other", 3)):
        (tmp_path / folder).mkdir()
        for name in ("nets_of_two", f"nets_of_{folder}"):
            (tmp_path / folder / f"{name}.py").write_text(net.format(kernel))
        (tmp_path / folder / "nets_of_none.py").write_text(net.format(kernel))
        for name in ("nets_of_two", "nets_of_none", f"nets_of_{folder}"):
            table = {"grid": {"models": [f"{name}:net"]}, "resources": {"modules": [str(tmp_path / folder)]}}
            definitions[folder, name] = parse(table)
    find_parts(definitions["one", "nets_of_two"])
    with pytest.raises(StudyError, match=r"has imported nets_of_two from .*one.*, for another definition"):
        outside_of(definitions["other", "nets_of_two"])
    outside_of(definitions["other", "nets_of_other"])
    other = outside_of(definitions["other", "nets_of_none"]).files
    assert other["nets_of_none.py"] == (tmp_path / "other/nets_of_none.py").read_bytes()
    find_parts(definitions["other", "nets_of_none"])
    assert sys.modules["nets_of_none"].__file__ == str(tmp_path / "other/nets_of_none.py")
    for name in ("nets_of_two", "nets_of_none"):
        sys.modules.pop(name)


def test_a_module_that_python_finds_first_is_refused(importable: Path, tmp_path: Path) -> None:
    """Somebody's path leads to another one: Python would give the study that one's network."""
    outside_of(load(str(importable / "mine.toml")))
    other = tmp_path / "other"
    other.mkdir()
    for name, content in (("parts.py", PARTS), ("my_layers.py", LAYERS), ("mine.toml", DEFINITION)):
        (other / name).write_text(content)
    passed_over = rf"other/parts\.py is passed over, as Python finds {importable}/parts\.py first: give it another name"
    with pytest.raises(StudyError, match=passed_over):
        outside_of(load(str(other / "mine.toml")))


@pytest.mark.parametrize(
    ("name", "whose"), [("json", "Python"), ("analysis", "this project"), ("pandas", "an installed package")]
)
def test_a_file_that_is_passed_over_is_named(tmp_path: Path, name: str, whose: str) -> None:
    (tmp_path / f"{name}.py").write_text("")
    definition = parse({"grid": {"models": [f"{name}:Net"]}, "resources": {"modules": [str(tmp_path)]}})
    with pytest.raises(StudyError, match=rf"{name}\.py is passed over, as {whose} has a module {name}, too"):
        outside_of(definition)


def test_what_is_installed_is_known_by_its_version() -> None:
    definition = parse({"grid": {"losses": ["torch.nn:CrossEntropyLoss"]}})
    found = outside_of(definition)
    assert found.identities == {"torch.nn:CrossEntropyLoss": {"code": f"torch {torch.__version__}"}}
    assert found.files == {}
    found.make_findable()
    with pytest.raises(StudyError, match=r"torch 0\.1 is needed here, and there is "):
        Outside(versions={"torch": "0.1"}).make_findable()
    find_parts(definition)
    try_parts(definition, SAMPLES)


def test_modules_are_looked_for_beside_the_definition_and_in_the_current_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    definition = load(str(folder / "mine.toml"))
    assert definition.resources.modules == (str(folder), "/")
    assert load("demo", ["grid.models=parts:SmallNet"]).resources.modules == ("/",)
    assert load("demo").resources.modules == ()
    (tmp_path / "other.toml").write_text(DEFINITION + '[resources]\nmodules = ["code"]')
    assert load(str(tmp_path / "other.toml")).resources.modules == (str(tmp_path / "code"),)
    (tmp_path / "kept.toml").write_text(definition.to_toml())
    assert load(str(tmp_path / "kept.toml")) == definition


BINDING = """
import os.path, json as plain
from math import pi as turn
from torch.nn import *

first = second = 1
(third, [fourth]) = 1, [2]
fifth: int = 5
try:
    import absent
except ImportError:
    absent = None
if turn:
    def sixth(): hidden = 1
else:
    class Seventh: inner = 1
with open(__file__) as eighth:
    ninth = 9
"""


def test_names_that_a_module_binds_are_found_without_running_it() -> None:
    plainly = BINDING.replace("from torch.nn import *", "").encode()
    plain = ["os", "plain", "turn", "first", "second", "third", "fourth", "fifth", "absent", "__doc__"]
    for name in [*plain, "sixth", "Seventh", "eighth", "ninth"]:
        check_defined(f"mine:{name}", {"mine.py": plainly})
    check_defined("mine:Seventh.inner", {"mine.py": plainly})
    for name in ("hidden", "inner", "Seventh_", "json", "open"):
        with pytest.raises(StudyError, match=f"mine:{name}: module 'mine' has no attribute '{name}'"):
            check_defined(f"mine:{name}", {"mine.py": plainly})
        check_defined(f"mine:{name}", {"mine.py": BINDING.encode()})
        check_defined(f"mine:{name}", {"mine.py": plainly + b"globals().update(json={})"})
    check_defined("pkg:nets.Net", {"pkg/__init__.py": b"", "pkg/nets.py": b"Net = 1"})
    with pytest.raises(StudyError, match=r"pkg\.net:Net: there is no module pkg\.net; did you mean pkg\.nets\?"):
        check_defined("pkg.net:Net", {"pkg/__init__.py": b"", "pkg/nets.py": b"Net = 1"})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["grid.models=absent:Net"], "there is no module absent: it is not installed, and not in "),
        (["grid.losses=unused:x"], "unused:x: unused cannot be imported: ZeroDivisionError: division by zero"),
        (["grid.models=parts:SmalNet"], "parts:SmalNet: module 'parts' has no attribute 'SmalNet'"),
        (["grid.losses=parts:__doc__"], "parts:__doc__ is a str: it computes no loss"),
        (["model.depth=3"], "model.depth: no network of the grid takes it"),
        (
            ["search.space.model.channels={low=4, high=8}", "grid.models=parts:SmallNet,icnet"],
            "search.space: model.channels is searched, and icnet takes no channels",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(importable: Path, settings: list[str], words: str) -> None:
    definition = load(str(importable / "mine.toml"), settings)
    with pytest.raises(StudyError) as caught:
        (outside_of(definition), find_parts(definition))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["grid.models=absent:Net"], "there is no module absent"),
        (["grid.models=parts:SmalNet"], "has no attribute 'SmalNet'"),
        (["model.depth=3"], "model.depth: no network of the grid takes it"),
        (["grid.losses=parts:wrong"], "parts:wrong fails: "),
        (["grid.splits=cold", "splits.held_out.angle.cold=[77]"], "cold"),
    ],
)
def test_what_needs_no_image_is_checked_before_any_is_decoded(
    importable: Path, monkeypatch: pytest.MonkeyPatch, settings: list[str], words: str
) -> None:
    (importable / "parts.py").write_text(PARTS + "\n\ndef wrong(logits, labels):\n    return 1.0\n")
    monkeypatch.setattr(reading, "decode", lambda path, mode: pytest.fail("an image was decoded"))
    with pytest.raises(StudyError) as caught:
        prepare(load(str(importable / "mine.toml"), settings))
    assert words in str(caught.value)


def test_outputs_without_a_weight_are_refused_before_anything_is_trained(importable: Path) -> None:
    own, file = "class Weighted(SmallNet):\n    output_weights = (1.0,)\n", str(importable / "mine.toml")
    (importable / "parts.py").write_text(f"{PARTS}\n\n{own}")
    too_few = "gives {} outputs in training, and output_weights has {} weight"
    for settings, name, words in (
        (["training.output_weights=[1.0]"], "parts:SmallNet", too_few.format(2, 1)),
        (["grid.models=icnet_cascade", "training.output_weights=[1.0, 0.5]"], "icnet_cascade", too_few.format(3, 2)),
        (["grid.models=parts:Weighted"], "parts:Weighted", too_few.format(2, 1)),
    ):
        with pytest.raises(StudyError, match=f"{name} fails: .*{words}"):
            try_parts(load(file, [*settings, "model={width=0.25}"]), SAMPLES)
    for weights in ("[]", "[1.0, 0.4]"):
        try_parts(load(file, [f"training.output_weights={weights}"]), SAMPLES)
    with pytest.raises(StudyError, match=r"3 weights, and no network of the grid gives more than 2 outputs"):
        try_parts(load(file, ["training.output_weights=[1.0, 0.4, 0.3]"]), SAMPLES)


def test_an_operation_that_torch_refuses_is_told_with_the_remedy(importable: Path) -> None:
    refused = """
class Refused(SmallNet):
    def forward(self, images):
        places = torch.arange(images.numel())
        return super().forward(torch.zeros_like(images).put_(places, images.reshape(-1)))
"""
    (importable / "parts.py").write_text(PARTS + refused)
    settings = ["grid.models=parts:Refused", "grid.losses=ce", "training.precision=fp32", "model.width=1.0"]
    definition = load(str(importable / "mine.toml"), settings)
    told = r"parts:Refused with ce needs put_, which gives other bits .* or set training.deterministic = false"
    with pytest.raises(StudyError, match=rf"parts~Refused-ce-random_0-s0-t00 cannot be trained here: {told}"):
        trial("parts~Refused-ce-random_0-s0-t00", definition, None)
    with pytest.raises(StudyError, match=rf"the speed of parts:Refused cannot be measured: {told}"):
        calibrate(definition)


def test_the_data_folder_is_listed_once(importable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed, listing = list[str](), data_set.read_catalogue
    monkeypatch.setattr(data_set, "read_catalogue", lambda path: (listed.append(path), listing(path))[1])
    prepare(load(str(importable / "mine.toml")))
    assert len(listed) == 1


def test_a_plan_compares_code_as_a_run_does_and_imports_none_of_it(folder: Path, tmp_path: Path) -> None:
    """And data, splits and versions: by the same rule."""
    definition, out = load(str(folder / "mine.toml"), ["simulate=true"]), tmp_path / "out"
    source, fingerprint, _ = data_set.data_set_of(definition).load()
    splits, outside = make_splits(definition, source.samples), outside_of(definition)
    study = Prepared(definition, source, splits, fingerprint, provenance(), outside)
    trial = parse_trial("icnet-parts~focal-random_0-s0-t00")
    tables = simulate(Run(study, trial, definition.default_point))
    Results(str(out)).commit(tables)
    assert len(plan(definition, str(out)).missing) == 5
    (folder / "parts.py").write_text(PARTS + "\n")
    with pytest.raises(StudyError, match=rf"trials of other code or arguments \({trial.id}, for one\)"):
        plan(definition, str(out))
    (folder / "parts.py").write_text(PARTS)
    next((folder / "data").rglob("*.png")).unlink()
    with pytest.raises(StudyError, match="trials of another data set"):
        plan(definition, str(out))
    assert "parts" not in sys.modules
    with pytest.raises(StudyError, match="there is no module absent"):
        plan(load(str(folder / "mine.toml"), ["grid.models=absent:Net"]), str(tmp_path / "none"))
    with pytest.raises(
        StudyError, match="parts:SmalNet: module 'parts' has no attribute 'SmalNet'; did you mean Small"
    ):
        plan(load(str(folder / "mine.toml"), ["grid.models=parts:SmalNet"]), str(tmp_path / "none"))
    (folder / "torn.py").write_text("def Net(:")
    with pytest.raises(StudyError, match=r"/torn\.py, line 1: no Python that can be read: invalid syntax$"):
        plan(load(str(folder / "mine.toml"), ["grid.models=torn:Net"]), str(tmp_path / "none"))


@pytest.mark.parametrize("model", ["icnet", "unet2", "mypkg.nets:MyNet", "a.b_c.D1:e.f"])
def test_a_trials_id_carries_any_name(model: str) -> None:
    trial = Trial(Cell(model, "My.losses_2:Focal", "random_12", 3), 7)
    assert parse_trial(trial.id) == trial
    assert re.fullmatch(r"[A-Za-z0-9_.~-]+", trial.id)
    assert trial.id.count("-") == 4


@pytest.mark.parametrize("name", ["a~b-ce", "~a-ce", "_a~b-ce", "a~b~c-ce", "ICNet-ce", "icnet-a~b!", "icnet-a:b"])
def test_what_is_no_trials_id(name: str) -> None:
    full = f"{name}-random_0-s0-t00"
    if name == "a~b-ce":
        assert parse_trial(full).cell.model == "a:b"
        return
    with pytest.raises(StudyError, match="not a trial's id") as refused:
        parse_trial(full)
    if name == "icnet-a:b":
        assert "~ stands for the colon in it: icnet-a~b-random_0-s0-t00" in str(refused.value)


def test_weights_are_drawn_by_the_seed_alone(importable: Path) -> None:
    torch.rand(3)
    before = torch.get_rng_state()
    first, again, other = (network("parts:SmallNet").build(3, {"channels": 6}, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    pairs = list(zip(*(made.state_dict().values() for made in (first, again, other)), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert any(not torch.equal(a, c) for a, _, c in pairs)
    assert first.network.gate.linear.weight.std() > 0.1  # type: ignore[union-attr]


@pytest.mark.slow
def test_a_network_that_draws_in_training_goes_on_with_the_same_bits(importable: Path) -> None:
    """Dropout draws from torch's global generator: by the trial's seed and the epoch, and by nothing else."""
    prepared, kept = prepare(load(str(importable / "mine.toml"))), list[State]()
    recipe = prepared.definition.recipe.at({"training.epochs": 3, "model.dropout": 0.5})
    arguments = (
        Job("parts:SmallNet", "parts:focal", recipe, (0, "a trial")),
        prepared.source,
        prepared.splits["random_0"],
    )

    def keep(epoch: Epoch, state: Callable[[], State]) -> None:
        if epoch.epoch == 1:
            kept.append(copy.deepcopy(state()))

    torch.rand(3)
    before = torch.get_rng_state()
    whole = train(*arguments, on_epoch=keep).model.state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(5)
    resumed = train(*arguments, resume=kept[0]).model.state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    without = Job("parts:SmallNet", "parts:focal", recipe.at({"model.dropout": 0.0}), (0, "a trial"))
    other = train(without, *arguments[1:]).model.state_dict()
    assert any(not torch.equal(whole[name], other[name]) for name in whole)


FAILING = """
import numpy
import random
import torch
from torch import nn

class TooMany(nn.Conv2d):
    def __init__(self, num_classes):
        super().__init__(3, num_classes + 1, 1)

class Nothing(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.num_classes = num_classes

    def forward(self, images):
        return images[:, :1].expand(-1, self.num_classes, -1, -1)

class NeedsMore(nn.Conv2d):
    def __init__(self, num_classes, depth):
        super().__init__(3, num_classes, depth)

class AnyKey(nn.Conv2d):
    def __init__(self, num_classes, **keys):
        super().__init__(3, num_classes, 1, **keys)
        self.drawn = nn.Parameter(torch.tensor([random.random(), numpy.random.rand()]))

def leaves(num_classes):
    raise SystemExit(3)

class LossWithArguments:
    def __init__(self, weight):
        pass

def number(logits, labels):
    return 1.0

def constant(logits, labels):
    return torch.ones(())

def per_pixel(logits, labels):
    return nn.functional.cross_entropy(logits, labels, reduction="none")
"""


COUNTING = """
import torch

def everywhere(logits, labels):
    log_p = torch.log_softmax(logits, 1)
    return -log_p.gather(1, labels.clamp(min=0).unsqueeze(1)).mean()
"""


def test_a_loss_that_counts_ignored_pixels_is_refused_where_there_are_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "counting.py").write_text(COUNTING)
    monkeypatch.syspath_prepend(str(tmp_path))
    losses = ["torch.nn:CrossEntropyLoss", "counting:everywhere"]
    definition = parse({"grid": {"losses": losses}, "resources": {"modules": [str(tmp_path)]}})
    try:
        try_parts(definition, SAMPLES)
        with pytest.raises(StudyError) as refused:
            try_parts(definition, replace(SAMPLES, has_ignored=True))
    finally:
        sys.modules.pop("counting", None)
    (line,) = str(refused.value).splitlines()
    assert line.startswith("counting:everywhere fails: ")
    assert "counts pixels that are to be ignored: their label is -100" in line


@pytest.mark.slow
def test_what_fails_is_named_before_anything_is_trained(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "failing.py").write_text(FAILING)
    monkeypatch.syspath_prepend(str(folder))
    failing = {
        "models": {
            "TooMany": "must be B x 3",
            "Nothing": "no weights",
            "leaves": "SystemExit: 3",
        },
        "losses": {"number": "gives a float", "constant": "does not depend", "per_pixel": "a scalar"},
    }
    settings = [
        f"grid.{key}={','.join(['parts:SmallNet'] * (key == 'models') + [f'failing:{name}' for name in names])}"
        for key, names in failing.items()
    ]
    settings.append("model.width=1.0")
    try:
        with pytest.raises(StudyError) as refused:
            prepare(load(str(folder / "mine.toml"), settings))
        lines = dict(line.split(" fails: ", 1) for line in str(refused.value).splitlines())
        for name, words in (pair for names in failing.values() for pair in names.items()):
            assert words in lines.pop(f"failing:{name}")
        assert lines == {}
        needs = r"^failing:NeedsMore needs depth: put depth = \.\.\. under \[model\], or describe it: \[models\.NAME\]"
        with pytest.raises(StudyError, match=needs):
            prepare(load(str(folder / "mine.toml"), ["grid.models=failing:NeedsMore", "model={width=1.0}"]))
        with pytest.raises(StudyError, match="cannot be made without arguments"):
            prepare(load(str(folder / "mine.toml"), ["grid.losses=failing:LossWithArguments"]))
        one, other, another = (network("failing:AnyKey").build(3, {"width": 1.0}, seed) for seed in (1, 1, 2))
        assert torch.equal(one.network.drawn, other.network.drawn), "what numpy and Python draw is seeded, too"
        assert not torch.equal(one.network.drawn, another.network.drawn)
    finally:
        for name in ("parts", "my_layers", "failing"):
            sys.modules.pop(name, None)


def test_a_weight_that_nobody_draws_is_named() -> None:
    class Forgetful(nn.Module):
        def __init__(self, num_classes: int) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.empty(5))

    kind = Network("mine:Forgetful", Forgetful, frozenset())
    with pytest.raises(ValueError, match=r"mine:Forgetful leaves weights undrawn: network\.scale"):
        kind.build(3, {}, 0)


def test_a_network_gets_the_arguments_that_it_takes() -> None:
    def library(weights: str | None = None, num_classes: int = 21, **more: object) -> nn.Module:
        return nn.Conv2d(3, num_classes, 1)

    def positional(classes_in_all: int, *, depth: int = 2) -> nn.Module:
        return nn.Conv2d(3, classes_in_all, depth)

    assert Network("a:b", library, None).build(4, {"x": 1}, 0).network.out_channels == 4  # type: ignore[union-attr]
    kind = Network("a:b", positional, frozenset({"depth"}))
    assert kind.arguments({"width": 1.0, "depth": 3}) == {"depth": 3}
    assert kind.build(4, {"width": 1.0, "depth": 3}, 0).network.kernel_size == (3, 3)  # type: ignore[union-attr]
    with pytest.raises(TypeError, match=r"a:b makes a int, which is not a torch\.nn\.Module"):
        Network("a:b", lambda num_classes: num_classes, frozenset()).build(4, {}, 0)
    assert network("torch.nn:Identity").takes is None
    for name, words in (
        ("math:pi", "math:pi is a float: it makes no network"),
        ("builtins:int", "its arguments cannot be found out"),
    ):
        with pytest.raises(NotFound, match=words):
            network(name)


class Output:
    def __init__(self, logits: torch.Tensor) -> None:
        self.logits = logits


T = torch.zeros(2, 3, 4, 4)


@pytest.mark.parametrize(
    ("returned", "count"),
    [(T, 1), ((T, T), 2), ([T], 1), ({"out": T}, 1), ({"aux": T, "out": T}, 2), (Output(T), 1)],
)
def test_what_networks_return(returned: object, count: int) -> None:
    assert len(outputs_of(returned)) == count


@pytest.mark.parametrize("returned", [None, (), (T, 1), {"logit": T}, Output(None), "x"])  # type: ignore[arg-type]
def test_what_they_must_not_return(returned: object) -> None:
    with pytest.raises(ValueError, match="a network returned a "):
        outputs_of(returned)


def test_the_main_output_comes_first_and_at_full_size() -> None:
    class Low(nn.Module):
        def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"aux": images[:, :2, ::8, ::8], "out": images[:, :2, ::4, ::4]}

    images = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    main, aux = Adapted(Low(), 2)(images)
    assert main.shape == aux.shape == (2, 2, 32, 48)
    expected = nn.functional.interpolate(images[:, :2, ::4, ::4], size=(32, 48), mode="bilinear")
    torch.testing.assert_close(main, expected)
    with pytest.raises(ValueError, match="has shape 2 x 2 x 8 x 12: it must be B x 7 x h x w"):
        Adapted(Low(), 7)(images)


def test_costs_are_measured_and_on_the_cpu_where_the_meta_device_does_not_do(importable: Path) -> None:
    class NeedsValues(nn.Module):
        def __init__(self, num_classes: int) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, num_classes, 3, padding=1)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.conv(images) * float(images.sum().item() >= 0)

    before = torch.get_rng_state()
    cost = Network("a:b", NeedsValues, frozenset()).cost(3, {}, square(32))
    assert (cost.parameters, cost.gflops) == (3 * 3 * 9 + 3, 2 * 32 * 32 * 3 * 3 * 9 / 1e9)
    assert network("parts:SmallNet").cost(3, {"channels": 6}, square(32)).gflops > 0
    assert torch.equal(torch.get_rng_state(), before)


def test_a_loss_may_be_a_function_or_a_class() -> None:
    logits, labels = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)), torch.ones(2, 4, 4).long()
    for name in ("torch.nn:CrossEntropyLoss", "torch.nn.functional:cross_entropy"):
        torch.testing.assert_close(loss_named(name)(logits, labels), cross_entropy(logits, labels))
        assert loss_named(name)(logits.bfloat16(), labels).dtype == torch.float32
    with pytest.raises(ValueError, match="it must give a scalar"):
        loss_named("torch:add")(logits, labels[:, None])
    for name in ("absent:x", "math:pi"):
        with pytest.raises(NotFound):
            loss_named(name)


def test_a_precision_that_this_cpu_lacks_is_told_with_the_remedy() -> None:
    with (
        pytest.raises(CannotBeTrained, match=r"no convolutions in bfloat16: set training\.precision to \"fp32\""),
        refusals_of_torch("icnet", "ce"),
    ):
        raise RuntimeError("mkldnn_convolution: bf16 path needs the cpu support avx_ne_convert or avx512bw")
