"""`study init`: what it takes a data set for, what it says of it, and the definition that it writes."""

from __future__ import annotations

import io
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from odd_data import cut_out_image
from pair_formats import CLASSES, FORMATS, coloured, palette, plain, save, scenes
from PIL import Image, ImageDraw

from study.commands.init import init
from study.data_set import data_set_of
from study.definition.file import load
from study.errors import StudyError
from study.first_look import waiting
from study.first_look.columns import propose_pattern
from study.first_look.sizes import propose_batch_size, propose_size
from study.prepare import prepare
from study.splits import make_splits
from study.terminal.cli import main
from trainers.data.size import Size


def masks(root: Path, *values: int, count: int = 16, size: tuple[int, int] = (48, 64)) -> Path:
    """Images and masks in which each value has a stripe; two digits name the image, and a letter four of them."""
    rng = np.random.default_rng(0)
    for number in range(count):
        name = f"{'abcdefgh'[number // 4]}_{number:02d}.png"
        save(root / f"images/{name}", rng.integers(0, 256, (*size, 3)).astype(np.uint8))
        labels = np.repeat(np.array(values, np.uint8), -(-size[1] // len(values)))[: size[1]]
        save(root / f"masks/{name}", np.tile(labels, (size[0], 1)))
    return root


@pytest.mark.parametrize("format", FORMATS)
def test_of_every_format_a_definition_is_written_that_runs(tmp_path: Path, format: str) -> None:
    (tmp_path / "set").mkdir()
    FORMATS[format](tmp_path / "set", scenes())
    look = init(str(tmp_path / "set"), str(tmp_path / "set.toml"))
    assert look.num_images == 6
    assert [each["name"] for each in look.classes if each["name"] != "ignored"] == ["background", *CLASSES]
    definition = load(str(tmp_path / "set.toml"))
    assert definition.data.pairs is not None
    samples = data_set_of(definition).samples()
    assert samples.classes == CLASSES
    assert make_splits(definition, samples).keys() == set(definition.grid.splits)


def test_what_it_says_is_what_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    masks(tmp_path / "my set", 0, 1, 2, 255)
    monkeypatch.chdir(tmp_path)
    look = init("my set")
    assert look.written == "my-set.toml"
    written = tomllib.loads(Path("my-set.toml").read_text())
    assert written["name"] == "my-set"
    assert written["data"]["path"] == "my set"
    assert written["data"]["pairs"] == {
        "format": "folders",
        "images": "images",
        "masks": "masks",
        "columns": "{group}_{number}",
        "ignore": [255],
        "classes": {"class_0": 0, "class_1": 1, "class_2": 2},
    }
    assert written["training"]["image_size"] == [48, 64]
    assert written["training"]["epochs"] == 32
    init("my set", "short.toml", settings=["training.epochs=8"])
    assert tomllib.loads(Path("short.toml").read_text())["training"] == written["training"] | {"epochs": 8}
    assert written["training"]["resize"] == "stretch"
    assert written["splits"]["held_out"] == {"group": {f"group_{letter}": {"*": [letter]} for letter in "abcd"}}
    assert written["splits"]["unit"] == "group"
    assert look.sizes == {Size(48, 64): 16}
    assert look.columns["group"] == ["a", "b", "c", "d"]
    assert look.classes[0] == {"name": "class_0", "pixels": 16 * 48 * 16, "images": 16}
    assert look.classes[-1] == {"name": "ignored", "pixels": 16 * 48 * 16, "images": 16}
    said = " ".join(look.notes)
    assert "Rename them." in said
    assert "Pixels of the value 255 are ignored" in said
    assert "Images with one group seem to belong together, so no split divides them: splits.unit = 'group'." in said
    assert max(map(len, Path("my-set.toml").read_text().splitlines())) <= 120


@pytest.mark.parametrize(
    ("folder", "values", "classes"),
    [
        ("masks", (0, 255), {"background": 0, "object": 255}),
        ("masks", (0, 1), {"background": 0, "object": 1}),
        ("masks", (1, 2), {"class_1": 1, "class_2": 2}),
        ("masks", (0, 85, 170, 255), {"class_0": 0, "class_85": 85, "class_170": 170, "class_255": 255}),
        ("nuclei", (0, 255), {"background": 0, "nuclei": 255}),
    ],
)
def test_classes_that_nobody_names_are_called_by_their_values(
    tmp_path: Path, folder: str, values: tuple[int, ...], classes: dict[str, int]
) -> None:
    masks(tmp_path / "set", *values)
    (tmp_path / "set/masks").rename(tmp_path / "set" / folder)
    settings = [f"data.pairs.masks={folder}", "data.pairs.images=images"]
    init(str(tmp_path / "set"), str(tmp_path / "set.toml"), settings=settings)
    pairs = load(str(tmp_path / "set.toml")).data.pairs
    assert pairs is not None
    assert pairs.classes == classes
    assert pairs.ignore == ()


def test_of_a_list_of_very_many_classes_only_those_count_that_are_shown(tmp_path: Path) -> None:
    root = masks(tmp_path / "set", 0, 7)
    (root / "classes.txt").write_text("".join(f"c{number}\n" for number in range(300)))
    look = init(str(root), str(tmp_path / "set.toml"))
    pairs = load(str(tmp_path / "set.toml")).data.pairs
    assert pairs is not None
    assert pairs.classes == {"c0": 0, "c7": 7}
    assert any("No image shows c1, c2, c3" in note and "and 288 more: left out" in note for note in look.notes)


def test_masks_of_colours_are_named_by_them(tmp_path: Path) -> None:
    root = masks(tmp_path / "set", 0, 1, 2)
    for mask in (root / "masks").iterdir():
        save(mask, coloured(np.array(Image.open(mask))))
    save(root / "masks/a_00.png", np.zeros((48, 64, 3), np.uint8))
    init(str(root), str(tmp_path / "set.toml"))
    definition = load(str(tmp_path / "set.toml"))
    assert definition.data.pairs is not None
    assert definition.data.pairs.classes == {
        "class_000000": "#000000",
        "class_00ff00": "#00ff00",
        "class_ff0000": "#ff0000",
    }
    assert data_set_of(definition).samples().rows[0].classes == ("class_000000",)


def test_palettes_beside_colours_are_of_the_same_classes(tmp_path: Path) -> None:
    root = masks(tmp_path / "set", 0, 1, 2)
    for number, mask in enumerate(sorted((root / "masks").iterdir())):
        labels = np.array(Image.open(mask))
        save(mask, palette(labels) if number % 2 else coloured(labels))
    look = init(str(root), str(tmp_path / "set.toml"))
    assert [each["name"] for each in look.classes] == ["class_000000", "class_00ff00", "class_ff0000"]
    assert not any("No image shows" in note for note in look.notes)


def test_smeared_masks_are_refused_in_one_problem(tmp_path: Path) -> None:
    root = masks(tmp_path / "set", 0, 255, count=4, size=(96, 128))
    for mask in (root / "masks").iterdir():
        large = Image.new("L", (512, 384))
        ImageDraw.Draw(large).ellipse((70, 50, 400, 300), fill=255)
        save(mask, large.resize((128, 96), Image.Resampling.BILINEAR))
    with pytest.raises(StudyError, match=r"1 problem .*masks/a_00.png.* and 1 more: .*2 have 9\d % .* look smeared"):
        init(str(root), str(tmp_path / "set.toml"))


@pytest.mark.parametrize(("quality", "expected"), [(60, "a mask whose compression smears"), (100, "they look smeared")])
def test_masks_of_colours_that_were_compressed_are_refused(tmp_path: Path, quality: int, expected: str) -> None:
    """Saved as PNG, after a JPEG: few values a mask are told of all masks at once, very many of each."""
    root = masks(tmp_path / "set", 0, 255, count=4, size=(256, 320))
    for number, mask in enumerate(sorted((root / "masks").iterdir())):
        drawn = Image.new("RGB", (320, 256))
        draw = ImageDraw.Draw(drawn)
        for place, colour in enumerate(("#ff0000", "#00ff00", "#ffff00")):
            draw.ellipse((20 + 90 * place, 30 + 20 * number, 100 + 90 * place, 180), fill=colour)
        content = io.BytesIO()
        drawn.save(content, "JPEG", quality=quality, subsampling=0)
        save(mask, Image.open(content))
    with pytest.raises(StudyError, match=expected):
        init(str(root), str(tmp_path / "set.toml"))


def test_many_colours_of_rare_classes_are_not_taken_for_smeared(tmp_path: Path) -> None:
    root = masks(tmp_path / "set", 0, 255, count=4, size=(256, 320))
    for mask in (root / "masks").iterdir():
        colours = np.zeros((256, 320, 3), np.uint8)
        colours[:60] = (128, 0, 0)
        for number in range(60):  # as PASCAL VOC's are: far from each other
            colours[100 + number, :9] = (32 * (number % 4), 64 * (number // 4 % 4), 64 * (number // 16))
        save(mask, colours)
    init(str(root), str(tmp_path / "set.toml"))


@pytest.mark.parametrize("values", [range(14), [0, *range(1, 13), 255], range(0, 240, 20)])
def test_rare_classes_are_not_taken_for_smeared(tmp_path: Path, values: Sequence[int]) -> None:
    root = masks(tmp_path / "set", 0, 255, count=4, size=(96, 128))
    for mask in (root / "masks").iterdir():
        labels = np.zeros((96, 128), np.uint8)
        labels[:40] = values[-1]
        labels[-1, : 3 * len(values)] = np.repeat(np.array(values, np.uint8), 3)
        if values[1] == 20:  # many values, and none of them rare
            labels[40:] = np.resize(np.array(values, np.uint8), (56, 128))
        save(mask, labels)
    init(str(root), str(tmp_path / "set.toml"))


def test_names_that_no_class_may_have_are_changed_and_said(tmp_path: Path) -> None:
    masks(tmp_path / "set", 0, 1, 2, 3)
    (tmp_path / "set/classes.txt").write_text("background\ntraffic light\ntraffic_light\nall\nnever seen\n")
    look = init(str(tmp_path / "set"), str(tmp_path / "set.toml"))
    assert [each["name"] for each in look.classes] == ["background", "traffic_light", "traffic_light_2", "all_"]
    assert "The class 'traffic light' is written traffic_light." in look.notes
    assert "No image shows never_seen: left out of the classes." in look.notes


def test_what_is_set_is_kept(tmp_path: Path) -> None:
    masks(tmp_path / "set", 0, 1, 11)
    settings = ["data.pairs.ignore=11", "data.pairs.classes=sky,road", "data.pairs.columns={drive}_{frame}"]
    assert (
        main(["init", str(tmp_path / "set"), "--to", str(tmp_path / "a.toml"), *[f"--set={each}" for each in settings]])
        == 0
    )
    definition = load(str(tmp_path / "a.toml"))
    assert definition.data.pairs is not None
    assert definition.data.pairs.classes == {"sky": 0, "road": 1}
    assert definition.data.pairs.ignore == (11,)
    assert definition.splits.unit == "drive"
    assert data_set_of(definition).samples().rows[0].values == {"drive": "a", "frame": "00"}


def test_a_table_beside_the_images_gives_unit_and_splits(tmp_path: Path) -> None:
    root = masks(tmp_path / "set", 0, 1, count=24)
    names = sorted(path.name for path in (root / "images").iterdir())
    rows = [f"{name},p{number // 4},{'mf'[number // 12]},{'lr'[number % 2]}" for number, name in enumerate(names)]
    (root / "metadata.csv").write_text("\n".join(["file_name,patient,sex,side", *rows]))
    look = init(str(root), str(tmp_path / "set.toml"))
    definition = load(str(tmp_path / "set.toml"))
    assert definition.data.pairs is not None
    assert definition.data.pairs.metadata == "metadata.csv"
    assert definition.splits.unit == "patient"
    assert definition.splits.held_out["patient"]["patient_p0"] == {"*": ("p0",)}
    assert set(definition.splits.held_out) == {"patient", "sex"}  # both sides are of one patient
    assert "No split holds out side: none can be made with splits.unit = 'patient'." in look.notes
    assert look.columns["patient"] == [f"p{number}" for number in range(6)]


def alike(root: Path, offsets: Sequence[int], columns: str = "") -> Path:
    """Images of large patches, of which number and number + 1 differ by that much in one pixel; 24 in all."""
    names = [f"{'qwertyuiopas'[number // 2]}{number:02d}.png" for number in range(24)]
    for number, name in enumerate(names):
        draws = np.random.default_rng(number // 2)
        image = np.repeat(np.repeat(draws.integers(0, 250, (8, 8, 3)), 64, 0), 64, 1).astype(np.uint8)
        image[offsets[number % 2], 0, 0] += 1
        save(root / f"images/{name}", image)
        save(root / f"masks/{name}", np.tile(np.repeat(np.array([0, 1], np.uint8), 256), (512, 1)))
    if columns:
        rows = [f"{name},{number // 2},{number // 12}" for number, name in enumerate(names)]
        (root / "metadata.csv").write_text("\n".join([columns, *rows]))
    return root


@pytest.mark.slow
def test_identical_images_at_the_working_size_are_problems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, target = alike(tmp_path / "set", (1, 0)), tmp_path / "a.toml"
    asked = ["init", str(root), "--to", str(target)]
    assert main(asked) == 2
    said = capsys.readouterr().err
    assert "nothing was written" in said
    assert "test images with an identical image among those trained on or validated with; keep one of them" in said
    assert not target.exists()
    assert main([*asked, "--set", "data.allow_copies=true"]) == 0
    assert "test images with an identical image" in capsys.readouterr().out
    assert "an identical image" in target.read_text().replace("\n# ", " ")


@pytest.mark.slow
def test_a_column_that_keeps_identical_images_together_becomes_the_unit(tmp_path: Path) -> None:
    root = alike(tmp_path / "set", (1, 0), "file_name,number,half")
    look = init(str(root), str(tmp_path / "a.toml"))
    assert "All identical images share their number: splits.unit = 'number'." in look.notes
    assert load(str(tmp_path / "a.toml")).splits.unit == "number"
    assert prepare(load(str(tmp_path / "a.toml"))).notes == ()


@pytest.mark.slow
def test_near_identical_images_are_a_warning_with_its_remedy(tmp_path: Path) -> None:
    root = alike(tmp_path / "set", (0, 256), "file_name,number,half")
    look = init(str(root), str(tmp_path / "a.toml"), settings=["training.image_size=512"])
    (note,) = [note for note in look.notes if "near-identical" in note]
    assert note.startswith("split random_0 (")
    assert note.endswith('validated with; set splits.unit = "number", a column that all such images share.')
    definition = load(str(tmp_path / "a.toml"))
    assert [f"{each}." for each in prepare(definition).notes] == [note]


def test_where_there_is_much_to_look_at_it_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(waiting, "SECONDS_BETWEEN", 0.0)
    masks(tmp_path / "set", 0, 1)
    assert main(["init", str(tmp_path / "set"), "--to", str(tmp_path / "a.toml"), "--json"]) == 0
    said = capsys.readouterr()
    assert "Counting the values of masks: 15 of 16 images" in said.err
    assert "Looking at images: 15 of 16 images" in said.err
    assert json.loads(said.out)["num_images"] == 16


def test_without_a_crowd_nothing_is_said_of_ignored_pixels(tmp_path: Path) -> None:
    FORMATS["COCO"](tmp_path / "set", scenes())
    look = init(str(tmp_path / "set"), str(tmp_path / "a.toml"))
    assert "ignored" not in [each["name"] for each in look.classes]
    assert not any("ignored" in note for note in look.notes)
    assert "ignore" not in (tmp_path / "a.toml").read_text()


def test_a_value_that_is_a_class_is_not_proposed_to_be_ignored(tmp_path: Path) -> None:
    for name, values, proposed in (("a", (0, 255), False), ("b", (0, 1), True)):
        masks(tmp_path / name, *values)
        init(str(tmp_path / name), str(tmp_path / f"{name}.toml"))
        assert ("# ignore = [255]" in (tmp_path / f"{name}.toml").read_text()) == proposed


def test_a_single_odd_mask_names_no_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = masks(tmp_path / "set", 0, 1, 2)
    save(root / "masks/b_05.png", np.tile(np.resize(np.array([0, 38, 90], np.uint8), 64), (48, 1)))
    with pytest.raises(StudyError, match=r"masks/b_05.png \(38 in .*, 90 in .*: values that belong to no class"):
        init(str(root), str(tmp_path / "a.toml"))
    assert main(["data", str(root)]) == 1
    said = capsys.readouterr().out
    assert "masks/b_05.png alone holds 2 values that no other mask has (38, 90): not taken for classes." in said
    assert "class_38" not in said
    save(root / "masks/c_08.png", np.tile(np.resize(np.array([0, 1, 77], np.uint8), 64), (48, 1)))
    assert [each["name"] for each in init(str(root), str(tmp_path / "b.toml")).classes][3:] == [
        "class_38",
        *("class_77", "class_90"),
    ]


def test_of_several_sizes_the_commonest_and_both_ranges_are_told(tmp_path: Path) -> None:
    root = masks(tmp_path / "set", 0, 1, size=(240, 180))
    for name in ("a_00", "a_01", "b_04"):
        for kind in ("images", "masks"):
            path = root / f"{kind}/{name}.png"
            save(path, np.array(Image.open(path)).swapaxes(0, 1))
    look = init(str(root), str(tmp_path / "a.toml"))
    said = "16 images of 2 sizes (height x width): 13 of 240 x 180 pixels, all of 180 to 240 x 180 to 240"
    assert f"{said}.\n" in look.text
    written = (tmp_path / "a.toml").read_text().replace("\n# ", " ")
    assert f"[height, width], or one number for a square. {said}; sides are" in written
    assert look.to_json()["sizes"] == {"240 x 180": 13, "180 x 240": 3}


def test_a_folder_within_a_data_set_is_told_from_it(tmp_path: Path) -> None:
    root = masks(tmp_path / "set", 0, 1)
    with pytest.raises(StudyError) as caught:
        init(str(root / "images"), str(tmp_path / "a.toml"))
    assert f"{root / 'images'}: no layout of photographs and masks is known" in str(caught.value)
    assert str(caught.value).endswith(f"; or give the folder that holds it, {root}, whose layout is known")
    (root / "images").rename(tmp_path / "images")
    with pytest.raises(StudyError) as caught:
        init(str(tmp_path / "images"), str(tmp_path / "a.toml"))
    assert "or give the folder" not in str(caught.value)


def test_images_of_12_bits_in_16_are_seen_as_they_are(tmp_path: Path) -> None:
    root = masks(tmp_path / "set", 0, 1)
    for number, image in enumerate(sorted((root / "images").iterdir())):
        values = np.random.default_rng(number).integers(0, 4000, (48, 64)).astype(np.uint16)
        save(image, Image.fromarray(values))
    look = init(str(root), str(tmp_path / "a.toml"))
    assert "The definition has image_maximum = 4095." in look.notes
    assert any("as if images of 12 bits were kept in 16" in note for note in look.notes)
    definition = load(str(tmp_path / "a.toml"))
    assert definition.data.pairs is not None
    assert definition.data.pairs.image_maximum == 4095
    assert prepare(definition).notes == ()
    unset = load(str(tmp_path / "a.toml"), ["data.pairs.image_maximum=65535"])
    (warning,) = prepare(unset).notes
    assert "Set data.pairs.image_maximum = 4095, so that 4095 becomes 255" in warning


def test_no_file_is_overwritten_unless_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    masks(tmp_path / "set", 0, 1)
    target = tmp_path / "mine.toml"
    target.write_text("mine")
    assert main(["init", str(tmp_path / "set"), "--to", str(target)]) == 2
    assert target.read_text() == "mine"
    assert "exists already; add --force" in capsys.readouterr().err
    assert main(["init", str(tmp_path / "set"), "--to", str(target), "--force", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["definition"] == target.read_text()
    assert answer["written"] == str(target)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["--set", "training.batch_size=3"],
            "only keys of these can be set here: data.pairs, data.allow_copies, training.image_size, training.resize, "
            "training.epochs; "
            "give any other to study plan and study run, by --set too, or write it into the definition",
        ),
        (["--set", "data.pairs.mask=labels"], "unknown key; did you mean data.pairs.masks?"),
        (["--format", "voc"], "is none of cut-outs, folders, coco, parquet"),
        (["--format", "coco"], "no layout that is known has these"),
        (["--to", "nowhere/a.toml"], "cannot be written"),
        (["--to", "set"], "set: is a folder; give a file's name by --to, such as --to set/study.toml"),
        (["--set", "data.pairs.ignore=1"], "a value is named here and in data.pairs.classes"),
    ],
)
def test_what_cannot_be_done_is_said(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    expected: str,
) -> None:
    plain(tmp_path / "set", scenes())
    monkeypatch.chdir(tmp_path)
    assert main(["init", "set", *arguments]) == 2
    assert expected in capsys.readouterr().err
    assert [entry.name for entry in tmp_path.iterdir()] == ["set"]


def test_a_study_is_called_as_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    masks(tmp_path / "street", 0, 1)
    monkeypatch.chdir(tmp_path)
    for file, name in (("street2.toml", "street2"), ("my street.toml", "my-street")):
        assert main(["init", "street", "--to", file]) == 0
        assert load(file).name == name
    said = capsys.readouterr().out
    assert "Next:    study plan street2.toml, then study run street2.toml\n" in said
    assert "study plan 'my street.toml', then study run 'my street.toml'\n" in said


def test_study_data_of_a_definition_takes_what_plan_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    masks(tmp_path / "set", 0, 1)
    file = str(tmp_path / "set.toml")
    init(str(tmp_path / "set"), file)
    assert main(["data", "--definition", file, "--set", "splits.unit=patient"]) == 1
    assert "splits.unit: the samples have no column 'patient' (they have: group, number)" in capsys.readouterr().out


def test_no_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "", "--to", str(tmp_path / "a.toml")]) == 2
    assert '"": no such folder: give the folder that holds the data set' in capsys.readouterr().err
    assert main(["init", str(tmp_path / "gone"), "--to", str(tmp_path / "a.toml")]) == 2
    assert "no such folder: give the folder that holds the data set" in capsys.readouterr().err


@pytest.mark.slow
def test_cut_outs_are_recognised(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(StudyError, match=r"which are always stretched: leave training.resize out"):
        init("standin", str(tmp_path / "standin.toml"), settings=["training.resize=pad"])
    look = init("standin", str(tmp_path / "standin.toml"))
    assert look.layout.startswith("cut-outs")
    assert look.columns == {"angle": [0, 30, 60, 90]}
    definition = load(str(tmp_path / "standin.toml"))
    assert definition.data.path == "standin"
    assert set(definition.splits.held_out) == {"angle"}
    make_splits(definition, data_set_of(definition).samples())
    assert len(definition.grid.splits) == 8 + 3
    assert (definition.training.size, definition.training.batch_size) == (Size(128, 128), 16)
    save(folder / "images/0/x.png", np.zeros((9, 9, 4), np.uint8))
    save(folder / "masks/0/x.png", np.zeros((9, 9, 4), np.uint8))
    with pytest.raises(StudyError, match=r"more than one layout fits.*--format cut-outs.*--format folders"):
        init(str(folder), str(tmp_path / "b.toml"))


def cut_outs(root: Path, count: int, size: tuple[int, int]) -> Path:
    """Two classes of so many objects each before one background."""
    for number in range(2 * count):
        path = root / f"{('mug', 'pen')[number % 2]}/0/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cut_out_image(number, size).save(path)
    (root / "backgrounds").mkdir()
    cut_out_image(99, size).convert("RGB").save(root / "backgrounds/wall.png")
    return root


def test_of_few_and_wide_cut_outs_a_definition_is_written_that_runs(tmp_path: Path) -> None:
    root = cut_outs(tmp_path / "set", 3, (96, 192))
    init(str(root), str(tmp_path / "a.toml"))
    definition = load(str(tmp_path / "a.toml"))
    assert (definition.training.size, definition.training.batch_size) == (Size(96, 192), 2)
    assert definition.splits.shared_backgrounds
    assert len(prepare(definition).splits) == 8
    init(str(root), str(tmp_path / "b.toml"), settings=["training.image_size=64"])
    assert load(str(tmp_path / "b.toml")).training.size == Size(64, 64)
    speck = np.zeros((96, 192, 4), np.uint8)
    speck[1, 1] = 255
    save(root / "mug/0/speck.png", speck)
    with pytest.raises(StudyError, match="vanishes at 16 x 16 pixels: raise image_size"):
        init(str(root), str(tmp_path / "c.toml"), settings=["training.image_size=16"])


def test_copies_of_cut_outs_can_be_allowed(tmp_path: Path) -> None:
    root = cut_outs(tmp_path / "set", 3, (96, 192))
    (root / "mug/0/copy.png").write_bytes((root / "mug/0/0.png").read_bytes())
    with pytest.raises(StudyError, match=r"set data.allow_copies = true"):
        init(str(root), str(tmp_path / "a.toml"))
    init(str(root), str(tmp_path / "a.toml"), settings=["data.allow_copies=true"])
    assert prepare(load(str(tmp_path / "a.toml"))).definition.data.allow_copies


def test_of_very_few_images_one_problem_says_so(tmp_path: Path) -> None:
    masks(tmp_path / "set", 0, 1, count=3)
    with pytest.raises(StudyError, match=r"1 problem in the data set: random_0 \(1 sample\): fewer samples are left"):
        init(str(tmp_path / "set"), str(tmp_path / "a.toml"))


@pytest.mark.slow
def test_images_of_several_shapes_keep_their_aspect(tmp_path: Path) -> None:
    root = masks(tmp_path / "set", 0, 1, size=(600, 800))
    save(root / "images/z_99.png", np.zeros((800, 600, 3), np.uint8))
    save(root / "masks/z_99.png", palette(np.ones((800, 600), np.uint8)))
    init(str(root), str(tmp_path / "a.toml"))
    training = load(str(tmp_path / "a.toml")).training
    assert (training.size, training.resize) == (Size(256, 336), "pad")


def test_the_working_size_is_near_the_images_and_small() -> None:
    assert propose_size([Size(240, 320)]).size == Size(240, 320)
    assert propose_size([Size(1024, 2048)]).size == Size(256, 512)
    assert propose_size([Size(10, 4000)]).size == Size(16, 1024)
    assert propose_size([Size(100, 100), Size(100, 104)]).resize == "stretch"


def test_why_images_keep_their_aspect_is_true() -> None:
    reasons = {
        ((40, 48), (40, 48)): "the images' aspect is not quite this one, and is kept",
        ((400, 480), (480, 400)): "the aspect of images differs, so it is kept",
        ((320, 480), (640, 960)): "all images have nearly this aspect",
    }
    for sizes, why in reasons.items():
        assert propose_size([Size(*size) for size in sizes]).resize_why == why


@pytest.mark.slow
def test_where_a_class_would_vanish_a_larger_size_can_be_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = masks(tmp_path / "set", 0, 1, size=(512, 512))
    for mask in (root / "masks").iterdir():
        labels = np.zeros((512, 512), np.uint8)
        labels[100, 100] = 1
        save(mask, labels)
    asked = ["init", str(root), "--to", str(tmp_path / "a.toml")]
    assert main(asked) == 2
    remedy = "--set training.image_size=512,512"
    assert capsys.readouterr().err.rstrip().endswith(remedy)
    assert main([*asked, *remedy.split()]) == 0
    training = load(str(tmp_path / "a.toml")).training
    assert (training.size, training.resize) == (Size(512, 512), "stretch")
    assert main([*asked, *remedy.split(), "--set", "training.resize=pad", "--force"]) == 0
    assert load(str(tmp_path / "a.toml")).training.resize == "pad"


def test_batches_fit_the_number_of_images() -> None:
    assert [propose_batch_size([count, 10_000]) for count in (2, 8, 16, 63, 64, 9_000)] == [2, 2, 4, 8, 16, 16]


def test_a_pattern_is_proposed_where_names_are_divided_alike() -> None:
    def pattern(*ids: str) -> str | None:
        found = propose_pattern(ids)
        return found.text if found else None

    assert pattern("a_1", "a_2", "b_1", "b_2") == "{group}_{group_2}"
    assert pattern("a_1", "a_2", "b_1", "b_3") == "{group}_{number}"
    assert pattern("p1/x-01", "p1/x-02", "p2/x-03", "p2/x-04") == "{group}/x-{number}"
    assert pattern("a_1", "a_2", "b_1", "b") is None
    assert pattern("p1/x-1", "p1/y", "p2/x_2", "p2/z") == "{group}/{name}"
    assert pattern("train/x-1", "train/y", "val/x_2", "test/z") == "{part}/{name}"
    assert pattern("p1/x-1", "p1/y", "p2/x_2", "z") is None
    assert pattern("1", "2", "3", "4") is None
    assert pattern("a_1", "a_2") is None
