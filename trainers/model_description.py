"""What it takes to make a trained network again from its weights: the content of model.json. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from trainers.recipe import ImageSize, Resize, Section

Name = Annotated[str, Field(min_length=1, max_length=300)]


class Member(Section):
    """One network, trained once."""

    trial: Name
    split: Name
    weights: Annotated[str, Field(pattern=r"^[A-Za-z0-9~._-]+\.safetensors$")]
    """The file beside model.json."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """Of that file."""
    point: dict[str, Any] = {}
    """Key of the recipe -> the value that the search gave it."""
    arguments: dict[str, Any] = {}
    """With which the network is made, beside the number of classes."""


class Description(Section):
    """Of a folder MODEL."""

    version: Literal[1] = 1
    make: Name
    """The built-in name, or the dotted path, of the network."""
    code: str | None = None
    """What identifies code that is not this project's: a distribution and its version, or a digest of MODEL/modules."""
    members: Annotated[tuple[Member, ...], Field(min_length=1, max_length=1000)]
    """Several are averaged."""
    labels: Annotated[tuple[Name, ...], Field(min_length=1, max_length=255)]
    """What each label stands for, from 0."""
    has_background: bool
    """Whether label 0 is the background."""
    colours: tuple[Annotated[str, Field(pattern="^#[0-9a-f]{6}$")], ...]
    """Of the labels, as predictions are drawn."""
    image_size: ImageSize
    """At which the network works: [height, width], or the side of a square."""
    resize: Resize
    """How an image gets there."""
    image_maximum: Annotated[int, Field(ge=1, le=65535)] | None = None
    """What becomes 255 of an image of 16 bits a channel; None: 65535."""
    mean_rgb: tuple[float, float, float]
    sd_rgb: tuple[float, float, float]
    """A pixel of 0 to 255 less the mean, over the SD, is what the network is given. (These two say it for others.)"""
    precision: Literal["bfloat16", "float32"]
    """In which its scores were measured."""
