"""The model in formats that run without this project, each checked against torch on the study's own test images."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from study.cells import Trial
from study.errors import StudyError
from study.export.folder import load_model
from study.prepare import Prepared
from trainers.printable import counted

if TYPE_CHECKING:
    from trainers.data.pixels import Pixels

FILES = {"onnx": "model.onnx", "torch": "model.pt2"}
"""Format -> its file in MODEL."""
TIE = 1e-4
"""Two classes whose probabilities differ by less are as good as equal: rounding decides between them."""
_AT_ONCE = 8
_OF_ONNX = ("onnx", "onnxscript", "onnxruntime")
"""The extra `export`; named one by one, as an installed wheel lies on no index."""

Probabilities = NDArray[np.float32]
Run = Callable[["Pixels"], Probabilities]
"""Of images_BHWC at the working size: probabilities_BKHW."""


@dataclass(frozen=True)
class Agreement:
    """Of a file with torch in float32, over the pixels of test images."""

    file: str
    split: str
    """Whose test images."""
    num_images: int
    num_pixels: int
    num_ties: int
    """Pixels with another label, where two classes are as good as equal."""

    @property
    def in_words(self) -> str:
        images = f"{counted(self.num_images, 'test image')} of {self.split}"
        if not self.num_ties:
            return f"{self.file} gives the label maps of torch in float32 on {images}, pixel for pixel."
        return (
            f"{self.file} gives the label maps of torch in float32 on {images}, but for {self.num_ties:,} of "
            f"{counted(self.num_pixels, 'pixel')}, in which two classes are within {TIE:g} of each other."
        )


def refuse_what_is_not_installed(formats: Collection[str]) -> None:
    """Raises StudyError, before anything is trained or made, if these formats need packages that are not there."""
    lacking = [name for name in _OF_ONNX if "onnx" in formats and find_spec(name) is None]
    if lacking:
        raise StudyError(f"--onnx needs {', '.join(lacking)}: pip install {' '.join(lacking)}")


def write_formats(folder: Path, formats: Collection[str], prepared: Prepared, trial: Trial) -> list[Agreement]:
    """Write the model of a folder in these formats (keys of FILES), too, and compare each with it.

    :param trial: whose test images are compared on.
    :raises StudyError: it cannot be written so, or gives other label maps.
    """
    from trainers.portable import Portable, exported_program, in_onnx, in_torch_format

    model, found = load_model(folder), []
    try:
        program = exported_program(model, model.fitting.size)
        made = {name: (in_onnx if name == "onnx" else in_torch_format)(program) for name in formats}
    except Exception as error:  # whatever torch finds in a network of somebody else's
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise StudyError(f"this network cannot be written as one graph: {said}") from error
    for name, content in made.items():
        path = folder / FILES[name]
        path.write_bytes(content)
        run = _onnx_runner(path) if name == "onnx" else _torch_runner(path)
        found.append(_agreement(path.name, Portable(model).cpu().eval(), run, prepared, trial))
    return found


def _onnx_runner(path: Path) -> Run:
    import onnxruntime  # type: ignore[import-untyped]

    from trainers.portable import INPUT

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images_BHWC: session.run(None, {INPUT: images_BHWC})[0]


def _torch_runner(path: Path) -> Run:
    import torch

    module = torch.export.load(path).module()
    return lambda images_BHWC: _in_torch(module, images_BHWC)


def _in_torch(module: Callable[..., object], images_BHWC: Pixels) -> Probabilities:
    import torch

    with torch.no_grad():
        return module(torch.from_numpy(images_BHWC)).numpy()  # type: ignore[attr-defined, no-any-return]


def _agreement(file: str, portable: Callable[..., object], run: Run, prepared: Prepared, trial: Trial) -> Agreement:
    num_pixels = num_ties = 0
    tested = prepared.splits[trial.cell.split].test
    for images_BHWC in _test_images(prepared, trial):
        expected_BKHW, found_BKHW = _in_torch(portable, images_BHWC), run(images_BHWC)
        differs_BHW = expected_BKHW.argmax(1) != found_BKHW.argmax(1)
        largest_BKHW = np.sort(expected_BKHW, axis=1)
        is_tie_BHW = largest_BKHW[:, -1] - largest_BKHW[:, -2] < TIE
        if num_others := int((differs_BHW & ~is_tie_BHW).sum()):
            raise StudyError(
                f"{file} gives {counted(num_others, 'pixel')} of {counted(len(images_BHWC), 'test image')} another "
                "label than torch, where no two classes are near each other: it is not handed over"
            )
        num_pixels, num_ties = num_pixels + differs_BHW.size, num_ties + int(differs_BHW.sum())
    return Agreement(file, trial.cell.split, len(tested), num_pixels, num_ties)


def _test_images(prepared: Prepared, trial: Trial) -> Iterator[Pixels]:
    split = prepared.splits[trial.cell.split]
    images = (image_HWC for image_HWC, _ in prepared.source.for_evaluation(split, split.test))
    while some := list(islice(images, _AT_ONCE)):
        yield np.stack(some)
