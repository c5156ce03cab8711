"""Reading the Parquet files of many trials: whatever is no file of a study is refused by its name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet as pq

from study.errors import StudyError
from study.results.bounded import read_bounded
from study.results.digests import Row
from study.results.schemas import SCHEMAS

NOT_OURS = "no Parquet file of a study; move it away and run again"
_FILES_JOINED = 512


def read_files(paths: list[str], name: str, columns: list[str]) -> pa.Table:
    """The rows of all files on a disk, in the types of the schema; whatever else their metadata says is left behind.

    Raises StudyError that names a file; FileNotFoundError if one is gone.
    """
    schema = pa.schema([SCHEMAS[name].field(column) for column in columns])
    joined = [schema.empty_table()]
    for start in range(0, len(paths), _FILES_JOINED):
        tables = [rows_in(_content(path), name, columns, path) for path in paths[start : start + _FILES_JOINED]]
        joined.append(pa.concat_tables(tables).combine_chunks())  # a table of one row takes 30 kB, a row of many 1 kB
    return pa.concat_tables(joined)


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StudyError(f"{path} ({NOT_OURS}): cannot be read: {error}") from None


def rows_in(content: bytes, name: str, columns: list[str], path: str) -> pa.Table:
    """Some columns of a table's file, in the types of the schema. Raises StudyError that names it."""
    try:
        table = read_bounded(pa.BufferReader(content), columns).select(columns)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise StudyError(f"{path} ({NOT_OURS}): cannot be read: {error}") from None
    return _cast(table, pa.schema([SCHEMAS[name].field(column) for column in columns]), path)


def _cast(table: pa.Table, schema: pa.Schema, path: str) -> pa.Table:
    try:
        return (table if table.schema.equals(schema) else table.cast(schema)).replace_schema_metadata(None)
    except (pa.ArrowException, ValueError) as error:
        raise StudyError(f"{path} ({NOT_OURS}): {error}") from None


def read_dataset(files: pyarrow.fs.FileSystem, paths: list[str], name: str, columns: list[str]) -> pa.Table:
    """The same, from a server: many requests at once."""
    try:
        dataset = pyarrow.dataset.dataset(paths, filesystem=files, format="parquet", schema=SCHEMAS[name])
        return dataset.to_table(columns=columns)
    except (pa.ArrowException, OSError) as error:
        raise StudyError(f"{_first_unreadable(files, paths)}: cannot be read: {error}") from None


def _first_unreadable(files: pyarrow.fs.FileSystem, paths: list[str]) -> str:
    """Raises FileNotFoundError if one of the files is gone."""
    for path in paths:
        try:
            pq.read_schema(path, filesystem=files)
        except FileNotFoundError:
            raise
        except (pa.ArrowException, OSError):
            return f"{path} ({NOT_OURS})"
    return paths[0].rpartition("/")[0]


def in_order_of_trials(tables: list[pa.Table]) -> pa.Table:
    """One table, as if each trial had files of its own; the rows of a trial stay in their order."""
    joined = pa.concat_tables(tables)
    names = joined["trial"].combine_chunks().dictionary_encode()
    ranks = np.argsort(np.argsort(np.array(names.dictionary.to_pylist(), dtype=object)))
    codes = ranks[names.indices.to_numpy()] if len(ranks) else np.empty(0, np.intp)
    return joined.take(pa.array(np.argsort(codes, kind="stable")))


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
