"""Models handed over, and what they predict: by the commands that a user types."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_study import environment, study

from study import load_model
from study.cells import Cell, Trial, trials
from study.commands.export import export, whole_or_not_at_all
from study.commands.predict import _names
from study.definition.file import load
from study.errors import StudyError
from study.export.choice import choose
from study.export.other_formats import refuse_what_is_not_installed
from study.prepare import prepare

SETTINGS = ["grid.models=icnet,unet", "grid.losses=ce", "grid.splits=random_0,random_1,rot_0", "search.trials=2"]
DEFINITION = load("demo", SETTINGS)
ROWS = {
    trial: {"status": "completed", "objective": 0.5 + trial.index / 10 + (trial.cell.split == "random_1") / 100}
    for trial in trials(DEFINITION)
}


def test_one_configuration_is_chosen_from() -> None:
    best = Trial(Cell("unet", "ce", "random_1", 0), 1)
    assert choose(DEFINITION, ROWS, model="unet").trials == (best,)
    assert choose(DEFINITION, ROWS, model="unet", loss="ce").trials == (best,)
    assert choose(DEFINITION, ROWS, trial="icnet-ce-rot_0-s0-t00").trials == (
        Trial(Cell("icnet", "ce", "rot_0", 0), 0),
    )
    of_both = tuple(Trial(Cell("icnet", "ce", split, 0), 1) for split in ("random_0", "random_1"))
    assert choose(DEFINITION, ROWS, model="icnet", ensemble=True).trials == of_both


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({}, "a model is of one; add one of these: --model icnet --loss ce; --model unet --loss ce"),
        ({"model": "fcn"}, "no completed trial has this model and loss; there are: --model icnet"),
        ({"trial": "icnet-ce-random_7-s0-t00"}, "there is no completed trial icnet-ce-random_7-s0-t00; did you mean"),
        ({"trial": "icnet"}, "is not a trial's id"),
        ({"trial": "icnet-ce-rot_0-s0-t00", "model": "icnet"}, "leave --model, --loss, --ensemble and --refit out"),
    ],
)
def test_what_is_not_one_model_is_refused(how: dict[str, str], words: str) -> None:
    with pytest.raises(StudyError, match=words):
        choose(DEFINITION, ROWS, **how)  # type: ignore[arg-type]


def test_without_a_validation_score_none_is_the_best() -> None:
    rows = {trial: {"status": "completed", "objective": None} for trial in ROWS}
    with pytest.raises(StudyError, match="no trial of unet ce has a validation score"):
        choose(DEFINITION, rows, model="unet")
    with pytest.raises(StudyError, match="an ensemble is of several networks, and unet ce has 0"):
        choose(DEFINITION, rows, model="unet", ensemble=True)


def test_onnx_is_refused_by_name_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("onnxscript", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    refuse_what_is_not_installed(["torch"])
    with pytest.raises(StudyError, match=r"^--onnx needs onnxscript, onnxruntime: pip install onnxscript onnxruntime$"):
        export(str(tmp_path / "nowhere"), str(tmp_path / "model"), print, formats=["onnx"])


OWN_NETWORK = """
from torch import nn


def net(num_classes, width=1.0):
    return nn.Sequential(nn.Conv2d(3, int(8 * width), 3, padding=1), nn.Conv2d(int(8 * width), num_classes, 1))
"""


@pytest.fixture
def copied(undisturbed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(undisturbed, tmp_path / "copy"))


def exported(out: Path, to: Path, *how: str) -> dict[str, object]:
    done = study("export", out, "--to", to, *how, "--json")
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer | {"said": done.stderr}


def test_a_folder_that_is_there_stays_the_folder_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current one, or a mount, cannot be exchanged for another."""
    monkeypatch.chdir(tmp_path)
    before = tmp_path.stat().st_ino
    with whole_or_not_at_all(Path()) as unfinished:
        (unfinished / "model.json").touch()
        (unfinished / "README.md").touch()
        assert [path.name for path in tmp_path.iterdir()] == [unfinished.name]
    assert {path.name for path in tmp_path.iterdir()} == {"model.json", "README.md"}
    assert tmp_path.stat().st_ino == before


@pytest.mark.parametrize("is_there", [True, False])
def test_of_what_fails_nothing_stays(tmp_path: Path, is_there: bool) -> None:
    folder = tmp_path / "a model: ü"
    if is_there:
        folder.mkdir()

    def write() -> None:
        with whole_or_not_at_all(folder) as unfinished:
            (unfinished / "model.json").touch()
            raise OSError(28, "No space left on device")

    with pytest.raises(StudyError, match="cannot be written: No space"):
        write()
    assert list(tmp_path.rglob("*")) == [folder] * is_there


def test_predictions_of_two_images_are_two_files() -> None:
    """Also of an image that is called as another one's prediction would be."""
    folder = Path("images")
    names = ("a.png", "a.jpg", "a.png.png", "b.tif", "more/a.png", "c.png.png")
    found = _names([folder / name for name in names], folder)
    assert [str(place) for place in found.values()] == [
        *("a.png.png", "a.jpg.png", "a.png.png.png", "b.png", "more/a.png", "c.png.png")
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"make": "icn', r"model\.json: no JSON that can be read \(Unterminated string"),
        ("[]", r"model\.json: no JSON object: export the model again"),
        ("{}", r"model\.json: lacks make; lacks members"),
    ],
)
def test_an_altered_description_is_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(StudyError, match=words):
        load_model(tmp_path)


@pytest.mark.slow
def test_a_model_predicts_what_its_study_kept(copied: Path, tmp_path: Path) -> None:
    """Its label maps of the test images are those in the tables, also where the network was made again."""
    first = exported(copied, tmp_path / "kept", "--loss", "ce")
    assert "made again" not in str(first["said"])
    shutil.rmtree(copied / "weights")
    again = exported(copied, tmp_path / "again", "--loss", "ce")
    assert "is not kept, and made again. The first time that took" in str(again["said"])
    (trial,) = first["trials"]  # type: ignore[misc, attr-defined]
    assert again["trials"] == [trial]
    contents = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("kept", "again")]
    assert contents[0] == contents[1] == (copied / f"weights/{trial}.safetensors").read_bytes()
    prepared, model = prepare(load(str(copied / "study.toml"))), load_model(tmp_path / "kept")
    assert model.labels == prepared.source.samples.labels
    split = prepared.splits["random_0"]
    masks = pd.read_parquet(copied / "masks" / f"{trial}.parquet").set_index("image")["mask"]
    for image, (pixels_HWC, _) in zip(split.test, prepared.source.for_evaluation(split, split.test), strict=True):
        np.testing.assert_array_equal(model.predict(pixels_HWC), np.asarray(Image.open(io.BytesIO(masks[image]))))


@pytest.mark.slow
def test_the_card_says_what_the_analysis_says(undisturbed: Path, tmp_path: Path) -> None:
    exported(undisturbed, tmp_path / "model", "--loss", "ce_dice")
    card = json.loads((tmp_path / "model/model_card.json").read_text())
    text = (tmp_path / "model/README.md").read_text()
    rows = pd.read_parquet(undisturbed / "dice")
    of_test = rows[(rows["partition"] == "test") & (rows["loss"] == "ce_dice") & (rows["split"] == "random_0")]
    chosen = card["members"][0]["trial"]
    means = of_test[of_test["trial"] == chosen].set_index("class")["dice_ew"]
    assert card["expected"]["mean"] == pytest.approx(means[["mug", "pen"]].mean())
    assert card["classes"]["mug"]["mean"] == pytest.approx(means["mug"])
    assert card["held_out"][0]["num_held_out"] == 1
    assert text.startswith("---\nlibrary_name: segmentation-stability\n")
    assert f"{card['expected']['mean']:.3f}" in text
    assert all(finding["question"] in text for finding in card["verdict"])
    assert card["recipe_digest"] in text


@pytest.mark.slow
def test_an_ensemble_averages_probabilities(definition: Path, tmp_path: Path) -> None:
    two = ("grid.losses=ce", "grid.splits=random_0,random_1", "search.trials=1", "resources.keep_weights=all")
    settings = [word for setting in two for word in ("--set", setting)]
    assert study("run", definition, "--out", tmp_path / "out", *settings).returncode == 0
    both = exported(tmp_path / "out", tmp_path / "both", "--ensemble", "--onnx", "--torch")
    for sentence, file in zip(both["checked"], ("model.onnx", "model.pt2"), strict=True):  # type: ignore[call-overload]
        assert re.fullmatch(
            rf"{re.escape(file)} gives the label maps of torch in float32 on \d+ test images.*", sentence
        )
        assert sentence in (tmp_path / "both/README.md").read_text()
        assert (tmp_path / "both" / file).is_file()
    model = load_model(tmp_path / "both")
    images_BHWC = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    single = []
    for name in ("random_0", "random_1"):
        exported(tmp_path / "out", tmp_path / name, "--trial", f"icnet-ce-{name}-s0-t00")
        single.append(load_model(tmp_path / name).probabilities(images_BHWC))
    np.testing.assert_allclose(model.probabilities(images_BHWC), np.mean(single, axis=0), atol=1e-6)


@pytest.mark.slow
def test_new_images_are_predicted_at_their_own_sizes(undisturbed: Path, tmp_path: Path) -> None:
    """One that cannot be read is named and stops no other; of two that differ by their ending both are there."""
    exported(undisturbed, tmp_path / "model", "--loss", "ce")
    images, rng = tmp_path / "images", np.random.default_rng(0)
    (images / "more").mkdir(parents=True)
    sizes = {"a.png": (30, 20), "a.jpg": (17, 40), "more/b.png": (64, 64)}
    for name, size in sizes.items():
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(images / name)
    (images / "torn.png").write_bytes((images / "a.png").read_bytes()[:50])
    (images / "odd\x07name.png").touch()
    done = study("predict", tmp_path / "model", images, "--out", tmp_path / "predicted")
    assert done.returncode == 1
    assert "3 images predicted" in done.stdout
    assert "torn.png was not: unreadable or truncated" in done.stdout
    assert "odd\\x07name.png was not: the name holds characters that cannot be printed" in done.stdout
    nowhere = study("predict", tmp_path / "model", images, "--out", images / "a.png/x")
    assert nowhere.returncode == 2
    assert "study predict: " in nowhere.stderr
    assert "a.png/x cannot be written: Not a directory" in nowhere.stderr
    model = load_model(tmp_path / "model")
    with (tmp_path / "predicted/pixels.csv").open() as file:
        counted = {row.pop("image"): row for row in csv.DictReader(file)}
    for name, place in {"a.png": "a.png.png", "a.jpg": "a.jpg.png", "more/b.png": "more/b.png"}.items():
        with Image.open(tmp_path / "predicted/labels" / place) as picture, Image.open(images / name) as image:
            labels_HW, pixels_HWC = np.asarray(picture), np.asarray(image)
            assert picture.mode == "P"
        assert labels_HW.shape == sizes[name]
        np.testing.assert_array_equal(labels_HW, model.predict(pixels_HWC))
        found = {label: int((labels_HW == place).sum()) for place, label in enumerate(model.labels)}
        assert {label: int(count) for label, count in counted[name].items()} == found
        with Image.open(tmp_path / "predicted/overlays" / place) as overlay:
            background = labels_HW == 0
            np.testing.assert_array_equal(np.asarray(overlay)[background], pixels_HWC[background])
    again = study("predict", tmp_path / "model", images, "--out", tmp_path / "predicted")
    assert again.returncode == 2
    assert "is there already" in again.stderr


@pytest.mark.slow
def test_a_folder_that_is_no_model_is_refused(undisturbed: Path, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"is not an exported model: there is no model\.json in it"):
        load_model(tmp_path)
    exported(undisturbed, tmp_path / "model", "--loss", "ce")
    weights = tmp_path / "model/model.safetensors"
    weights.write_bytes(weights.read_bytes() + b" ")
    with pytest.raises(StudyError, match="is not the file that was exported"):
        load_model(tmp_path / "model")
    described = json.loads((tmp_path / "model/model.json").read_text())
    (tmp_path / "model/model.json").write_text(json.dumps(described | {"colours": ["#000000"]}))
    with pytest.raises(StudyError, match="colours: 1 of them, for 3 labels"):
        load_model(tmp_path / "model")
    (tmp_path / "model/model.json").write_text('{"version": 2}')
    with pytest.raises(StudyError, match=r"model\.json: version"):
        load_model(tmp_path / "model")


@pytest.mark.slow
def test_a_model_of_your_own_travels_with_its_code(definition: Path, tmp_path: Path) -> None:
    """It is loaded where its module is not."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "nets_to_export.py").write_text(OWN_NETWORK)
    text = definition.read_text().replace("[search]", '[models.mine]\nmake = "nets_to_export:net"\n\n[search]')
    (folder / "mine.toml").write_text(text)
    mine = ("grid.models=mine", "grid.losses=ce", "grid.splits=random_0", "search.trials=1", "search.startup=1")
    settings = [word for setting in mine for word in ("--set", setting)]
    done = study("run", folder / "mine.toml", "--out", tmp_path / "out", *settings)
    assert done.returncode == 0, done.stderr
    exported(tmp_path / "out", tmp_path / "model")
    shutil.rmtree(folder)
    image = tmp_path / "image.png"
    Image.fromarray(np.zeros((9, 7, 3), np.uint8)).save(image)
    done = study("predict", tmp_path / "model", image, "--out", tmp_path / "predicted")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "predicted/labels/image.png").is_file()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "nets_to_export.py").write_text(OWN_NETWORK.replace("num_classes, 1)", "num_classes, 1, bias=True)"))
    load = f"from study import load_model; load_model({str(tmp_path / 'model')!r})"
    done = subprocess.run(
        [sys.executable, "-c", load], cwd=elsewhere, env=environment(), capture_output=True, text=True
    )
    assert "comes with its own nets_to_export, and Python has found another one first" in done.stderr
    (elsewhere / "nets_to_export.py").write_text(OWN_NETWORK)
    done = subprocess.run(
        [sys.executable, "-c", load], cwd=elsewhere, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    with (tmp_path / "model/modules/nets_to_export.py").open("a") as file:
        file.write("\n# another line\n")
    altered = study("predict", tmp_path / "model", image, "--out", tmp_path / "again")
    assert altered.returncode == 2
    assert "modules does not hold the code that was exported: export the model again" in altered.stderr
