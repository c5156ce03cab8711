"""A trial that goes on from its last epoch ends bitwise as if it had not stopped; anything odd is passed over."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from small_study import write_definition

from study.cells import parse_trial
from study.definition.file import load
from study.definition.point import Point
from study.prepare import Prepared, prepare
from study.results import Results
from study.results.checkpoints import Checkpoints
from study.results.schemas import CIRCUMSTANCES
from study.trial import run_trial
from trainers.outcome import Epoch

TRIAL = parse_trial("icnet-ce_dice-rot_0-s0-t00")
POINT = Point({"model.width": 0.25, "augmentation.strength": 1.0})


class Lost(Exception):
    """The worker is gone."""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    settings = ["training.epochs=4", "resources.checkpoint_seconds=0"]
    return prepare(load(str(write_definition(tmp_path_factory.mktemp("set"))), settings))


def facts(tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
    return {name: table.drop_columns(list(CIRCUMSTANCES.get(name, ()))) for name, table in tables.items()}


def lost_after(number: int) -> Any:
    def on_epoch(epoch: Epoch) -> None:
        if epoch.epoch == number:
            raise Lost

    return on_epoch


@pytest.fixture(scope="module")
def undisturbed(study: Prepared) -> dict[str, pa.Table]:
    return facts(run_trial(study, TRIAL, POINT))


@pytest.mark.slow
@pytest.mark.parametrize("epochs", [[1], [3], [1, 2, 4]])
def test_lost_workers_leave_no_trace(study: Prepared, undisturbed, tmp_path: Path, epochs: list[int]) -> None:
    results = Results(tmp_path)
    for number in epochs:
        with pytest.raises(Lost):
            run_trial(study, TRIAL, POINT, lost_after(number), Checkpoints(results, study, TRIAL, POINT))
    seen: list[int] = []
    done = run_trial(
        study, TRIAL, POINT, lambda epoch: seen.append(epoch.epoch), Checkpoints(results, study, TRIAL, POINT)
    )
    assert seen == list(range(epochs[-1] + 1, 5)), "only what was still to do was done"
    ours = facts(done)
    assert all(ours[name].equals(undisturbed[name]) for name in undisturbed)


@pytest.mark.slow
def test_what_does_not_belong_is_passed_over(study: Prepared, tmp_path: Path) -> None:
    results = Results(tmp_path)
    ours = Checkpoints(results, study, TRIAL, POINT)
    assert ours.last() is None
    with pytest.raises(Lost):
        run_trial(study, TRIAL, POINT, lost_after(2), ours)
    kept = ours.last()
    assert kept is not None
    assert len(kept["history"]) == 2
    assert Checkpoints(results, study, TRIAL, Point({**POINT, "augmentation.strength": 0.9})).last() is None, (
        "another point"
    )
    (path,) = tmp_path.glob("checkpoints/*.pt")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert ours.last() is None, "torn"
    path.write_bytes(whole)
    ours.remove()
    assert not path.exists()
    ours.remove()


def test_nothing_in_a_checkpoint_is_executed(study: Prepared, tmp_path: Path) -> None:
    victim = tmp_path / "written"

    class Payload:
        def __reduce__(self) -> Any:
            return (Path.write_text, (victim, "executed"))

    results, file = Results(tmp_path), io.BytesIO()
    torch.save({"belongs_to": {}, "state": Payload()}, file)
    for content in (file.getvalue(), pickle.dumps(Payload())):
        results.write_bytes(f"checkpoints/{TRIAL.id}.pt", content)
        assert Checkpoints(results, study, TRIAL, POINT).last() is None
    assert not victim.exists()
    torch.load(io.BytesIO(file.getvalue()), weights_only=False)
    assert victim.exists(), "the payload works where it is let in"


def test_checkpoints_are_as_far_apart_as_asked(study: Prepared, tmp_path: Path) -> None:
    rare = study.definition.model_copy(
        update={"resources": study.definition.resources.model_copy(update={"checkpoint_seconds": 3600.0})}
    )
    checkpoints = Checkpoints(Results(tmp_path), Prepared(rare, *list(vars(study).values())[1:]), TRIAL, POINT)
    checkpoints.keep(lambda: pytest.fail("no state is to be made"))
    assert list(tmp_path.iterdir()) == []
