"""A training as a task runs it: pairs where there are none, then the core's events. No toolkit."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_stainxfer.methods import METHODS, Model
from napari_stainxfer.methods.fitting import fit_stream
from napari_stainxfer.pairing import Pairs, suggest_pairs
from napari_stainxfer.plugin.thread_priority import yield_to_the_window
from napari_stainxfer.slides import Slide
from napari_stainxfer.training import Event, TrainingSettings


@dataclass(frozen=True)
class PairingShare:
    """How far the suggestion of pairs is, 0 to 1."""

    share: float


@dataclass(frozen=True)
class PairsFound:
    """The pairs that the training goes on with."""

    pairs: Pairs


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that a training is started with."""

    method: str
    references: Sequence[Slide]
    sources: Sequence[Slide]
    pairs: Pairs | None
    preset: str
    settings: TrainingSettings
    device: str
    checkpoint: Path
    resume: bool
    init: Model | None


def run_training(plan: TrainingPlan, report: Callable[[Any], None]) -> Model:
    """Train; an exception from ``report`` stops it between two steps and the checkpoint is kept."""
    yield_to_the_window()
    kind = METHODS[plan.method].fitted_on
    if kind == "tissue":
        return _report_all(fit_stream(list(plan.references), list(plan.sources), method=plan.method), report)
    pairs = plan.pairs
    if pairs is None:
        pairs = suggest_pairs(
            plan.references,
            plan.sources,
            on_progress=lambda share: report(PairingShare(share)),
        )
        report(PairsFound(pairs))
    slides = list(plan.references), list(plan.sources)
    if kind == "patches":
        stream = fit_stream(*slides, method=plan.method, pairs=pairs, preset=plan.preset, device=plan.device)
    else:
        stream = fit_stream(
            *slides,
            pairs=pairs,
            preset=plan.preset,
            settings=plan.settings,
            device=plan.device,
            checkpoint=plan.checkpoint,
            resume=plan.resume,
            init=plan.init,
        )
    try:
        model = _report_all(stream, report)
    finally:
        free_memory()
    if kind == "pairs":  # the others write none, and one that is there belongs to a training that was stopped
        plan.checkpoint.unlink(missing_ok=True)
    return model


def _report_all(stream: Generator[Event, None, Model], report: Callable[[Any], None]) -> Model:
    """Pass every event on, and return the model."""
    try:
        while True:
            try:
                event = next(stream)
            except StopIteration as end:
                model: Model = end.value
                return model
            report(event)
    finally:
        stream.close()


def free_memory() -> None:
    """Give back to the device what a training held."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def devices() -> list[tuple[str, str]]:
    """Names for `resolve_device`, each with words for a person, the best first. Imports torch: slow."""
    import torch

    found = []
    for index in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(index)
        found.append((f"cuda:{index}", f"{facts.name}, {facts.total_memory / 2**30:.0f} GiB"))
    if torch.backends.mps.is_available():
        found.append(("mps", "Apple GPU"))
    return [*found, ("cpu", f"CPU, {os.cpu_count()} cores")]
