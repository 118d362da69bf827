"""What each step of a training sees: which pairs, which square of each, and how turned."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_stainxfer.features import FeatureExtractor
from napari_stainxfer.training.colour_goals import ColourGoals
from napari_stainxfer.training.patches import TrainingPatches, random_stream, to_tensor, turned
from napari_stainxfer.training.settings import TrainingSettings
from napari_stainxfer.training.targets import TargetMaker, Targets


@dataclass(frozen=True)
class Batch:
    """Part of what one step sees.

    Attributes
    ----------
    share
        Of the step's pairs, 1 where it is all of them.
    source, reference
        Squares (n, 3, S, S) in [0, 1].
    index, turn
        Which squares they are, and what decides how they are turned.
    at_once
        How many squares a full part has: the last of an epoch may have fewer.
    """

    share: float
    source: Tensor
    reference: Tensor
    index: Tensor
    turn: tuple[int, int]
    at_once: int


class Batches:
    """The squares of all pairs, and their order; whatever is random depends on seed and epoch alone.

    Parameters
    ----------
    patches
        The pairs.
    settings
        Of the training.
    extractor
        The frozen network, on ``device``.
    device
        Where the squares are kept.
    start
        Makes of the source squares what the generator is shown; they stay as they are without it.

    Attributes
    ----------
    source, reference
        All squares, (N, 3, S, S) in [0, 1]; those of one pair one after the other.
    pairs
        How many pairs there are.
    """

    def __init__(
        self,
        patches: TrainingPatches,
        settings: TrainingSettings,
        extractor: FeatureExtractor,
        device: torch.device,
        *,
        start: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self._settings, self._extractor, self._start = settings, extractor, start
        squares = patches.cut(settings.square_px)
        self.source, self.reference = (
            to_tensor(side, device) for side in (squares.source, squares.reference)
        )
        self.pairs = len(patches.source)
        self._targets: TargetMaker | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Steps that show every pair once."""
        return math.ceil(self.pairs / self._settings.batch_size)

    def of_step(self, epoch: int, position: int, *, parts: int = 1) -> Iterator[Batch]:
        """The squares of one step, in so many parts, made as they are asked for."""
        index, turn = self.squares(epoch, position), (epoch, position)
        at_once = math.ceil(self._settings.batch_size / parts)
        for part in index.tensor_split(min(parts, len(index))):
            source, reference = self.source[part], self.reference[part]
            if self._settings.augment:
                source, reference = self._turned(source, turn), self._turned(reference, turn)
            yield Batch(len(part) / len(index), source, reference, part, turn, at_once)

    def targets(self, batch: Batch) -> Targets:
        """What is wanted of the transformed squares: computed once for all, or anew where they are turned."""
        if self._targets is None:
            self._targets = TargetMaker(
                self._extractor,
                self._shown(self.source),
                self.reference,
                shared_style=self._settings.shared_style,
                with_goals=self._settings.colour_weight > 0,
                batch_size=batch.at_once,  # so that a resumed training has the same, to the last digit
            )
        if not self._settings.augment:
            return self._targets.of_pairs(batch.index)
        goals = self._targets.goals
        if goals is not None:
            goals = ColourGoals(*(self._turned(side, batch.turn) for side in goals.take(batch.index)))
        return self._targets.of_images(self._shown(batch.source), batch.reference, goals)

    def squares(self, epoch: int, position: int) -> Tensor:
        """Which squares a step sees: one of each of its pairs, the next one in the next epoch."""
        seed, size = self._settings.seed, self._settings.batch_size
        order = torch.randperm(self.pairs, generator=random_stream(seed, epoch))
        pairs = order[position * size : (position + 1) * size]
        of_each = len(self.source) // self.pairs
        square = (pairs + epoch) % of_each  # the pairs do not all show the same corner in one epoch
        return (pairs * of_each + square).to(self.source.device)

    def forget_targets(self) -> None:
        """Free what was computed once; it is made anew when it is needed."""
        self._targets = None

    @torch.no_grad()
    def _shown(self, source: Tensor) -> Tensor:
        return source if self._start is None else self._start(source)

    def _turned(self, images: Tensor, turn: tuple[int, int]) -> Tensor:
        return turned(images, random_stream(self._settings.seed, *turn))
