"""Whole small studies on pairs: through the real Ray, on one machine and on nodes without the driver's file."""

from __future__ import annotations

from pathlib import Path

import pytest
from ray_nodes import Nodes
from small_pairs import scenes, write_definition
from small_study import assert_same_facts, facts, num_committed, started, study, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def definition(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_definition(tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="module")
def by_one_worker(definition: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("one") / "out"
    done = study("run", definition, "--out", out, "--set", "resources.workers=1")
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def kept_in(folder: Path) -> dict[str, str]:
    """An environment in which images are kept there; Ray's sockets are not, as their paths would be too long."""
    return {"TMPDIR": str(folder), "RAY_TMPDIR": "/tmp"}


def test_two_workers_and_a_single_trial_give_the_same(definition: Path, by_one_worker: Path, tmp_path: Path) -> None:
    out, temporary = tmp_path / "out", tmp_path / "temporary"
    temporary.mkdir()
    done = study("run", definition, "--out", out, "--set", "resources.workers=2", **kept_in(temporary))
    assert done.returncode == 0, done.stdout + done.stderr
    assert_same_facts(out, by_one_worker)
    assert list(temporary.glob("study-*")) == [], "the images go with the run"
    again = study("trial", "icnet-ce-random_1-s0-t01", definition, "--out", out)
    assert "gave the same tables, bit for bit" in again.stdout, again.stdout + again.stderr
    status = study("status", out)
    assert "8/8" in status.stdout or "8 of 8" in status.stdout, status.stdout


def test_pixels_are_counted_at_the_images_own_sizes(by_one_worker: Path) -> None:
    table = facts(by_one_worker)["confusion"].to_pandas()
    sizes = table.groupby(["trial", "partition", "image"])["pixels"].sum()
    made = scenes()
    assert all(count == made[image][1].size for (_, _, image), count in sizes.items())


def test_a_node_fetches_the_images_once_and_they_go_with_the_run(
    definition: Path, by_one_worker: Path, tmp_path: Path
) -> None:
    out, own, drivers = tmp_path / "out", tmp_path / "node", tmp_path / "driver"
    own.mkdir()
    drivers.mkdir()
    with Nodes() as nodes:
        nodes.add(cpus=2, TMPDIR=str(own))
        arguments = ("run", definition, "--out", out, "--address", nodes.address)
        with started(*arguments, **nodes.environment, **kept_in(drivers)) as driver:
            wait_for(lambda: num_committed(out) >= 1)
            [images] = own.glob("study-images-*/images")
            [original] = drivers.glob("study-*/images")
            assert images.read_bytes() == original.read_bytes()
            assert images.parent.stat().st_mode & 0o077 == 0
            output, _ = driver.communicate(timeout=240)
        assert driver.returncode == 0, output
        assert list(own.glob("study-images-*")) == []
        assert list(drivers.glob("study-*")) == []
    assert_same_facts(out, by_one_worker)


def test_simulated_and_planned(definition: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = study("run", definition, "--simulate", "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    assert num_committed(out) == 8
    planned = study("plan", definition, "--out", out, "--set", "simulate=true")
    assert "8 done" in planned.stdout, planned.stdout + planned.stderr
