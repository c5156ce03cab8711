"""Where a study keeps its results: a directory, or a URI. The place named is the place used, or it is refused."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.fs

from study.errors import StudyError
from trainers.printable import is_text

_SHOWN_OPTIONS = frozenset({"scheme", "region", "endpoint_override"})
"""Of a URI's options those that cannot be secret."""


@dataclass(frozen=True)
class Place:
    """An open place."""

    files: pyarrow.fs.FileSystem
    root: str
    """The place's path in `files`."""
    name: str
    """An absolute path or a URI, by which any process finds the place. A URI may hold credentials: it is not shown."""
    shown: str
    """What people see: as the place was named, less its credentials."""


def open_place(out: str | os.PathLike[str]) -> Place:
    """Open a directory or a URI that pyarrow understands; neither has to exist.

    Raises StudyError if it is none, or if it could be taken for another place than the one that is named.
    """
    named = os.fspath(out)
    if not is_text(named):
        raise StudyError(
            f"{named}: not text in the encoding of this machine's locale, and pyarrow takes no other name. "
            "Rename it, or set LC_ALL=C.UTF-8"
        )
    scheme, separator, rest = named.partition("://")
    if separator:
        return _open_uri(named, scheme, rest)
    if not named.strip():
        raise StudyError("the place of the results is empty: give a directory or a URI, such as results/demo")
    if re.match(r"(s3|gs|gcs|abfss?|file|hdfs):", named, re.IGNORECASE):
        raise StudyError(
            f"{named}: a URI begins with {named.partition(':')[0].lower()}:// (a directory of that name: ./{named})"
        )
    try:
        root = Path(named).expanduser().absolute()
    except RuntimeError as error:  # ~somebody, who is not there
        raise StudyError(f"{named}: no place to keep results: {error}") from None
    if root.exists() and not root.is_dir():
        raise StudyError(f"{named} is a file: results are kept in a directory")
    return Place(pyarrow.fs.LocalFileSystem(), str(root), str(root), named)


def _open_uri(named: str, scheme: str, rest: str) -> Place:
    """pyarrow cuts off what follows `#`, decodes `%..` and joins `//`; other tools take them as they stand. So names in
    which they differ are refused, and all other characters are passed on as they stand."""
    server, _, path = rest.partition("/")
    path, question_mark, options = path.partition("?")
    credentials, at, host = server.rpartition("@")
    shown = f"{scheme}://{'***@' * bool(at)}{host}/{path}".rstrip("/") + question_mark + _masked(options)
    if ":" in host and not at:
        raise StudyError(
            f"{scheme}://...: a place has no port. (If these are credentials: a / in them is written %2F, and they are "
            "better kept in the environment, where nobody reads them.)"
        )
    if wrong := _read_in_two_ways(path, options):
        raise StudyError(f"{shown}: {wrong}. Choose a name without it.")
    uri = f"{scheme}://{credentials}{at}{host}/{quote(path)}{question_mark}{options}"
    try:
        files, root = pyarrow.fs.FileSystem.from_uri(uri)
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).replace(uri, shown)
        reason = reason.replace(credentials, "***") if credentials else reason
        raise StudyError(f"{shown}: no place to keep results: {reason}") from None
    return Place(_writing_at_once(files), root.rstrip("/"), named, shown)


def _writing_at_once(files: pyarrow.fs.FileSystem) -> pyarrow.fs.FileSystem:
    """On S3 a small file is then one request. Otherwise it is uploaded in parts, which stay there, and are paid for,
    when a writer is killed. (A URI cannot ask for it.)"""
    if not isinstance(files, pyarrow.fs.S3FileSystem):
        return files
    rebuild, (options,) = files.__reduce__()
    return rebuild({**options, "allow_delayed_open": True})


def _read_in_two_ways(path: str, options: str) -> str:
    """What in a URI is not read alike by all tools; empty if nothing is."""
    for character in "#%":
        if character in path + options:
            return f"a {character} in a URI is read in different ways by different tools"
    if not all("=" in option for option in options.split("&") if option):
        return "what follows a ? in a URI is read as options, such as ?region=eu-central-1"
    if {"", ".", ".."} & set(path.rstrip("/").split("/")[:-1]) or path.rstrip("/").rpartition("/")[2] in (".", ".."):
        return "an empty part, a . or a .. in a URI's path is read in different ways by different tools"
    return "" if path.isprintable() else "it holds a character that cannot be printed"


def _masked(options: str) -> str:
    """A URI's options, without the values that may be secret."""
    pairs = [option.partition("=") for option in options.split("&") if option]
    return "&".join(f"{key}={value if key in _SHOWN_OPTIONS else '***'}" for key, _, value in pairs)
