"""Shared by all tests."""

import os
import re
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from odd_data import cut_out_image
from small_study import NUM_TRIALS, num_committed, study, write_definition

if not Path("/proc/driver/nvidia").exists():
    os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is first imported, by whatever test

# A machine with other work on it is no failure; and a green suite stays green on the same code.
settings.register_profile(
    "project",
    deadline=None,
    derandomize=True,
    max_examples=40 if os.environ.get("CI") else 10,  # on every save a glance, in CI a good look
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("project")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, None, None]:
    """A CPU without AVX-512 has no convolutions in bfloat16: what needs them is left out, and said so."""
    try:
        return (yield)
    except Exception as error:
        if re.search(r"bf16 path needs the cpu support|this CPU has no convolutions in bfloat16", str(error)):
            pytest.skip("this CPU has no convolutions in bfloat16")
        raise


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound data set of two classes, two images each, and three backgrounds in two groups."""
    root = tmp_path / "set"
    for seed, name in enumerate(("mug/0/a", "mug/22.5/b", "pen/0/a", "pen/-30/c")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        cut_out_image(seed).save(root / f"{name}.png")
    (root / "backgrounds" / "hall").mkdir(parents=True)
    for seed, name in enumerate(("hall/1.png", "hall/2.png", "yard.jpg")):
        cut_out_image(seed, (40, 30)).convert("RGB").save(root / "backgrounds" / name)
    return root


@pytest.fixture(scope="session")
def definition(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a small study of NUM_TRIALS trials."""
    return write_definition(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def undisturbed(definition: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where that study lies, run in one go by two workers. Nobody writes there."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    done = study("run", definition, "--out", out, "--set", "resources.workers=2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert num_committed(out) == NUM_TRIALS
    return out
