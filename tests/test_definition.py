"""The door: what is let in, and how what is not is named."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.definition import PRESETS, Definition, load, parse
from study.errors import StudyError

PAPER_ROTATIONS = {
    "rot_0": {"*": [30], "adapter": [60], "drill": [60]},
    "rot_1": {"*": [60], "adapter": [30], "drill": [30]},
    "rot_2": {"*": [0]},
}


def refusal(table: dict[str, object]) -> str:
    with pytest.raises(StudyError) as caught:
        parse(table)
    return str(caught.value)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_survive_being_written_out(preset: str) -> None:
    definition = load(preset)
    assert parse(tomllib.loads(definition.to_toml())) == definition
    assert definition.name == preset


def test_every_default_is_written_out() -> None:
    written = tomllib.loads(Definition().to_toml())
    optional = {"workers"}  # None means: as many as fit
    for section, field in Definition.model_fields.items():
        nested = getattr(field.annotation, "model_fields", {})
        assert set(nested) - optional <= set(written[section]) if nested else section in written


def test_the_paper_preset_is_the_authors_recipe() -> None:
    paper = load("paper")
    assert paper.training == Definition().training
    assert (paper.training.epochs, paper.training.batch_size, paper.training.learning_rate) == (32, 16, 1e-3)
    assert (paper.search.trials, paper.search.default_width, paper.search.default_strength) == (1, 1.0, 1.0)
    assert paper.splits == parse({"splits": {"rotations": PAPER_ROTATIONS}}).splits


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
        ({"training": {"image_size": 100}}, ["multiple of 16", "96"]),
        ({"training": {"cascade_weights": [0, 1, 1]}}, ["training.cascade_weights", "positive"]),
        ({"grid": {"models": ["icent"]}}, ["'icent'", "did you mean icnet?"]),
        ({"grid": {"models": []}}, ["grid.models", "at least 1"]),
        ({"grid": {"models": ["icnet", "icnet"]}}, ["grid.models", "named twice: icnet"]),
        ({"grid": {"splits": ["randm_1"]}}, ["'randm_1'", "did you mean random_1?"]),
        ({"grid": {"splits": ["rot_7"]}}, ["'rot_7'", "splits.rotations"]),
        ({"grid": {"splits": ["random_01"]}}, ["'random_01'"]),
        ({"grid": {"splits": ["random_1234567890"]}}, ["'random_1234567890'", "at most 9 digits"]),
        ({"grid": {"splits": ["random_1\u0663"]}}, ["'random_1\u0663'"]),
        ({"splits": {"rotations": {"rot_1234567890": {"*": [30]}}}}, ["'rot_1234567890'", "at most 9 digits"]),
        ({"splits": {"rotations": {"rot_0": {"*": [361]}}}}, ["splits.rotations.rot_0.*", "less than or equal to 360"]),
        ({"splits": {"rotations": {"rot_0": {"*": [10**40]}}}}, ["splits.rotations.rot_0.*", "360"]),
        ({"search": {"width": [2.0, 1.0]}}, ["search.width", "low < high"]),
        ({"search": {"strength": [0.0, 2.0]}}, ["search.strength", "1.5"]),
        ({"splits": {"test_share": 1.0}}, ["splits.test_share", "less than 1"]),
        ({"splits": {"rotations": {"rot_x": {"*": [30]}}}}, ["'rot_x'", "rot_0"]),
        ({"splits": {"rotations": {"rot_0": {"*": []}}}}, ["rot_0 tests no angle"]),
        ({"resources": {"gpus": {"icnt": 0.5}}}, ["'icnt'", "did you mean icnet?"]),
        ({"name": "../away"}, ["name", "'../away'"]),
        ({"training": 3}, ["training", "3"]),
    ],
)
def test_refusals_name_key_value_and_remedy(table: dict[str, object], words: list[str]) -> None:
    message = refusal(table)
    assert all(word in message for word in words), message


def test_without_named_splits_eight_random_ones_and_the_definitions_own_rotations_are_run() -> None:
    """Angles belong to a data set: none is taken from another."""
    eight = tuple(f"random_{i}" for i in range(8))
    assert (parse({}).grid.splits, parse({}).splits.rotations) == (eight, {})
    own = {"splits": {"rotations": {"rot_3": {"*": [45]}}}}
    assert parse(own).grid.splits == (*eight, "rot_3")
    assert parse(own | {"grid": {"seeds": [1]}}).grid.splits == (*eight, "rot_3")
    assert parse(own | {"grid": {"splits": ["random_0"]}}).grid.splits == ("random_0",)


def test_one_direction_is_one_angle() -> None:
    rotations = parse({"splits": {"rotations": {"rot_0": {"*": [360, 0, -30, 330.0, 22.5, -0.1]}}}}).splits.rotations
    assert rotations == {"rot_0": {"*": (0, 330, 22.5, 359.9)}}


def test_all_problems_come_at_once() -> None:
    message = refusal({"training": {"epocs": 1, "batch_size": 0}, "grid": {"models": ["x"]}})
    assert "3 problems" in message


def test_a_refused_item_is_one_problem_not_two() -> None:
    assert "a problem:" in refusal({"grid": {"models": ["icent"]}})


def test_settings_are_toml_or_plain_words() -> None:
    definition = load(
        "paper",
        ["grid.models=icnet,unet", "grid.losses=ce", "search.trials=20", "data.path=some/where", "grid.seeds=3"],
    )
    assert definition.grid.models == ("icnet", "unet")
    assert definition.grid.losses == ("ce",)
    assert definition.grid.seeds == (3,)
    assert definition.search.trials == 20
    assert definition.data.path == "some/where"


@pytest.mark.parametrize("setting", ["search.trials", "=3", "a..b=3", "name.x=3"])
def test_settings_that_are_none(setting: str) -> None:
    with pytest.raises(StudyError, match="--set"):
        load("demo", [setting])


def test_sources_that_are_none(tmp_path) -> None:
    with pytest.raises(StudyError, match="did you mean paper"):
        load("papr")
    with pytest.raises(StudyError, match="cannot be read"):
        load(str(tmp_path / "absent.toml"))
    (tmp_path / "torn.toml").write_text("[grid")
    with pytest.raises(StudyError, match="not valid TOML"):
        load(str(tmp_path / "torn.toml"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StudyError, match="cannot be read"):
        load(str(tmp_path / "binary.toml"))


def test_what_may_grow_or_say_where_is_no_part_of_the_recipe() -> None:
    small = load("demo")
    changes = ["search.trials=50", "grid.models=icnet", "grid.splits=random_7", "resources.workers=2", "name=other"]
    assert load("demo", changes).recipe_digest() == small.recipe_digest()


@pytest.mark.parametrize("change", ["seed=1", "training.epochs=3", "search.startup=3", "splits.test_share=0.3"])
def test_what_decides_numbers_is_part_of_the_recipe(change: str) -> None:
    assert load("demo", [change]).recipe_digest() != load("demo").recipe_digest()


def test_an_integer_and_the_equal_float_are_one_recipe() -> None:
    assert load("demo", ["search.default_width=1"]).recipe() == load("demo", ["search.default_width=1.0"]).recipe()


@given(
    st.dictionaries(
        st.sampled_from(["name", "seed", "data", "grid", "splits", "training", "search", "resources", "other"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
            max_leaves=6,
        ),
    )
)
def test_whatever_is_written_is_a_definition_or_a_clear_refusal(table: dict[str, object]) -> None:
    try:
        definition = parse(table)
    except StudyError as error:
        refused = str(error)
    else:
        refused = ""
        assert parse(tomllib.loads(definition.to_toml())) == definition
    assert not refused or len(refused.splitlines()) > 1


def test_models_not_named_keep_their_share_and_memory() -> None:
    resources = load("paper", ["resources.gpus={unet=1.0}", "resources.memory_gb={icnet=9}"]).resources
    assert resources.gpus == {"icnet": 0.25, "unet": 1.0, "icnet_cascade": 0.25}
    assert resources.memory_gb == {"icnet": 9.0, "unet": 4.0, "icnet_cascade": 1.0}
