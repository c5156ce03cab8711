"""The recipe: what decides one training, apart from its network, loss, split and seed. Imports no heavy library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from trainers.data.size import Size, square

NUMERICS = 9
"""Goes up with every change of the code that gives the same trial other numbers; part of every recipe."""

Precision = Literal["auto", "bf16", "fp32"]
Resize = Literal["stretch", "pad"]
Optimizer = Literal["adam", "adamw", "sgd"]
Schedule = Literal["constant", "cosine", "polynomial", "one_cycle"]
CountedAt = Literal["working size", "original size"]
Value = bool | Annotated[int, Field(ge=-(2**53), le=2**53)] | float | Annotated[str, Field(max_length=200)]
"""Of one key of the recipe that a search may vary."""
Weight = Annotated[float, Field(ge=0, le=1000)]


def _multiple_of_16(side: int) -> int:
    if side % 16:
        raise ValueError(f"must be a multiple of 16 (the nearest is {max(16, round(side / 16) * 16)})")
    return side


Side = Annotated[int, Field(ge=16, le=1024), AfterValidator(_multiple_of_16)]
ImageSize = Annotated[
    Annotated[Side, Tag("[side]")] | Annotated[tuple[Side, Side], Tag("[sides]")],
    Discriminator(lambda given: "[sides]" if isinstance(given, tuple | list) else "[side]"),
]


class Section(BaseModel):
    """A table of a TOML file: immutable, no unknown key, no silent conversion (a list is read as a tuple)."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    @model_validator(mode="before")
    @classmethod
    def _lists_are_tuples(cls, table: Any) -> Any:
        if not isinstance(table, dict):
            return table
        return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}


class ModelRecipe(Section):
    """The arguments of the networks: these, and any others that a network of the grid takes by name."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Value] = Field(init=False)

    width: Annotated[float, Field(ge=0.01, le=4)] = 1.0
    """Multiple of the network's numbers of channels: 1 is the paper's. (For networks that take a width.)"""

    @model_validator(mode="after")
    def _others_are_names(self) -> Self:
        for name in self.__pydantic_extra__:
            if not (name.isascii() and name.isidentifier() and len(name) <= 64):
                raise ValueError(f"{name[:64]!r} is not a name for an argument")
        return self


class AugmentationRecipe(Section):
    """How training images are varied."""

    strength: Annotated[float, Field(ge=0, le=1.5)] = 1.0
    """Of the paper's chain of 23 operations: 0 changes no image, 1 is the paper's."""


FEWEST_IN_A_BATCH = 2


class TrainingRecipe(Section):
    """The defaults are the recipe of the paper's authors (Adam as in Keras, no schedule, no weight decay)."""

    image_size: ImageSize = 128
    """Side of the square working image, or [height, width]; multiples of 16, as networks halve it up to four times."""
    resize: Resize = "stretch"
    """How an image of another shape gets that size: stretched, or with its aspect kept and ignored pixels around it."""
    counted_at: CountedAt = "working size"
    """Where test and validation pixels are counted: at the working size, or each image at its own."""
    epochs: Annotated[int, Field(ge=1, le=100_000)] = 32
    """How often a training sees all its images. The weights of the epoch with the lowest validation loss are kept."""
    batch_size: Annotated[int, Field(ge=FEWEST_IN_A_BATCH, le=4096)] = 16
    """Training images per step; an incomplete last batch of an epoch is dropped."""
    learning_rate: Annotated[float, Field(gt=0, le=1e38)] = 1e-3
    """The highest learning rate of a training."""
    schedule: Schedule = "constant"
    """How the learning rate changes from step to step, over all epochs: it stays, falls to 0 along a cosine or as
    (1 - t)^0.9, or rises for three tenths of the steps and then falls, both along cosines (one_cycle)."""
    warmup_epochs: Annotated[float, Field(ge=0, le=100_000)] = 0.0
    """For how many epochs the learning rate first rises evenly, from about 0."""
    optimizer: Optimizer = "adam"
    """Adam, Adam with decoupled weight decay, or stochastic gradient descent with momentum."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """For sgd only: how much of each step carries over into the next."""
    weight_decay: Annotated[float, Field(ge=0, le=1e38)] = 0.0
    """The weights' pull towards 0. (With adamw it is multiplied by the learning rate alone, with the others it is added
    to the gradient.)"""
    adam_epsilon: Annotated[float, Field(gt=0, le=1)] = 1e-7
    """Adam's constant against a division by zero."""
    gradient_clipping: Annotated[float, Field(ge=0, le=1e38)] = 0.0
    """The greatest length of a step's gradient, over all weights together; a longer one is shortened to it. 0: no
    clipping."""
    weight_averaging: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Above 0, averaged weights are validated and tested: after each step the average is this share of the old average
    (less in the first steps) and the rest of the new weights. 0: the weights themselves."""
    early_stopping: Annotated[int, Field(ge=0, le=100_000)] = 0
    """A training ends when the validation loss has reached no new lowest value for this many epochs. 0: never before
    its last epoch."""
    output_weights: Annotated[tuple[Weight, ...], Field(max_length=16)] = ()
    """Weights of the losses of a network's outputs, the main one's first; a network that gives more outputs than there
    are weights is refused. If not given: the network's own (its attribute output_weights), as networks with auxiliary
    losses have; without any, only the main output counts."""
    epsilon: Annotated[float, Field(ge=0, lt=1)] = 0.0015
    """Noise tolerance of the Dice (paper, section 3.4): if an image does not show a class, up to this share of its
    pixels may be given to the class without counting."""
    precision: Precision = "auto"
    """auto: bfloat16 where the hardware multiplies it natively, else float32."""
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    """CPU threads of a trial. They change the order of sums, hence the bits, so they belong to the recipe."""

    deterministic: bool = True
    """True: an operation that a GPU cannot do in the same order every time is refused. False: it is done, and the same
    trial has other numbers when it is run again; every row says so."""

    @field_validator("output_weights")
    @classmethod
    def _the_main_output_counts(cls, weights: tuple[float, ...]) -> tuple[float, ...]:
        if weights and not weights[0]:
            raise ValueError("the first weight, the main output's, must be above 0")
        return weights

    @property
    def size(self) -> Size:
        """Of the working image."""
        return Size(*self.image_size) if isinstance(self.image_size, tuple) else square(self.image_size)


class Recipe(Section):
    """One training's, every value settled: a definition's, with a point of its search laid over it."""

    model: ModelRecipe = ModelRecipe()
    augmentation: AugmentationRecipe = AugmentationRecipe()
    training: TrainingRecipe = TrainingRecipe()

    def value(self, key: str) -> Any:
        """Of a key such as `training.epochs`. Raises KeyError if there is none."""
        section, _, name = key.partition(".")
        if section not in SECTIONS:
            raise KeyError(key)
        return dict(getattr(self, section))[name]

    def at(self, point: Mapping[str, Value]) -> Recipe:
        """This recipe with the values of a point in place of its own. Raises pydantic's ValidationError for a key or a
        value that is none of a recipe's."""
        tables = self.model_dump()
        for key, value in point.items():
            section, _, name = key.partition(".")
            tables.setdefault(section, {})[name] = value
        return Recipe.model_validate(tables)

    def keys(self) -> list[str]:
        """All that there are, section by section."""
        return [f"{section}.{name}" for section in SECTIONS for name in dict(getattr(self, section))]


SECTIONS = tuple(Recipe.model_fields)
