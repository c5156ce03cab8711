"""Shared by all tests."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from odd_data import cut_out_image

# A machine with other work on it is no failure; and a green suite stays green on the same code.
settings.register_profile(
    "project",
    deadline=None,
    derandomize=True,
    max_examples=100 if os.environ.get("CI") else 10,  # on every save a glance, in CI a good look
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("project")


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
