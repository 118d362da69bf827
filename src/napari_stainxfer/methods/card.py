"""What a model file says about itself."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from napari_stainxfer.methods.background import WHITE, Glass
from napari_stainxfer.slides import Slide


class SlideFacts(BaseModel):
    """Which slide a model saw."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    fingerprint: str
    mpp: float

    @classmethod
    def of(cls, slide: Slide) -> SlideFacts:
        """Note a slide's name, content hash and um/px."""
        return cls(name=slide.name, fingerprint=slide.fingerprint(), mpp=slide.require_mpp())


class ModelCard(BaseModel):
    """Everything about a fitted method but its numbers; stored as JSON in the model file.

    ``method_state`` is what the method itself needs to be built again; ``metrics`` are plain numbers such
    as distances before and after; ``history`` has one mapping of mean losses per epoch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    method: str
    package_version: str
    mpp: float = Field(gt=0, description="um/px of the patches it was fitted on.")
    patch_px: int = Field(gt=0)
    pairs: int = Field(ge=0)
    references: tuple[SlideFacts, ...] = ()
    sources: tuple[SlideFacts, ...] = ()
    glass: Glass = WHITE
    settings: dict[str, Any] = {}
    method_state: dict[str, Any] = {}
    history: tuple[dict[str, float], ...] = ()
    metrics: dict[str, float] = {}
