"""What a model file says about itself."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from napari_stainxfer.methods.background import WHITE, Glass, slide_glass
from napari_stainxfer.methods.familiarity import Colour, distance_to, tissue_colour
from napari_stainxfer.slides import Slide


class SlideFacts(BaseModel):
    """Which slide a model saw, and the mean colour (R, G, B) of its tissue."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    fingerprint: str
    mpp: float
    tissue_colour: Colour | None = None

    @classmethod
    def of(cls, slide: Slide) -> SlideFacts:
        """Note what is known of a slide."""
        return cls(
            name=slide.name,
            fingerprint=slide.fingerprint(),
            mpp=slide.require_mpp(),
            tissue_colour=tissue_colour(slide),
        )


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

    @classmethod
    def of(
        cls, method: str, references: Sequence[Slide], sources: Sequence[Slide], **others: Any
    ) -> ModelCard:
        """Note slides, the glass of the first source, and this version; ``others`` are the other fields."""
        return cls(
            method=method,
            package_version=version("napari-stainxfer"),
            references=tuple(SlideFacts.of(slide) for slide in references),
            sources=tuple(SlideFacts.of(slide) for slide in sources),
            glass=slide_glass(sources[0]),
            **others,
        )

    def distance_of(self, slide: Slide) -> float | None:
        """How far the mean colour of a slide's tissue is from the nearest slide that was learned from.

        Returns
        -------
        float or None
            CIE delta E 2000, or None where the slide or the card has no tissue to tell; see
            `napari_stainxfer.methods.familiarity.FAR`.
        """
        return distance_to([source.tissue_colour for source in self.sources], tissue_colour(slide))
