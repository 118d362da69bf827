"""What can be set about training, and the presets."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from napari_stainxfer.losses import Form, Scale


class Recipe(NamedTuple):
    """What tells the paper's four settings apart."""

    generator: str
    adversarial: bool


RECIPES: dict[str, Recipe] = {
    "nst": Recipe("johnson", adversarial=False),
    "nst-ad": Recipe("johnson", adversarial=True),
    "nst-hrnet": Recipe("hrnet", adversarial=False),
    "nst-ad-hrnet": Recipe("hrnet", adversarial=True),
}

MethodName = Literal["nst", "nst-ad", "nst-hrnet", "nst-ad-hrnet"]
PresetName = Literal["quick", "paper"]


class TrainingSettings(BaseModel):
    """Everything that decides the outcome of a training, apart from the patches.

    The defaults are the ``quick`` preset, meant for a laptop without a GPU. :meth:`preset` gives the others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: MethodName = Field("nst-ad-hrnet", description="One of the paper's four settings.")
    extractor: Literal["efficientnet_lite0", "vgg19"] = Field(
        "efficientnet_lite0", description="Frozen network that measures content and style."
    )
    epochs: int = Field(20, ge=1, description="Passes over the patch pairs.")
    batch_size: int = Field(1, ge=1, description="Patch pairs a step.")
    square_px: int = Field(
        256,
        ge=16,
        description="Larger patches are cut into squares; an epoch shows one of each.",
    )
    generator_lr: float = Field(2e-3, gt=0, description="Adam's learning rate for the generator.")
    discriminator_lr: float = Field(1e-4, gt=0, description="Adam's learning rate for the discriminator.")
    anneal: bool = Field(True, description="Let both learning rates fall to zero along a cosine.")
    content_weight: float = Field(1.0, ge=0, description="Weight of equation 1.")
    style_weight: float = Field(1.0, ge=0, description="Weight of equation 4.")
    adversarial_weight: float = Field(0.01, ge=0, description="Weight of equation 6.")
    colour_weight: float = Field(
        9.0, ge=0, description="Weight of the colours' distance from a colour map of all pairs."
    )
    shared_style: float = Field(
        0.5, ge=0, le=1, description="Share of all reference patches' mean style in each pair's."
    )
    scale: Scale = Field("relative", description="Content and style as printed, or relative to the input.")
    adversarial_form: Form = Field("non-saturating", description="Form of equations 5 and 6.")
    start: Literal["input", "measured"] = Field(
        "measured",
        description="What the generator is shown and adds to: the patch, or the patch with the colours and "
        "sharpness that were measured on all pairs.",
    )
    settle_after: float = Field(
        0.5, ge=0, le=1, description="Share of the training after which batch norm is settled and frozen."
    )
    augment: bool = Field(
        False, description="Turn and mirror patches anew each epoch; targets can then not be computed once."
    )
    generator_width: int | None = Field(
        None, ge=4, description="Feature maps at full resolution; by default the generator's own."
    )
    discriminator_width: int = Field(16, ge=4, description="Feature maps of the first layer.")
    seed: int = Field(0, ge=0, description="The one source of randomness.")

    @property
    def recipe(self) -> Recipe:
        """Generator and use of the discriminator."""
        return RECIPES[self.method]

    @classmethod
    def preset(cls, name: str, **changes: object) -> TrainingSettings:
        """``quick`` or ``paper`` (section 3.3), with some fields changed.

        The paper is silent on the weights of equation 7, on the layers of the style loss and on widths.
        """
        base: dict[str, object] = dict(PRESETS[name])
        return cls.model_validate(base | {key: value for key, value in changes.items() if value is not None})


PRESETS: dict[str, dict[str, object]] = {
    "quick": {},
    "paper": {
        "extractor": "vgg19",
        "epochs": 50,
        "batch_size": 4,
        "square_px": 512,
        "generator_lr": 1e-3,
        "discriminator_lr": 1e-5,
        "anneal": False,
        "colour_weight": 0.0,
        "shared_style": 0.0,
        "start": "input",
        "settle_after": 1.0,
        "discriminator_width": 32,
    },
}
