"""Commands are started in folders where a user has modules of the names of ours, of libraries', and of Python's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ray_nodes import Nodes
from small_study import ROOT, environment, num_committed

pytestmark = pytest.mark.slow
OURS, LIBRARIES = ("study", "trainers", "analysis"), ("numpy", "torch", "pandas", "pyarrow", "ray", "optuna", "numba")
PYTHONS = ("statistics", "logging", "platform", "random", "socket", "queue", "uuid", "csv")
AS_A_SCRIPT = "import sys; from {0}.__main__ import main; sys.exit(main())"
"""What pip makes a command of."""


def command(name: str, folder: Path) -> list[str]:
    """As pip installs it: a script in another folder."""
    script = folder / "bin" / name
    script.parent.mkdir(exist_ok=True)
    script.write_text(AS_A_SCRIPT.format(name))
    return [sys.executable, str(script)]


def folder_with(tmp_path: Path, *modules: str) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    for module in modules:
        (folder / f"{module}.py").write_text('raise SystemExit("a module of the user\'s own was run")\n')
    return folder


def run(words: list[str], folder: Path, **more: str) -> None:
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=240, env=environment(**more), cwd=folder, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def simulated(definition: Path, out: Path) -> list[str]:
    return ["run", str(definition), "--simulate", "--set", "search.trials=1", "--out", str(out)]


def test_a_study_runs_beside_modules_of_the_users(definition: Path, tmp_path: Path) -> None:
    folder, study = folder_with(tmp_path, *OURS, *LIBRARIES, *PYTHONS), command("study", tmp_path)
    run([*study, *simulated(definition, tmp_path / "out")], folder)
    assert num_committed(tmp_path / "out") == 4
    run([*command("analysis", tmp_path), "stability", str(tmp_path / "out")], folder)


def test_so_does_one_that_is_started_as_a_module_of_python(definition: Path, tmp_path: Path) -> None:
    """There Python itself takes a `study.py` for what is meant; but for that name, all others may be the user's."""
    folder = folder_with(tmp_path, *LIBRARIES, *PYTHONS, "trainers")
    run([sys.executable, "-m", "study", *simulated(definition, tmp_path / "out")], folder)
    assert num_committed(tmp_path / "out") == 4
    run([sys.executable, "-m", "analysis", "tables", "paper"], folder)


@pytest.mark.parametrize("name", ["study", "analysis"])
def test_a_library_that_cannot_be_imported_is_no_finding(tmp_path: Path, name: str) -> None:
    """Python's own status of a failed import is 1, which says "not stable" to whoever asked the gate."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "pyarrow.py").write_text('raise ImportError("libarrow.so: cannot open shared object file")\n')
    surroundings = environment()
    surroundings["PYTHONPATH"] = f"{broken}{os.pathsep}{surroundings.get('PYTHONPATH', '')}"
    asked = {"study": ["status", "x"], "analysis": ["check", "paper", "--max-sd", "0.1"]}
    words = [sys.executable, "-m", name, *asked[name]]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, env=surroundings, cwd=ROOT, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    assert (
        done.stderr == f"{name}: cannot start: libarrow.so: cannot open shared object file: install the project anew\n"
    )


def test_so_does_one_on_a_cluster(definition: Path, tmp_path: Path) -> None:
    folder, study = folder_with(tmp_path, *OURS, *LIBRARIES, *PYTHONS), command("study", tmp_path)
    with Nodes() as nodes:
        nodes.add(cpus=1)
        run([*study, *simulated(definition, tmp_path / "out"), "--address", nodes.address], folder, **nodes.environment)
    assert num_committed(tmp_path / "out") == 4
