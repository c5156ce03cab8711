"""Reading the Parquet files of many trials: whatever is no file of a study is refused by its name."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from study.errors import StudyError
from study.results.bounded import read_bounded
from study.results.digests import Row
from study.results.schemas import SCHEMAS

NOT_OURS = "no Parquet file of a study; move it away and run again"
_FILES_JOINED = 512


def _read_file(path: str, columns: list[str]) -> pa.Table:
    """Some columns of one file on a disk. Raises StudyError that names it."""
    try:
        content = pa.BufferReader(Path(path).read_bytes())
        return read_bounded(content, columns).select(columns)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise StudyError(f"{path} ({NOT_OURS}): cannot be read: {error}") from None


def read_files(paths: list[str], name: str, columns: list[str]) -> pa.Table:
    """The rows of all files, in the types of the schema; whatever else their metadata says is left behind."""
    schema = pa.schema([SCHEMAS[name].field(column) for column in columns])
    joined = [schema.empty_table()]
    for start in range(0, len(paths), _FILES_JOINED):
        tables = [_cast(_read_file(path, columns), schema, path) for path in paths[start : start + _FILES_JOINED]]
        joined.append(pa.concat_tables(tables).combine_chunks())  # a table of one row takes 30 kB, a row of many 1 kB
    return pa.concat_tables(joined)


def _cast(table: pa.Table, schema: pa.Schema, path: str) -> pa.Table:
    try:
        return (table if table.schema.equals(schema) else table.cast(schema)).replace_schema_metadata(None)
    except (pa.ArrowException, ValueError) as error:
        raise StudyError(f"{path} ({NOT_OURS}): {error}") from None


def row_in(content: bytes, path: str) -> Row | None:
    """The one row of a file of `trials`; None if it is torn. Raises StudyError if it is whole and yet none of ours."""
    try:
        table = pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
    except (pa.ArrowException, OSError):
        return None
    if "trial" not in table.column_names or table.num_rows != 1:
        raise StudyError(f"{path} ({NOT_OURS})")
    if lacking := [name for name in SCHEMAS["trials"].names if name not in table.column_names]:
        raise StudyError(
            f"{path} was written by an earlier version of this project, which kept no {lacking[0]}: "
            "run it anew, elsewhere"
        )
    row: Row = _cast(table.select(SCHEMAS["trials"].names), SCHEMAS["trials"], path).to_pylist()[0]
    return row
