"""The workflow docs/gate.yml: what it runs, run as GitHub does, with every answer of the gate."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_study import ROOT, environment

WORKFLOW: dict[str, Any] = yaml.safe_load((ROOT / "docs/gate.yml").read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = WORKFLOW["jobs"]["gate"]["steps"]
SCRIPTS = {step["name"]: step["run"] for step in STEPS if "run" in step}
ANSWERS = {
    "stable": (0, "paper", "--min-dice 0.1 --class macro --averaging ew", "notice title=Stable"),
    "not stable": (1, "paper", "--min-dice 0.99 --class macro --averaging ew", "error title=Not stable"),
    "cannot tell": (3, "paper", "--max-gap 0.2 --class macro --averaging ew", "error title=Cannot tell"),
    "no study": (2, "nowhere", "--max-sd 0.02", "error title=Not carried out"),
}


def run(name: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """A step, as a runner does it: by `bash -e`, in the checkout's folder, where `analysis` is installed."""
    program = folder / "bin/analysis"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m analysis "$@"\n')
    program.chmod(0o755)
    surroundings = environment(PATH=f"{program.parent}{os.pathsep}{os.environ['PATH']}", **WORKFLOW["env"] | env)
    surroundings["GITHUB_STEP_SUMMARY"] = str(folder / "summary.md")
    return subprocess.run(
        ["bash", "-e", "-c", SCRIPTS[name]], cwd=folder, env=surroundings, capture_output=True, text=True, timeout=240
    )


@pytest.mark.slow
@pytest.mark.parametrize("answer", ANSWERS)
def test_every_answer_of_the_gate_is_the_jobs(answer: str, tmp_path: Path) -> None:
    status, out, limits, words = ANSWERS[answer]
    done = run("Check", tmp_path, OUT=out, LIMITS=limits)
    assert done.returncode == status, done.stdout + done.stderr
    assert f"::{words}::" in done.stdout
    verdict = (tmp_path / "verdict.txt").read_text(encoding="utf-8")
    assert verdict.strip()
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert summary.split() == ["```", *verdict.split(), "```"]
    assert max(map(len, summary.splitlines())) <= 110, "GitHub breaks no line of it"


@pytest.mark.slow
def test_what_is_kept_is_there(tmp_path: Path) -> None:
    assert run("Report", tmp_path, OUT="paper").returncode == 0
    (kept,) = (step["with"]["path"].split() for step in STEPS if "upload-artifact" in step.get("uses", ""))
    assert {path.name for path in tmp_path.iterdir()} == {*kept, "bin"} - {"verdict.txt"}


def test_it_is_installed_first_and_kept_whatever_the_answer() -> None:
    names = [step.get("name") for step in STEPS]
    assert names[2:] == ["Install", "Check", "Report", "Keep both"]
    assert SCRIPTS["Install"] == 'pip install "$PACKAGE"'
    assert [step.get("if") for step in STEPS[2:]] == [None, None, "${{ !cancelled() }}", "${{ !cancelled() }}"]


def test_the_page_names_every_status() -> None:
    page = (ROOT / "docs/how-to/gate.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| (\d) \|", page, re.MULTILINE) == ["0", "1", "3", "2"]
