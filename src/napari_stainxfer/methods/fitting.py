"""From slides to a fitted model: patches, pairs, training, model file."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_stainxfer.errors import StainTransferError, TrainingError
from napari_stainxfer.features import EXTRACTORS, make_extractor
from napari_stainxfer.files import make_folder
from napari_stainxfer.methods.background import slide_glass
from napari_stainxfer.methods.card import ModelCard, SlideFacts
from napari_stainxfer.methods.model import METHODS, Model, load
from napari_stainxfer.methods.neural import NeuralStyle
from napari_stainxfer.pairing import Pairs, load_pairs, suggest_pairs
from napari_stainxfer.patches import read_patch
from napari_stainxfer.slides import Slide, open_slide
from napari_stainxfer.training import (
    PRESETS,
    EpochEvent,
    Event,
    NoticeEvent,
    Trainer,
    TrainingPatches,
    TrainingSettings,
    load_checkpoint,
    resolve_device,
    save_checkpoint,
)

SlideLike = Slide | str | Path | NDArray[np.uint8]
SlidesLike = SlideLike | Sequence[SlideLike]


def as_slides(given: SlidesLike, mpp: float | None, option: str) -> list[Slide]:
    """Open what was given, and check that each can be worked on.

    Parameters
    ----------
    given
        A slide, a path, a uint8 (H, W, 3) array, or a list of these.
    mpp
        um/px, for those that do not know their own.
    option
        What to tell the user to set where the um/px is missing, such as ``--source-mpp``.

    Raises
    ------
    SlideError, MissingResolutionError
        When one of them is not a brightfield slide, or its um/px is unknown.
    """
    several = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    if not several:
        raise StainTransferError("The list of slides is empty; give at least one on each side.")
    slides = [_as_slide(one, mpp) for one in several]
    for slide in slides:
        slide.require_brightfield()
        slide.require_mpp(option)
    return slides


def _as_slide(given: SlideLike, mpp: float | None) -> Slide:
    if isinstance(given, Slide):
        return given
    if isinstance(given, np.ndarray):
        return Slide.from_array(given, mpp=mpp)
    return open_slide(given, mpp=mpp)


def fit(
    reference: SlidesLike,
    source: SlidesLike,
    *,
    on_event: Callable[[Event], None] | None = None,
    **options: object,
) -> Model:
    """Fit a stain transfer from ``source`` to ``reference``; see :func:`fit_stream` for the options.

    ``on_event`` is called with every training event. An exception from it, ``KeyboardInterrupt`` included,
    stops the training between two steps and leaves the checkpoint, if one was asked for.
    """
    stream = fit_stream(reference, source, **options)  # type: ignore[arg-type]
    while True:
        try:
            event = next(stream)
        except StopIteration as end:
            model: Model = end.value
            return model
        if on_event is not None:
            try:
                on_event(event)
            except BaseException:
                stream.close()
                raise


def fit_stream(
    reference: SlidesLike,
    source: SlidesLike,
    *,
    method: str = "nst-ad-hrnet",
    pairs: Pairs | str | Path | None = None,
    reference_mpp: float | None = None,
    source_mpp: float | None = None,
    preset: str = "quick",
    backbone: str | None = None,
    epochs: int | None = None,
    settings: TrainingSettings | None = None,
    init: Model | str | Path | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    seed: int = 0,
    device: str = "auto",
) -> Generator[Event, None, Model]:
    """Fit step by step: yields training events, returns the model.

    Parameters
    ----------
    reference, source
        Slides of the lab whose stain is wanted, and of the lab whose slides are to get it: a ``Slide``, a
        path, a uint8 (H, W, 3) array, or a list of these.
    method
        ``nst``, ``nst-ad``, ``nst-hrnet`` or ``nst-ad-hrnet``.
    pairs
        Patch pairs, or their GeoJSON file; suggested when not given.
    reference_mpp, source_mpp
        um/px of the slides that do not know their own.
    preset, backbone, epochs, seed
        ``quick`` or ``paper``, and what to change about it.
    settings
        All settings at once, instead of the five above.
    init
        A model to start from instead of the identity.
    checkpoint
        Where to keep the state of the training, after every epoch and when it is stopped.
    resume
        Go on from ``checkpoint``.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises
    ------
    StainTransferError
        One of its kinds for everything that a caller can mend.
    """
    # what can be refused is refused before the slow part
    if preset not in PRESETS:
        raise TrainingError(f"No preset is called {preset!r}; there are {', '.join(PRESETS)}.")
    chosen = settings or _settings(method, preset, backbone, epochs, seed)
    resolve_device(device)
    extractor = make_extractor(chosen.extractor)
    kept = Path(checkpoint) if checkpoint is not None else None
    if kept is not None:
        make_folder(kept.parent)
    if resume and (kept is None or not kept.exists()):
        raise TrainingError(f"There is no checkpoint {kept} to resume from; train without --resume.")
    start = load(init) if isinstance(init, (str, Path)) else init
    references = as_slides(reference, reference_mpp, "--reference-mpp")
    sources = as_slides(source, source_mpp, "--source-mpp")
    if pairs is None:
        pairs = suggest_pairs(references, sources)
        if pairs.notice:
            yield NoticeEvent(pairs.notice)
    elif not isinstance(pairs, Pairs):
        pairs = load_pairs(Path(pairs), references, sources)
    trainer = Trainer(_read(pairs, references, sources), chosen, device=device, extractor=extractor)
    if start is not None:
        _start_from(trainer, start)
    if resume and kept is not None:
        load_checkpoint(trainer, kept)
    yield from _train(trainer, kept)
    return Model(NeuralStyle.from_trainer(trainer), _card(trainer, pairs, references, sources))


def _settings(
    method: str, preset: str, backbone: str | None, epochs: int | None, seed: int
) -> TrainingSettings:
    if method not in METHODS:
        raise TrainingError(f"No method is called {method!r}; there are {', '.join(METHODS)}.")
    if backbone is not None and backbone not in EXTRACTORS:
        raise TrainingError(
            f"No feature extractor is called {backbone!r}; there are {', '.join(EXTRACTORS)}."
        )
    return TrainingSettings.preset(preset, method=method, extractor=backbone, epochs=epochs, seed=seed)


def _read(pairs: Pairs, references: Sequence[Slide], sources: Sequence[Slide]) -> TrainingPatches:
    if not len(pairs.pairs):
        raise TrainingError("There are no pairs to train on; suggest or draw some first.")
    return TrainingPatches(
        np.stack([read_patch(sources[pair.source.slide], pair.source) for pair in pairs.pairs]),
        np.stack([read_patch(references[pair.reference.slide], pair.reference) for pair in pairs.pairs]),
    )


def _start_from(trainer: Trainer, start: Model) -> None:
    if not isinstance(start.method, NeuralStyle):
        raise TrainingError(f"A {start.card.method} model has no weights to start a training from.")
    try:
        trainer.generator.load_state_dict(dict(start.method.weights))
    except RuntimeError:
        raise TrainingError(
            f"The model to start from was trained with {start.card.method} and another width; use the same "
            "method and width, or start without it."
        ) from None
    trainer.keep_weights()


def _train(trainer: Trainer, checkpoint: Path | None) -> Generator[Event, None, None]:
    """The trainer's events; the checkpoint is written after every epoch and where the stream is closed.

    Both are between two steps. What ends a training within a step (Ctrl-C at any moment, a divergence)
    leaves the checkpoint of the last epoch, because the networks are then halfway to the next step.
    """
    try:
        for event in trainer.run():
            if checkpoint is not None and isinstance(event, EpochEvent):
                save_checkpoint(trainer, checkpoint)
            yield event
    except GeneratorExit:
        if checkpoint is not None and trainer.step:
            save_checkpoint(trainer, checkpoint)
        raise


def _card(trainer: Trainer, pairs: Pairs, references: Sequence[Slide], sources: Sequence[Slide]) -> ModelCard:
    return ModelCard(
        method=trainer.settings.method,
        package_version=version("napari-stainxfer"),
        mpp=pairs.mpp,
        patch_px=pairs.patch_px,
        pairs=len(pairs.pairs),
        references=tuple(SlideFacts.of(slide) for slide in references),
        sources=tuple(SlideFacts.of(slide) for slide in sources),
        glass=slide_glass(sources[0]),
        settings=trainer.settings.model_dump(mode="json"),
        history=tuple(trainer.history),
        metrics={f"{name}_at_end": value for name, value in trainer.history[-1].items()},
    )
