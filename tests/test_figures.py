"""A network, or a loss, that is added in one place: everything that goes by figures of networks goes on with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from small_study import ROOT, environment, write_definition

from study.planning.figures import figures_of

ADDED = """
import sys
from pathlib import Path

from trainers import names
del names.NETWORKS["unet"]  # by which others are judged
names.NETWORKS["fcn_8"] = "trainers.networks.icnet:ICNet"
names.LOSSES["focal2"] = "trainers.losses:cross_entropy_dice"

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
    assert "32 of 32 trials done, 0 of them failed" in done.stdout


def test_what_is_not_known_is_taken_for_the_costliest() -> None:
    unknown = figures_of("fcn_8")
    for known in ("icnet", "unet", "icnet_cascade"):
        assert unknown.images_per_second <= figures_of(known).images_per_second
        assert unknown.memory_gb >= figures_of(known).memory_gb
        assert unknown.gpu_share >= figures_of(known).gpu_share
