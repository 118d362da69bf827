"""What the training of a segmenter says while it runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SegmenterStep:
    """One step is done; ``loss`` is cross-entropy and one minus the soft Dice of its crops."""

    step: int
    total_steps: int
    loss: float
    seconds_left: float


@dataclass(frozen=True)
class SegmenterDone:
    """The segmenter is trained."""

    steps: int
    seconds: float


SegmenterEvent = SegmenterStep | SegmenterDone
