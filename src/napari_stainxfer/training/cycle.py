"""Training StainGAN: two generators, there and back, and two discriminators, on patches without pairs."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_stainxfer.errors import TrainingError
from napari_stainxfer.models import CycleDiscriminator, CycleGenerator, settle_instance_norm
from napari_stainxfer.training.cycle_settings import CycleSettings
from napari_stainxfer.training.devices import autocast, resolve_device
from napari_stainxfer.training.events import DoneEvent, EpochEvent, Event, StepEvent
from napari_stainxfer.training.patches import TrainingPatches, random_stream, to_tensor, turned

_LEAST_PX = 32


class ImagePool:
    """Images made earlier, shown again in place of half of the new ones (Shrivastava et al., CVPR 2017).

    Parameters
    ----------
    size
        How many are kept; with 0 every image is the new one.
    random
        Decides which.
    """

    def __init__(self, size: int, random: torch.Generator) -> None:
        self._size, self._random, self._kept = size, random, list[Tensor]()

    def swap(self, image: Tensor) -> Tensor:
        """Give the image itself, or an earlier one whose place it takes."""
        if len(self._kept) < self._size:
            self._kept.append(image)
            return image
        if not self._kept or torch.rand(1, generator=self._random).item() < 0.5:
            return image
        place = int(torch.randint(len(self._kept), (1,), generator=self._random))
        earlier, self._kept[place] = self._kept[place], image
        return earlier


class CycleTrainer:
    """Trains from source to reference.

    Parameters
    ----------
    patches
        Both sides' patches. That they are paired is not used: each side is shown in an order of its own.
    settings
        Of the training.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Attributes
    ----------
    generator
        From source to reference; when :meth:`run` has ended, in inference mode and with fixed statistics.
    history
        Mean losses of each epoch.
    """

    def __init__(self, patches: TrainingPatches, settings: CycleSettings, *, device: str = "auto") -> None:
        self.settings, self.device = settings, resolve_device(device)
        self.crop_px = min(settings.crop_px, patches.source.shape[1])
        if self.crop_px < _LEAST_PX:
            raise TrainingError(
                f"StainGAN's discriminators need patches of at least {_LEAST_PX} px, not {self.crop_px} px; "
                "give larger ones."
            )
        self.source, self.reference = (
            to_tensor(side, self.device) for side in (patches.source, patches.reference)
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.generator, self._back = (self._generator() for _ in range(2))
            self._judge_reference, self._judge_source = (
                CycleDiscriminator(width=settings.discriminator_width).to(self.device) for _ in range(2)
            )
        self._pools = [ImagePool(settings.pool, random_stream(settings.seed, side)) for side in (0, 1)]
        self._generators = _adam([self.generator, self._back], settings.learning_rate)
        self._judges = _adam([self._judge_reference, self._judge_source], settings.learning_rate)
        self.history: list[dict[str, float]] = []

    @property
    def total_steps(self) -> int:
        """Of the whole training."""
        return self.settings.epochs * len(self.source)

    def run(self) -> Iterator[Event]:
        """Train to the end; stop asking and it has stopped, between two steps.

        Raises
        ------
        TrainingError
            When it diverges.
        """
        started, step = time.perf_counter(), 0
        for epoch in range(self.settings.epochs):
            sums: dict[str, float] = {}
            orders = [
                torch.randperm(len(side), generator=random_stream(self.settings.seed, epoch, which))
                for which, side in enumerate((self.source, self.reference))
            ]
            for position, (one, other) in enumerate(zip(*orders, strict=True)):
                self._set_rates(step)
                random = random_stream(self.settings.seed, epoch, position, 2)
                losses = self._step(
                    self._crop(self.source[one : one + 1], random),
                    self._crop(self.reference[other : other + 1], random),
                )
                if not all(map(math.isfinite, losses.values())):
                    raise TrainingError(
                        f"Training diverged at step {step + 1}; try another seed or other pairs, or from "
                        f"Python a learning_rate below {self.settings.learning_rate:g}."
                    )
                step += 1
                left = (time.perf_counter() - started) / step * (self.total_steps - step)
                sums = {name: sums.get(name, 0.0) + value for name, value in losses.items()}
                yield StepEvent(step, self.total_steps, epoch + 1, losses, left)
            self.history.append({name: total / len(self.source) for name, total in sums.items()})
            yield EpochEvent(epoch + 1, self.settings.epochs, self.history[-1], self._preview())
        settle_instance_norm(self.generator, self.source)
        yield DoneEvent(step, time.perf_counter() - started)

    def _generator(self) -> CycleGenerator:
        return CycleGenerator(width=self.settings.width, blocks=self.settings.blocks).to(self.device)

    def _crop(self, image: Tensor, random: torch.Generator) -> Tensor:
        """A random part of a patch, turned or mirrored."""
        free = image.shape[-1] - self.crop_px
        y, x = (int(torch.randint(free + 1, (1,), generator=random)) for _ in range(2))
        return turned(image[..., y : y + self.crop_px, x : x + self.crop_px], random)

    def _set_rates(self, step: int) -> None:
        """As they are for the first half, then along a line to zero."""
        rate = self.settings.learning_rate * min(1.0, 2 - 2 * step / self.total_steps)
        for optimiser in (self._generators, self._judges):
            optimiser.param_groups[0]["lr"] = rate

    def _step(self, source: Tensor, reference: Tensor) -> dict[str, float]:
        """Both generators' step against the discriminators as they are, then the discriminators'."""
        self._generators.zero_grad()
        with autocast(self.device):
            there, back = self.generator(source), self._back(reference)
            fooled = _unlike(self._judge_reference(there), 1) + _unlike(self._judge_source(back), 1)
            cycle = _apart(self._back(there), source) + _apart(self.generator(back), reference)
            total = fooled + self.settings.cycle_weight * cycle
            if self.settings.identity_weight:
                same = _apart(self.generator(reference), reference) + _apart(self._back(source), source)
                total = total + self.settings.identity_weight * same
        total.backward()  # type: ignore[no-untyped-call]
        self._generators.step()
        self._judges.zero_grad()
        with autocast(self.device):
            judged = torch.zeros((), device=self.device)
            sides = ((self._judge_reference, reference, there), (self._judge_source, source, back))
            for (judge, real, made), pool in zip(sides, self._pools, strict=True):
                judged = judged + (_unlike(judge(real), 1) + _unlike(judge(pool.swap(made.detach())), 0)) / 2
        judged.backward()  # type: ignore[no-untyped-call]
        self._judges.step()
        return {"generator": total.item(), "cycle": cycle.item(), "discriminator": judged.item()}

    @torch.no_grad()
    def _preview(self) -> NDArray[np.uint8]:
        output = self.generator(self.source[:1])[0].clamp(0, 1)
        strip = torch.cat([self.source[0], output, self.reference[0]], dim=2)
        image: NDArray[np.uint8] = strip.float().mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
        return image


def _adam(networks: list[nn.Module], rate: float) -> torch.optim.Adam:
    weights = [weight for network in networks for weight in network.parameters()]
    return torch.optim.Adam(weights, lr=rate, betas=(0.5, 0.999))


def _apart(image: Tensor, other: Tensor) -> Tensor:
    return (image - other).abs().mean()


def _unlike(scores: Tensor, target: float) -> Tensor:
    """LSGAN's loss: how far the scores are from what they should be (Mao et al., ICCV 2017)."""
    return (scores.float() - target).square().mean()
