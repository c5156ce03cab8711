"""The wheel, where there is no checkout and no git: presets, data and templates are inside, and all commands work."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from small_study import ROOT

pytestmark = pytest.mark.slow
PACKAGES = ("study", "trainers", "analysis")
BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"
LISTENER = """
import sys
def hear(event, arguments):
    if event == "open" and str(arguments[0]).startswith({ours!r}):
        with open({heard!r}, "a") as file:
            print(arguments[0], file=file)
sys.addaudithook(hear)
"""
"""Every process of the environment notes what it opens of the checkout's packages."""


@dataclass(frozen=True)
class Installed:
    tracked: set[str]
    """Files of the checkout."""
    sdist: Path
    wheel: Path
    programs: Path
    """The folder of `study`, `analysis` and `python`."""
    heard: Path

    def run(self, *words: str, folder: Path, status: int = 0) -> str:
        surroundings = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        surroundings |= {"PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "120"}
        done = subprocess.run(words, cwd=folder, env=surroundings, capture_output=True, text=True, timeout=400)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("no checkout of git")
    tracked = {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}
    for name in tracked:
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / "source" / name)
    sdist = _built("build_sdist", folder / "source", folder / "dist")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    wheel = _built("build_wheel", unpacked, folder / "dist")
    programs = _environment(folder / "environment", wheel, folder / "heard")
    return Installed(tracked, sdist, wheel, programs, folder / "heard")


def _built(hook: str, source: Path, to: Path) -> Path:
    before = set(to.glob("*"))
    command = [sys.executable, "-c", BUILD, hook, str(to)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (made,) = set(to.glob("*")) - before
    return made


def _environment(folder: Path, wheel: Path, heard: Path) -> Path:
    """With the dependencies that are installed here, of which Python reads no .pth: nothing of an editable install."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin/python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*command, str(wheel)], check=True, capture_output=True)
    (site,) = folder.glob("lib/python*/site-packages")
    others = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (site / "dependencies.pth").write_text("\n".join([*others, sysconfig.get_path("purelib")]) + "\n")
    (site / "listener.py").write_text(
        LISTENER.format(ours=tuple(f"{ROOT / name}/" for name in PACKAGES), heard=str(heard))
    )
    (site / "listener.pth").write_text("import listener\n")
    return folder / "bin"


def test_the_sdist_holds_all_that_is_tracked(installed: Installed) -> None:
    with tarfile.open(installed.sdist) as archive:
        held = {member.name.partition("/")[2] for member in archive if member.isfile()}
    assert installed.tracked - held == {".gitignore"}
    assert {name for name in held - installed.tracked if ".egg-info/" not in name} == {"PKG-INFO", "setup.cfg"}


def test_the_wheel_holds_the_packages_and_nothing_else(installed: Installed) -> None:
    held = {name for name in zipfile.ZipFile(installed.wheel).namelist() if ".dist-info/" not in name}
    assert held == {name for name in installed.tracked if name.startswith(tuple(f"{each}/" for each in PACKAGES))}


def test_it_works_in_an_empty_folder(installed: Installed, tmp_path: Path) -> None:
    for name in ("study", "analysis"):
        assert installed.run(name, "--version", folder=tmp_path).startswith(f"{name} ")
    for preset in ("demo", "paper", "related"):
        assert json.loads(installed.run("study", "plan", preset, "--json", folder=tmp_path))
    settings = ["grid.models=icnet", "grid.losses=ce", "grid.splits=random_0,random_1", "search.trials=1"]
    settings += ["training.epochs=1", "training.image_size=16", "resources.workers=1"]
    small = [word for setting in settings for word in ("--set", setting)]
    installed.run("study", "run", *small, folder=tmp_path)
    installed.run("analysis", "report", "results/demo", folder=tmp_path)
    assert "</html>" in (tmp_path / "report.html").read_text(encoding="utf-8")
    installed.run("analysis", "check", "results/demo", "--min-dice", "0.9", folder=tmp_path, status=3)
    trials = pd.read_parquet(tmp_path / "results/demo/trials")
    assert list(trials["status"]) == ["completed"] * 2
    assert trials["git_commit"].isna().all()  # there is no checkout; the version says which code it was
    versions = json.loads(trials["versions"][0])
    assert f"segmentation_stability-{versions['segmentation-stability']}-py3" in installed.wheel.name
    assert {path.name for path in tmp_path.iterdir()} == {"results", "report.html", "report.json"}
    assert not installed.heard.exists()


def test_what_is_opened_of_the_checkout_would_be_heard(installed: Installed, tmp_path: Path) -> None:
    preset = ROOT / "study/presets/demo.toml"
    installed.run("python", "-c", f"open({str(preset)!r})", folder=tmp_path)
    assert installed.heard.read_text().split() == [str(preset)]
    installed.heard.unlink()
