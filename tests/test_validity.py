"""What `benchmarks/validity.py` says of gate and intervals still holds: a part of it, with fewer repetitions."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from types import ModuleType

import pytest
from small_study import ROOT

pytestmark = pytest.mark.slow
REPETITIONS = 1000


def benchmark(name: str) -> ModuleType:
    """A file of the folder benchmarks, which is no package."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))
    return module


def test_no_promise_is_broken_more_often_than_the_table_says() -> None:
    told = json.loads((ROOT / "benchmarks" / "results" / "validity.json").read_text())["measured"]
    rates = {(row["promise"], row["world"], row["num_splits"]): row["rate"] for row in told}
    measured = list(benchmark("validity").measured(REPETITIONS, numbers=(4, 8)))
    assert len(measured) > 100
    for row in measured:
        rate = max(rates[row.promise, row.world.name, row.num_splits], 0.002)
        repetitions = REPETITIONS / (8 if "24" in row.promise else 1)
        assert row.rate <= rate + 4 * math.sqrt(rate * (1 - rate) / repetitions), (row.promise, row.world.name, row)
