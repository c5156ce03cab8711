"""What a committed trial's row says of its files, so that lost, torn, mixed and edited ones are seen.

The column `digests` of `trials` is JSON: table -> SHA-256 of the trial's file of that table, as `sha256sum` prints it;
and `trials` -> SHA-256 of the row itself. They show accidents; who forges a row can forge its digests, too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from study.results.schemas import SCHEMAS

Row = dict[str, Any]
"""A trial's row of `trials`: column -> value."""


def digest_of_file(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def with_digests(trials: pa.Table, files: Mapping[str, bytes]) -> pa.Table:
    """A trial's row with the digest of each of its other files, and one of the row with these."""
    digests = {name: digest_of_file(content) for name, content in files.items()}
    digests |= {"trials": _digest_of_row(trials.to_pylist()[0], digests)}
    column = pa.array([json.dumps(digests, sort_keys=True)])
    return trials.set_column(trials.column_names.index("digests"), "digests", column)


def digests_in(row: Row) -> dict[str, str] | None:
    """Table -> digest of its file, for a trial's other tables; None if the row is not as it was committed."""
    try:
        digests: dict[str, str] = json.loads(row["digests"])
        own = digests.pop("trials")
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return digests if own == _digest_of_row(row, digests) and digests.keys() <= SCHEMAS.keys() else None


def _digest_of_row(row: Row, digests: Mapping[str, str]) -> str:
    return digest_of_file(json.dumps(row | {"digests": digests}, sort_keys=True, default=str).encode())
