"""Packs: the rows of many trials in one file of a table.

A pack is named after the digest of its file, so it never changes, and where two places are put together, packs of one
name are one pack. That of `trials` names those of the other tables, and is written last: it commits them all. What its
name or `trials` says of a file is how a lost or altered one is seen. A trial that is also committed by itself, in files
of its own, is read from these.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from study.errors import StudyError
from study.results.bounded import read_bounded
from study.results.digests import Row, digest_of_file
from study.results.reading import NOT_OURS, rows_in
from study.results.schemas import SCHEMAS, parquet_bytes

TRIALS_A_PACK = 256
_NAME = re.compile(r"pack-([0-9a-f]{64})\.parquet")


def is_pack(path: str) -> bool:
    return _NAME.fullmatch(path.rpartition("/")[2]) is not None


def loose_in(names: Iterable[str]) -> list[str]:
    """The trials among these files of a table that have one of their own."""
    return [name.removesuffix(".parquet") for name in names if not is_pack(name)]


def name_of_pack(content: bytes) -> str:
    return f"pack-{digest_of_file(content)}.parquet"


def is_whole(name: str, content: bytes) -> bool:
    return name == name_of_pack(content)


def packed(tables: Mapping[str, pa.Table], recipes: Mapping[str, Any]) -> dict[str, bytes]:
    """File -> what it holds, of these trials' rows; that of `trials` last. No file of a table without rows.

    :param recipes: digest of a recipe -> the keys that decide these trials.
    """
    contents = {
        name: parquet_bytes(tables[name], "zstd") for name in SCHEMAS if name != "trials" and tables[name].num_rows
    }
    names = {name: name_of_pack(content) for name, content in contents.items()}
    files = {f"{name}/{names[name]}": content for name, content in contents.items()}
    told = {"packs": json.dumps(names), "recipes": json.dumps(recipes)}
    commit = parquet_bytes(tables["trials"].replace_schema_metadata(told), "zstd")
    return files | {f"trials/{name_of_pack(commit)}": commit}


@dataclass(frozen=True, eq=False)
class Pack:
    """One that is committed."""

    name: str
    """Of its file in `trials`."""
    files: Mapping[str, str]
    """Table -> its file there, `trials` included; without the tables of which its trials have no rows."""
    trial_ids: tuple[str, ...]
    recipes: Mapping[str, Any]

    @classmethod
    def of(cls, name: str, content: bytes) -> Pack | None:
        """None if the file is not as it was written."""
        if not is_whole(name, content):
            return None
        try:
            told = pq.read_schema(pa.BufferReader(content)).metadata
            files = {**json.loads(told[b"packs"]), "trials": name}
            ids = read_bounded(pa.BufferReader(content), ["trial"])["trial"].to_pylist()
            return cls(name, files, tuple(map(str, ids)), json.loads(told[b"recipes"]))
        except (pa.ArrowException, OSError, LookupError, TypeError, ValueError) as error:
            raise StudyError(f"trials/{name} ({NOT_OURS}): cannot be read: {error}") from None


class Packs:
    """Those of one OUT. What has been read of one is not read again."""

    def __init__(self, list_names: Callable[[str], list[str]], read_bytes: Callable[[str], bytes | None]) -> None:
        """:param list_names: table -> the names of its files.
        :param read_bytes: file -> its content, if it is there."""
        self._list, self._read = list_names, read_bytes
        self._known: dict[str, Pack | None] = {}

    def by_name(self) -> dict[str, Pack | None]:
        """The packs that are committed, and None for one whose file in `trials` is not as it was written."""
        for name in (found := [name for name in self._list("trials") if is_pack(name)]):
            if name not in self._known and (content := self._read(f"trials/{name}")) is not None:
                self._known[name] = Pack.of(name, content)
        return {name: self._known[name] for name in found if name in self._known}

    def by_trial(self) -> dict[str, Pack]:
        """Trial -> the pack that has it; of several the first."""
        found: dict[str, Pack] = {}
        for _, pack in sorted(self.by_name().items(), reverse=True):
            if pack:
                found.update(dict.fromkeys(pack.trial_ids, pack))
        return found

    def audited(self) -> dict[str, Row | str]:
        """Trial -> its row, or which file of its pack is lost or altered. Raises FileNotFoundError as `read` does."""
        of_trial = self.by_trial()
        found: dict[str, Row | str] = {}
        for pack in dict.fromkeys(of_trial.values()):
            wrong = self.what_is_wrong(pack)
            rows = self.rows(pack) if not wrong else dict.fromkeys(pack.trial_ids, wrong)
            found |= {trial_id: what for trial_id, what in rows.items() if of_trial[trial_id] is pack}
        return self._of_torn() | found

    def _of_torn(self) -> dict[str, str]:
        """Of the trials whose pack of `trials` is not as it was written: they are in packs that no other one names."""
        packs = self.by_name()
        torn = [name for name, pack in packs.items() if pack is None]
        named = {f"{table}/{name}" for pack in packs.values() if pack for table, name in pack.files.items()}
        found: dict[str, str] = {}
        for table in SCHEMAS if torn else ():
            for name in self._list(table):
                path = f"{table}/{name}"
                content = self._read(path) if is_pack(name) and path not in named else None
                if content is not None and is_whole(name, content):
                    trial_ids = rows_in(content, table, ["trial"], path)["trial"].unique().to_pylist()
                    found |= dict.fromkeys(trial_ids, f"trials is not as it was committed ({', '.join(torn)})")
        return found

    def what_is_wrong(self, pack: Pack) -> str:
        """Which of its files is lost or altered; empty if none is. Raises FileNotFoundError as `read` does."""
        for table, name in pack.files.items():
            content = self._read(f"{table}/{name}")
            if content is None and self._read(f"trials/{pack.name}") is None:
                raise FileNotFoundError(pack.name)
            if content is None:
                return f"{table} is lost ({name})"
            if not is_whole(name, content):
                return f"{table} is not as it was committed ({name})"
        return ""

    def rows(self, pack: Pack) -> dict[str, Row]:
        """Trial -> its row of `trials`."""
        table = self.read(pack, "trials", SCHEMAS["trials"].names, pack.trial_ids)
        return {row["trial"]: row for row in table.to_pylist()}

    def read(self, pack: Pack, name: str, columns: list[str], trial_ids: Iterable[str]) -> pa.Table:
        """The rows of some of a pack's trials; `columns` has the trial among them.

        Raises FileNotFoundError if the pack is gone: another holds its trials.
        """
        if name not in pack.files:
            return SCHEMAS[name].empty_table().select(columns)
        content = self._read(f"{name}/{pack.files[name]}")
        if content is None:
            raise FileNotFoundError(f"{name}/{pack.files[name]}")
        table, wanted = rows_in(content, name, columns, pack.files[name]), set(trial_ids)
        if wanted < set(pack.trial_ids):
            table = table.filter(pc.is_in(table["trial"], pa.array(sorted(wanted), pa.string())))
        return table
