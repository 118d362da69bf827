"""What a training says while it runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class StepEvent:
    """One generator step is done."""

    step: int
    total_steps: int
    epoch: int
    losses: dict[str, float]
    seconds_left: float


@dataclass(frozen=True)
class EpochEvent:
    """An epoch is done; ``preview`` is source | transformed | reference of one pair, uint8 (S, 3 S, 3)."""

    epoch: int
    total_epochs: int
    losses: dict[str, float]
    preview: NDArray[np.uint8]


@dataclass(frozen=True)
class NoticeEvent:
    """Something the user should know, in one sentence."""

    message: str


@dataclass(frozen=True)
class MeasureEvent:
    """A part of a slide has been measured, for a method that is not trained."""

    done: int
    total: int
    slide: str


@dataclass(frozen=True)
class DoneEvent:
    """The method is fitted; ``steps`` are those of a training, or parts of slides that were measured."""

    steps: int
    seconds: float


Event = StepEvent | EpochEvent | MeasureEvent | NoticeEvent | DoneEvent
