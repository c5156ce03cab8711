"""A network, or a loss, that is added in one place: everything that goes by figures of networks goes on with it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from small_study import ROOT, environment, write_definition

from study.cells import trials
from study.commands.plan import plan
from study.definition.file import load
from study.planning.cost import estimate, images_to_train_on
from study.planning.figures import figures_of
from study.prepare import prepare
from trainers.costs import built_in_costs
from trainers.names import NETWORKS
from trainers.networks.measure_costs import measured_costs

ADDED = """
import sys
from pathlib import Path

from trainers import names
del names.NETWORKS["unet"]
names.NETWORKS["fcn_8"] = "trainers.networks.icnet:ICNet"
names.LOSSES["focal2"] = "trainers.losses.overlap:cross_entropy_dice"

from simulated_study import write_study
from study.terminal import cli
from study.planning.capacity import Machine, forecast
from study.definition.file import load
from study.schedule import Schedule

folder, settings = Path(sys.argv[1]), ["grid.models=icnet,fcn_8", "grid.losses=focal2,ce", "simulate=true"]
source = str(folder / "small.toml")
words = [part for setting in settings for part in ("--set", setting)]
assert cli.main(["plan", source, *words, "--out", str(folder / "none")]) == 0
definition = load(source, settings)
assert forecast(definition, [Machine("gpus", 16, 2, 64.0)], {"fcn_8": 3600.0}).at_once >= 4
first, _ = Schedule(definition, {}).next()
assert first.id == "fcn_8-ce-random_0-s0-t00"
assert cli.main(["status", str(write_study(folder / "out", definition))]) == 0
one = ["--set", "grid.losses=focal2", "--set", "grid.models=fcn_8"]
assert cli.main(["trial", "fcn_8-focal2-random_0-s0-t00", source, *one]) == 0
"""


@pytest.mark.slow
def test_a_network_added_in_one_place_is_planned_scheduled_and_simulated(tmp_path: Path) -> None:
    write_definition(tmp_path)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ADDED, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(PYTHONPATH=f"{ROOT / 'tests'}:{ROOT}"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 cells, 32 trials: 0 done, 32 missing" in done.stdout
    assert "32 of 32 trials done: 32 completed, 0 failed." in done.stdout


def test_what_is_not_known_is_taken_for_the_costliest() -> None:
    unknown = figures_of("fcn_8")
    assert not unknown.is_measured
    for name in NETWORKS:
        known = figures_of(name)
        assert known.is_measured
        assert unknown.seconds_per_image(1.0) >= known.seconds_per_image(1.0)
        assert unknown.memory_gb >= known.memory_gb


@pytest.mark.slow
def test_the_costs_that_are_kept_are_those_that_the_networks_have() -> None:
    """If this fails: python -m trainers.networks.measure_costs > trainers/costs.json."""
    assert built_in_costs() == measured_costs()


def test_figures_follow_from_costs_alone() -> None:
    """By no name; and near what was measured of the built-in networks: speeds in images a second, GiB at the end."""
    for path in (ROOT / "study").rglob("*.py"):
        in_planning = path.parent.name == "planning" or path.name in ("schedule.py", "simulation.py")
        assert not (in_planning and re.search("|".join(NETWORKS), path.read_text())), path
    measured = {"icnet": (60.0, 1.1), "unet": (9.7, 3.4), "icnet_cascade": (170.0, 0.8)}
    for name, (speed, gib) in measured.items():
        assert 1 / figures_of(name).seconds_per_image(1.0) == pytest.approx(speed, rel=0.05)
        assert gib < figures_of(name).memory_gb < 1.5 * gib


@pytest.mark.slow
def test_somebodys_network_gets_room_by_its_measured_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the rule for built-in ones, unless its definition says more; until it is measured, a plan says so."""
    (tmp_path / "copied.py").write_text(
        "from trainers.networks.icnet import ICNet\nfrom trainers.networks.unet import UNet"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    file = write_definition(tmp_path)
    models = ["grid.models=copied:ICNet,copied:UNet,icnet,unet", "model.width=1.0", "training.image_size=32"]
    settings = [*models, "grid.splits=random_0", "search.trials=1", "search.space={}", "grid.losses=ce"]
    definition = load(str(file), settings)
    assert plan(definition, str(tmp_path / "out")).estimate.unmeasured == ("copied:ICNet", "copied:UNet")
    assert (
        "so taken for as slow as the slowest built-in network"
        in plan(definition, str(tmp_path / "out")).estimate.in_words
    )
    assert plan(load(str(file)), str(tmp_path / "out")).estimate.unmeasured == ()
    study = prepare(definition)
    of_a_run = estimate(definition, trials(definition), {}, images_to_train_on(study.splits), costs=study.costs)
    assert of_a_run.unmeasured == (), "a run has tried them"
    for theirs, ours in (("copied:ICNet", "icnet"), ("copied:UNet", "unet")):
        assert of_a_run.seconds_of[theirs] == pytest.approx(of_a_run.seconds_of[ours], rel=0.05)
    resources = study.definition.resources
    for theirs, ours in (("copied:ICNet", "icnet"), ("copied:UNet", "unet")):
        assert resources.memory_of(theirs) == figures_of(ours).memory_gb
    own = load(str(file), [*settings, 'resources.memory_gb."copied:UNet"=7.5'])
    assert prepare(own).definition.resources.memory_of("copied:UNet") == 7.5
