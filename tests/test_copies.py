"""The same picture under several names: found by content, whatever it is called, linked to or saved as."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from odd_data import cut_out_image, problems_of
from PIL import Image
from small_study import write_data

from study.definition.file import load
from study.prepare import prepare
from study.terminal.cli import main
from trainers.data.cut_outs.catalogue import read_catalogue
from trainers.data.cut_outs.copies import copied_files
from trainers.data.cut_outs.reading import check
from trainers.data.cut_outs.source import load as load_images
from trainers.data.problems import DataError
from trainers.data.size import square


def copy(root: Path, source: str, target: str) -> None:
    (root / target).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(root / source, root / target)


SAME_BYTES: list[tuple[Callable[[Path], object], str]] = [
    (lambda root: copy(root, "mug/0/a.png", "mug/0/b.png"), "mug/0/a.png = mug/0/b.png"),
    (lambda root: copy(root, "mug/0/a.png", "mug/45/b.png"), "mug/0/a.png = mug/45/b.png"),
    (lambda root: copy(root, "mug/0/a.png", "pen/0/z.png"), "mug/0/a.png = pen/0/z.png"),
    (lambda root: copy(root, "mug/0/a.png", "mug/0/b.webp"), "mug/0/a.png = mug/0/b.webp"),
    (lambda root: (root / "mug/0/b.png").symlink_to("a.png"), "mug/0/a.png = mug/0/b.png"),
    (lambda root: os.link(root / "mug/0/a.png", root / "mug/0/b.png"), "mug/0/a.png = mug/0/b.png"),
    (lambda root: (root / "mug/45").symlink_to("0"), "mug/0/a.png = mug/45/a.png"),
    (lambda root: copy(root, "backgrounds/hall/1.png", "backgrounds/lab/9.png"), "backgrounds/hall/1.png = "),
    (lambda root: copy(root, "backgrounds/hall/1.png", "backgrounds/hall/9.png"), "backgrounds/hall/1.png = "),
]


@pytest.mark.parametrize(("cause", "expected"), SAME_BYTES, ids=[str(number) for number in range(len(SAME_BYTES))])
def test_copies_and_links_are_named(folder: Path, cause: Callable[[Path], object], expected: str) -> None:
    cause(folder)
    catalogue = read_catalogue(folder)
    (problem,) = map(str, copied_files(catalogue))
    assert problem.startswith(expected)
    assert "data.allow_copies = true" in problem
    assert [str(each) for each in check(catalogue)] == [problem]
    assert check(catalogue, allow_copies=True) == []
    with pytest.raises(DataError, match="one picture under several names"):
        load_images(catalogue, square(16))
    assert len(load_images(catalogue, square(16), allow_copies=True).samples.rows) == len(catalogue.images)


def test_the_same_pixels_in_another_container_are_named(folder: Path) -> None:
    image = cut_out_image()
    image.save(folder / "mug/0/saved_again.png", compress_level=1)
    image.save(folder / "mug/0/tagged.tif")
    hidden = np.array(image)
    hidden[hidden[..., 3] == 0] = 0
    Image.fromarray(hidden).save(folder / "mug/0/other_colours_where_it_is_transparent.webp", lossless=True)
    background = Image.open(folder / "backgrounds/hall/1.png")
    background.save(folder / "backgrounds/again.bmp")
    assert copied_files(read_catalogue(folder)) == []
    assert [problem.partition(": ")[0] for problem in problems_of(folder)] == [
        "mug/0/a.png = mug/0/other_colours_where_it_is_transparent.webp = mug/0/saved_again.png = 1 more",
        "backgrounds/again.bmp = backgrounds/hall/1.png",
    ]


def test_what_differs_in_one_pixel_is_no_copy(folder: Path) -> None:
    pixels = np.array(cut_out_image())
    pixels[12, 12, 0] ^= 1
    Image.fromarray(pixels).save(folder / "mug/0/b.png")
    assert problems_of(folder) == []


def test_many_copies_are_told_in_one_line(folder: Path) -> None:
    for number in range(40):
        copy(folder, "mug/0/a.png", f"mug/0/a{number:02d}.png")
        copy(folder, "pen/0/a.png", f"pen/0/a{number:02d}.png")
    with pytest.raises(DataError) as refused:
        load_images(read_catalogue(folder), square(16))
    assert str(refused.value).startswith(
        "2 problems in the data set: mug/0/a.png = mug/0/a00.png = mug/0/a01.png = 38 more, pen/0/a.png = "
    )


def test_only_files_that_share_their_size_are_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = read_catalogue(folder)
    for number, file in enumerate(catalogue.files):
        file.path.write_bytes(b"x" * (number + 1))
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("opened"))
    assert copied_files(catalogue) == []


def test_every_command_names_copies_before_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_data(tmp_path / "set")
    shutil.copy(data / "mug/0/0.png", data / "mug/30/copy.png")
    settings = [f"data.path={data}", "training.batch_size=4", "grid.splits=random_0"]
    arguments = [word for setting in settings for word in ("--set", setting)]
    assert main(["data", str(data)]) == 1
    assert "mug/0/0.png = mug/30/copy.png" in capsys.readouterr().out
    for command in ("plan", "run"):
        assert main([command, "demo", "--out", str(tmp_path / "out"), *arguments]) == 2
        assert "mug/0/0.png = mug/30/copy.png" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main(["plan", "demo", "--out", str(tmp_path / "out"), *arguments, "--set", "data.allow_copies=true"]) == 0
    allowed = load("demo", [*settings, "data.allow_copies=true"])
    assert len(prepare(allowed).source.samples.rows) == 37
    assert allowed.keys_that_decide_a_trial() == load("demo", settings).keys_that_decide_a_trial()
