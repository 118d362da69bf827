"""What can be set about the segmenter and its training."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class SegmenterSettings(BaseModel):
    """Everything that decides the outcome of a training, apart from the images.

    A glomerulus is about 100 to 200 um wide. At 2 um/px it is 50 to 100 px, and a crop of 160 px shows it
    with its surroundings; an epoch has no meaning here, because crops are drawn at random.

    The colour augmentation is that of Liu et al., "Detecting Cancer Metastases on Gigapixel Pathology Images"
    (2017), section 3, which many have taken over: brightness by at most 64/255, saturation by 0.25, hue by
    0.04 and contrast by 0.75.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mpp: float = Field(default=2.0, gt=0, description="um/px at which it looks.")
    crop_px: int = Field(default=160, ge=32, multiple_of=32, description="Side of a training crop.")
    steps: int = Field(default=300, ge=1, description="Training steps, each on a batch of crops.")
    batch_size: int = Field(default=6, ge=1, description="Crops a step.")
    learning_rate: float = Field(
        default=1e-3, gt=0, description="AdamW's highest; it rises and falls to zero."
    )
    weight_decay: float = Field(default=1e-4, ge=0, description="AdamW's.")
    centred: float = Field(
        default=0.5, ge=0, le=1, description="Share of crops that are drawn around a glomerulus."
    )
    brightness: float = Field(
        default=64 / 255, ge=0, le=1, description="Largest change of brightness, added."
    )
    contrast: float = Field(default=0.75, ge=0, lt=1, description="Largest change of contrast, as a factor.")
    saturation: float = Field(
        default=0.25, ge=0, le=1, description="Largest change of saturation, as a factor."
    )
    hue: float = Field(default=0.04, ge=0, le=0.5, description="Largest turn of the hue, in whole turns.")
    width: int = Field(default=64, ge=4, description="Feature maps of the first stage; 64 is ResNet50.")
    seed: int = Field(default=0, ge=0, description="The one source of randomness.")
