"""The place named is the place used, whatever characters its name has; credentials are shown nowhere."""

from __future__ import annotations

from pathlib import Path

import pyarrow.fs
import pyarrow.parquet as pq
import pytest
from test_results import tables

from study.errors import StudyError
from study.results import Results
from study.results.place import open_place

TRIAL = "icnet-ce-random_0-s0-t00"
REGION = "?region=eu-central-1"  # given, so that nobody is asked where a bucket is


@pytest.mark.parametrize("name", ["run#2", "run?3", "a b", "[v2]", "[x", "50%", "%41", "ä", "a:b", "a&b=c", "~x", "'"])
def test_a_path_means_what_it_says(tmp_path: Path, name: str) -> None:
    Results(tmp_path / name).commit(tables(TRIAL))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert pq.read_table(tmp_path / name / "trials").num_rows == 1
    assert len(Results(tmp_path / name).audit().rows) == 1


@pytest.mark.parametrize("name", ["a b", "[v2]", "x[y]", "ä", "a:b", "a@b", "a&b=c", "a+b", "'", "a\\b", "~x"])
def test_a_uri_means_what_it_says(tmp_path: Path, name: str) -> None:
    Results(f"file://{tmp_path}/{name}").commit(tables(TRIAL))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert open_place(f"s3://bucket/{name}/x/{REGION}").root == f"bucket/{name}/x"


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("s3://bucket/run#2", "a # in a URI"),
        ("file:///tmp/run#2", "a # in a URI"),
        ("s3://bucket/run?2", r"what follows a \? in a URI is read as options"),
        ("s3://bucket/run?x=1", "Unexpected query parameter"),
        ("s3://bucket/run%232", "a % in a URI"),
        ("s3://bucket//run", "an empty part"),
        ("s3://bucket/a/../run", "an empty part, a . or a .."),
        ("s3://bucket/..", "an empty part, a . or a .."),
        ("s3://bucket/a\x1b[31m", "cannot be printed"),
        ("s3://bucket:9000/run", "a place has no port"),
        ("nowhere://x/y", "no place to keep results"),
        ("s3:///", "no place to keep results"),
        ("s3:/bucket/run", "a URI begins with s3://"),
        ("S3:bucket/run", "a URI begins with s3://"),
        ("", "the place of the results is empty"),
        ("  ", "the place of the results is empty"),
        ("~nobody-of-that-name/x", "no place to keep results"),
    ],
)
def test_what_may_be_another_place_is_refused(uri: str, why: str) -> None:
    with pytest.raises(StudyError, match=why):
        open_place(uri)


def test_a_file_is_no_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StudyError, match="is a file: results are kept in a directory"):
        open_place(tmp_path / "file")


SECRET = "SE%2FCRET"


def test_credentials_are_used_and_not_shown() -> None:
    place = open_place(f"s3://KEY:{SECRET}@bucket/run{REGION}")
    assert isinstance(place.files, pyarrow.fs.S3FileSystem)
    assert place.root == "bucket/run"
    assert place.name == f"s3://KEY:{SECRET}@bucket/run{REGION}", "as another process needs it"
    assert place.shown == f"s3://***@bucket/run{REGION}"
    assert Results(place.name).out == place.shown


@pytest.mark.parametrize(
    "uri",
    [
        f"s3://KEY:{SECRET}@bucket/run#2",
        f"s3://KEY:{SECRET}@bucket/run?x={SECRET}",
        f"gs://KEY:{SECRET}@bucket/run",
        f"odd://KEY:{SECRET}@bucket/run",
        f"abfs://container@account.dfs.core.windows.net/run?sas_token={SECRET}&x=1",
        "s3://KEY:SE/CRET@bucket/run",
    ],
)
def test_no_refusal_shows_credentials(uri: str) -> None:
    with pytest.raises(StudyError) as caught:
        open_place(uri)
    assert "CRET" not in str(caught.value)
    assert "KEY" not in str(caught.value)


def test_a_uri_and_a_path_of_one_place(tmp_path: Path) -> None:
    results = Results(f"file://{tmp_path}/out")
    results.commit(tables(TRIAL))
    assert Results(tmp_path / "out").audit() == results.audit()
