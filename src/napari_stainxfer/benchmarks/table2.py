"""The second table: a segmenter of one lab on the slides of others, raw and through each stain transfer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from napari_stainxfer.benchmarks import kept
from napari_stainxfer.benchmarks.circumstances import Clock, computed_on, surroundings
from napari_stainxfer.benchmarks.lab_images import (
    Labelled,
    LabImages,
    mask_like,
    read_example,
    read_whole,
    scaled,
)
from napari_stainxfer.benchmarks.lab_pictures import save_outlines
from napari_stainxfer.benchmarks.lab_scores import RAW, Failure, Score
from napari_stainxfer.benchmarks.lab_settings import Table2Run
from napari_stainxfer.errors import StainTransferError
from napari_stainxfer.evaluation import dice
from napari_stainxfer.files import make_folder, replacing
from napari_stainxfer.methods import METHODS, Model, load, slide_glass
from napari_stainxfer.methods.fitting import fit
from napari_stainxfer.methods.tissue_colours import shared_mpp
from napari_stainxfer.pairing import Pairs, load_pairs, save_pairs, suggest_pairs
from napari_stainxfer.segmentation import (
    Segmenter,
    SegmenterEvent,
    load_segmenter,
    train_segmenter,
)
from napari_stainxfer.slides import RGB
from napari_stainxfer.training import Event


class Part(NamedTuple):
    """What is done next: the segmenter of a seed, or one lab through one method."""

    seed: int
    lab: str
    method: str


class Listener(Protocol):
    """What a run tells: the next part with how far it is and the seconds left, and what happens within it."""

    def part(self, part: Part, done: int, total: int, seconds_left: float | None) -> None:
        """Begin with a part; the time left is unknown at first."""

    def training(self, event: Event) -> None:
        """Pass on an event of a stain transfer's training."""

    def segmenter(self, event: SegmenterEvent) -> None:
        """Pass on an event of the segmenter's training."""

    def failed(self, failure: Failure) -> None:
        """Hear of a method that is not possible for a lab; the run goes on with the others."""


def run_table2(
    labs: Sequence[LabImages],
    folder: Path,
    run: Table2Run,
    *,
    methods: Sequence[str],
    seeds: Sequence[int],
    given: Segmenter | None = None,
    weights: str | Path | None = None,
    device: str = "auto",
    listener: Listener,
) -> list[Score]:
    """Measure everything that is not yet in the folder; returns all scores.

    A method that cannot be fitted to a lab has no score there: the listener is told, and nothing is kept of
    it, so that the next run tries again.

    A segmenter, a fitted method and a score are kept in the folder as soon as they are there, and a
    training's checkpoint after every epoch, so a run that was stopped goes on where it was.

    Parameters
    ----------
    labs
        The first is the lab that the segmenter learns from and the others are transferred to.
    methods
        Names in ``METHODS``; raw is always measured.
    seeds
        Each is one segmenter and one training of every method that is trained.
    given
        A segmenter to use for every seed, in place of training one.

    Raises
    ------
    StainTransferError
        For an unknown method, a lab without a marked glomerulus, or a folder with the results of another run.
    """
    for method in methods:
        if method not in METHODS:
            raise StainTransferError(f"No method is called {method!r}; there are {', '.join(METHODS)}.")
    for lab in labs:
        if not any(labelled.mask.any() for labelled in lab.judged):
            raise StainTransferError(
                f"No glomerulus is marked in the judged images of {lab.name}; give larger or further images."
            )
    make_folder(folder)
    run.keep(folder)
    bench = _Bench(labs, folder, run, given, weights, device, listener)
    parts = list(_parts(labs, methods, seeds))
    clock = Clock()
    scores = []
    for number, part in enumerate(parts):
        score = bench.kept(part)
        if score is None:
            listener.part(part, number, len(parts), clock.left([one.method for one in parts[number:]]))
            started = time.perf_counter()
            if why := bench.fit(part):
                listener.failed(Failure(lab=part.lab, method=part.method, seed=part.seed, why=why))
                continue
            score = bench.measure(part)
            clock.note(part.method, time.perf_counter() - started)
        scores.append(score)
    return scores


def _parts(labs: Sequence[LabImages], methods: Sequence[str], seeds: Sequence[int]) -> Iterator[Part]:
    """The first lab raw, then lab by lab, so that after one lab every method's time is known."""
    for seed in seeds:
        yield Part(seed, labs[0].name, RAW)
        for lab in labs[1:]:
            yield from (Part(seed, lab.name, method) for method in (RAW, *methods))


class _Bench:
    """Measures parts, and keeps what they cost."""

    def __init__(
        self,
        labs: Sequence[LabImages],
        folder: Path,
        run: Table2Run,
        given: Segmenter | None,
        weights: str | Path | None,
        device: str,
        listener: Listener,
    ) -> None:
        self._labs = {lab.name: lab for lab in labs}
        self._reference = labs[0]
        self._folder, self._run, self._weights = folder, run, weights
        self._device, self._listener = device, listener
        self._segmenters: dict[int, Segmenter] = {}
        self._read, self._pixels = "", dict[tuple[str, float], RGB]()  # of one lab at a time, for all methods
        self._given = given
        self._code = surroundings()["versions"]["napari-stainxfer"]  # what runs, whatever is committed later
        slides = [labelled.slide for lab in labs for labelled in (*lab.taught, *lab.judged)]
        self._read_mpp = shared_mpp(slides)

    def kept(self, part: Part) -> Score | None:
        return kept.read(self._path(part, "json"), Score)

    def measure(self, part: Part) -> Score:
        """Score a part whose method is fitted."""
        segmenter = self._segmenter(part.seed)
        if part.lab != self._read:
            self._read = part.lab
            self._pixels.clear()
        lab = self._labs[part.lab]
        model, fit_seconds = (None, 0.0) if part.method == RAW else self._model(part)
        started = time.perf_counter()
        found, truth, shown = [], [], None
        for labelled in lab.judged:
            image = self._seen(labelled, model, segmenter.card.settings.mpp)
            found.append(segmenter.segment(image))
            truth.append(mask_like(labelled.mask, image))
            shown = shown or (image, found[0], truth[0])
        score = Score(
            lab=part.lab,
            method=part.method,
            seed=part.seed,
            dice=dice(
                np.concatenate([mask.ravel() for mask in found]),
                np.concatenate([mask.ravel() for mask in truth]),
            ),
            fit_seconds=fit_seconds,
            seconds=round(time.perf_counter() - started, 1),
            model_bytes=0 if model is None else self._path(part, "safetensors").stat().st_size,
            code=self._code,
            date=surroundings()["date"],
            **computed_on(self._device),
        )
        if shown is not None:
            save_outlines(self._path(part, "png"), *shown)
        kept.write(self._path(part, "json"), score)
        return score

    def _seen(self, labelled: Labelled, model: Model | None, mpp: float) -> RGB:
        """What the segmenter sees of a slide; raw images take the same way but for the transfer."""
        read_mpp = self._read_mpp if model is None else model.card.mpp
        if (labelled.slide.name, read_mpp) not in self._pixels:
            self._pixels[labelled.slide.name, read_mpp] = read_whole(labelled.slide, read_mpp)
        pixels = self._pixels[labelled.slide.name, read_mpp]
        if model is not None:
            pixels = model.transform(pixels, glass=slide_glass(labelled.slide))
        return scaled(pixels, read_mpp, mpp)

    def _segmenter(self, seed: int) -> Segmenter:
        if self._given is not None:
            return self._given
        if seed not in self._segmenters:
            path = self._folder / f"seed{seed}" / "segmenter.safetensors"
            if not path.exists():
                settings = self._run.segmenter.model_copy(update={"seed": seed})
                examples = [read_example(one, self._read_mpp, settings.mpp) for one in self._reference.taught]
                trained = train_segmenter(
                    examples,
                    settings,
                    weights=self._weights,
                    device=self._device,
                    on_event=self._listener.segmenter,
                )
                trained.save(path)
            self._segmenters[seed] = load_segmenter(path).to(self._device)
        return self._segmenters[seed]

    def fit(self, part: Part) -> str:
        """Fit the method where that is not done yet; returns why it is not possible, else nothing.

        The seconds of a training that was stopped are those since then. An error in writing the model is not
        the method's: it ends the run.
        """
        path, timing = self._path(part, "safetensors"), self._path(part, "seconds")
        if part.method == RAW or (path.exists() and timing.exists()):
            return ""
        lab, checkpoint = self._labs[part.lab], path.with_suffix(".checkpoint")
        try:
            options: dict[str, Any] = {}
            if METHODS[part.method].fitted_on != "tissue":
                options = {
                    "pairs": self._pairs(lab),
                    "epochs": self._run.epochs,
                    "preset": self._run.preset,
                    "checkpoint": checkpoint,
                    "resume": checkpoint.exists(),
                }
            started = time.perf_counter()
            model = fit(
                self._reference.fitted,
                lab.fitted,
                method=part.method,
                seed=part.seed,
                device=self._device,
                on_event=self._listener.training,
                **options,
            )
        except StainTransferError as error:
            return str(error)
        seconds = time.perf_counter() - started
        model.save(path)
        with replacing(timing) as temporary:
            temporary.write_text(f"{seconds:.1f}", encoding="utf-8")
        checkpoint.unlink(missing_ok=True)
        return ""

    def _model(self, part: Part) -> tuple[Model, float]:
        """The fitted method and its seconds."""
        seconds = float(self._path(part, "seconds").read_text(encoding="utf-8"))
        return load(self._path(part, "safetensors")).to(self._device), seconds

    def _pairs(self, lab: LabImages) -> Pairs:
        """The same for every method and seed: suggested once, then read again."""
        path, sides = self._folder / f"{lab.name}-pairs.geojson", (self._reference.fitted, lab.fitted)
        if not path.exists():
            save_pairs(path, suggest_pairs(*sides))
        return load_pairs(path, *sides)

    def _path(self, part: Part, suffix: str) -> Path:
        folder = self._folder / f"seed{part.seed}"
        make_folder(folder)
        return folder / f"{part.lab}-{part.method}.{suffix}"
