"""Whole small studies, by the command a user types, through the real Ray."""

from __future__ import annotations

import json
import os
import pty
import random
import re
import select
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow.parquet as pq
import pyte
import pytest
from small_study import (
    NUM_TRIALS,
    ROOT,
    assert_gone,
    assert_same_facts,
    descendants,
    environment,
    facts,
    num_committed,
    started,
    study,
    wait_for,
    workers_of,
)

from study.results import Results
from study.results.schemas import SCHEMAS
from trainers.data.class_names import names_in_tables
from trainers.dice import dice_of_shown

pytestmark = pytest.mark.slow


@pytest.fixture
def copied(undisturbed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(undisturbed, tmp_path / "copy"))


def test_the_tables_are_as_documented(undisturbed: Path) -> None:
    for name, schema in SCHEMAS.items():
        assert list(pd.read_parquet(undisturbed / name).columns) == schema.names
    scores = pd.read_parquet(undisturbed / "dice")
    assert scores["trial"].nunique() == NUM_TRIALS
    assert set(scores["class"]) == {"bg", "mug", "pen", "all"}
    assert set(scores["partition"]) == {"val", "test"}
    assert (undisturbed / "study.toml").exists()


def test_dice_is_recomputed_from_the_confusions(undisturbed: Path) -> None:
    counts, scores = pd.read_parquet(undisturbed / "confusion"), pd.read_parquet(undisturbed / "dice")
    names = names_in_tables(("background", "mug", "pen"))
    compared = 0
    for (trial, partition), rows in counts.groupby(["trial", "partition"]):
        images = {image: row for row, image in enumerate(rows["image"].unique())}
        matrices = np.zeros((len(images), 3, 3), np.int64)
        where = (rows["image"].map(images), rows["truth"].map(names.index), rows["predicted"].map(names.index))
        np.add.at(matrices, where, rows["pixels"])
        again = dice_of_shown(matrices)
        kept = scores[(scores["trial"] == trial) & (scores["partition"] == partition)].set_index("class")
        for averaging in ("pw", "ew", "pooled"):
            expected = [*getattr(again, averaging), getattr(again, f"all_{averaging}")]
            np.testing.assert_allclose(kept.loc[[*names, "all"], f"dice_{averaging}"], expected, atol=1e-9)
            compared += 1
    assert compared == NUM_TRIALS * 2 * 3


def test_masks_agree_with_the_confusions(undisturbed: Path) -> None:
    import io

    from PIL import Image

    masks, counts = pd.read_parquet(undisturbed / "masks"), pd.read_parquet(undisturbed / "confusion")
    test = counts[counts["partition"] == "test"]
    for row in masks.sample(10, random_state=0).itertuples():
        predicted = np.asarray(Image.open(io.BytesIO(row.mask)))
        pixels = test[(test["trial"] == row.trial) & (test["image"] == row.image)].groupby("predicted")["pixels"].sum()
        expected = dict(zip(["bg", "mug", "pen"], np.bincount(predicted.ravel(), minlength=3), strict=True))
        assert pixels.to_dict() == {name: count for name, count in expected.items() if count}


def test_one_worker_gives_the_same_tables(definition: Path, undisturbed: Path, tmp_path: Path) -> None:
    """Started where a user would, without --out: in a folder of the definition's name under results/."""
    done = study("run", definition, "--set", "resources.workers=1", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_same_facts(tmp_path / "results" / "small", undisturbed)


def test_a_trial_that_no_node_can_hold_is_refused(definition: Path, tmp_path: Path) -> None:
    done = study("run", definition, "--out", tmp_path / "out", "--set", "training.threads=200")
    assert done.returncode == 2
    assert "a trial of icnet takes 200 CPUs and 1.5 GiB, and no machine has that:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_growing_gives_the_same_tables(definition: Path, undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    smaller = ["--set", "grid.losses=ce", "--set", "search.trials=3"]
    assert study("run", definition, "--out", out, *smaller).returncode == 0
    assert num_committed(out) == 2 * 3
    kept = {path: path.stat().st_mtime_ns for path in (out / "trials").glob("*.parquet")}
    assert study("run", definition, "--out", out).returncode == 0
    assert_same_facts(out, undisturbed)
    assert all(path.stat().st_mtime_ns == written for path, written in kept.items()), "what is there stays"


@pytest.mark.parametrize("draw", [0, *(pytest.param(draw, marks=pytest.mark.long) for draw in (1, 2))])
def test_sigkill_of_the_driver_three_times(draw: int, definition: Path, undisturbed: Path, tmp_path: Path) -> None:
    out, moments = tmp_path / "out", random.Random(draw)
    kill_at = sorted(moments.sample(range(1, NUM_TRIALS), 3))
    for committed in kill_at:
        with started("run", definition, "--out", out) as driver:
            wait_for(lambda n=committed, driver=driver: num_committed(out) >= n or driver.poll() is not None)
            time.sleep(moments.uniform(0, 0.5))
            others = descendants(driver)
            driver.kill()
            driver.communicate(timeout=60)
        assert_gone(others)
    done = study("run", definition, "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_same_facts(out, undisturbed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_polite_stop_says_what_is_kept_and_how_to_go_on(
    number: signal.Signals, definition: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with started("run", definition, "--out", out) as driver:
        wait_for(lambda: num_committed(out) >= 2)
        others = descendants(driver)
        driver.send_signal(number)
        output, _ = driver.communicate(timeout=60)
    assert driver.returncode == 130, output
    kept = int(re.search(r"Interrupted\. (\d+) trials are committed", output)[1])  # type: ignore[index]
    assert 2 <= kept <= num_committed(out)
    assert "Traceback" not in output
    assert_gone(others)
    assert json.loads((out / "run.json").read_text())["state"] == "interrupted"
    assert study("run", definition, "--out", out).returncode == 0
    assert_same_facts(out, undisturbed)


def test_a_local_run_listens_on_loopback_only(definition: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with started("run", definition, "--out", out) as driver:
        wait_for(lambda: num_committed(out) > 0)
        processes = [psutil.Process(driver.pid), *descendants(driver)]
        sockets = [
            c for process in processes for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN
        ]
        assert len(processes) > 3
        assert sockets
        assert {socket.laddr.ip for socket in sockets} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
        driver.send_signal(signal.SIGINT)
        assert driver.wait(60) == 130


def test_sigkill_of_a_worker_is_made_good_in_the_same_run(definition: Path, undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with started("run", definition, "--out", out) as driver:
        wait_for(lambda: num_committed(out) >= 3)
        workers_of(driver)[0].kill()
        output, _ = driver.communicate(timeout=120)
    assert driver.returncode == 0, output
    assert "is tried again: " in output
    assert_same_facts(out, undisturbed)


def test_the_loss_of_the_last_node_ends_the_run_and_loses_nothing(
    definition: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """Ray itself may end the driver when its raylet is gone; what must not be is that it waits for ever."""
    out = tmp_path / "out"
    with started("run", definition, "--out", out) as driver:
        wait_for(lambda: num_committed(out) >= 3)
        others = descendants(driver)
        (raylet,) = [process for process in others if process.name() == "raylet"]
        raylet.kill()
        driver.communicate(timeout=120)
    assert_gone(others)
    assert driver.returncode in (1, 2)
    assert study("run", definition, "--out", out).returncode == 0
    assert_same_facts(out, undisturbed)


def test_a_place_that_holds_something_else_is_refused(definition: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "masks").write_text("a file where a folder must be")
    for command in ("run", "plan"):
        done = study(command, definition, "--out", out)
        assert done.returncode == 2, done.stdout + done.stderr
        assert "holds files that are not of a study: masks. Use another --out" in done.stderr
    assert [path.name for path in out.iterdir()] == ["masks"]


def test_a_diverged_trial_is_a_result_with_its_reason(definition: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    wild = ["--set", "training.learning_rate=1e38", "--set", "grid.losses=ce", "--set", "search.trials=3"]
    done = study("run", definition, "--out", out, *wild)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = pd.read_parquet(out / "trials")
    assert list(rows["status"]) == ["failed"] * 6
    assert rows["error"].str.contains(r"loss became (?:nan|inf) at epoch 1, (?:step \d|after step \d)").all()
    assert rows["objective"].isna().all()
    assert f"failed: {rows['trial'][0]}: {rows['error'][0]}" in done.stdout
    again = study("run", definition, "--out", out, *wild)
    assert again.returncode == 0
    assert pd.read_parquet(out / "trials").equals(rows), "a result is not computed twice"


def test_another_recipe_is_refused_and_nothing_is_lost(definition: Path, copied: Path) -> None:
    before = {path: path.read_bytes() for path in sorted(copied.rglob("*")) if path.is_file()}
    done = study("run", definition, "--out", copied, "--set", "training.epochs=3")
    assert done.returncode == 2
    assert "training.epochs: 2 there, 3 here" in done.stderr
    assert "Traceback" not in done.stderr
    assert {path: path.read_bytes() for path in sorted(copied.rglob("*")) if path.is_file()} == before


def test_bad_data_is_refused_before_anything_is_written(definition: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(definition.parent / "data", tmp_path / "data"))
    (data / "mug" / "0" / "0.png").write_bytes(b"no image")
    (data / "pen" / "30").rename(data / "pen" / "steep")
    done = study("run", definition, "--out", tmp_path / "out", "--set", f"data.path={data}")
    assert done.returncode == 2
    assert "mug/0/0.png" in done.stderr
    assert "pen/steep" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_trial_is_reproduced_in_this_process(definition: Path, undisturbed: Path) -> None:
    for trial in ("icnet-ce-random_0-s0-t00", "icnet-ce_dice-rot_0-s0-t03"):
        done = study("trial", trial, definition, "--out", undisturbed)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "the same tables, bit for bit" in done.stdout


def test_a_trial_that_differs_is_a_negative_finding(definition: Path, copied: Path) -> None:
    path = copied / "dice" / "icnet-ce-random_0-s0-t00.parquet"
    table = pq.read_table(path)
    column = table.column_names.index("dice_ew")
    tampered = table.set_column(column, "dice_ew", [[0.5] * table.num_rows])
    pq.write_table(tampered, path)
    done = study("trial", "icnet-ce-random_0-s0-t00", definition, "--out", copied, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["differing"] == ["dice.dice_ew"]


def test_a_searched_trial_needs_its_cells_earlier_trials(definition: Path, tmp_path: Path) -> None:
    done = study("trial", "icnet-ce-random_0-s0-t02", definition, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "icnet-ce-random_0-s0-t00" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_study_can_be_made_trial_by_trial(definition: Path, undisturbed: Path, tmp_path: Path) -> None:
    for index in range(4):
        done = study("trial", f"icnet-ce-rot_0-s0-t0{index}", definition, "--out", tmp_path / "out")
        assert done.returncode == 0, done.stderr
    theirs = facts(undisturbed)
    for name, table in facts(tmp_path / "out").items():
        mine = [trial.startswith("icnet-ce-rot_0") for trial in theirs[name]["trial"].to_pylist()]
        assert table.equals(theirs[name].filter(mine)), name


def test_plan_and_status_of_a_finished_study(definition: Path, undisturbed: Path) -> None:
    plan = json.loads(study("plan", definition, "--out", undisturbed, "--json").stdout)
    assert plan["cells"] == 4
    assert {trial["state"] for trial in plan["trials"]} == {"done"}
    assert plan["seconds"] == 0
    status = study("status", undisturbed)
    assert status.returncode == 0
    assert "16 of 16 trials done" in status.stdout
    larger = json.loads(study("plan", definition, "--out", undisturbed, "--json", "--set", "search.trials=5").stdout)
    assert sum(trial["state"] == "missing" for trial in larger["trials"]) == 4
    assert larger["basis"] == "measured"


def test_a_finished_study_is_not_run_again(definition: Path, undisturbed: Path) -> None:
    before = facts(undisturbed)
    began = time.monotonic()
    done = study("run", definition, "--out", undisturbed)
    assert done.returncode == 0
    assert "tuned" in done.stdout
    assert f"Next:    analysis report {undisturbed} --out small.html" in done.stdout
    assert time.monotonic() - began < 60
    assert facts(undisturbed) == before
    assert len(Results(undisturbed).audit().rows) == NUM_TRIALS


def test_plain_output_has_a_line_a_trial_and_nothing_of_rays(definition: Path, tmp_path: Path) -> None:
    done = study("run", definition, "--out", tmp_path / "out", "--set", "search.trials=1")
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("[")]
    done_lines = [line for line in lines if not line.startswith("[0/4")]  # before one is done: that some are running
    assert len(done_lines) == 4
    assert re.match(r"\[1/4(, about [\w. ]+ left)?\] icnet-ce\S*-t00 ", done_lines[0])
    other = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("[")]
    assert other[0].startswith("Study small: 4 trials, to be kept in ")
    assert other[1] == "Mean example-wise Dice over the classes, test images:"
    assert not re.search(r"ray|warning", "\n".join(other[2:-2]), re.IGNORECASE)


def test_the_live_view_on_a_terminal(definition: Path, tmp_path: Path) -> None:
    """In a real pseudo-terminal, as an emulator draws it: counts, running trials, speed; a clean screen at the end."""
    screen = pyte.Screen(110, 40)
    stream = pyte.ByteStream(screen)
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        command = [sys.executable, "-m", "study", "run", str(definition), "--out", str(tmp_path / "out")]
        os.execvpe(command[0], command, environment() | {"TERM": "xterm-256color", "COLUMNS": "110", "LINES": "40"})
    pictures = []
    while True:
        try:
            if select.select([terminal], [], [], 60)[0]:
                stream.feed(os.read(terminal, 65536))
                pictures.append("\n".join(screen.display))
        except OSError:  # the child has closed its side
            break
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    live = [picture for picture in pictures if "images/s" in picture and "configuration" in picture]
    assert live
    assert any(re.search(r"\d+ of 16 trials .* \d+ images/s .* left", picture) for picture in live)
    assert any(re.search(r"icnet-ce\S+-t0\d +[012] of 2", picture) for picture in live)
    assert any(re.search(r"icnet ce +[1-8] of 8 +0\.\d{3}", picture) for picture in live)
    assert "images/s  about" not in pictures[-1]
    assert "Results:" in pictures[-1]
