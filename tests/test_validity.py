"""What `benchmarks/validity.py` says of gate and intervals still holds: a part of it, with fewer repetitions."""

from __future__ import annotations

import json
import math

import pytest
from benchmark_files import benchmark
from small_study import ROOT

pytestmark = pytest.mark.slow
REPETITIONS = 1000


def test_no_promise_is_broken_more_often_than_the_table_says() -> None:
    told = json.loads((ROOT / "benchmarks" / "results" / "validity.json").read_text())["measured"]
    rates = {(row["promise"], row["world"], row["num_splits"]): row["rate"] for row in told}
    measured = list(benchmark("validity").measured(REPETITIONS, numbers=(4, 8)))
    assert len(measured) > 100
    for row in measured:
        rate = max(rates[row.promise, row.world.name, row.num_splits], 0.002)
        repetitions = REPETITIONS / (8 if "24" in row.promise else 1)
        assert row.rate <= rate + 4 * math.sqrt(rate * (1 - rate) / repetitions), (row.promise, row.world.name, row)
