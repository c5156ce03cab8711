"""The tables on disk: their schemas, the atomic commit, and reading them back. Imports neither torch nor ray.

OUT is a directory or a URI that pyarrow or fsspec understands. A trial's tables are one small Parquet file each; the
file in `trials/` is written last and is the commit: rows of the other tables without it are to be ignored.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet as pq

from study.errors import StudyError


def _schema(*columns: tuple[str, str]) -> pa.Schema:
    types = {
        "string": pa.string(),
        "int": pa.int32(),
        "long": pa.int64(),
        "double": pa.float64(),
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
    ("seed", "int"),
    ("index", "int"),
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
        ("host", "string"),
        ("started", "time"),
        ("finished", "time"),
        ("recipe_digest", "string"),
        ("data_fingerprint", "string"),
        ("split_fingerprint", "string"),
        ("git_commit", "string"),
        ("versions", "string"),
    ),
}
"""In the order in which a trial's tables are written: `trials`, the commit, comes last."""

CIRCUMSTANCES: dict[str, tuple[str, ...]] = {
    "trials": (
        *("latency_ms_median", "latency_ms_p95", "train_seconds", "images_per_second"),
        *("host", "started", "finished", "git_commit", "versions"),
    ),
    "history": ("seconds",),
}
"""Columns that say where and how fast, not what came out: two runs of a trial agree in all the others, bit for bit."""

_UNFINISHED = ".unfinished-"
_FILES_JOINED = 512
_NOT_OURS = "no Parquet file of a study; move it away and run again"
_ABANDONED_AFTER_SECONDS = 3600.0

DEFINITION_FILE = "study.toml"
RUN_FILE = "run.json"


class Results:
    """What a study leaves at OUT."""

    def __init__(self, out: str | os.PathLike[str]) -> None:
        self.out = os.fspath(out)
        self._files, self._root = _open(self.out)

    def place(self, name: str = "") -> str:
        """OUT, or something in it, as any process can find it: an absolute path or a URI."""
        base = self.out.rstrip("/") if "://" in self.out else self._root
        return f"{base}/{name}" if name else base

    def commit(self, tables: Mapping[str, pa.Table]) -> None:
        """Write the tables of one trial; it counts as done when, and only when, its row in `trials` is there."""
        for name in SCHEMAS:
            if name in tables:
                trial = tables[name]["trial"][0].as_py()
                self._write(f"{name}/{trial}.parquet", _parquet_bytes(tables[name]))

    def trials(self) -> list[dict[str, Any]]:
        """The rows of all committed trials, by trial id. Raises StudyError for a file that is none of ours."""
        return sorted(self.read("trials").to_pylist(), key=lambda row: str(row["trial"]))

    def read(self, name: str, trial_ids: Collection[str] | None = None, columns: list[str] | None = None) -> pa.Table:
        """A table: of all trials, committed or not, or of those named that are there; all columns, or some."""
        paths = self._list(name)
        if trial_ids is not None:
            wanted = {f"{trial_id}.parquet" for trial_id in trial_ids}
            paths = [path for path in paths if path.rpartition("/")[2] in wanted]
        if not paths:
            return SCHEMAS[name].empty_table().select(columns or SCHEMAS[name].names)
        if isinstance(self._files, pyarrow.fs.LocalFileSystem):  # half the time of a dataset, for thousands of files
            return _read_files(paths, name, columns or SCHEMAS[name].names)
        try:
            dataset = pyarrow.dataset.dataset(paths, filesystem=self._files, format="parquet", schema=SCHEMAS[name])
            return dataset.to_table(columns=columns)
        except (pa.ArrowException, OSError) as error:
            raise StudyError(f"{self._first_unreadable(paths) or self.out}: cannot be read: {error}") from None

    def read_trial(self, name: str, trial_id: str) -> pa.Table:
        """One trial's rows of a table."""
        with self._files.open_input_file(self._path(f"{name}/{trial_id}.parquet")) as file:
            return pq.read_table(file)

    def recipe_of(self, trial_id: str) -> dict[str, Any]:
        """The recipe that a committed trial was run with, as its file's metadata keeps it."""
        with self._files.open_input_file(self._path(f"trials/{trial_id}.parquet")) as file:
            metadata = pq.read_schema(file).metadata or {}
        recipe: dict[str, Any] = json.loads(metadata.get(b"recipe", b"{}"))
        return recipe

    def read_text(self, name: str) -> str | None:
        """A small text file in OUT, or None where there is none."""
        content = self.read_bytes(name)
        return None if content is None else content.decode()

    def write_text(self, name: str, text: str) -> None:
        """Raises StudyError if OUT cannot be written to."""
        self.write_bytes(name, text.encode())

    def read_bytes(self, name: str) -> bytes | None:
        """A file in OUT, or None where there is none."""
        if self._files.get_file_info(self._path(name)).type != pyarrow.fs.FileType.File:
            return None
        with self._files.open_input_stream(self._path(name)) as stream:
            return bytes(stream.read())

    def write_bytes(self, name: str, content: bytes) -> None:
        """Raises StudyError if OUT cannot be written to."""
        try:
            self._write(name, content)
        except OSError as error:
            raise StudyError(f"{self.out}: {name} cannot be written there: {error}") from None

    def names(self, folder: str, suffix: str) -> list[str]:
        """The names of the files in a folder of OUT that end so; none if there is no such folder."""
        return [path.rpartition("/")[2] for path in self._list(folder, suffix)]

    def remove(self, name: str) -> None:
        """Remove a file that may be there."""
        if self._files.get_file_info(self._path(name)).type == pyarrow.fs.FileType.File:
            self._files.delete_file(self._path(name))

    def exists(self) -> bool:
        """Whether there is a folder at OUT."""
        return bool(self._files.get_file_info(self._root).type == pyarrow.fs.FileType.Directory)

    def remove_if_empty(self) -> None:
        """Leave no trace of a place that was only tried out. (Object stores have no empty folders.)"""
        if isinstance(self._files, pyarrow.fs.LocalFileSystem):
            with contextlib.suppress(OSError):
                Path(self._root).rmdir()

    def sweep(self) -> None:
        """Remove what killed writers left unfinished. Only on disks: object stores keep nothing unfinished."""
        if not isinstance(self._files, pyarrow.fs.LocalFileSystem):
            return
        for folder in ("", *SCHEMAS):
            for unfinished in Path(self._path(folder)).glob(f".*{_UNFINISHED}*"):
                if time.time() - unfinished.stat().st_mtime > _ABANDONED_AFTER_SECONDS:
                    unfinished.unlink(missing_ok=True)

    def has(self, table: str, trial_id: str) -> bool:
        kind = self._files.get_file_info(self._path(f"{table}/{trial_id}.parquet")).type
        return bool(kind == pyarrow.fs.FileType.File)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _list(self, folder: str, suffix: str = ".parquet") -> list[str]:
        selector = pyarrow.fs.FileSelector(self._path(folder), allow_not_found=True)
        names = (info.path for info in self._files.get_file_info(selector) if info.type == pyarrow.fs.FileType.File)
        return sorted(p for p in names if p.endswith(suffix) and not p.rpartition("/")[2].startswith((".", "_")))

    def _first_unreadable(self, paths: list[str]) -> str | None:
        for path in paths:
            try:
                pq.read_schema(path, filesystem=self._files)
            except (pa.ArrowException, OSError):
                return f"{path} ({_NOT_OURS})"
        return None

    def _write(self, name: str, content: bytes) -> None:
        """Whole or not at all: on disks by an atomic rename, in object stores by the upload's completion."""
        path = self._path(name)
        if not isinstance(self._files, pyarrow.fs.LocalFileSystem):
            self._files.create_dir(path.rpartition("/")[0], recursive=True)
            with self._files.open_output_stream(path) as stream:
                stream.write(content)
            return
        final = Path(path)
        final.parent.mkdir(parents=True, exist_ok=True)
        # The leading dot hides an unfinished file from every reader; the random part keeps two writers apart.
        unfinished = final.with_name(f".{final.name}{_UNFINISHED}{uuid.uuid4().hex[:8]}")
        try:
            with unfinished.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(final)
        finally:
            unfinished.unlink(missing_ok=True)


def _read_file(path: str, columns: list[str]) -> pa.Table:
    """Some columns of one file on a disk. Raises StudyError that names it."""
    try:
        content = pa.BufferReader(Path(path).read_bytes())
        return pq.ParquetFile(content).read(columns, use_threads=False).select(columns)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise StudyError(f"{path} ({_NOT_OURS}): cannot be read: {error}") from None


def _read_files(paths: list[str], name: str, columns: list[str]) -> pa.Table:
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
        raise StudyError(f"{path} ({_NOT_OURS}): {error}") from None


def table_of(name: str, rows: list[dict[str, Any]], recipe: Mapping[str, Any] | None = None) -> pa.Table:
    """Rows as a table of the named schema; the recipe, if given, goes into the file's metadata."""
    schema = SCHEMAS[name]
    if recipe is not None:
        schema = schema.with_metadata({"recipe": json.dumps(recipe, sort_keys=True)})
    return pa.Table.from_pylist(rows, schema=schema)


def _parquet_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    # Not zstd: in files this small it saves nothing but in `confusion`, and takes two to four times as long to read.
    pq.write_table(table, sink, compression="snappy")
    return bytes(sink.getvalue())


def _open(out: str) -> tuple[pyarrow.fs.FileSystem, str]:
    if "://" not in out:
        return pyarrow.fs.LocalFileSystem(), str(Path(out).expanduser().absolute())
    try:
        files, root = pyarrow.fs.FileSystem.from_uri(out)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise StudyError(f"{out}: no place to keep results: {error}") from None
    return files, root.rstrip("/")
