"""The cut-outs' own matter: which backgrounds a split trains, validates and tests on."""

from __future__ import annotations

import hashlib
import json
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_study import write_data

from study.data_set import data_set_of, scene_rules
from study.definition.file import load, parse
from study.errors import StudyError
from study.prepare import prepare
from study.splits import make_splits
from trainers.data.cut_outs.catalogue import read_catalogue
from trainers.data.cut_outs.scenes import Background, SceneRules, assigned, pools_of, scene_problems

PAPER = load("paper")
STANDIN = read_catalogue("standin")
GROUP_OF = {view.id: view.group for view in STANDIN.views}


@pytest.mark.parametrize("name", PAPER.grid.splits)
def test_backgrounds_are_held_out_by_whole_scenes(name: str) -> None:
    pools = pools_of(name, STANDIN.views, scene_rules(PAPER))
    assert sorted(background for pool in pools for background in pool) == sorted(GROUP_OF)
    groups = [{GROUP_OF[background] for background in pool} for pool in pools]
    assert all(not a & b for a, b in combinations(groups, 2))
    assert len(groups[0]) > len(groups[2]) > 1


def test_the_papers_samples_and_backgrounds_are_what_they_have_always_been() -> None:
    """Other ones are other numbers: NUMERICS would have to go up."""
    rules, parts = scene_rules(PAPER), {}
    for name, split in make_splits(PAPER, STANDIN.samples).items():
        pools = pools_of(name, STANDIN.views, rules)
        behind = {
            partition: [assigned(getattr(pools, partition), rules, name, partition, sample) for sample in ids]
            for partition, ids in {"val": split.val, "test": split.test}.items()
        }
        parts[name] = [split.train, split.val, split.test, pools.train, behind]
    assert hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16] == "1c8415ba86ca82ba"


@given(st.integers(3, 40), st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.integers(0, 99))
def test_every_part_has_a_scene_of_its_own(num_groups: int, test_share: float, val_share: float, seed: int) -> None:
    views = tuple(Background(f"{group}/{view}", str(group)) for group in range(num_groups) for view in range(2))
    rules = SceneRules(seed, test_share, val_share)
    assert scene_problems(views, rules) == []
    pools = pools_of("random_0", views, rules)
    assert all(pools)
    assert sorted(each for pool in pools for each in pool) == sorted(view.id for view in views)


def test_shared_backgrounds_are_drawn_from_all() -> None:
    pools = pools_of("random_0", STANDIN.views, SceneRules(shared=True))
    assert pools.train == pools.val == pools.test == tuple(GROUP_OF)


def test_too_few_scenes_are_named_with_the_remedy(tmp_path: Path) -> None:
    """Before anything is decoded, and when everything is."""
    data = write_data(tmp_path / "set")
    for number in (2, 3, 4):
        (data / f"backgrounds/{number}.png").unlink()
    table = {"data": {"path": str(data)}, "grid": {"splits": ["random_0"]}, "training": {"batch_size": 4}}
    refused, shared = parse(table), parse(table | {"splits": {"shared_backgrounds": True}})
    for check in (lambda definition: data_set_of(definition).samples(), prepare):
        with pytest.raises(StudyError, match=r"2 background groups .*splits.shared_backgrounds=true"):
            check(refused)
        check(shared)
