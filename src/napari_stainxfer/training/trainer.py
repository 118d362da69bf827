"""Alternating training of generator and discriminator on patch pairs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_stainxfer.errors import DivergedError, TrainingError
from napari_stainxfer.features import FeatureExtractor, make_extractor
from napari_stainxfer.models import (
    PatchDiscriminator,
    StartedGenerator,
    batch_norms,
    make_generator,
    restate_batch_norm,
    settle_batch_norm,
)
from napari_stainxfer.training.batches import Batches
from napari_stainxfer.training.devices import autocast, is_out_of_memory, resolve_device
from napari_stainxfer.training.events import DoneEvent, EpochEvent, Event, NoticeEvent, StepEvent
from napari_stainxfer.training.objective import Objective
from napari_stainxfer.training.patches import TrainingPatches
from napari_stainxfer.training.settings import TrainingSettings
from napari_stainxfer.training.start import measure_start

_DIVERGED = 1000.0
"""Times the first step's loss. Twenty pairs rarely double it, but a handful of tiny ones can pass through
fifty times for a step or two, when batch norm is frozen, and come back."""


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
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.generator = make_generator(
                settings.recipe.generator,
                width=settings.generator_width,
                started=settings.start == "measured",
            )
            self.discriminator = PatchDiscriminator(width=settings.discriminator_width)
        for network in (self.generator, self.discriminator):
            network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.start = self.generator.start if isinstance(self.generator, StartedGenerator) else None
        self.batches = Batches(patches, settings, self.extractor, self.device, start=self.start)
        self._objective = Objective(settings, self.extractor, self.discriminator)
        self.generator_optimiser = torch.optim.Adam(self.generator.parameters(), lr=settings.generator_lr)
        self.discriminator_optimiser = torch.optim.Adam(
            self.discriminator.parameters(), lr=settings.discriminator_lr
        )
        self.step = 0
        self.history: list[dict[str, float]] = []
        self.first_loss: float | None = None
        self.micro_batches = 1
        self._judged: list[Tensor] = []
        self.patches_fingerprint = patches.fingerprint()
        self.keep_weights()

    def keep_weights(self) -> None:
        """Remember the generator's weights as good; a divergence falls back on them."""
        self._last_good = self._weights()

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.generator.state_dict().items()}

    @property
    def total_steps(self) -> int:
        """Steps of the whole training."""
        return self.batches.steps_per_epoch * self.settings.epochs

    def run(self) -> Iterator[Event]:
        """Train to the end, or until no more events are asked for.

        Raises
        ------
        DivergedError
            When the losses diverge; the generator then holds the last good weights.
        TrainingError
            When not even a single patch fits into the device's memory.
        """
        started, first_step = time.perf_counter(), self.step
        if self.start is not None and self.step == 0:
            measure_start(self.start, self.batches.source, self.batches.reference)
            self.keep_weights()
        stepping = time.perf_counter()
        while self.step < self.total_steps:
            if self.step == self._settle_step:
                self._settle()
            epoch, position = divmod(self.step, self.batches.steps_per_epoch)
            micro_batches, weights = self.micro_batches, self._weights() if position == 0 else None
            losses = self._train_step(epoch, position)
            self._stop_if_diverged(losses)
            if weights is not None:  # they gave a sane loss; what the step made of them is not known yet
                self._last_good = weights
            self._note(losses, position)
            self.step += 1
            if self.micro_batches != micro_batches:
                yield NoticeEvent(
                    f"The device ran out of memory: every step now takes {self.micro_batches} parts."
                )
            spent = (time.perf_counter() - stepping) / (self.step - first_step)
            yield StepEvent(
                self.step, self.total_steps, epoch, losses, spent * (self.total_steps - self.step)
            )
            if position == self.batches.steps_per_epoch - 1:
                yield EpochEvent(epoch + 1, self.settings.epochs, dict(self.history[-1]), self._preview())
        self._finish()
        yield DoneEvent(self.step, time.perf_counter() - started)

    @property
    def _settle_step(self) -> int:
        return round(self.settings.settle_after * self.total_steps)

    def _settle(self) -> None:
        """Settle batch norm on as many source squares at once as there are pairs, or as fit."""
        source = self.batches.source
        self._in_parts(
            self.batches.pairs, lambda size: settle_batch_norm(self.generator, source, batch_size=size)
        )

    def settle_for_use(self) -> None:
        """Inference mode, its statistics those of the source squares under the weights as they are."""
        source = self.batches.source
        if self.step <= self._settle_step or self._settle_step >= self.total_steps:
            self._settle()
        size = self.settings.batch_size
        self._in_parts(size, lambda size: restate_batch_norm(self.generator, source, batch_size=size))
        self.generator.eval()

    def _finish(self) -> None:
        self.settle_for_use()
        with torch.no_grad():  # the last loss was that of the weights before the last step
            if not self.generator(self.batches.source[:1]).isfinite().all():
                raise self._diverged()

    def _in_parts(self, size: int, work: Callable[[int], None]) -> None:
        """Do ``work`` on ``size`` patches at a time, on fewer where they do not fit into memory."""
        while True:
            try:
                return work(size)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            if size == 1:
                raise self._too_large()
            size = -(-size // 2)
            self._free_memory()

    def _free_memory(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _too_large(self) -> TrainingError:
        return TrainingError(
            f"Not even one square of {self.batches.source.shape[-1]} px fits into the memory of "
            f"{self.device}; choose smaller squares, a smaller width, or --device cpu."
        )

    def _train_step(self, epoch: int, position: int) -> dict[str, float]:
        """The discriminator's step, then the generator's against the discriminator that came of it."""
        self._set_modes_and_rates()
        losses: dict[str, float] = {}
        if self.settings.recipe.adversarial:
            losses |= self._until_it_fits(lambda: self._discriminator_step(epoch, position))
        return losses | self._until_it_fits(lambda: self._generator_step(epoch, position))

    def _until_it_fits(self, step: Callable[[], dict[str, float]]) -> dict[str, float]:
        """Take a step, in smaller and smaller micro-batches while it does not fit into memory."""
        while True:
            try:
                return step()
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
            # Only out here, where the error no longer holds the failed step's tensors, can they be freed.
            if self.micro_batches >= self.settings.batch_size:
                raise self._too_large()
            self.micro_batches = min(2 * self.micro_batches, self.settings.batch_size)
            self._judged.clear()
            self.batches.forget_targets()  # they may be what did not fit: made anew, fewer at a time
            self._free_memory()

    def _discriminator_step(self, epoch: int, position: int) -> dict[str, float]:
        """Equation 5, the generator frozen; its outputs are kept for its own step where they are one part."""
        self.discriminator_optimiser.zero_grad()
        self._judged.clear()  # of a step that was broken off
        total, whole = 0.0, self.micro_batches == 1
        for batch in self.batches.of_step(epoch, position, parts=self.micro_batches):
            with autocast(self.device):
                with torch.set_grad_enabled(whole):
                    output = self.generator(batch.source)
                total += batch.share * self._objective.discriminator_gradients(
                    batch.reference, output.detach(), batch.share
                )
            if whole:
                self._judged.append(output)
        self.discriminator_optimiser.step()
        return {"discriminator": total}

    def _generator_step(self, epoch: int, position: int) -> dict[str, float]:
        """Equation 7, the discriminator frozen; a loss that is not finite moves nothing."""
        self.generator_optimiser.zero_grad()
        total: dict[str, float] = {}
        for batch in self.batches.of_step(epoch, position, parts=self.micro_batches):
            with autocast(self.device):
                output = self._judged.pop() if self._judged else self.generator(batch.source)
                terms = self._objective.generator_terms(output, self.batches.targets(batch))
            (terms["generator"] * batch.share).backward()  # type: ignore[no-untyped-call]
            for name, term in terms.items():
                total[name] = total.get(name, 0.0) + term.item() * batch.share
        if math.isfinite(total["generator"]):
            self.generator_optimiser.step()
        return total

    def _set_modes_and_rates(self) -> None:
        self.generator.train()
        if self.step >= self._settle_step:
            for norm in batch_norms(self.generator):
                norm.eval()
        fall = 0.5 * (1 + math.cos(math.pi * self.step / self.total_steps)) if self.settings.anneal else 1.0
        for optimiser, rate in (
            (self.generator_optimiser, self.settings.generator_lr),
            (self.discriminator_optimiser, self.settings.discriminator_lr),
        ):
            optimiser.param_groups[0]["lr"] = rate * fall

    def _stop_if_diverged(self, losses: dict[str, float]) -> None:
        """Compare with the first step's loss, or with 1 where that is smaller (a pair may start alike)."""
        if self.first_loss is None:
            self.first_loss = losses["generator"]
        limit = _DIVERGED * max(1.0, abs(self.first_loss))
        if not all(map(math.isfinite, losses.values())) or losses["generator"] > limit:
            raise self._diverged()

    def _diverged(self) -> DivergedError:
        """Fall back on the last good weights."""
        self.generator.load_state_dict(self._last_good)
        return DivergedError(
            f"Training diverged at step {min(self.step + 1, self.total_steps)}; try another seed or other "
            "pairs, or in the Train dock's settings and from Python a generator learning rate below "
            f"{self.settings.generator_lr:g} or an adversarial weight below "
            f"{self.settings.adversarial_weight:g}."
        )

    def _note(self, losses: dict[str, float], position: int) -> None:
        """Add the losses to the epoch's mean."""
        if position == 0:
            self.history.append({})
        mean = self.history[-1]
        for name, value in losses.items():
            mean[name] = (mean.get(name, 0.0) * position + value) / (position + 1)

    @torch.no_grad()
    def _preview(self) -> NDArray[np.uint8]:
        self.generator.eval()
        source, reference = self.batches.source, self.batches.reference
        output = self.generator(source[:1])[0].clamp(0, 1)
        strip = torch.cat([source[0], output, reference[0]], dim=2)
        image: NDArray[np.uint8] = strip.mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
        return image
