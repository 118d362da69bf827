"""Alternating training of generator and discriminator on patch pairs."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_stainxfer import losses as eq
from napari_stainxfer.errors import TrainingError
from napari_stainxfer.features import FeatureExtractor, make_extractor
from napari_stainxfer.models import PatchDiscriminator, batch_norms, make_generator, settle_batch_norm
from napari_stainxfer.training.devices import autocast, resolve_device
from napari_stainxfer.training.events import DoneEvent, EpochEvent, Event, NoticeEvent, StepEvent
from napari_stainxfer.training.settings import TrainingSettings
from napari_stainxfer.training.targets import Targets, compute_targets

_DIVERGED = 50.0  # times the first epoch's loss; a healthy training never doubles it


@dataclass(frozen=True)
class TrainingPatches:
    """Paired patches.

    Attributes
    ----------
    source, reference
        uint8 (N, S, S, 3); ``source[i]`` is paired with ``reference[i]``. S is a multiple of 4.
    """

    source: NDArray[np.uint8]
    reference: NDArray[np.uint8]

    def __post_init__(self) -> None:
        for side in (self.source, self.reference):
            if side.dtype != np.uint8 or side.ndim != 4 or side.shape[3] != 3 or side.shape[1] % 4:
                raise TrainingError(
                    "Training needs uint8 RGB patches whose side is a multiple of 4 px, "
                    f"not {side.dtype} of shape {side.shape}."
                )
        if self.source.shape != self.reference.shape or not len(self.source):
            raise TrainingError("Training needs at least one pair, and as many source as reference patches.")


class Trainer:
    """One training: its networks, its optimisers, and where it stands.

    Parameters
    ----------
    patches
        The pairs.
    settings
        See :class:`TrainingSettings`.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    extractor
        The frozen network; made from the settings when not given.

    Notes
    -----
    :meth:`run` is a generator: stop asking it and the training has stopped between two steps;
    ask again (or :func:`load_checkpoint` into a new trainer) and it goes on as if never stopped. Whatever
    is drawn at random depends on the seed and the epoch alone, so there is no random state to keep.
    """

    def __init__(
        self,
        patches: TrainingPatches,
        settings: TrainingSettings,
        *,
        device: str = "auto",
        extractor: FeatureExtractor | None = None,
    ) -> None:
        self.settings, self.device = settings, resolve_device(device)
        self.extractor = (extractor or make_extractor(settings.extractor)).to(self.device)
        self.source, self.reference = (
            _to_tensor(side, self.device) for side in (patches.source, patches.reference)
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.generator = make_generator(settings.recipe.generator, width=settings.generator_width)
            self.discriminator = PatchDiscriminator(width=settings.discriminator_width)
        for network in (self.generator, self.discriminator):
            network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.generator_optimiser = torch.optim.Adam(self.generator.parameters(), lr=settings.generator_lr)
        self.discriminator_optimiser = torch.optim.Adam(
            self.discriminator.parameters(), lr=settings.discriminator_lr
        )
        self.step = 0
        self.history: list[dict[str, float]] = []
        self.micro_batches = 1
        self._targets: Targets | None = None
        self.patches_fingerprint = _fingerprint(patches)
        self.keep_weights()

    def keep_weights(self) -> None:
        """Remember the generator's weights as good; a divergence falls back on them."""
        self._last_good = {
            name: value.detach().clone() for name, value in self.generator.state_dict().items()
        }

    @property
    def steps_per_epoch(self) -> int:
        """Steps that show every pair once."""
        return math.ceil(len(self.source) / self.settings.batch_size)

    @property
    def total_steps(self) -> int:
        """Steps of the whole training."""
        return self.steps_per_epoch * self.settings.epochs

    def run(self) -> Iterator[Event]:
        """Train to the end, or until no more events are asked for.

        Raises
        ------
        TrainingError
            When the losses diverge (the generator then holds the last good weights) or not even a single
            patch fits into the device's memory.
        """
        started, first_step = time.perf_counter(), self.step
        while self.step < self.total_steps:
            if self.step == round(self.settings.settle_after * self.total_steps):
                settle_batch_norm(self.generator, self.source)
            epoch, position = divmod(self.step, self.steps_per_epoch)
            if position == 0:
                self.history.append({})
            micro_batches = self.micro_batches
            losses = self._train_step(epoch, position)
            if self.micro_batches != micro_batches:
                yield NoticeEvent(
                    f"The device ran out of memory: every step now takes {self.micro_batches} parts."
                )
            self._keep_or_stop(losses, position)
            self.step += 1
            spent = (time.perf_counter() - started) / (self.step - first_step)
            yield StepEvent(
                self.step, self.total_steps, epoch, losses, spent * (self.total_steps - self.step)
            )
            if position == self.steps_per_epoch - 1:
                yield EpochEvent(epoch + 1, self.settings.epochs, dict(self.history[-1]), self._preview())
        if self.settings.settle_after >= 1:
            settle_batch_norm(self.generator, self.source)
        self.generator.eval()
        yield DoneEvent(self.step, time.perf_counter() - started)

    def _train_step(self, epoch: int, position: int) -> dict[str, float]:
        while True:
            try:
                return self._try_step(epoch, position)
            except torch.OutOfMemoryError:
                self.micro_batches *= 2
                if self.micro_batches > self.settings.batch_size:
                    raise TrainingError(
                        f"Not even one patch of {self.source.shape[-1]} px fits into the memory of "
                        f"{self.device}; choose smaller patches, a smaller width, or --device cpu."
                    ) from None
                if self.device.type == "cuda":
                    torch.cuda.empty_cache()

    def _try_step(self, epoch: int, position: int) -> dict[str, float]:
        """The discriminator's step, then the generator's, both over the same batch in micro-batches."""
        self._set_modes_and_rates()
        index = self._batch(epoch, position)
        parts = index.tensor_split(min(self.micro_batches, len(index)))
        total: dict[str, float] = {}
        self.generator_optimiser.zero_grad()
        self.discriminator_optimiser.zero_grad()
        for part in parts:
            share = len(part) / len(index)
            source, reference, targets = self._pairs(part, epoch)
            with autocast(self.device):
                output = self.generator(source)
                if self.settings.recipe.adversarial:
                    judged = self._judge(reference, output.detach(), share)
                    total["discriminator"] = total.get("discriminator", 0.0) + judged * share
                terms = self._generator_terms(output, targets)
            (terms["generator"] * share).backward()  # type: ignore[no-untyped-call]
            for name, term in terms.items():
                total[name] = total.get(name, 0.0) + term.item() * share
        self.discriminator_optimiser.step()
        if math.isfinite(total["generator"]):
            self.generator_optimiser.step()
        return total

    def _judge(self, reference: Tensor, output: Tensor, share: float) -> float:
        """Equation 5 and its gradient; the generator is frozen because its output comes detached."""
        self.discriminator.requires_grad_(True)
        loss = eq.discriminator_loss(
            self.discriminator(reference), self.discriminator(output), form=self.settings.adversarial_form
        )
        (loss * share).backward()  # type: ignore[no-untyped-call]
        self.discriminator.requires_grad_(False)
        return loss.item()

    def _generator_terms(self, output: Tensor, targets: Targets) -> dict[str, Tensor]:
        """Equation 7 and its parts; the discriminator is frozen."""
        settings, extractor = self.settings, self.extractor
        features = extractor(output, {*extractor.content_layers, *extractor.style_layers})
        content = torch.stack(
            [
                eq.content_loss(fixed, features[layer], scale=settings.scale)
                for layer, fixed in targets.content.items()
            ]
        ).sum()
        style = eq.style_loss(targets.grams, features, scale=settings.scale)
        terms = {"content": content, "style": style}
        adversarial = output.new_zeros(())
        if settings.recipe.adversarial:
            adversarial = eq.adversarial_loss(self.discriminator(output), form=settings.adversarial_form)
            terms["adversarial"] = adversarial
        terms["generator"] = eq.generator_loss(
            adversarial,
            content,
            style,
            adversarial_weight=settings.adversarial_weight,
            content_weight=settings.content_weight,
            style_weight=settings.style_weight,
        )
        if settings.colour_weight:
            terms["colour"] = eq.colour_loss(targets.colour, output)
            terms["generator"] = terms["generator"] + settings.colour_weight * terms["colour"]
        return terms

    def _pairs(self, index: Tensor, epoch: int) -> tuple[Tensor, Tensor, Targets]:
        source, reference = self.source[index], self.reference[index]
        if self.settings.augment:
            source, reference = (
                _turn(side, _random(self.settings.seed, epoch, int(index[0]))) for side in (source, reference)
            )
            return source, reference, compute_targets(self.extractor, source, reference)
        if self._targets is None:
            self._targets = compute_targets(self.extractor, self.source, self.reference)
        return source, reference, self._targets.take(index)

    def _batch(self, epoch: int, position: int) -> Tensor:
        order = torch.randperm(len(self.source), generator=_random(self.settings.seed, epoch))
        size = self.settings.batch_size
        return order[position * size : (position + 1) * size].to(self.device)

    def _set_modes_and_rates(self) -> None:
        self.generator.train()
        if self.step >= round(self.settings.settle_after * self.total_steps):
            for norm in batch_norms(self.generator):
                norm.eval()
        fall = 0.5 * (1 + math.cos(math.pi * self.step / self.total_steps)) if self.settings.anneal else 1.0
        for optimiser, rate in (
            (self.generator_optimiser, self.settings.generator_lr),
            (self.discriminator_optimiser, self.settings.discriminator_lr),
        ):
            optimiser.param_groups[0]["lr"] = rate * fall

    def _keep_or_stop(self, losses: dict[str, float], position: int) -> None:
        """Add the losses to the epoch's mean; keep the weights while they are good, else stop."""
        first = self.history[0].get("generator", math.inf) if len(self.history) > 1 else math.inf
        if not all(map(math.isfinite, losses.values())) or losses["generator"] > _DIVERGED * abs(first):
            self.generator.load_state_dict(self._last_good)
            raise TrainingError(
                f"Training diverged at step {self.step + 1}; the last good weights are kept. Try a generator "
                f"learning rate below {self.settings.generator_lr:g} or an adversarial weight below "
                f"{self.settings.adversarial_weight:g}."
            )
        mean = self.history[-1]
        for name, value in losses.items():
            mean[name] = (mean.get(name, 0.0) * position + value) / (position + 1)
        if position == self.steps_per_epoch - 1:
            self.keep_weights()

    @torch.no_grad()
    def _preview(self) -> NDArray[np.uint8]:
        self.generator.eval()
        strip = torch.cat([self.source[0], self.generator(self.source[:1])[0], self.reference[0]], dim=2)
        image: NDArray[np.uint8] = (
            strip.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).contiguous().cpu().numpy()
        )
        return image


def _to_tensor(patches: NDArray[np.uint8], device: torch.device) -> Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(patches)).permute(0, 3, 1, 2).to(device).float().div_(255)
    return tensor.contiguous(memory_format=torch.channels_last)


def _random(*key: int) -> torch.Generator:
    """A generator that depends on its key alone."""
    return torch.Generator().manual_seed(
        int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)
    )


def _turn(images: Tensor, random: torch.Generator) -> Tensor:
    """One of the eight turns and mirrorings of a square."""
    turns, mirror = (
        torch.randint(4, (1,), generator=random).item(),
        torch.rand(1, generator=random).item() < 0.5,
    )
    turned = torch.rot90(images, int(turns), dims=(2, 3))
    return turned.flip(3) if mirror else turned


def _fingerprint(patches: TrainingPatches) -> str:
    """Tells one set of pairs from another, so that a checkpoint is not resumed on the wrong one."""
    digest = hashlib.sha256(patches.source.tobytes())
    digest.update(patches.reference.tobytes())
    return digest.hexdigest()
