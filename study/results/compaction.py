"""Compaction: the trials of a study into packs, which are hundreds of files where there were hundreds of thousands.

It can be interrupted anywhere. Packs are written before anything is removed; a trial that is in a pack and still has
files of its own is read from these; and its row in `trials` is the first of them that goes, so that what is left of the
others counts for nothing, and goes next time.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from study.errors import StudyError
from study.results.digests import Row
from study.results.packs import TRIALS_A_PACK, Pack, is_pack, packed
from study.results.reading import in_order_of_trials
from study.results.schemas import SCHEMAS
from study.results.store import Results

_FULL_ENOUGH = 0.5
"""Of TRIALS_A_PACK: a pack of fewer trials is put together with others."""


@dataclass(frozen=True)
class Compacted:
    """What was done."""

    trials: int
    """In packs now."""
    packs: int
    removed: int
    """Files."""


def compact(results: Results) -> Compacted:
    """Put all trials of OUT, which the caller has claimed, into packs. Refits stay as they are.

    Raises StudyError, and changes nothing, if a trial is damaged.
    """
    audit = results.audit()
    if audit.damaged:
        first, what = min(audit.damaged.items())
        raise StudyError(
            f"{results.out}: {len(audit.damaged)} of its trials are damaged ({first}: {what}, for one). Run the study "
            "again, which makes them anew, and then compact it"
        )
    loose, recipes = set(results.loose_trials()), dict[str, Any]()
    kept = _full_and_apart(results.whole_packs(), loose)
    in_kept = {trial_id for pack in kept for trial_id in pack.trial_ids}
    written = {f"{table}/{name}" for pack in kept for table, name in pack.files.items()}
    waiting = sorted(audit.rows.keys() - in_kept)
    for start in range(0, len(waiting), TRIALS_A_PACK):
        rows = {trial_id: audit.rows[trial_id] for trial_id in waiting[start : start + TRIALS_A_PACK]}
        for trial_id, row in rows.items():
            if row["recipe_digest"] not in recipes:
                recipes[row["recipe_digest"]] = results.recipe_of(trial_id)
        own = {row["recipe_digest"]: recipes[row["recipe_digest"]] for row in rows.values()}
        for file, content in packed(_tables(results, rows, loose), own).items():
            results.write_bytes(file, content)
            written.add(file)
    removed = 0
    for files in _left_over(results, audit.rows, written):
        results.remove_all(files)
        removed += len(files)
    return Compacted(len(audit.rows), sum(file.startswith("trials/") for file in written), removed)


def _full_and_apart(packs: Sequence[Pack], elsewhere: Collection[str]) -> list[Pack]:
    """Those that can stay: of many trials, none of which is in another, or `elsewhere`."""
    kept, taken = [], set(elsewhere)
    for pack in packs:
        if len(pack.trial_ids) >= _FULL_ENOUGH * TRIALS_A_PACK and taken.isdisjoint(pack.trial_ids):
            kept.append(pack)
            taken.update(pack.trial_ids)
    return kept


def _tables(results: Results, rows: Mapping[str, Row], loose: Collection[str]) -> dict[str, pa.Table]:
    """All rows of these trials. What a trial has files of stands in its digests."""
    tables = {}
    for name in SCHEMAS:
        having = [each for each, row in rows.items() if name == "trials" or name in json.loads(row["digests"])]
        own, in_packs = [each for each in having if each in loose], [each for each in having if each not in loose]
        parts = [results.read_own(name, own), *([results.read(name, in_packs)] if in_packs else [])]
        tables[name] = in_order_of_trials(parts)
    return tables


def _left_over(results: Results, in_packs: Collection[str], written: Collection[str]) -> Iterator[list[str]]:
    """Files that hold nothing that the packs do not hold: `trials` first, and other packs before trials' own files."""
    for name in ("trials", *(name for name in SCHEMAS if name != "trials")):
        names = results.names(name, ".parquet")
        yield [f"{name}/{each}" for each in names if is_pack(each) and f"{name}/{each}" not in written]
        yield [f"{name}/{each}" for each in names if each.removesuffix(".parquet") in in_packs]
