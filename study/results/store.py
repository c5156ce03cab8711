"""OUT as a store of trials: committed atomically, compared with their digests, read back as tables."""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from study.cells import names_a_refit
from study.definition import DEFINITION_HEADER
from study.errors import StudyError
from study.results.bounded import MOST_BYTES, read_bounded, too_large
from study.results.digests import Row, digest_of_file, digests_in, with_digests
from study.results.layout import DEFINITION_FILE, FOLDERS, LOOKS_FILE, RUN_FILE, is_trial_file
from study.results.packs import Pack, Packs, is_pack, loose_in
from study.results.place import open_place
from study.results.reading import NOT_OURS, in_order_of_trials, read_dataset, read_files, row_in
from study.results.schemas import SCHEMAS, parquet_bytes

_UNFINISHED = ".unfinished-"
_REQUESTS_AT_ONCE = 32
_ABANDONED_AFTER_SECONDS = 3600.0
_LOOKS = 5
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Audit:
    """What OUT holds of the trials that were committed there."""

    rows: dict[str, Row]
    """Trial -> its row of `trials`, where every one of its files is as it was committed."""
    damaged: dict[str, str]
    """Trial -> which of its files is lost or altered. Such a trial counts as missing, and is made again."""


class Results:
    """What a study leaves at OUT."""

    def __init__(self, out: str | os.PathLike[str]) -> None:
        self._place = open_place(out)
        self._files, self._root = self._place.files, self._place.root
        self._packs = Packs(lambda table: self.names(table, ".parquet"), self.read_bytes)
        self.out = self._place.shown
        """OUT as people see it, without credentials."""

    def place(self) -> str:
        """OUT as any process can find it: an absolute path or a URI."""
        return self._place.name

    def commit(self, tables: Mapping[str, pa.Table]) -> None:
        """Write the tables of one trial; it counts as done when, and only when, its row in `trials` is there."""
        files = {name: parquet_bytes(tables[name]) for name in SCHEMAS if name in tables and name != "trials"}
        trial_id = tables["trials"]["trial"][0].as_py()
        for name, content in files.items():
            self._write(f"{name}/{trial_id}.parquet", content)
        for name in SCHEMAS.keys() - tables.keys():  # of a training that diverged: no scores of another may stay
            self.remove(f"{name}/{trial_id}.parquet")
        self._write(f"trials/{trial_id}.parquet", parquet_bytes(with_digests(tables["trials"], files)))

    def audit(self, *, of_refits: bool = False) -> Audit:
        """Compare every committed trial's files with the digests in its row: of the study's trials, or of its refits.

        Raises StudyError for a file that is none of ours, or that an earlier version of this project wrote.
        """
        trial_ids = [trial_id for trial_id in self.loose_trials() if names_a_refit(trial_id) == of_refits]
        with self._many_at_once() as look_at_all:
            found = dict(zip(trial_ids, look_at_all(self._sound_row, trial_ids), strict=True))
        if not of_refits:
            for trial_id in [trial_id for trial_id, what in found.items() if isinstance(what, str)]:
                if self._kind(f"trials/{trial_id}.parquet") == pyarrow.fs.FileType.NotFound:
                    del found[trial_id]  # packed meanwhile, and so found now
            found = self._settled(self._packs.audited) | found
        found = dict(sorted(found.items()))
        rows = {trial_id: what for trial_id, what in found.items() if isinstance(what, dict)}
        return Audit(rows, {trial_id: what for trial_id, what in found.items() if isinstance(what, str)})

    def loose_trials(self) -> list[str]:
        """Those that are committed by themselves, and not in a pack."""
        return loose_in(self.names("trials", ".parquet"))

    def sound_row(self, trial_id: str) -> Row | None:
        """The row of a trial that is committed by itself, as a worker leaves it, and whole; else None."""
        row = self._sound_row(trial_id)
        return row if isinstance(row, dict) else None

    def _sound_row(self, trial_id: str) -> Row | str:
        """The trial's row, or what is wrong with its files."""
        content = self.read_bytes(f"trials/{trial_id}.parquet")
        if content is None:
            return "trials is lost"
        row = row_in(content, f"{self.out}/trials/{trial_id}.parquet")
        if row is None or row["trial"] != trial_id:
            return "trials is not as it was committed"
        digests = digests_in(row)
        if digests is None:
            return "trials is not as it was committed"
        for name, digest in digests.items():
            content = self.read_bytes(f"{name}/{trial_id}.parquet")
            if content is None:
                return f"{name} is lost"
            if digest_of_file(content) != digest:
                return f"{name} is not as it was committed"
        return row

    def tables_of(self, trial_id: str) -> set[str]:
        """The tables that the trial was committed with, whether or not its files are as they were; all where its row
        does not tell."""
        if pack := self._packs_of_trials().get(trial_id):
            row: Row | None = self._packs.rows(pack)[trial_id]
        else:
            content = self.read_bytes(f"trials/{trial_id}.parquet")
            row = None if content is None else row_in(content, f"{self.out}/trials/{trial_id}.parquet")
        digests = None if row is None else digests_in(row)
        return {*SCHEMAS} if digests is None else {*digests, "trials"}

    def read(self, name: str, trial_ids: Collection[str] | None = None, columns: list[str] | None = None) -> pa.Table:
        """A table: of all trials, committed or not, or of those named that are there; all columns, or some."""
        return self._settled(lambda: self._read(name, trial_ids, columns or SCHEMAS[name].names))

    def read_own(self, name: str, trial_ids: Collection[str]) -> pa.Table:
        """A table of trials that all have files of their own; FileNotFoundError if one has not."""
        paths = [self._path(f"{name}/{trial_id}.parquet") for trial_id in sorted(trial_ids)]
        return self._read_files(paths, name, SCHEMAS[name].names)

    def whole_packs(self) -> list[Pack]:
        """The packs of which every file is as it was written."""
        return [pack for pack in self._packs.by_name().values() if pack and not self._packs.what_is_wrong(pack)]

    def _read(self, name: str, trial_ids: Collection[str] | None, columns: list[str]) -> pa.Table:
        found = self._list(name)  # first: a file that is packed after this is missed when it is read
        paths = {path.rpartition("/")[2].removesuffix(".parquet"): path for path in found if not is_pack(path)}
        packs = self._packs_of_trials()
        if trial_ids is not None:
            wanted = set(trial_ids)
            paths = {trial_id: path for trial_id, path in paths.items() if trial_id in wanted}
            packs = {trial_id: pack for trial_id, pack in packs.items() if trial_id in wanted}
        loose = [path for trial_id, path in paths.items() if trial_id not in packs]
        if not packs:
            return self._read_files(loose, name, columns)
        of_pack: dict[Pack, list[str]] = defaultdict(list)
        for trial_id, pack in packs.items():
            of_pack[pack].append(trial_id)
        read = [*columns, *["trial"] * ("trial" not in columns)]
        tables = [self._packs.read(pack, name, read, ids) for pack, ids in of_pack.items()]
        return in_order_of_trials([self._read_files(loose, name, read), *tables]).select(columns)

    def _read_files(self, paths: list[str], name: str, columns: list[str]) -> pa.Table:
        if not paths:
            return SCHEMAS[name].empty_table().select(columns)
        if self._is_local:  # half the time of a dataset, for thousands of files
            return read_files(paths, name, columns)
        return read_dataset(self._files, paths, name, columns)

    def _packs_of_trials(self) -> dict[str, Pack]:
        """Of the trials that are not committed by themselves."""
        loose, packs = set(self.loose_trials()), self._packs.by_trial()  # in this order: what is packed is not missed
        return {trial_id: pack for trial_id, pack in packs.items() if trial_id not in loose}

    def _settled(self, look: Callable[[], Answer]) -> Answer:
        """Look again where files have gone into a pack meanwhile."""
        for _ in range(_LOOKS):
            with contextlib.suppress(FileNotFoundError):
                return look()
        raise StudyError(f"{self.out}: files come and go there while they are read; wait until what changes them ends")

    def read_trial(self, name: str, trial_id: str, most_bytes: int = MOST_BYTES) -> pa.Table:
        """One trial's rows of a table. Raises StudyError: they are lost, take more memory, or cannot be read."""
        return self._settled(lambda: self._read_trial(name, trial_id, most_bytes))

    def _read_trial(self, name: str, trial_id: str, most_bytes: int) -> pa.Table:
        path = self._path(f"{name}/{trial_id}.parquet")
        if pack := self._packs_of_trials().get(trial_id):
            table = self._packs.read(pack, name, SCHEMAS[name].names, [trial_id])
            if table.nbytes > most_bytes:
                raise StudyError(f"{path} ({NOT_OURS}): {too_large(most_bytes)}")
            return table
        try:
            with self._files.open_input_file(path) as file:
                return read_bounded(file, most_bytes=most_bytes)
        except FileNotFoundError:
            if trial_id in self._packs_of_trials():  # packed meanwhile
                raise
            raise StudyError(f"{path} is lost: bring that file back") from None
        except (pa.ArrowException, OSError) as error:
            raise StudyError(f"{path} ({NOT_OURS}): cannot be read: {error}") from None

    def recipe_of(self, trial_id: str) -> dict[str, Any]:
        """The recipe that a committed trial was run with, as its file's metadata keeps it."""
        if pack := self._packs_of_trials().get(trial_id):
            return dict(pack.recipes[self._packs.rows(pack)[trial_id]["recipe_digest"]])
        with self._files.open_input_file(self._path(f"trials/{trial_id}.parquet")) as file:
            metadata = pq.read_schema(file).metadata or {}
        recipe: dict[str, Any] = json.loads(metadata.get(b"recipe", b"{}"))
        return recipe

    def read_text(self, name: str) -> str | None:
        """A small text file in OUT, or None where there is none. Raises StudyError if it is no text."""
        content = self.read_bytes(name)
        try:
            return None if content is None else content.decode()
        except UnicodeDecodeError as error:
            raise StudyError(f"{self.out}/{name}: not written by a study: {error}") from None

    def write_text(self, name: str, text: str) -> None:
        """Raises StudyError if OUT cannot be written to."""
        self.write_bytes(name, text.encode())

    def read_bytes(self, name: str) -> bytes | None:
        """A file in OUT, or None where there is none."""
        try:
            with self._files.open_input_stream(self._path(name)) as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None

    def write_bytes(self, name: str, content: bytes) -> None:
        """Raises StudyError if OUT cannot be written to."""
        try:
            self._write(name, content)
        except OSError as error:
            raise StudyError(f"{self.out}: {name} cannot be written there: {error}") from error

    def names(self, folder: str, suffix: str) -> list[str]:
        """The names of the files in a folder of OUT that end so; none if there is no such folder."""
        return [path.rpartition("/")[2] for path in self._list(folder, suffix)]

    def foreign(self) -> list[str]:
        """What lies in OUT and was put there by no study: in the folders of the tables anything but a trial's file, and
        where no study was run before, anything else. Hidden files apart, as no reader of tables sees them."""
        no_folders = [name for name in FOLDERS if self._kind(name) == pyarrow.fs.FileType.File]
        folders = [name for name in SCHEMAS if name not in no_folders]
        found = [
            f"{name}/{entry}"
            for name in folders
            for entry in self._entries(name)
            if not (is_trial_file(entry) or is_pack(entry))
        ]
        definition = self.read_text(DEFINITION_FILE) or ""
        if not definition.startswith(DEFINITION_HEADER):
            found += [entry for entry in self._entries("") if entry not in (*FOLDERS, RUN_FILE, LOOKS_FILE)]
        return no_folders + found

    def remove(self, name: str) -> None:
        """Remove a file that may be there."""
        if self._kind(name) == pyarrow.fs.FileType.File:
            with contextlib.suppress(FileNotFoundError):  # another has removed it meanwhile
                self._files.delete_file(self._path(name))

    def remove_all(self, names: Collection[str]) -> None:
        with self._many_at_once() as do_all:
            list(do_all(self.remove, names))

    def remove_if_empty(self, folder: str = "") -> None:
        """Leave no trace of a place that was only tried out. (Object stores have no empty folders.)"""
        if self._is_local:
            with contextlib.suppress(OSError):
                Path(self._path(folder)).rmdir()

    def sweep(self) -> None:
        """Remove what killed writers left unfinished. Only on disks: object stores keep nothing unfinished."""
        if not self._is_local:
            return
        for folder in ("", *FOLDERS):
            for unfinished in Path(self._path(folder)).glob(f".*{_UNFINISHED}*"):
                if time.time() - unfinished.stat().st_mtime > _ABANDONED_AFTER_SECONDS:
                    unfinished.unlink(missing_ok=True)

    @property
    def is_there(self) -> bool:
        """Whether there is a folder at OUT. (An object store has none before something lies in it.)"""
        return bool(self._kind("") == pyarrow.fs.FileType.Directory)

    @property
    def _is_local(self) -> bool:
        return isinstance(self._files, pyarrow.fs.LocalFileSystem)

    def _kind(self, name: str) -> pyarrow.fs.FileType:
        return self._files.get_file_info(self._path(name)).type

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def _entries(self, folder: str) -> list[str]:
        """The names of all files and folders in a folder of OUT, hidden ones apart."""
        selector = pyarrow.fs.FileSelector(self._path(folder), allow_not_found=True)
        names = sorted(info.base_name for info in self._files.get_file_info(selector))
        return [name for name in names if not name.startswith((".", "_"))]

    def _list(self, folder: str, suffix: str = ".parquet") -> list[str]:
        selector = pyarrow.fs.FileSelector(self._path(folder), allow_not_found=True)
        names = (info.path for info in self._files.get_file_info(selector) if info.type == pyarrow.fs.FileType.File)
        return sorted(p for p in names if p.endswith(suffix) and not p.rpartition("/")[2].startswith((".", "_")))

    @contextlib.contextmanager
    def _many_at_once(self) -> Iterator[Any]:
        """`map` for many small files: on a disk one after the other, of a server many at once."""
        if self._is_local:
            yield map
            return
        with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as pool:
            yield pool.map

    def _write(self, name: str, content: bytes) -> None:
        """Whole or not at all: on disks by an atomic rename, in object stores, which need no folder, by one upload."""
        path = self._path(name)
        if not self._is_local:
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
