"""Parsers of what comes from others: whatever the input, an answer or one message; never another exception."""

from __future__ import annotations

import io
import math
import random
import string
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from test_analysis_load import CELLS, DEFINITION, commit
from test_definition import NODES, NUMBERS, shaped

from analysis.errors import AnalysisError
from analysis.load import load as load_scores
from study.cells import parse_trial, trials
from study.commands.plan import plan, plan_here
from study.data_set import CutOutsOfFolder, data_set_of
from study.definition.file import load, parse, read_toml
from study.errors import StudyError
from study.planning.cost import readable
from study.results import Results
from study.results.kept import read_committed
from study.results.schemas import table_of
from trainers.data.cut_outs.catalogue import read_catalogue
from trainers.data.cut_outs.source import load as load_images
from trainers.data.problems import DataError
from trainers.data.size import square

pytestmark = pytest.mark.slow  # many inputs


@contextmanager
def answered(*words: str) -> Iterator[None]:
    """The block ends well, or with one of our errors, whose message holds one of the words."""
    try:
        yield
    except (StudyError, AnalysisError, DataError) as error:
        message = str(error)
    else:
        return
    assert any(word in message for word in words or ("",)), message
    assert "\x1b" not in message, "what is shown on a terminal is text"


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
SECTIONS = ("name", "seed", "simulate", "data", "grid", "splits", "training", "search", "resources")
KEYS = tuple(key for section in SECTIONS[3:] for key in type(getattr(DEFINITION, section)).model_fields)


sections = st.dictionaries(st.sampled_from(KEYS), plain)


@given(st.dictionaries(st.sampled_from(SECTIONS) | st.text(max_size=8), plain | sections))
def test_any_definition(table: dict[str, Any]) -> None:
    with answered("the definition has"):
        definition = parse(table)
        assert parse(definition.model_dump(exclude_none=True)) == definition


@given(st.sampled_from(SECTIONS[3:]), st.sampled_from(KEYS), plain)
def test_any_value_of_a_key_that_exists(section: str, key: str, value: Any) -> None:
    with answered():
        trials(parse(DEFINITION.model_dump(exclude_none=True) | {section: {key: value}}))


def at_the_ends(node: dict[str, Any]) -> list[Any]:
    """A key's lowest and highest values by its schema, each in the shape that the key wants; or both, as a range."""
    match node:
        case {"prefixItems": [lower, upper]}:  # a range
            return [[ends_of(lower)[0], ends_of(upper)[1]]]
        case {"prefixItems": list(items)}:
            return [list(ends) for ends in zip(*map(ends_of, items), strict=True)]
    lists = [shaped(node, end) for end in ends_of(node)]
    if node.get("default") == [1.0]:  # shares of the training samples, which end with the whole
        return [sorted({*each, 1.0}) for each in lists]
    return [each for each in lists if each != [0]]  # of weights, of which the first must be above 0


def ends_of(node: dict[str, Any]) -> tuple[float, float]:
    """The lowest and the highest number that a part of a schema lets in."""
    for inner in (node.get("additionalProperties"), node.get("items"), *node.get("anyOf", ())):
        if inner and inner["type"] != "null":
            return ends_of(inner)
    low = node.get("minimum", math.nextafter(node.get("exclusiveMinimum", 0), math.inf))
    return low, node.get("maximum", math.nextafter(node.get("exclusiveMaximum", 0), -math.inf))


@given(st.fixed_dictionaries({}, optional={place: st.sampled_from(at_the_ends(NODES[place])) for place in NUMBERS}))
def test_whatever_is_accepted_can_be_planned_and_kept(values: dict[tuple[str, str], Any]) -> None:
    """Numbers at both ends of what is allowed: what the door lets in fails nowhere behind it."""
    table: dict[str, Any] = {"grid": {"models": ["icnet"], "losses": ["ce"], "splits": ["random_0"]}}
    rates = {"low": 1e-38, "high": 1e38, "log": True}
    space = {"training.learning_rate": rates, "training.optimizer": {"choices": ["adam", "sgd"]}}  # each key is heeded
    table["search"] = {"space": space, "objectives": ["dice", "gflops"]}
    for (section, key), value in values.items():
        (table.setdefault(section, {}) if section else table)[key] = value
    definition = parse(table)
    with answered():  # a batch too large, a machine too small
        planned = plan(definition, "/nowhere/out")
        assert readable(planned.estimate.seconds)
        plan_here(planned)
    last = trials(definition)[-1]
    row = {"trial": last.id, "seed": last.cell.seed, "index": last.index, "width": definition.model.width}
    assert table_of("trials", [row]).to_pylist()[0].items() >= row.items()
    assert parse_trial(last.id) == last
    assert parse(read_toml(definition.to_toml().encode(), "study.toml")) == definition


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="surrogatepass")))
def test_any_file_as_a_definition(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    with answered("any.toml"):
        load(str(path))


@given(st.text(max_size=40))
def test_any_setting(setting: str) -> None:
    with answered():
        load("demo", [setting])


@given(st.text(string.ascii_letters + string.digits + "-_./\\\0\n", max_size=60))
def test_any_trial_id_is_a_name_inside_of_out_or_refused(text: str) -> None:
    try:
        trial = parse_trial(text)
    except StudyError:
        return
    assert trial.id == text
    assert not set(text) & set("./\\\0\n")


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode(errors="surrogatepass")))
def test_any_file_as_a_table_of_scores(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content)
    with pytest.raises(AnalysisError, match=r"any\.csv"):
        load_scores(path)


@given(st.lists(st.lists(st.text(max_size=6), min_size=6, max_size=6), min_size=1, max_size=4))
def test_any_rows_of_a_table_of_scores(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    import csv

    path = tmp_path_factory.getbasetemp() / "rows.csv"
    with path.open("w", newline="", encoding="utf-8", errors="surrogatepass") as file:
        csv.writer(file).writerows([["model", "loss", "split", "averaging", "class", "dice"], *rows])
    with answered("rows.csv"):
        load_scores(path)


def damaged(content: bytes, chance: random.Random) -> bytes:
    """The content cut short, with some bytes changed, or with a piece twice."""
    where = chance.randrange(len(content))
    cut = content[:where]
    piece = content[where : where + chance.randrange(1, 64)]
    changed = bytearray(content)
    for _ in range(chance.randrange(1, 8)):
        changed[chance.randrange(len(content))] = chance.randrange(256)
    return chance.choice([cut, bytes(changed), content[:where] + piece + content[where:]])


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("out")
    Results(place).write_text("study.toml", DEFINITION.to_toml())
    for cell in CELLS:
        commit(place, f"{cell}-t00")
    return place


@pytest.mark.parametrize("table", ["trials", "dice", "confusion"])
@pytest.mark.parametrize("draw", range(40))
def test_any_damage_to_a_file_of_out(out: Path, table: str, draw: int) -> None:
    victim = out / table / f"{CELLS[0]}-t00.parquet"
    content = victim.read_bytes()
    victim.write_bytes(damaged(content, random.Random(draw)))
    try:
        with answered(str(out), CELLS[0]):
            read_committed(Results(out), DEFINITION)
        with answered(str(out), CELLS[0]):
            load_scores(out, epsilon=0.01)
    finally:
        victim.write_bytes(content)


def picture(kind: str) -> bytes:
    file = io.BytesIO()
    image = Image.new("RGBA", (12, 12), (200, 30, 30, 255))
    (image if kind in ("PNG", "TIFF", "WEBP") else image.convert("RGB")).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "BMP", "JPEG"])
@pytest.mark.parametrize("draw", range(8))
def test_any_damage_to_an_image(folder: Path, kind: str, draw: int) -> None:
    victim = next(iter(sorted((folder / "mug" / "0").iterdir())))
    victim.write_bytes(damaged(picture(kind), random.Random(draw)))
    with answered("mug/0"):
        load_images(read_catalogue(folder), square(16))


HOSTILE = ["..", "a\nb", "<script>", "$(id)", "'; --", "\x1b[31m", "ä" * 80, "%s%n", "CON", "=1+1", " ", "\u202e"]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("place", ["{}/0/x.png", "mug/{}/x.png", "mug/0/{}.png", "backgrounds/{}/x.png"])
def test_hostile_names_in_a_data_set(folder: Path, place: str, name: str) -> None:
    path = folder / place.format(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture("PNG"))
    definition = load("demo", [f"data.path={tomli_w.dumps({'p': str(folder)}).partition('= ')[2].strip()}"])
    with answered():
        data = data_set_of(definition)
        assert isinstance(data, CutOutsOfFolder)
        catalogue = data.catalogue
        load_images(catalogue, square(16))
        assert all(folder.resolve() in file.path.resolve().parents for file in catalogue.files)
