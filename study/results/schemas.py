"""The tables of a study: their columns, and a table as the bytes of its file. Imports neither torch nor ray."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def _schema(*columns: tuple[str, str]) -> pa.Schema:
    types = {
        "string": pa.string(),
        "int": pa.int32(),
        "long": pa.int64(),
        "double": pa.float64(),
        "bool": pa.bool_(),
        "bytes": pa.binary(),
        "time": pa.timestamp("us", tz="UTC"),
    }
    return pa.schema([(name, types[kind]) for name, kind in columns])


_FACTORS = (
    ("trial", "string"),
    ("model", "string"),
    ("loss", "string"),
    ("split", "string"),
    ("split_kind", "string"),
    ("axis", "string"),
    ("seed", "long"),
    ("index", "int"),
    ("rung", "int"),
    ("point", "string"),
    ("width", "double"),
    ("strength", "double"),
)

SCHEMAS: dict[str, pa.Schema] = {
    "dice": _schema(
        *_FACTORS,
        ("partition", "string"),
        ("class", "string"),
        ("dice_pw", "double"),
        ("dice_ew", "double"),
        ("dice_pooled", "double"),
        ("num_images", "int"),
        ("false_images", "int"),
    ),
    "confusion": _schema(
        ("trial", "string"),
        ("partition", "string"),
        ("image", "string"),
        ("truth", "string"),
        ("predicted", "string"),
        ("pixels", "long"),
    ),
    "boundary": _schema(
        ("trial", "string"),
        ("partition", "string"),
        ("image", "string"),
        ("class", "string"),
        ("side", "string"),
        ("distance", "int"),
        ("pixels", "long"),
    ),
    "history": _schema(
        ("trial", "string"),
        ("epoch", "int"),
        ("train_loss", "double"),
        ("val_loss", "double"),
        ("objective", "double"),
        ("learning_rate", "double"),
        ("seconds", "double"),
    ),
    "masks": _schema(("trial", "string"), ("image", "string"), ("mask", "bytes")),
    "trials": _schema(
        *_FACTORS,
        ("status", "string"),
        ("error", "string"),
        ("selected_epoch", "int"),
        ("objective", "double"),
        ("num_train", "int"),
        ("num_val", "int"),
        ("num_test", "int"),
        ("parameters", "long"),
        ("gflops", "double"),
        ("latency_ms_median", "double"),
        ("latency_ms_p95", "double"),
        ("train_seconds", "double"),
        ("images_per_second", "double"),
        ("device", "string"),
        ("precision", "string"),
        ("deterministic", "bool"),
        ("host", "string"),
        ("started", "time"),
        ("finished", "time"),
        ("recipe_digest", "string"),
        ("data_fingerprint", "string"),
        ("split_fingerprint", "string"),
        ("code", "string"),
        ("git_commit", "string"),
        ("versions", "string"),
        ("digests", "string"),
    ),
}
"""In the order in which a trial's tables are written: `trials`, the commit, comes last. Simulated trials, and those of
earlier versions, have no `boundary`."""

CIRCUMSTANCES: dict[str, tuple[str, ...]] = {
    "trials": (
        *("latency_ms_median", "latency_ms_p95", "train_seconds", "images_per_second"),
        *("host", "started", "finished", "git_commit", "versions", "digests"),
    ),
    "history": ("seconds",),
}
"""Columns that say where and how fast, not what came out: two runs of a trial agree in all the others, bit for bit."""


def table_of(name: str, rows: list[dict[str, Any]], recipe: Mapping[str, Any] | None = None) -> pa.Table:
    """Rows as a table of the named schema; the recipe, if given, goes into the file's metadata."""
    schema = SCHEMAS[name]
    if recipe is not None:
        schema = schema.with_metadata({"recipe": json.dumps(recipe, sort_keys=True)})
    return pa.Table.from_pylist(rows, schema=schema)


def parquet_bytes(table: pa.Table, compression: str = "snappy") -> bytes:
    """The file of a table."""
    sink = pa.BufferOutputStream()
    # Not zstd for one trial: in files this small it saves nothing but in `confusion`, and takes two to four times as
    # long to read.
    pq.write_table(table, sink, compression=compression)
    return bytes(sink.getvalue())
