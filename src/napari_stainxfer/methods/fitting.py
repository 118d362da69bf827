"""From slides to a fitted model, whatever the method."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from pathlib import Path

from napari_stainxfer.errors import TrainingError
from napari_stainxfer.methods.model import METHODS, Model
from napari_stainxfer.methods.neural_fitting import NeuralOptions, fit_on_pairs
from napari_stainxfer.methods.patch_fitting import PatchOptions, fit_on_patches
from napari_stainxfer.methods.statistics_fitting import fit_on_tissue
from napari_stainxfer.pairing import Pairs
from napari_stainxfer.slides import Slide
from napari_stainxfer.slides.messages import own_mpp_kept
from napari_stainxfer.slides.sides import SlidesLike, as_slides
from napari_stainxfer.training import PRESETS, Event, NoticeEvent, TrainingSettings, resolve_device


def fit(
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
    on_event: Callable[[Event], None] | None = None,
) -> Model:
    """Fit a stain transfer from ``source`` to ``reference``; see :func:`fit_stream` for the options.

    ``on_event`` is called with every training event. An exception from it, ``KeyboardInterrupt`` included,
    stops the training between two steps and leaves the checkpoint, if one was asked for.
    """
    stream = fit_stream(
        reference,
        source,
        method=method,
        pairs=pairs,
        reference_mpp=reference_mpp,
        source_mpp=source_mpp,
        preset=preset,
        backbone=backbone,
        epochs=epochs,
        settings=settings,
        init=init,
        checkpoint=checkpoint,
        resume=resume,
        seed=seed,
        device=device,
    )
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
        A name in ``METHODS``. Those of the paper (``nst`` to ``nst-ad-hrnet``) are trained on pairs of
        patches; StainGAN on the patches of the pairs, without using which belong together. The classical ones
        measure the tissue of both sides, take seconds and need no pairs; their statistics are those of the
        slides given here, for every slide they are applied to.
    pairs
        Patch pairs, or their GeoJSON file; suggested when not given.
    reference_mpp, source_mpp
        um/px of the slides that do not know their own.
    preset, backbone, epochs, seed
        ``quick`` or ``paper``, and what to change about it. Nothing about a classical method is random or
        depends on the preset.
    settings
        All settings of a training at once, instead of ``method`` and the four above.
    init
        A model to start from instead of a network that adds nothing; where training starts from a map of
        densities, that is measured anew.
    checkpoint
        Where to keep the state of the training, after every epoch and when it is stopped. Only the methods of
        the paper write one.
    resume
        Go on from ``checkpoint``.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.

    Raises
    ------
    DivergedError
        When a training's losses diverge; the model of the last good weights is its ``model``.
    StainTransferError
        One of its kinds for all else that a caller can mend, such as pairs for a method that takes none.
    """
    # what can be refused is refused before the slow part
    name = settings.method if settings else method
    if name not in METHODS:
        raise TrainingError(f"No method is called {name!r}; there are {', '.join(METHODS)}.")
    if preset not in PRESETS:
        raise TrainingError(f"No preset is called {preset!r}; there are {', '.join(PRESETS)}.")
    if epochs is not None and epochs < 1:
        raise TrainingError(f"A training takes at least 1 epoch, not {epochs}.")
    if seed < 0:
        raise TrainingError(f"The seed is 0 or more, not {seed}.")
    resolve_device(device)
    kind = METHODS[name].fitted_on
    if kind == "pairs":
        options = NeuralOptions(name, preset, backbone, epochs, seed, settings, init, checkpoint, resume)
        ready = options.checked()
        return (
            yield from fit_on_pairs(
                (yield from _side(reference, reference_mpp, "--reference-mpp")),
                (yield from _side(source, source_mpp, "--source-mpp")),
                pairs,
                ready,
                device,
            )
        )
    given: dict[str, object] = {"backbone": backbone, "init": init, "resume": resume or None}
    if kind == "patches":
        _refuse(given, f"{name} has no such choice")
        return (
            yield from fit_on_patches(
                (yield from _side(reference, reference_mpp, "--reference-mpp")),
                (yield from _side(source, source_mpp, "--source-mpp")),
                pairs,
                PatchOptions(name, preset, epochs, seed),
                device,
            )
        )
    _refuse(
        {"pairs": pairs, "epochs": epochs} | given,
        f"{name} measures the slides themselves and is not trained",
    )
    return (
        yield from fit_on_tissue(
            (yield from _side(reference, reference_mpp, "--reference-mpp")),
            (yield from _side(source, source_mpp, "--source-mpp")),
            name,
        )
    )


def _side(given: SlidesLike, mpp: float | None, option: str) -> Generator[Event, None, list[Slide]]:
    """Open the slides of a side, and tell of those whose own um/px goes before the one given."""
    slides = as_slides(given, mpp, option)
    for slide in slides:
        if told := own_mpp_kept(slide.name, slide.mpp, mpp, option):
            yield NoticeEvent(told)
    return slides


def _refuse(options: Mapping[str, object], why: str) -> None:
    """Refuse the options that were given a value."""
    unfit = [option for option, value in options.items() if value is not None]
    if unfit:
        raise TrainingError(f"{why}; leave out {', '.join(unfit)}.")
