"""Faults, each caused for real, through the command a user types; then every table is as of an undisturbed run.

The long part (`pytest -m long`) has faults that need several hosts: see tests/test_hosts.py.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest
from ray_nodes import Nodes
from small_study import (
    NUM_TRIALS,
    ROOT,
    assert_gone,
    assert_same_facts,
    descendants,
    num_committed,
    started,
    study,
    wait_for,
    workers_of,
)

from study.results import Results
from study.results.schemas import SCHEMAS
from study.results.unfinished import read_unfinished

pytestmark = pytest.mark.slow
STAND_INS = f"{ROOT / 'tests' / 'stand_ins'}{os.pathsep}{ROOT}"
EVERY_EPOCH = ("--set", "resources.checkpoint_seconds=0")


@pytest.fixture(scope="module")
def simulated(definition: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("simulated") / "out"
    done = study("run", definition, "--simulate", "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


FEW = ("--simulate", "--set", "grid.losses=ce", "--set", "search.trials=2")


@pytest.fixture(scope="module")
def few_simulated(definition: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four simulated trials."""
    out = tmp_path_factory.mktemp("few") / "out"
    assert study("run", definition, *FEW, "--out", out).returncode == 0
    return out


@pytest.fixture
def two_nodes() -> Iterator[Nodes]:
    with Nodes() as nodes:
        nodes.add(cpus=1)
        nodes.add(cpus=1)
        yield nodes


def test_a_node_is_killed(definition: Path, undisturbed: Path, tmp_path: Path, two_nodes: Nodes) -> None:
    """Its trial goes on elsewhere from its last epoch; another node joins later."""
    out = tmp_path / "out"
    arguments = ("run", definition, "--out", out, "--address", two_nodes.address, *EVERY_EPOCH)
    with started(*arguments, **two_nodes.environment) as driver:
        wait_for(lambda: num_committed(out) >= 3)
        two_nodes.kill(1)
        two_nodes.add(cpus=1)
        output, _ = driver.communicate(timeout=180)
    assert driver.returncode == 0, output
    assert "is tried again: " in output
    assert_same_facts(out, undisturbed)
    assert not list((out / "checkpoints").iterdir())


def test_a_preempted_node_is_no_failure(definition: Path, undisturbed: Path, tmp_path: Path, two_nodes: Nodes) -> None:
    """Told beforehand, as by a spot notice: it takes no attempt, so that one attempt is enough."""
    out = tmp_path / "out"
    once = ("--set", "resources.attempts=1", *EVERY_EPOCH)
    with started(
        "run", definition, "--out", out, "--address", two_nodes.address, *once, **two_nodes.environment
    ) as driver:
        wait_for(lambda: num_committed(out) >= 3)
        two_nodes.add(cpus=1)
        two_nodes.drain(2, seconds=1)
        time.sleep(1.5)
        two_nodes.kill(2)
        output, _ = driver.communicate(timeout=180)
    assert driver.returncode == 0, output
    assert_same_facts(out, undisturbed)


def test_a_worker_that_hangs_is_ended(definition: Path, undisturbed: Path, tmp_path: Path) -> None:
    """Stopped in its tracks, so that it cannot even notice."""
    out = tmp_path / "out"
    with started("run", definition, "--out", out, "--set", "resources.hang_seconds=10") as driver:
        wait_for(lambda: num_committed(out) >= 3)
        workers_of(driver)[0].suspend()
        output, _ = driver.communicate(timeout=180)
    assert driver.returncode == 0, output
    assert "is tried again: no epoch within 10 s: it hung, and was ended" in output
    assert_same_facts(out, undisturbed)


@pytest.mark.long
def test_a_worker_that_hangs_between_two_trials_is_ended(definition: Path, few_simulated: Path, tmp_path: Path) -> None:
    """Its trial has not even started."""
    out, marks = tmp_path / "out", tmp_path / "marks"
    marks.mkdir()
    stops = {"STAND_IN": f"stops:{marks}", "PYTHONPATH": STAND_INS}
    done = study("run", definition, *FEW, "--out", out, "--set", "resources.hang_seconds=6", **stops)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (marks / "stopped").exists()
    assert "is tried again: no epoch within 6 s: it hung, and was ended" in done.stdout
    assert_same_facts(out, few_simulated)


def interrupt_twice(driver: subprocess.Popen[str]) -> str:
    """What it has written when it has ended."""
    driver.send_signal(signal.SIGINT)
    time.sleep(0.3)
    driver.send_signal(signal.SIGINT)
    return driver.communicate(timeout=60)[0]


def little_memory(stand_in: str) -> dict[str, str]:
    """Ray's memory monitor strikes when 2 GB more than now are taken."""
    count = "from ray._private import utils; print(utils.get_system_memory())"  # a container's, if this is one
    counted = subprocess.run([sys.executable, "-c", count], capture_output=True, text=True, check=True).stdout
    memory = psutil.virtual_memory()
    threshold = (memory.total - memory.available + 2e9) / int(counted.split()[-1])
    monitor = {"RAY_memory_usage_threshold": f"{threshold:.3f}", "RAY_memory_monitor_refresh_ms": "100"}
    return {"STAND_IN": stand_in, "PYTHONPATH": STAND_INS} | monitor


def test_the_memory_monitor_strikes(definition: Path, simulated: Path, tmp_path: Path) -> None:
    """It ends not only a trial but all of Tune's run; the study goes on, the greedy trials with more memory."""
    out, marks = tmp_path / "out", tmp_path / "marks"
    marks.mkdir()
    done = study("run", definition, "--simulate", "--out", out, **little_memory(f"hog:{marks}"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "-t01: ended by Ray's memory monitor, at " in done.stdout
    assert "(1 attempt); the study goes on with a new Ray" in done.stdout
    assert_same_facts(out, simulated)


@pytest.mark.long
def test_a_trial_that_always_takes_too_much_memory_rests_and_the_others_go_on(
    definition: Path, simulated: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options = ("--set", "resources.attempts=2", "--set", "grid.losses=ce")
    done = study("run", definition, "--simulate", "--out", out, *options, **little_memory("hog"))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "not run: icnet-ce-random_0-s0-t01: ended by Ray's memory monitor" in done.stdout
    assert num_committed(out) == 2
    assert study("run", definition, "--simulate", "--out", out).returncode == 0
    assert_same_facts(out, simulated)


def test_out_of_gpu_memory_is_tried_again_with_a_whole_gpu(
    definition: Path, few_simulated: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with Nodes(STAND_IN="gpu_memory", PYTHONPATH=STAND_INS) as nodes:
        nodes.add(cpus=2, gpus=1)
        done = study("run", definition, *FEW, "--out", out, "--address", nodes.address, **nodes.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is tried again with a GPU to itself: CUDA out of memory (stand-in, with 0.125 of a GPU)" in done.stdout
    assert_same_facts(out, few_simulated)


@pytest.mark.long
def test_what_a_whole_gpu_cannot_hold_is_reported_and_retried_alone(
    definition: Path, few_simulated: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with Nodes(STAND_IN="no_gpu_is_enough", PYTHONPATH=STAND_INS) as nodes:
        nodes.add(cpus=2, gpus=1)
        done = study("run", definition, *FEW, "--out", out, "--address", nodes.address, **nodes.environment)
    assert done.returncode == 1, done.stdout + done.stderr
    unfinished = read_unfinished(Results(out), set())
    assert len(unfinished) == 4
    assert {each.attempts for each in unfinished.values()} == {2}
    assert all(each.reason.startswith("out of GPU memory with a GPU to itself") for each in unfinished.values())
    status = study("status", out)
    assert "not run: icnet-ce-random_0-s0-t00: out of GPU memory with a GPU to itself" in status.stdout
    only = study("run", definition, *FEW, "--out", out, "--retry-failed")
    assert only.returncode == 0, only.stdout + only.stderr
    assert set(Results(out).audit().rows) == set(unfinished), "these, and no others"
    assert study("run", definition, *FEW, "--out", out).returncode == 0
    assert_same_facts(out, few_simulated)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k", "none", place], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"nothing can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_the_disk_is_full(definition: Path, undisturbed: Path, small_disk: Path) -> None:
    """The run stops at once, with one message, and says so in `status`; with room again the next run does the rest."""
    out = small_disk / "out"
    done = study("run", definition, "--out", out)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "takes no more results: [Errno 28] No space left on device" in done.stderr
    assert "is tried again" not in done.stdout
    assert 0 < num_committed(out) < NUM_TRIALS
    assert not list(out.rglob(".*unfinished*")), "half-written files take up no room"
    status = study("status", out)
    assert status.returncode == 1
    assert "was stopped" in status.stdout
    assert "No space left on device" in status.stdout
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
    assert study("run", definition, "--out", out).returncode == 0
    assert_same_facts(out, undisturbed)


def test_a_read_only_out_is_refused_before_anything_is_trained(definition: Path, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    done = study("run", definition, "--out", small_disk / "out")
    assert done.returncode == 2
    assert "cannot be written there: [Errno 30] Read-only file system" in done.stderr
    assert "Traceback" not in done.stderr
    assert "validation Dice" not in done.stdout


def test_a_second_driver_is_refused(definition: Path, undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with started("run", definition, "--out", out) as driver:
        wait_for(lambda: (out / "run.json").exists())
        second = study("run", definition, "--out", out)
        assert second.returncode == 2
        assert f"a run on {os.uname().nodename} (pid {driver.pid}) is at work already" in second.stderr
        output, _ = driver.communicate(timeout=180)
    assert driver.returncode == 0, output
    assert_same_facts(out, undisturbed)


@pytest.mark.parametrize("seeds", [(0, 0), (0, 1)], ids=["one definition", "two definitions"])
def test_two_drivers_at_once(definition: Path, undisturbed: Path, tmp_path: Path, seeds: tuple[int, int]) -> None:
    """Started in the same moment: one has the place, and the other writes nothing."""
    out = tmp_path / "out"
    commands = [("run", definition, "--out", out, "--set", f"seed={seed}") for seed in seeds]
    with started(*commands[0]) as one, started(*commands[1]) as other:
        outputs = [each.communicate(timeout=240)[0] for each in (one, other)]
    assert sorted([one.returncode, other.returncode]) == [0, 2], outputs
    winner = seeds[[one.returncode, other.returncode].index(0)]
    assert "is at work already" in outputs[one.returncode == 0]
    rows = [pq.read_schema(path).metadata[b"recipe"] for path in (out / "trials").glob("*.parquet")]
    assert {json.loads(recipe)["seed"] for recipe in rows} == {winner}
    if winner == 0:
        assert_same_facts(out, undisturbed)


def test_ctrl_c_twice(definition: Path, undisturbed: Path, tmp_path: Path) -> None:
    """The impatient lose nothing either."""
    out = tmp_path / "out"
    with started("run", definition, "--out", out) as driver:
        wait_for(lambda: num_committed(out) >= 2)
        others = descendants(driver)
        output = interrupt_twice(driver)
    assert driver.returncode == 130, output
    assert "Traceback" not in output
    assert_gone(others)
    assert study("run", definition, "--out", out).returncode == 0
    assert_same_facts(out, undisturbed)


def test_ctrl_c_twice_leaves_a_cluster_alone(
    definition: Path, few_simulated: Path, tmp_path: Path, two_nodes: Nodes
) -> None:
    """But for the workers that the run had there."""
    out, there = tmp_path / "out", ("--out", tmp_path / "out", "--address", two_nodes.address)
    ray = two_nodes.processes()
    assert ray
    slow = ("--set", "resources.simulated_seconds=1")
    with started("run", definition, *FEW, *slow, *there, **two_nodes.environment) as driver:
        wait_for(lambda: num_committed(out) >= 1)
        output = interrupt_twice(driver)
    assert driver.returncode == 130, output
    assert study("run", definition, *FEW, *there, **two_nodes.environment).returncode == 0
    assert ray <= two_nodes.processes()
    assert_same_facts(out, few_simulated)


def test_lost_and_torn_files_are_named_and_made_again(definition: Path, undisturbed: Path, tmp_path: Path) -> None:
    """Of every table one of each, every time of another trial."""
    out = Path(shutil.copytree(undisturbed, tmp_path / "out"))
    trials = iter(sorted(path.stem for path in (out / "trials").glob("*.parquet")))
    lost, torn = ({table: next(trials) for table in SCHEMAS} for _ in range(2))
    for table in SCHEMAS:
        (out / table / f"{lost[table]}.parquet").unlink()
        (out / table / f"{torn[table]}.parquet").write_bytes(b"PAR1 torn")
    status = study("status", out)
    assert status.returncode == 1
    assert f"{out}: 4 of 16 trials done" in status.stdout.replace("\n", "")
    for table, trial in torn.items():
        assert f"damaged: {trial}: {table} is not as it was committed" in status.stdout
    read_by_default = {trial for trial in (*lost.values(), *torn.values()) if trial.endswith("-t00")}
    assert read_by_default
    for command in ("tables", "stability", "report"):
        words = [sys.executable, "-m", "analysis", command, str(out)]
        words += ["--out", str(tmp_path / "page.html")] if command == "report" else []
        done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=120)
        assert done.returncode == 0, done.stderr
        assert all(trial in done.stderr for trial in read_by_default)
    again = study("run", definition, "--out", out)
    assert again.returncode == 0, again.stdout + again.stderr
    for table, trial in torn.items():
        assert f"{trial} is made again: {table} is not as it was committed" in again.stdout
    assert_same_facts(out, undisturbed)


def test_no_cluster_at_the_address(definition: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    for address, words in (
        ("127.0.0.1:1", "no Ray cluster answers at"),
        ("nonsense", "is not an address of a Ray cluster"),
    ):
        done = study("run", definition, "--out", tmp_path / "out", "--address", address)
        assert done.returncode == 2
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    assert time.monotonic() - began < 60
    assert not (tmp_path / "out").exists()


def test_a_trial_that_no_node_can_hold(definition: Path, tmp_path: Path, two_nodes: Nodes) -> None:
    done = study(
        *("run", definition, "--out", tmp_path / "out", "--address", two_nodes.address),
        *("--set", "training.threads=2"),
        **two_nodes.environment,
    )
    assert done.returncode == 2, done.stdout
    assert "a trial of icnet takes 2 CPUs and 1.5 GiB, and no machine has that:" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_node_with_another_version_is_named(definition: Path, tmp_path: Path, two_nodes: Nodes) -> None:
    """Another optuna by what the node finds installed: trials of two versions would be no comparison."""
    other = tmp_path / "packages" / "optuna-0.1.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: optuna\nVersion: 0.1\n")
    two_nodes.add(cpus=1, PYTHONPATH=str(other.parent))
    command = ("run", definition, "--simulate", "--out", tmp_path / "out", "--address", two_nodes.address)
    done = study(*command, **two_nodes.environment)
    assert done.returncode == 2, done.stdout
    assert "not every node of the cluster can run this study" in done.stderr
    assert "other versions: optuna 0.1, here " in done.stderr
    assert not (tmp_path / "out").exists()
    mixed = study(*command, "--set", "resources.mixed_versions=true", **two_nodes.environment)
    assert mixed.returncode == 0, mixed.stdout + mixed.stderr


@pytest.mark.long  # Ray tries for 20 s
def test_without_the_token_nobody_gets_in(definition: Path, tmp_path: Path, two_nodes: Nodes) -> None:
    stranger = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "f" * 64}
    done = study("run", definition, "--out", tmp_path / "out", "--address", two_nodes.address, **stranger)
    assert done.returncode == 2
    assert "Authentication" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.long
def test_halves_run_on_two_clusters_are_merged_by_copying(definition: Path, undisturbed: Path, tmp_path: Path) -> None:
    for split in ("random_0", "rot_0"):
        with Nodes() as nodes:
            nodes.add(cpus=2)
            half = ("--out", tmp_path / split, "--set", f"grid.splits={split}", "--address", nodes.address)
            done = study("run", definition, *half, **nodes.environment)
            assert done.returncode == 0, done.stdout + done.stderr
    shutil.copytree(tmp_path / "rot_0", tmp_path / "random_0", dirs_exist_ok=True)
    done = study("run", definition, "--out", tmp_path / "random_0")
    assert done.returncode == 0
    assert "[1/" not in done.stdout, "nothing was left to do"
    assert_same_facts(tmp_path / "random_0", undisturbed)
    analysed = [sys.executable, "-m", "analysis", "stability", str(tmp_path / "random_0")]
    assert subprocess.run(analysed, capture_output=True, cwd=ROOT).returncode == 0
