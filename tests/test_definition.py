"""The door: what is let in, and how what is not is named."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from study.definition import PRESETS, Definition
from study.definition.file import load, parse
from study.definition.point import Point
from study.definition.space import Range
from study.errors import StudyError
from trainers.names import NETWORKS

PAPER_ROTATIONS = {
    "rot_0": {"*": [30], "adapter": [60], "drill": [60]},
    "rot_1": {"*": [60], "adapter": [30], "drill": [30]},
    "rot_2": {"*": [0]},
}


def refusal(table: dict[str, object]) -> str:
    with pytest.raises(StudyError) as caught:
        parse(table)
    return str(caught.value)


def searched(key: str, **dimension: object) -> dict[str, object]:
    return {"search": {"space": {key: dimension}}}


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_survive_being_written_out(preset: str) -> None:
    definition = load(preset)
    assert parse(tomllib.loads(definition.to_toml())) == definition
    assert definition.name == preset


def test_the_related_networks_are_tried_as_the_papers_are() -> None:
    """So that the trials of one study are trials of the other."""
    paper, related = load("paper"), load("related")
    assert set(related.grid.models) == set(NETWORKS)
    assert related.grid.model_copy(update={"models": paper.grid.models}) == paper.grid
    assert related.keys_that_decide_a_trial() == paper.keys_that_decide_a_trial()
    assert related.splits == paper.splits


def test_every_default_is_written_out() -> None:
    written = tomllib.loads(Definition().to_toml())
    optional = {"workers", "pairs", "unit", "given", "halving"}  # None means: as many as fit, or none
    for section, field in Definition.model_fields.items():
        nested = getattr(field.annotation, "model_fields", {})
        assert set(nested) - optional <= set(written[section]) if nested else section in written


def test_the_paper_preset_is_the_authors_recipe() -> None:
    paper = load("paper")
    assert paper.training == Definition().training
    assert (paper.training.epochs, paper.training.batch_size, paper.training.learning_rate) == (32, 16, 1e-3)
    assert (paper.search.trials, paper.model.width, paper.augmentation.strength) == (1, 1.0, 1.0)
    assert paper.default_point == Point({"model.width": 1.0, "augmentation.strength": 1.0})
    assert paper.splits == parse({"splits": {"held_out": {"angle": PAPER_ROTATIONS}}}).splits


RANGE = {"low": 0.5, "high": 1.0}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"trainig": {}}, ["trainig", "did you mean training?"]),
        ({"training": {"epocs": 3}}, ["training.epocs", "did you mean training.epochs?"]),
        ({"training": {"zzz": 3}}, ["training.zzz: unknown key", "training.epochs"]),
        ({"epochs": 3}, ["epochs", "did you mean training.epochs?"]),
        ({"training": {"epochs": "3"}}, ["training.epochs", "'3'"]),
        ({"training": {"epochs": 0}}, ["training.epochs", "greater than or equal to 1", "0"]),
        ({"training": {"learning_rate": float("nan")}}, ["training.learning_rate", "nan"]),
        ({"training": {"image_size": 100}}, ["1 problem:", "training.image_size: must be a multiple of 16", "96"]),
        ({"training": {"image_size": [32, 50]}}, ["1 problem:", "training.image_size.1: must be a multiple", "48"]),
        ({"[side]": {}, "name": {}}, ["2 problems:", "[side]: unknown key"]),
        ({"training": {"image_size": [32]}}, ["1 problem:", "training.image_size: too few values"]),
        ({"training": {"image_size": "32"}}, ["1 problem:", "training.image_size: must be a whole number"]),
        (searched("training.resize", choices=["stretch", "pad"]), ["cannot be searched", "share the images"]),
        (searched("training.counted_at", choices=["working size", "original size"]), ["scored alike"]),
        ({"training": {"output_weights": [0, 1, 1]}}, ["training.output_weights: the first weight", "above 0"]),
        ({"training": {"cascade_weights": [1, 1, 1]}}, ["no longer a key; write training.output_weights = ..."]),
        ({"grid": {"models": ["icent"]}}, ["'icent'", "did you mean icnet?"]),
        ({"grid": {"models": []}}, ["grid.models", "at least 1"]),
        ({"grid": {"models": ["pkg:"]}}, ["'pkg:'", "nor a dotted path such as"]),
        ({"grid": {"models": ["_pkg:net"]}}, ["'_pkg:net'"]),
        ({"grid": {"losses": ["pkg:a-b"]}}, ["'pkg:a-b'"]),
        ({"grid": {"losses": ["pkg:" + "x" * 80]}}, ["at most 80 characters"]),
        ({"grid": {"models": ["pkg:Net", "pkg:net"]}}, ["grid.models", "differ in capitals only"]),
        ({"model": {"widht": 0.5}}, ["model.widht: unknown key", "did you mean width?"]),
        (
            {"model": {"depth": [3]}, "grid": {"models": ["pkg:Net"]}},
            ["1 problem:", "model.depth: must be true or false, a number or text, not [3]"],
        ),
        (
            {"grid": {"models": ["pkg:Net"]}} | searched("model.depth", low=1, high=3),
            ["no key of the recipe", "trial 0"],
        ),
        ({"grid": {"models": ["icnet", "icnet"]}}, ["grid.models", "named twice: icnet"]),
        ({"grid": {"splits": ["randm_1"]}}, ["'randm_1'", "did you mean random_1?"]),
        ({"grid": {"splits": ["rot_7"]}}, ["'rot_7'", "splits.held_out"]),
        ({"grid": {"splits": ["random_01"]}}, ["'random_01'"]),
        ({"grid": {"splits": ["random_1234567890"]}}, ["'random_1234567890'", "at most 9 digits"]),
        ({"grid": {"splits": ["random_1\u0663"]}}, ["'random_1\u0663'"]),
        (searched("model.width", low=2.0, high=1.0), ["search.space.model.width", "low must be below high"]),
        (searched("augmentation.strength", low=0, high=2), ['"augmentation.strength"', "cannot be 2", "1.5"]),
        (searched("model.wdth", low=1, high=2), ["no key of the recipe", "did you mean model.width?"]),
        (searched("data.path", choices=["a", "b"]), ['"data.path": no key of the recipe, from']),
        (searched("training.epochs", low=1.5, high=8.0), ['"training.epochs"', "1.5", "integer"]),
        (searched("training.epochs", low=4, high=8, step=0.5), ["32, is a whole number"]),
        (searched("training.image_size", choices=[64, 128]), ["cannot be searched", "share the images"]),
        (searched("training.output_weights", choices=[1, 2]), ["cannot be searched", "not a single value"]),
        (searched("training.precision", low=1, high=2), ["'bf16'"]),
        (searched("training.precision", choices=["bf16", "fp32"]), ["trial 0", "'auto'", "must be a choice"]),
        (searched("training.precision", choices=["auto", "fp16"]), ["cannot be 'fp16'"]),
        (searched("training.epochs", choices=[32, 32]), ["named twice: 32"]),
        (searched("training.epochs", choices=[32]), ["at least 2"]),
        (searched("model.width", low=0.0, high=1.0, log=True), ["above 0"]),
        (searched("model.width", low=0.1, high=1.0, log=True, step=0.1), ["either log or step"]),
        (searched("model.width", low=0.1, high=1.0, step=2), ["at most high - low"]),
        (searched("model.width", low=0.1), ["search.space.model.width: lacks high"]),
        (searched("model.width", low=0.1, hihg=1.0), ["search.space.model.width: lacks high; has hihg, which it"]),
        (searched("model.width", low="a", high=[2]), ["1 problem", "width: low must be a number, not 'a'; high must"]),
        (searched("model.width", low="a", high=2), ["not 'a'; an entry looks like { low = 0.25, high = 1.5 } (and"]),
        (searched("training.epochs", choices=[8, [9]]), ["choices.1 must be true or false, a number or text, not [9]"]),
        (searched("training.epochs", choices=3), ["training.epochs: choices must be a list, not 3; an entry"]),
        ({"search": {"space": {"model": 3}}}, ["search.space.model: must be a table, not 3; an entry looks like"]),
        ({"search": {"space": 3}}, ["search.space: must be a table, not 3"]),
        (
            {"search": {"space": {"model.width": RANGE, "model": {"width": RANGE}}}},
            ['search.space: model.width is written in two ways, as "model.width" and in the table model: keep one'],
        ),
        ({"search": {"space": {"model.width": [0.1, 1.0]}}}, ["search.space.model.width: must be a table"]),
        ({"search": {"trials": 3}}, ["search.trials", "search.space names none", "model.width"]),
        ({"search": {"width": [0.2, 1.0]}}, ["search.width: no longer a key", '"model.width" = { low']),
        ({"search": {"default_strength": 0.5}}, ["search.default_strength", "write augmentation.strength"]),
        (
            {"splits": {"rotations": {"rot_0": {"*": [30]}}}},
            ["splits.rotations: no longer a key", "splits.held_out.angle"],
        ),
        ({"splits": {"held_out": {"angle": {"r" * 41: [30]}}}}, ["at most 40 characters"]),
        ({"splits": {"held_out": {"angle": {"rot_0": [10**40]}}}}, ["splits.held_out.angle.rot_0.*", "less than"]),
        (
            {"splits": {"held_out": {"site": {"s": [True]}}}},
            ["splits.held_out.site.s.*.0: must be a number or text, not"],
        ),
        ({"splits": {"held_out": {"site": {"s": {"*": {}}}}}}, ["splits.held_out.site.s.*", "{}"]),
        ({"splits": {"held_out": {"a\nb": {"s": "A"}}}}, [r"'a\nb' cannot be the name of a column"]),
        ({"splits": {"held_out": {"site": ["A"]}}}, ["splits.held_out.site", "['A']"]),
        ({"splits": {"held_out": {"site": {"s": ["A"]}, "day": {"s": [1]}}}}, ["s holds out site and day"]),
        ({"splits": {"test_share": 1.0}}, ["splits.test_share", "less than 1"]),
        ({"splits": {"held_out": {"angle": {"Rot-x": [30]}}}}, ["'Rot-x'", "rot_0"]),
        ({"splits": {"held_out": {"angle": {"random_9": [30]}}}}, ["'random_9'", "not with random_"]),
        ({"splits": {"held_out": {"angle": {"rot_0": []}}}}, ["rot_0 tests no angle"]),
        ({"resources": {"gpus": {"icnt": 0.5}}}, ["'icnt'", "did you mean icnet?"]),
        ({"name": "../away"}, ["name", "'../away'", "away would be"]),
        ({"name": "a b"}, ["letters A to Z", "'a b' is none (but a-b would be)"]),
        ({"name": "\x1b]0;x\x07"}, [r"\x1b"]),
        (
            {"grid": {"splits": ["rot_9", "fold_7"]}},
            ["'rot_9' is neither random_<number>", "'fold_7': splits.folds is 5"],
        ),
        ({"grid": {"splits": ["a", "b", "c", "d", "e", "f", "g"]}}, ["'e' is neither", "; and 2 more names"]),
        ({"grid": {"splits": 0.2}}, ["grid.splits: must be a list, not 0.2"]),
        ({"training": {"output_weights": [1.0] * 17}}, ["training.output_weights", "at most 16 items"]),
        ({"training": 3}, ["training", "3"]),
    ],
)
def test_refusals_name_key_value_and_remedy(table: dict[str, object], words: list[str]) -> None:
    message = refusal(table)
    assert all(word in message for word in words), message


def test_without_named_splits_eight_random_ones_and_the_definitions_own_held_out_ones_are_run() -> None:
    """What can be held out belongs to a data set: none is taken from another."""
    eight = tuple(f"random_{i}" for i in range(8))
    assert (parse({}).grid.splits, parse({}).splits.held_out) == (eight, {})
    own = {"splits": {"held_out": {"angle": {"rot_3": {"*": [45]}}, "site": {"clinic_a": ["A"]}}}}
    assert parse(own).grid.splits == (*eight, "rot_3", "clinic_a")
    assert parse(own | {"grid": {"seeds": [1]}}).grid.splits == (*eight, "rot_3", "clinic_a")
    assert parse(own | {"grid": {"splits": ["random_0"]}}).grid.splits == ("random_0",)


def test_an_axis_is_a_table_of_splits() -> None:
    """Values alone are for every class; values are numbers or words, each once; the TOML that is kept says the same."""
    tables = {"angle": {"rot_0": {"*": [30, 30], "mug": [22.5]}}, "site": {"clinic_a": ["A", 7], "b": "B"}}
    definition = parse({"splits": {"held_out": tables}})
    assert definition.splits.held_out == {
        "angle": {"rot_0": {"*": (30,), "mug": (22.5,)}},
        "site": {"clinic_a": {"*": ("A", 7)}, "b": {"*": ("B",)}},
    }
    assert [definition.splits.axis_of(name) for name in ("rot_0", "clinic_a", "random_0")] == ["angle", "site", None]
    assert parse(tomllib.loads(definition.to_toml())) == definition


def test_a_searched_key_may_be_written_in_any_way_that_toml_has() -> None:
    ways = (
        'search.space."model.width" = {low = 0.2, high = 0.4}',
        "search.space.model.width = {low = 0.2, high = 0.4}",
        "[search.space.model]\nwidth = {low = 0.2, high = 0.4}",
        "[search.space.model.width]\nlow = 0.2\nhigh = 0.4",
    )
    assert len({parse(tomllib.loads(way)).to_toml() for way in ways}) == 1
    for setting in ('search.space."model.width".high=0.5', "search.space.model.width.high=0.5"):
        assert load("demo", [setting]).search.space["model.width"] == Range(low=0.12, high=0.5, log=True)


def test_a_quoted_key_of_a_setting_may_have_dots() -> None:
    made = load("demo", ['resources.gpus."pkg.nets:SmallNet"=0.5', 'splits.held_out."my.axis".rot_9.*=[1]'])
    assert made.resources.gpus["pkg.nets:SmallNet"] == 0.5
    assert made.splits.held_out["my.axis"] == {"rot_9": {"*": (1,)}}
    for wrong in ("a..b=1", ".a=1", 'a."=1', "=1"):
        with pytest.raises(StudyError, match=r"must be section\.key=value"):
            load("demo", [wrong])


def test_a_recipe_with_a_point_laid_over_it() -> None:
    paper = load("paper").recipe
    point = Point({"training.learning_rate": 0.01, "augmentation.strength": 0.25})
    laid = paper.at(point)
    assert (laid.training.learning_rate, laid.augmentation.strength, laid.model.width) == (0.01, 0.25, 1.0)
    assert laid.training.model_copy(update={"learning_rate": 1e-3}) == paper.training
    assert paper.at({}) == paper
    for wrong in ({"training.epochs": "8"}, {"training.epocs": 8}, {"trainig.epochs": 8}, {"epochs": 8}):
        with pytest.raises(ValidationError):
            paper.at(wrong)


def test_the_recipes_digest_is_of_values_not_of_their_spelling() -> None:
    one, other = (parse(searched("model.width", low=low, high=high)) for low, high in ((1, 2), (1.0, 2.0)))
    assert one.recipe_digest() == other.recipe_digest()
    assert one.recipe_digest() != parse(searched("model.width", low=1, high=2.5)).recipe_digest()
    assert parse({"model": {"width": 0.5}}).recipe_digest() != parse({}).recipe_digest()


def test_all_problems_come_at_once() -> None:
    message = refusal({"training": {"epocs": 1, "batch_size": 0}, "grid": {"models": ["x"]}})
    assert "3 problems" in message


def test_a_refused_item_is_one_problem_not_two() -> None:
    assert "1 problem:" in refusal({"grid": {"models": ["icent"]}})


def test_settings_are_toml_or_plain_words() -> None:
    definition = load(
        "paper",
        [
            *("grid.models=icnet,unet", "grid.losses=ce", "search.trials=20", "grid.seeds=3", "name=2026"),
            *(
                "data.path=/some/where,2",
                "search.space.model.width={low=0.2, high=0.4}",
                "training.output_weights=[1, 0.5, 0.25]",
            ),
        ],
    )
    assert definition.grid.models == ("icnet", "unet")
    assert definition.grid.losses == ("ce",)
    assert definition.grid.seeds == (3,)
    assert definition.search.trials == 20
    assert definition.data.path == "/some/where,2"
    assert definition.name == "2026"
    assert definition.search.space["model.width"] == Range(low=0.2, high=0.4)
    assert definition.search.space["augmentation.strength"] == Range(low=0.0, high=1.5), "the preset's"
    assert definition.training.output_weights == (1.0, 0.5, 0.25)
    assert load("paper", ["grid.seeds=0, 1,2"]).grid.seeds == (0, 1, 2)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["seed=1", "seed=2"], "seed is set twice, by --set seed=1 and by --set seed=2: keep one"),
        (
            ["search.space.model.width={low=1,high=2}", 'search.space."model.width".low=2'],
            "model.width.low is set twice",
        ),
        (["training={epochs=3}", "training.epochs=4"], "training.epochs is set twice"),
        (["training.epochs=4", "training={batch_size=4}"], "training.epochs is set twice"),
    ],
)
def test_a_key_that_is_set_twice_is_refused(settings: list[str], words: str) -> None:
    with pytest.raises(StudyError) as caught:
        load("demo", settings)
    assert words in str(caught.value)


def test_a_setting_takes_the_place_of_the_files_key_however_it_is_written(tmp_path: Path) -> None:
    for setting in ("search.space.model={width={low=1, high=2}}", 'search.space."model.width"={low=1, high=2}'):
        assert load("demo", [setting]).search.space["model.width"] == Range(low=1, high=2)
    assert load("demo", ["training.epochs=4", "training.batch_size=4"]).training.epochs == 4
    twice = tmp_path / "twice.toml"
    twice.write_text('[search.space]\n"model.width" = {low = 1, high = 2}\nmodel.width = {low = 1, high = 3}')
    for settings in ([], ["search.space.model.width={low=1, high=4}"]):
        with pytest.raises(StudyError, match=r"model\.width is written in two ways"):
            load(str(twice), settings)


@pytest.mark.parametrize("setting", ["search.trials", "=3", "a..b=3", "name.x=3"])
def test_settings_that_are_none(setting: str) -> None:
    with pytest.raises(StudyError, match="--set"):
        load("demo", [setting])


def test_sources_that_are_none(tmp_path) -> None:
    with pytest.raises(StudyError, match="did you mean paper"):
        load("papr")
    with pytest.raises(
        StudyError, match=r"absent\.toml: there is no such file; give a TOML file .* preset \(demo, paper"
    ):
        load(str(tmp_path / "absent.toml"))
    (tmp_path / "torn.toml").write_text("[grid")
    with pytest.raises(StudyError, match="not valid TOML"):
        load(str(tmp_path / "torn.toml"))
    for content in (b"\xff\xfe\x00", b"name = '\xe4'"):
        (tmp_path / "binary.toml").write_bytes(content)
        with pytest.raises(StudyError, match="cannot be read, as it is not text"):
            load(str(tmp_path / "binary.toml"))
    with pytest.raises(StudyError, match="cannot be read: Is a directory"):
        load(str(tmp_path))
    with pytest.raises(StudyError, match="larger than 1,000,000 bytes"):
        load("/dev/zero")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_any_editor_may_have_written_a_definition(encoding: str, end: str, tmp_path: Path) -> None:
    text = end.join(['name = "mugs"', "[data]", 'path = "/Bücher/犬"', "[search]", "startup = 3", ""])
    (tmp_path / "mine.toml").write_bytes(text.encode(encoding))
    definition = load(str(tmp_path / "mine.toml"))
    assert (definition.name, definition.data.path, definition.search.startup) == ("mugs", "/Bücher/犬", 3)


def test_a_data_path_starts_where_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a file, at the file's folder; on the command line, at the current folder; kept, it means the same anywhere."""
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "mine.toml").write_text('data.path = "images"')
    monkeypatch.chdir(tmp_path)
    here = load("study/mine.toml")
    assert here.data.path == str(tmp_path / "study" / "images")
    assert load("study/mine.toml", ["data.path=images"]).data.path == str(tmp_path / "images")
    assert load("demo", ["data.path=~/images"]).data.path == str(Path("~/images").expanduser())
    assert load("demo").data.path == load("study/mine.toml", ["data.path=standin"]).data.path == "standin"
    (tmp_path / "kept.toml").write_text(here.to_toml())
    monkeypatch.chdir("/")
    assert load(str(tmp_path / "kept.toml")) == here


SMALL_AND_COSTLY = {
    "deep brackets": "x = " + "[" * 200_000,
    "deep tables": "x = " + "{a=" * 60_000,
    "long key": "a." * 100_000 + "a = 1",
    "long quoted key": '[ "a" . ' * 1 + "'b' . " * 100_000 + "c ]",
    "digits": "seed = " + "9" * 100_000,
    "hexadecimal digits": "seed = 0x" + "f" * 100_000,
    "hexadecimal words": "grid.models = [0x" + "f" * 100_000 + "]",
    "unknown keys": "\n".join(f"k{i} = 1" for i in range(50_000)),
    "one value many times": "grid.seeds = [" + "7," * 200_000 + "]",
    "many splits": "grid.splits = [" + ",".join(f'"random_{i}"' for i in range(50_000)) + "]",
    "long text": 'name = "' + "x" * 900_000 + '"',
    "long word": "x" * 900_000,
    "long class": "splits.held_out.angle.rot_0 = 3\nsplits.held_out.angle.'" + "x" * 500_000 + "' = 3",
    "many trials": "search.trials = 100000",
    "too large": "#" * 1_000_001,
}


@pytest.mark.slow
@pytest.mark.parametrize("content", SMALL_AND_COSTLY.values(), ids=SMALL_AND_COSTLY)
def test_what_is_small_and_costly_is_refused_in_few_words(content: str, tmp_path: Path) -> None:
    (tmp_path / "costly.toml").write_text(content)
    with pytest.raises(StudyError) as caught:
        load(str(tmp_path / "costly.toml"))
    message = str(caught.value)
    assert str(tmp_path / "costly.toml") in message
    assert len(message) < 4000
    assert len(message.splitlines()) < 25


@pytest.mark.parametrize(
    "setting",
    [
        "seed=" + "[" * 50_000,
        "seed=0x" + "f" * 50_000,
        "a." * 50_000 + "a=1",
        "seed." + "a." * 50_000 + "a=1",
        "x" * 90_000,
    ],
)
def test_a_setting_that_is_costly_is_refused_in_few_words(setting: str) -> None:
    with pytest.raises(StudyError) as caught:
        load("paper", [setting])
    assert len(str(caught.value)) < 4000


def test_how_many_trials_a_study_may_have() -> None:
    assert load("paper", ["search.trials=22727"]).search.trials == 22727
    with pytest.raises(
        StudyError, match=r"search\.trials: 1,000,032 trials \(44 cells of 22,728\), and a study has at"
    ):
        load("paper", ["search.trials=22728"])
    assert len(load("paper", [f"grid.seeds={list(range(227))}"]).grid.seeds) == 227
    with pytest.raises(StudyError, match="grid: 10,032 cells, and a study has at most 10,000"):
        load("paper", [f"grid.seeds={list(range(228))}"])


def shaped(node: dict[str, Any], value: object) -> Any:
    """The value, as often and where the schema of a key wants it; None for a key without numbers."""
    match node:
        case {"prefixItems": list(items)}:
            return [value] * len(items)
        case {"type": "array", "items": {"type": "integer" | "number"}}:
            return [value]
        case {"type": "object", "additionalProperties": {"type": "integer" | "number"}}:
            return {"icnet": value}
        case {"type": "integer" | "number"} | {"anyOf": [{"type": "integer" | "number"}, {"type": "null"}]}:
            return value
    return None


SCHEMA = Definition.model_json_schema()
NODES = {("", key): node for key, node in SCHEMA["properties"].items()} | {
    (key, inner): node
    for key, kind in SCHEMA["properties"].items()
    if "$ref" in kind
    for inner, node in SCHEMA["$defs"][kind["$ref"].rpartition("/")[2]]["properties"].items()
}
NUMBERS = [place for place, node in NODES.items() if shaped(node, 0) is not None]


@pytest.mark.parametrize(("section", "key"), NUMBERS)
def test_every_number_has_bounds(section: str, key: str) -> None:
    """What fits no column, no clock and no network is refused where it is read."""
    for value in (10**400, -(10**400), 2**128, -1, 1e308, float("inf"), float("nan")):
        table = {key: shaped(NODES[section, key], value)}
        message = refusal({section: table} if section else table)
        assert f"{section}.{key}".strip(".") in message
        assert any(word in message for word in ("less than", "greater than", "must be a ", "finite")), message
        assert len(message) < 2000


def test_the_numbers_are_all_there() -> None:
    assert len(NUMBERS) > 20
    assert {("", "seed"), ("grid", "seeds"), ("model", "width"), ("resources", "gpus")} <= set(NUMBERS)


def test_an_image_size_is_a_side_or_two() -> None:
    for given, size in ((48, (48, 48)), ([32, 48], (32, 48))):
        definition = parse({"training": {"image_size": given}})
        assert definition.training.size == size
        assert parse(tomllib.loads(definition.to_toml())) == definition


@pytest.mark.parametrize(
    ("pairs", "line"),
    [
        ({"classes": {"a": "red", "b": 1}}, "classes.a: 'red' is not a colour: one looks like #ff8000"),
        (
            {"classes": {"a": -1}},
            "classes.a: -1 is not a value of a mask's pixels: one is a whole number from 0 to 65535",
        ),
        ({"classes": {"a": True}}, "classes.a: True is not a value of a mask's pixels"),
        ({"classes": [1, "b"]}, "classes.0: must be text, not 1"),
        ({"classes": 3}, "classes: must be a list of names, or a table of names and their values, not 3"),
        ({"ignore": ["white"]}, "ignore.0: 'white' is not a colour: one looks like #ff8000"),
        ({"ignore": 70000}, "ignore.0: 70000 is not a value of a mask's pixels"),
        ({"ignore": [1.5]}, 'or a colour such as "#ff8000"'),
    ],
)
def test_what_is_wrong_with_values_of_masks_is_one_line(pairs: dict[str, object], line: str) -> None:
    with pytest.raises(StudyError) as caught:
        parse({"data": {"path": "x", "pairs": pairs}})
    heading, said = str(caught.value).splitlines()
    assert "1 problem" in heading
    assert line in said
    assert said.startswith("  data.pairs.")
    assert "[" not in said
