"""A small Parquet file that is large in memory is refused before it is."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.errors import AnalysisError
from analysis.load import load
from study.errors import StudyError
from study.results import Results
from study.results.bounded import read_bounded

MIB = 1 << 20


def bomb(path: Path, num_rows: int, value: bytes, compression: str = "snappy") -> Path:
    """Rows that all hold the same value, which the file holds once."""
    image = [f"i{i}" for i in range(num_rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({"trial": ["t"] * num_rows, "image": image, "mask": pa.array([value] * num_rows, pa.binary())})
    pq.write_table(table, path, compression=compression)
    return path


def most_memory(path: Path, most_bytes: int) -> int:
    """The most that pyarrow holds while the file is refused."""
    pool = pa.system_memory_pool()
    before, default = pool.max_memory(), pa.default_memory_pool()
    pa.set_memory_pool(pool)
    try:
        with pytest.raises(pa.ArrowInvalid, match="which no study writes"):
            read_bounded(path, most_bytes=most_bytes)
    finally:
        pa.set_memory_pool(default)
    return pool.max_memory() - before


def test_values_that_repeat_are_counted_each_time(tmp_path: Path) -> None:
    path = bomb(tmp_path / "b.parquet", 20_000, bytes(range(256)) * 40)
    assert path.stat().st_size < MIB
    assert most_memory(path, MIB) < 20 * MIB, "the whole would be 200 MiB"


def test_pages_that_unpack_to_much_are_not_unpacked(tmp_path: Path) -> None:
    path = bomb(tmp_path / "b.parquet", 1, bytes(100 * MIB), "zstd")
    assert path.stat().st_size < MIB // 4
    assert most_memory(path, MIB) < 10 * MIB


@pytest.mark.parametrize("num_rows", [0, 1, 300, 5000])
def test_what_is_within_the_bound_is_read_as_ever(tmp_path: Path, num_rows: int) -> None:
    path = bomb(tmp_path / "b.parquet", num_rows, b"png")
    for columns in (None, ["image"]):
        assert read_bounded(path, columns, MIB).equals(pq.read_table(path, columns=columns))


def test_masks_are_bounded_by_what_a_study_could_have_written(tmp_path: Path) -> None:
    bomb(tmp_path / "masks" / "icnet-ce-random_0-s0-t00.parquet", 20_000, bytes(range(256)) * 40)
    with pytest.raises(StudyError, match=r"icnet-ce-random_0-s0-t00\.parquet .*its rows take more than 10,000 bytes"):
        Results(tmp_path).read_trial("masks", "icnet-ce-random_0-s0-t00", most_bytes=10_000)


def test_a_table_of_scores_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("study.results.bounded.read_bounded.__defaults__", (None, MIB))
    path = bomb(tmp_path / "scores.parquet", 20_000, bytes(range(256)) * 40)
    with pytest.raises(AnalysisError, match="which no study writes"):
        load(path)
