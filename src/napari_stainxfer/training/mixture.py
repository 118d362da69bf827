"""Fitting DCGMM: a Gaussian mixture of stain colours whose classes a network sees in the tissue's structure.

Zanjani, Zinger and de With (MICCAI 2018) let a network give each pixel's responsibilities from the density
alone, and fit it by expectation maximisation to the colours. Here one network serves both sides, shown
densities that are standardised over each side's tissue, so that a class is the same structure in both.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from napari_stainxfer.errors import TrainingError
from napari_stainxfer.models import ResponsibilityNetwork
from napari_stainxfer.training.devices import resolve_device
from napari_stainxfer.training.events import DoneEvent, EpochEvent, Event, StepEvent
from napari_stainxfer.training.patches import random_stream

_NARROWEST = 0.01
"""Smallest standard deviation of a class: one of a single colour must not make the likelihood infinite."""


class MixtureSettings(BaseModel):
    """Everything that decides the outcome of fitting DCGMM, apart from the patches.

    The paper gives neither the network nor the optimiser. The number of classes is that of its authors' code.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: int = Field(4, ge=1, description="Gaussians of the mixture.")
    epochs: int = Field(15, ge=1, description="Passes over the patches; each shows a crop of every one.")
    crop_px: int = Field(192, ge=16, description="Side of the crops, at most the patches'.")
    learning_rate: float = Field(3e-3, gt=0, description="Adam's; falls to zero along a cosine.")
    width: int = Field(16, ge=2, description="Feature maps of the network.")
    seed: int = Field(0, ge=0, description="The one source of randomness.")


class StainedPatches(NamedTuple):
    """The patches of one side.

    Attributes
    ----------
    colours
        (N, H, W, 3): density and the two chromatic coordinates.
    stained
        (N, H, W), 1 where there is stain and 0 on glass.
    """

    colours: Tensor
    stained: Tensor

    def standardised(self, centre: float, spread: float) -> Tensor:
        """Densities (N, 1, H, W) as the network is shown them."""
        return ((self.colours[..., 0] - centre) / spread)[:, None]


class ClassColours(NamedTuple):
    """Mean and standard deviation (K, 3) of each class's colours on one side."""

    mean: Tensor
    spread: Tensor

    def log_likelihood(self, colours: Tensor) -> Tensor:
        """Of colours (N, H, W, 3) in each class, with independent coordinates: (N, K, H, W)."""
        apart = (colours[:, None] - self.mean[:, None, None]) / self.spread[:, None, None]
        constant = self.spread.log().sum(-1) + 1.5 * math.log(2 * math.pi)
        return -0.5 * apart.square().sum(-1) - constant[:, None, None]


class _Moments:
    """Sums that a class's mean and spread come from, added to part by part."""

    def __init__(self) -> None:
        self.count: Tensor | float = 0.0
        self.first: Tensor | float = 0.0
        self.second: Tensor | float = 0.0

    def add(self, weights: Tensor, colours: Tensor) -> None:
        """Pixels (N, H, W, 3) with their share in each class (N, K, H, W)."""
        self.count = self.count + weights.sum((0, 2, 3)).double()
        self.first = self.first + torch.einsum("nkhw,nhwc->kc", weights, colours).double()
        self.second = self.second + torch.einsum("nkhw,nhwc->kc", weights, colours.square()).double()

    def colours(self, before: ClassColours) -> ClassColours:
        """What comes of them; a class that holds next to nothing stays as it was before."""
        assert isinstance(self.count, Tensor)
        count = self.count[:, None]
        mean = self.first / count.clamp(min=1)
        spread = (self.second / count.clamp(min=1) - mean**2).clamp(min=_NARROWEST**2).sqrt()
        held = count >= 1
        return ClassColours(
            torch.where(held, mean.float(), before.mean), torch.where(held, spread.float(), before.spread)
        )


class MixtureTrainer:
    """Fits the network and both sides' class colours.

    Parameters
    ----------
    source, reference
        Both sides' patches, of the same shape.
    settings
        Of the fitting.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Attributes
    ----------
    network
        Gives the classes.
    densities
        Mean and standard deviation of the density over the tissue of each side, source first: (2, 2).
    colours
        Of each side, source first.
    history
        Mean losses of each epoch.

    Raises
    ------
    TrainingError
        When a side shows no stain at all.
    """

    def __init__(
        self,
        source: StainedPatches,
        reference: StainedPatches,
        settings: MixtureSettings,
        *,
        device: str = "auto",
    ) -> None:
        self.settings, self.device = settings, resolve_device(device)
        self._sides = [
            StainedPatches(*(part.to(self.device) for part in side)) for side in (source, reference)
        ]
        stained = [side.colours[..., 0][side.stained > 0] for side in self._sides]
        if not all(len(densities) > 1 for densities in stained):
            raise TrainingError("The patches of one side show no stain; choose others.")
        self.densities = torch.tensor(
            [[float(each.mean()), max(float(each.std()), _NARROWEST)] for each in stained]
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.network = ResponsibilityNetwork(classes=settings.classes, width=settings.width).to(
                self.device
            )
        self.colours = [self._by_density(side) for side in self._sides]
        self._optimiser = torch.optim.Adam(self.network.parameters(), lr=settings.learning_rate)
        self.history: list[dict[str, float]] = []

    def run(self) -> Iterator[Event]:
        """Fit to the end; stop asking and it has stopped.

        Raises
        ------
        TrainingError
            When it diverges.
        """
        started, count = time.perf_counter(), len(self._sides[0].colours)
        total, step = self.settings.epochs * count, 0
        for epoch in range(self.settings.epochs):
            moments = [_Moments(), _Moments()]
            orders = [
                torch.randperm(count, generator=random_stream(self.settings.seed, epoch, side))
                for side in (0, 1)
            ]
            mean = 0.0
            for position in range(count):
                fall = 0.5 * (1 + math.cos(math.pi * step / total))
                self._optimiser.param_groups[0]["lr"] = self.settings.learning_rate * fall
                random = random_stream(self.settings.seed, epoch, position, 2)
                loss = self._step([int(order[position]) for order in orders], moments, random)
                if not math.isfinite(loss):
                    raise TrainingError(
                        f"Fitting the mixture diverged at step {step + 1}; use other patches."
                    )
                step, mean = step + 1, mean + loss / count
                left = (time.perf_counter() - started) / step * (total - step)
                yield StepEvent(step, total, epoch + 1, {"generator": loss}, left)
            self.colours = [sums.colours(old) for sums, old in zip(moments, self.colours, strict=True)]
            self.history.append({"generator": mean})
            yield EpochEvent(epoch + 1, self.settings.epochs, self.history[-1], self._preview())
        self.colours = [self._as_used(which) for which in (0, 1)]
        self.network.eval().requires_grad_(False)
        yield DoneEvent(step, time.perf_counter() - started)

    def _step(self, patches: list[int], moments: list[_Moments], random: torch.Generator) -> float:
        """One patch of each side: its responsibilities, and the network a step towards them.

        The gradient of the likelihood is that of the cross-entropy between the network's classes and the
        responsibilities that they and the colours give together: expectation, and the network's part of
        maximisation. The colours' part has a closed form and is taken once an epoch.
        """
        self._optimiser.zero_grad()
        loss = torch.zeros((), device=self.device)
        for which, patch in enumerate(patches):
            side = self._crop(which, patch, random)
            classes = self.network(side.standardised(*self.densities[which].tolist()))
            together = classes.clamp(min=1e-6).log() + self.colours[which].log_likelihood(side.colours)
            responsibilities = together.detach().softmax(1) * side.stained[:, None]
            moments[which].add(responsibilities, side.colours)
            likelihood = together.logsumexp(1) * side.stained
            loss = loss - likelihood.sum() / side.stained.sum().clamp(min=1)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        return loss.item()

    def _crop(self, which: int, patch: int, random: torch.Generator) -> StainedPatches:
        height, width = self._sides[which].stained.shape[1:]
        side = min(self.settings.crop_px, height, width)
        y, x = (int(torch.randint(free - side + 1, (1,), generator=random)) for free in (height, width))
        cut = (slice(patch, patch + 1), slice(y, y + side), slice(x, x + side))
        return StainedPatches(*(part[cut] for part in self._sides[which]))

    def _by_density(self, side: StainedPatches) -> ClassColours:
        """Classes to start from: equal shares of the stained pixels, from the palest to the densest."""
        colours = side.colours[side.stained > 0]
        shares = colours[colours[:, 0].argsort()].tensor_split(self.settings.classes)
        shares = tuple(share if len(share) > 1 else colours for share in shares)
        return ClassColours(
            torch.stack([share.mean(0) for share in shares]),
            torch.stack([share.std(0).clamp(min=_NARROWEST) for share in shares]),
        )

    @torch.no_grad()
    def _as_used(self, which: int) -> ClassColours:
        """Each class's colours where the network alone sees it, as it does when the method is used."""
        moments, side = _Moments(), self._sides[which]
        for patch in range(len(side.colours)):
            one = StainedPatches(side.colours[patch : patch + 1], side.stained[patch : patch + 1])
            classes = self.network(one.standardised(*self.densities[which].tolist()))
            moments.add(classes * one.stained[:, None], one.colours)
        return moments.colours(self.colours[which])

    @torch.no_grad()
    def _preview(self) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        """Density | most likely class | density of the first patches, in grey."""
        side = self._sides[0]
        standard = side.standardised(*self.densities[0].tolist())[:1]
        classes = self.network(standard)[0].argmax(0) / max(1, self.settings.classes - 1)
        other = self._sides[1].standardised(*self.densities[1].tolist())[0, 0]
        greys = [(0.5 - standard[0, 0] / 6).clamp(0, 1), 1 - classes, (0.5 - other / 6).clamp(0, 1)]
        strip = torch.cat(greys, dim=1)[..., None].expand(-1, -1, 3)
        return (strip * 255).round().byte().cpu().numpy()
