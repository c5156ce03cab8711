"""The borders between the packages, held by reading the imports of every module, and by counting what gets loaded."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FORBIDDEN = {
    "trainers": {"ray", "optuna", "pandas", "study", "analysis"},
    "study": {"analysis", "pandas"},
    "analysis": {"torch", "ray", "albumentations"},
}
ONLY_IN = {
    "ray": ("study/cluster/",),
    "optuna": ("study/search.py", "analysis/statistics/importance.py", "analysis/export/to_optuna.py"),
    "numba": ("trainers/cpu/kernels.py",),
    "triton": ("trainers/gpu/kernels.py",),
    "shtab": ("study/terminal/completion.py",),
    "onnxruntime": ("study/export/other_formats.py",),
    "mlflow": ("analysis/export/to_mlflow.py",),
    "tensorboardX": ("analysis/export/to_tensorboard.py",),
}


def imported(source: str) -> Iterator[str]:
    """The top-level packages that a module's text imports, anywhere in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]


def violations(place: str, source: str) -> list[str]:
    package, found = place.partition("/")[0], set(imported(source))
    crossed = [f"{place} imports {name}" for name in sorted(found & FORBIDDEN[package])]
    strayed = [
        f"{place} imports {name}" for name, homes in ONLY_IN.items() if name in found and not place.startswith(homes)
    ]
    return [*crossed, *strayed]


def modules() -> list[Path]:
    return [path for package in FORBIDDEN for path in sorted((ROOT / package).rglob("*.py"))]


def test_imports_go_one_way() -> None:
    assert len(modules()) > 20
    found = [each for path in modules() for each in violations(path.relative_to(ROOT).as_posix(), path.read_text())]
    assert found == []


IMPORTED_AS = {
    "pillow": "PIL",
    "opencv-python-headless": "cv2",
    "pyyaml": "yaml",
    "tomli-w": "tomli_w",
    "pydantic-core": "pydantic_core",
}
"""Distributions whose module is called otherwise."""
COME_ALONG = {"triton", "pydantic_core"}
"""With torch for a GPU, and imported only there; with pydantic, whose documentation imports errors from it."""

OF_EXTRAS = {"onnxruntime", "mlflow"}
"""Optional ones, imported by the one function or module that needs them."""


def test_every_import_is_a_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [re.split(r"[^A-Za-z0-9_-]", dependency)[0] for dependency in project["dependencies"]]
    declared = {IMPORTED_AS.get(name, name) for name in names} | COME_ALONG | {*FORBIDDEN} | OF_EXTRAS
    used = {name for path in modules() for name in imported(path.read_text())} - sys.stdlib_module_names
    assert used - declared == set()
    assert declared - used == set(), "declared for nothing"


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("trainers/train.py", "import ray"),
        ("trainers/train.py", "from study.cells import Cell"),
        ("study/terminal/view.py", "def f():\n    import analysis.load"),
        ("study/trial.py", "import ray.tune as t"),
        ("study/cluster/driver.py", "from optuna import Study"),
        ("analysis/load.py", "from torch import nn"),
        ("trainers/train.py", "from numba import njit"),
    ],
)
def test_this_test_can_fail(place: str, source: str) -> None:
    assert violations(place, source)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        (
            "import study.terminal.cli, study.commands.run, study.terminal.view",
            {"torch", "ray", "optuna", "albumentations", "scipy", "cv2"},
        ),
        (
            "from study.commands.plan import plan; from study.definition.file import load; "
            "plan(load('paper'), '/nowhere')",
            {"torch", "ray"},
        ),
        ("import study.commands.data", {"torch", "ray", "albumentations"}),
        (
            "import trainers.dice, trainers.recipe, trainers.data, trainers.data.split, trainers.data.cut_outs.source, "
            "trainers.data.cut_outs.contact_sheet",
            {"torch", "ray", "albumentations", "cv2", "pandas"},
        ),
        ("import study.results", {"torch", "ray"}),
        ("import study.trial", {"torch", "ray", "optuna", "albumentations"}),
        ("import analysis.load", {"torch", "ray", "optuna", "albumentations"}),
        ("import analysis.cli", {"torch", "ray", "optuna", "albumentations", "matplotlib", "jinja2"}),
        ("import analysis.report.write", {"torch", "ray", "optuna", "albumentations"}),
    ],
)
def test_light_modules_load_nothing_heavy(statement: str, unwanted: set[str]) -> None:
    code = f"{statement}\nimport sys\nprint(*sorted({unwanted!r} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout.split() == []


def test_nothing_uses_a_global_random_generator() -> None:
    banned = ("np.random.seed", "np.random.rand", "torch.manual_seed", "torch.rand", "import random", "random.seed")
    of_others = ROOT / "trainers/networks/start.py"  # seeds what other people's networks draw from, and puts it back
    ours = [path for path in modules() if path != of_others]
    assert len(ours) == len(modules()) - 1
    found = [
        f"{path.name}: {word}"
        for path in ours
        for word in banned
        if re.search(rf"{re.escape(word)}\b", path.read_text())
    ]
    assert found == []
