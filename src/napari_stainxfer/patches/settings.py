"""What can be set about patches."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class PatchSettings(BaseModel):
    """Size, resolution and choice of patches; the defaults are the paper's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    patch_px: int = Field(default=512, ge=32, description="Side of a patch in pixels.")
    mpp: float = Field(default=1.0, gt=0, description="Um/px of a patch; 1.0 is 10x.")
    min_tissue: float = Field(default=0.5, ge=0, le=1, description="Least share of a patch that is tissue.")
    max_ink: float = Field(
        default=0.01, ge=0, le=1, description="Largest share of a patch that is ink or unscanned."
    )
    count: int = Field(
        default=20,
        ge=1,
        description="Patches that each side should have; smaller or finer ones are cut for it.",
    )
