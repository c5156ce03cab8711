"""The documents' files, commands and Python, written and run as they stand there, with small settings."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_pairs
import small_study
from pages import LANGUAGES, PAGES, anchors, blocks, commands, links
from PIL import Image
from simulated_study import write_study
from small_study import ROOT, environment

from study.definition.file import load, parse

SMALL = ("training.image_size=32", "training.epochs=1", "resources.workers=2")
"""Put into what is trained."""
SIMULATED = {
    "docs/explanation/paper.md": "44 trainings of the authors' length",
    "docs/how-to/how-many-splits.md": "a gate needs more splits than can be trained here",
    "docs/how-to/run-a-study.md": "the paper's grid, and its growth",
    "docs/index.md": "its commands are those of the first tutorial",
    "docs/reference/networks.md": "220 trainings",
}
"""Page -> why its studies are simulated."""
NOT_RUN = {
    r"(RAY_UP\S+ )?ray ": "starts machines",
    r"kubectl ": "needs Kubernetes",
    r".*s3://BUCKET": "needs a bucket",
    r"docker ": "needs Docker",
    r"sbatch ": "needs Slurm",
    r"sky ": "starts machines",
    r"pip ": "changes the environment that runs the tests",
    r"pytest ": "the tests themselves",
}
"""Commands that begin so -> why they are left out."""
NEEDS = {"segformer.toml": "transformers", "timm": "timm", "sqlite:///mlflow.db": "mlflow"}
"""What a command or a block of Python names -> the library without which it is left out."""
ANSWERS = {"analysis check": {0, 1, 3}}
"""Beginning of a command -> its exit statuses, where 0 is not the only one: a gate answers by it."""
ASKED = ("docs/how-to/ask-the-scores.md", "docs/how-to/gate.md", "docs/how-to/notebook.md", "docs/how-to/slurm.md")
"""Pages that ask results/demo and results/paper, and leave to others how these are made."""

LONG = tuple(
    f"docs/{name}.md"
    for name in (
        *("explanation/metrics", "how-to/how-many-images", "how-to/how-many-splits"),
        *("how-to/model-out", "how-to/other-tools"),
    )
)
"""Pages whose commands take minutes."""


@pytest.mark.parametrize("page", PAGES)
def test_every_block_can_be_read(page: str) -> None:
    for block in blocks(page):
        assert block.language in LANGUAGES, f"{page}: a block without a language is neither run nor left out"
        if block.language == "toml":
            tomllib.loads(block.code)
        if block.language == "python":
            compile(block.code, page, "exec")
        if block.language == "sh":
            for line in commands(block):
                program = shlex.split(line, comments=True)[0]
                assert program in ("study", "analysis", "python") or _left_out(line), f"{page}: {line}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.long] * (page in LONG))
        for page in PAGES
        if {"sh", "python"} & {each.language for each in blocks(page)}
    ],
)
def test_every_command_and_all_python_runs(page: str, tmp_path: Path, asked: Path) -> None:
    """In a folder with the blocks that are files, photographs, cut-outs, and, where it is asked, a study."""
    found = blocks(page)
    for block in found:
        if block.file:
            (tmp_path / block.file).write_text(block.code, encoding="utf-8")
    _write_data(tmp_path, page)
    _write_what_a_cluster_needs(tmp_path)
    if page in ASKED:
        shutil.copytree(asked, tmp_path / "results")
    for line in (line for block in found if block.language == "sh" for line in commands(block)):
        if not _left_out(line):
            _run(_command(line, simulated=page in SIMULATED or page in ASKED), tmp_path, _statuses(line))
    python = [each.code for each in found if each.language == "python" and not each.file and not _lacks(each.code)]
    if python:
        _run([sys.executable, "-W", "error", "-c", "\n".join(python)], tmp_path, {0})


def test_what_is_left_out_or_simulated_is_there() -> None:
    """So that no reason outlives what it was given for."""
    lines = [line for page in PAGES for block in blocks(page) if block.language == "sh" for line in commands(block)]
    code = [block.code for page in PAGES for block in blocks(page)]
    assert all(any(re.match(beginning, line) for line in lines) for beginning in NOT_RUN)
    assert all(any(name in each for each in code) for name in NEEDS)
    assert {*SIMULATED, *ASKED, *LONG} <= {*PAGES}


@pytest.mark.parametrize("page", [*PAGES, "README.md", "SECURITY.md", "CHANGELOG.md", "benchmarks/README.md"])
def test_links_lead_somewhere(page: str) -> None:
    for place, anchor in links(page):
        assert (ROOT / place).exists(), f"{page}: there is no {place}"
        assert not anchor or anchor in anchors(place), f"{page}: {place} has no heading #{anchor}"


def test_a_dead_link_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages.ROOT", tmp_path)
    (tmp_path / "page.md").write_text("# A b\n[there](#a-b), [gone](gone.md), [web](https://example.org)\n")
    assert list(links("page.md")) == [("page.md", "a-b"), ("gone.md", "")]
    assert anchors("page.md") == {"a-b"}


def test_pages_that_are_named_are_there() -> None:
    """In messages, comments and prose, by their place in the repository."""
    folders = ("study", "analysis", "trainers", "benchmarks", "docs", "tests")
    files = [path for folder in folders for kind in ("*.py", "*.md", "*.toml") for path in (ROOT / folder).rglob(kind)]
    for path in [*files, *ROOT.glob("*.toml"), *ROOT.glob("*.yaml"), ROOT / "README.md", ROOT / "SECURITY.md"]:
        for named in re.findall(r"\bdocs/[\w/.-]+\.(?:md|yaml|webp|css)\b", path.read_text(encoding="utf-8")):
            assert (ROOT / named).exists(), f"{path}: there is no {named}"


def test_pieces_of_a_definition_fit_into_the_first() -> None:
    page = "docs/how-to/what-to-search.md"
    first, *more = (tomllib.loads(block.code) for block in blocks(page) if block.language == "toml")
    for piece in more:
        parse(_merged(first, piece), page)


def _merged(table: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    return table | {
        key: _merged(table[key], value) if isinstance(value, dict) and key in table else value
        for key, value in more.items()
    }


@pytest.fixture(scope="session")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated studies of the demo's and the paper's configurations, on splits that a gate can judge."""
    results = tmp_path_factory.mktemp("asked")
    for name, grid in (("demo", "grid.losses=ce"), ("paper", "grid.models=icnet")):
        settings = ("simulate=true", "training.image_size=32", "search.trials=2", grid)
        splits = "grid.splits=random_0,random_1,random_2,random_3,rot_0"
        write_study(results / name, load(name, (*settings, splits)))
    return results


def _write_data(folder: Path, page: str) -> None:
    """Data of the names that pages have, unless the page makes them itself."""
    if any(block.file == "make_photos.py" for block in blocks(page)):
        return
    small_pairs.write_data(folder / "photos")
    if page == "docs/how-to/model-out.md":  # a folder to predict
        shutil.rmtree(folder / "photos")
        (folder / "photos").mkdir()
        Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(folder / "photos/one.png")
    small_study.write_data(folder / "my/folder")
    for number in range(6):
        labels = np.full((32, 48), 11, np.uint8)
        for value in range(3):
            labels[4:28, 16 * value + 2 : 16 * value + 14] = value
        pixels = np.random.default_rng(number).integers(0, 200, (32, 48, 3), dtype=np.uint8)
        for kind, image in (("images", pixels), ("masks", labels)):
            path = folder / f"street/{kind}/drive{number // 2}_{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)


def _write_what_a_cluster_needs(folder: Path) -> None:
    """The files of the repository, and a user's keys."""
    (folder / "docs").mkdir()
    for name in ("cluster.yaml", "docs/cluster-on-premises.yaml"):
        shutil.copy(ROOT / name, folder / name)
    for name in (".ray/auth_token", ".ssh/id_ed25519"):
        (folder / name).parent.mkdir()
        (folder / name).touch()


def _left_out(line: str) -> bool:
    return any(re.match(beginning, line) for beginning in NOT_RUN) or _lacks(line)


def _lacks(code: str) -> bool:
    return any(name in code and importlib.util.find_spec(library) is None for name, library in NEEDS.items())


def _command(line: str, *, simulated: bool) -> list[str]:
    """With the settings of a test: small, and simulated where the page's studies are."""
    program, *arguments = shlex.split(line.partition(" > ")[0], comments=True)
    if program == "python":
        return [sys.executable, *arguments]
    settings = [*SMALL, *["simulate=true"] * (simulated and "--simulate" not in arguments)]
    if program == "study" and arguments[0] in ("run", "plan", "trial"):
        keys = {setting.partition("=")[0] for setting in settings}
        arguments = [each for each in arguments if each.partition("=")[0] not in keys]
        arguments = [
            each
            for each, after in zip(arguments, [*arguments[1:], "--set"], strict=True)
            if (each, after) != ("--set", "--set")
        ]
        arguments += [part for setting in settings for part in ("--set", setting)]
    if program == "analysis" and arguments[0] in ("check", "enough") and "--assume" not in arguments:
        arguments += ["--simulated"] * simulated
    return [sys.executable, "-m", program, *arguments]


def _statuses(line: str) -> set[int]:
    return next((statuses for beginning, statuses in ANSWERS.items() if line.startswith(beginning)), {0})


def _run(command: list[str], folder: Path, statuses: set[int]) -> None:
    variables = environment(HOME=str(folder))
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=900)
    assert done.returncode in statuses, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"
