"""Reading Parquet files that others may have written: a few kilobytes on disk can be gigabytes in memory."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

MOST_BYTES = 1 << 30
_ROWS_AT_ONCE = 256


def read_bounded(source: Any, columns: list[str] | None = None, most_bytes: int = MOST_BYTES) -> pa.Table:
    """A Parquet file's rows, all columns or some, in the file's own types.

    Raises pyarrow's ArrowInvalid as soon as they take more than `most_bytes`; until then they are read in small parts.
    """
    file = pq.ParquetFile(source)
    parts = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    stored = sum(part.total_byte_size for part in parts)  # unpacked, but with values that repeat kept once
    if stored > most_bytes:
        raise pa.ArrowInvalid(too_large(most_bytes))
    if stored * file.metadata.num_rows <= most_bytes:  # even if every value were as large as all of them
        return file.read(columns, use_threads=False)
    read, batches = 0, []
    for batch in file.iter_batches(_ROWS_AT_ONCE, columns=columns, use_threads=False):
        read += batch.nbytes
        if read > most_bytes:
            raise pa.ArrowInvalid(too_large(most_bytes))
        batches.append(batch)
    return pa.Table.from_batches(batches)


def too_large(most_bytes: int) -> str:
    return f"its rows take more than {most_bytes:,} bytes of memory, which no study writes"
