"""A plan's calibration: a few batches of each network, here."""

import json
from pathlib import Path

import pytest
from small_study import study

from study.definition.point import Point
from study.planning.calibration import Speed, factors_of
from study.planning.cost import SECONDS_PER_TRIAL

pytestmark = pytest.mark.slow


def test_factors_are_a_models_mean() -> None:
    speeds = [
        *(Speed("icnet", Point({"model.width": w}), 90.0, f) for w, f in ((0.5, 1.0), (1.0, 2.0))),
        Speed("unet", Point(), 5.0, 4.0),
    ]
    assert factors_of(speeds) == {"icnet": 1.5, "unet": 4.0}


def test_a_point_is_named_where_there_is_one() -> None:
    assert Speed("icnet", Point({"model.width": 0.5}), 87.3, 1.0).in_words == "icnet at width 0.5: 87.3 images/s here"
    assert Speed("icnet", Point(), 87.3, 1.0).in_words == "icnet: 87.3 images/s here"


def test_a_calibrated_plan_goes_by_this_machines_speed_and_writes_nothing(definition: Path, tmp_path: Path) -> None:
    command = ("plan", definition, "--set", "grid.models=icnet,icnet_cascade", "--json")
    rough, done = (study(*command, *more, folder=tmp_path) for more in ((), ("--calibrate",)))
    assert done.returncode == 0, done.stderr
    plain, calibrated = json.loads(rough.stdout), json.loads(done.stdout)
    assert (plain["basis"], plain["speeds"]) == ("constants", [])
    assert calibrated["basis"] == "calibrated"
    assert [(speed["model"], round(speed["point"]["model.width"], 3)) for speed in calibrated["speeds"]] == [
        ("icnet", 0.25),
        ("icnet", 0.283),
        ("icnet_cascade", 0.25),
        ("icnet_cascade", 0.283),
    ]
    for model in ("icnet", "icnet_cascade"):
        factors = [speed["factor"] for speed in calibrated["speeds"] if speed["model"] == model]
        beside = SECONDS_PER_TRIAL * sum(trial["trial"].startswith(f"{model}-") for trial in plain["trials"])
        assert calibrated["seconds_of"][model] - beside == pytest.approx(
            (plain["seconds_of"][model] - beside) * sum(factors) / len(factors)
        )
    assert calibrated["seconds"] == pytest.approx(sum(calibrated["seconds_of"].values()))
    assert list(tmp_path.iterdir()) == []
