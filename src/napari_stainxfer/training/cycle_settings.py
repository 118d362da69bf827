"""What can be set about training StainGAN."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class CycleSettings(BaseModel):
    """Everything that decides the outcome of a StainGAN training, apart from the patches.

    The defaults are the ``quick`` preset: what a laptop can do in minutes, with narrower networks, smaller
    crops and a higher learning rate. ``paper`` has CycleGAN's own values, which StainGAN takes over (Shaban
    et al., ISBI 2019), and needs a GPU and hours.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(20, ge=1, description="Passes over the patches; each shows a crop of every one.")
    crop_px: int = Field(128, ge=32, multiple_of=4, description="Side of the crops, at most the patches'.")
    learning_rate: float = Field(1e-3, gt=0, description="Adam's; falls to zero in the second half.")
    cycle_weight: float = Field(10.0, ge=0, description="Weight of the way there and back.")
    identity_weight: float = Field(
        0.0, ge=0, description="Weight of leaving the target's own patches as they are (de Bel et al., 2019)."
    )
    pool: int = Field(50, ge=0, description="Made images that the discriminators are shown again.")
    width: int = Field(16, ge=2, description="Feature maps of the generators at full resolution.")
    blocks: int = Field(6, ge=1, description="Residual blocks of the generators.")
    discriminator_width: int = Field(16, ge=2, description="Feature maps of the discriminators' first layer.")
    seed: int = Field(0, ge=0, description="The one source of randomness.")

    @classmethod
    def preset(cls, name: str, **changes: object) -> CycleSettings:
        """``quick`` or ``paper``, with some fields changed; those that are None are not."""
        given = {key: value for key, value in changes.items() if value is not None}
        return cls.model_validate(CYCLE_PRESETS[name] | given)


CYCLE_PRESETS: dict[str, dict[str, object]] = {
    "quick": {},
    "paper": {
        "epochs": 200,
        "crop_px": 256,
        "learning_rate": 2e-4,
        "width": 64,
        "blocks": 9,
        "discriminator_width": 64,
    },
}
