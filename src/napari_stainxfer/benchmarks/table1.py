"""The first table: every method on the same pairs of two scanners, by every measure."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict

from napari_stainxfer.benchmarks import kept
from napari_stainxfer.benchmarks.circumstances import Clock, computed_on, surroundings
from napari_stainxfer.benchmarks.equal_time import epochs_in
from napari_stainxfer.benchmarks.kept import KeptRun
from napari_stainxfer.benchmarks.lab_images import scaled
from napari_stainxfer.benchmarks.scanner_pairs import Field, ScannerPairs
from napari_stainxfer.errors import StainTransferError
from napari_stainxfer.evaluation import Compared, measure_all, measure_set
from napari_stainxfer.files import make_folder, replacing
from napari_stainxfer.methods import METHODS, Model, load
from napari_stainxfer.methods.fitting import fit
from napari_stainxfer.pairing import load_pairs, save_pairs, suggest_pairs
from napari_stainxfer.slides import RGB
from napari_stainxfer.training import Event

RAW, TRUTH = "raw", "reference"
PAPERS_OWN = "nst-ad-hrnet"
_GIVEN_TIME = ("staingan", "staingan-identity")
_PAIRS = "pairs.geojson"


class Table1Run(KeptRun):
    """What decides the outcome, kept beside it.

    Attributes
    ----------
    data
        Folder of pairs, or ``phantom`` with its size.
    mpp
        um/px of the source's frames, where it was given.
    preset, epochs
        Of the methods that are trained.
    lpips
        Those of ``LPIPS_METRICS`` that are taken as well.
    frames
        Hash of what stands in the folder, which can be replaced under the same name; empty for the phantom.
    """

    data: str
    mpp: float | None = None
    preset: str = "quick"
    epochs: int | None = None
    lpips: tuple[str, ...] = ()
    frames: str = ""


class Result(BaseModel):
    """One method, fitted with one seed.

    Attributes
    ----------
    values
        By the name of a measure, a value for every judged field it could be taken of, or one for the set.
    settings
        Of the fitting, as the model's card has them.
    fit_seconds
        Of fitting, on pairs that were there.
    seconds_given
        That it was to take, or None where nobody set a time.
    mpx_per_second
        Of transferring the judged fields.
    model_bytes
        0 for raw.
    threads, device, processor
        That it was computed with.
    code, date
        Version of this package, with its commit in a checkout, and the day; empty in results of versions
        that did not note it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    method: str
    seed: int
    values: dict[str, list[float]]
    settings: dict[str, Any] = {}
    fit_seconds: float = 0.0
    seconds_given: float | None = None
    mpx_per_second: float = 0.0
    model_bytes: int = 0
    threads: int
    device: str
    processor: str
    code: str = ""
    date: str = ""


class Failure(NamedTuple):
    """Why a method could not be fitted."""

    method: str
    seed: int
    why: str


Tell = Callable[[str, int, int, float | None], None]
"""Called before each part, with its name, how many parts are done, how many there are, and the seconds left,
which are unknown at first."""


def run_table1(
    pairs: ScannerPairs,
    folder: Path,
    run: Table1Run,
    *,
    methods: Sequence[str],
    seeds: Sequence[int],
    device: str = "auto",
    on_part: Tell | None = None,
    on_training: Callable[[Event], None] | None = None,
    on_failed: Callable[[Failure], None] | None = None,
) -> list[Result]:
    """Measure everything that is not yet in the folder; returns all results, raw first.

    The pairs of patches are suggested once and are the same for every method and seed. Fitted methods,
    results and pictures are kept as soon as they are there: a run that was stopped goes on where it was.
    Methods that measure tissue do not depend on a seed and have one result. StainGAN gets as many epochs as
    fit into the seconds that the paper's method took with the same seed, if that is measured too, now or by
    an earlier run; without a time it is measured again once there is one. A method that cannot be fitted has
    no result: ``on_failed`` is told, nothing is kept of it, and the run goes on with the others.

    Raises
    ------
    StainTransferError
        For an unknown method, or a folder with the results of another run.
    """
    for method in methods:
        if method not in METHODS:
            raise StainTransferError(f"No method is called {method!r}; there are {', '.join(METHODS)}.")
    make_folder(folder)
    run.keep(folder)
    parts = [(RAW, seeds[0])]
    for method in sorted(methods, key=_GIVEN_TIME.__contains__):  # after the one whose time they are given
        parts += [(method, seed) for seed in (seeds[:1] if METHODS[method].fitted_on == "tissue" else seeds)]
    results: list[Result] = []
    clock = Clock()
    ran = {"code": surroundings()["versions"]["napari-stainxfer"]}  # what runs, whatever is committed later
    for done, (method, seed) in enumerate(parts):
        path, seconds = _path(folder, method, seed, "json"), None
        if method in _GIVEN_TIME and run.epochs is None:
            papers_own = kept.read(_path(folder, PAPERS_OWN, seed, "json"), Result)
            seconds = papers_own.fit_seconds if papers_own is not None else None
        result = kept.read(path, Result)
        if result is not None and seconds is not None and result.seconds_given is None:
            path.with_suffix(".safetensors").unlink(missing_ok=True)
            result = None
        if result is not None:
            results.append(result)
            continue
        if on_part is not None:
            left = clock.left([_kind(name) for name, _ in parts[done:]])
            on_part(f"{method}, seed {seed}", done, len(parts), left)
        started = time.perf_counter()
        blank = Result(
            method=method, seed=seed, values={}, **ran, date=surroundings()["date"], **computed_on(device)
        )
        if method == RAW:
            result = _judged(pairs, None, blank, folder, run.lpips)
        else:
            try:
                _fit(pairs, folder, run, method, seed, device, on_training, seconds)
            except StainTransferError as error:
                if on_failed is not None:
                    on_failed(Failure(method, seed, str(error)))
                continue
            model, blank = _fitted(folder, blank.model_copy(update={"seconds_given": seconds}), device)
            result = _judged(pairs, model, blank, folder, run.lpips)
        clock.note(_kind(method), time.perf_counter() - started)
        kept.write(path, result)
        results.append(result)
    _show(folder, TRUTH, seeds[0], pairs.fields, [field.truth for field in pairs.fields])
    return results


def picture_path(folder: Path, method: str, seed: int, field: int) -> Path:
    """Where the picture of a judged field after a method is kept."""
    return _path(folder, method, seed, f"{field}.png")


def _fit(
    pairs: ScannerPairs,
    folder: Path,
    run: Table1Run,
    method: str,
    seed: int,
    device: str,
    on_training: Callable[[Event], None] | None,
    seconds_given: float | None,
) -> None:
    """Fit a method and keep the model and its seconds, where that is not done yet."""
    path = _path(folder, method, seed, "safetensors")
    timing = path.with_suffix(".seconds")
    if path.exists() and timing.exists():
        return
    given: dict[str, Any] = {"method": method, "seed": seed, "device": device}
    if METHODS[method].fitted_on != "tissue":
        given |= {"pairs": _patch_pairs(pairs, folder), "preset": run.preset, "epochs": run.epochs}
    sides = list(pairs.references), list(pairs.sources)
    if seconds_given:

        def timed(listen: Callable[[Event], None]) -> None:
            def both(event: Event) -> None:
                if on_training is not None:  # whoever asks to stop is heard here as well
                    on_training(event)
                listen(event)

            fit(*sides, on_event=both, **given)

        given["epochs"] = epochs_in(seconds_given, timed)
    started = time.perf_counter()
    model = fit(*sides, on_event=on_training, **given)
    seconds = time.perf_counter() - started
    model.save(path)
    with replacing(timing) as temporary:
        temporary.write_text(f"{seconds:.3f}", encoding="utf-8")


def _fitted(folder: Path, result: Result, device: str) -> tuple[Model, Result]:
    """The model of a method that is fitted, and what it cost."""
    path = _path(folder, result.method, result.seed, "safetensors")
    model = load(path).to(device)
    costs = {
        "settings": model.card.settings,
        "fit_seconds": float(path.with_suffix(".seconds").read_text(encoding="utf-8")),
        "model_bytes": path.stat().st_size,
    }
    return model, result.model_copy(update=costs)


def _judged(
    pairs: ScannerPairs, model: Model | None, result: Result, folder: Path, lpips: Sequence[str]
) -> Result:
    """Transfer every field, keep its picture, and take every measure."""
    started = time.perf_counter()
    images = [
        field.source
        if model is None
        else model.transform(field.given, mpp=pairs.given_mpp, glass=pairs.glass)
        for field in pairs.fields
    ]
    seconds = time.perf_counter() - started
    if model is not None and pairs.given_mpp != pairs.mpp:
        images = [scaled(image, pairs.given_mpp, pairs.mpp) for image in images]
    _show(folder, result.method, result.seed, pairs.fields, images)
    values: dict[str, list[float]] = {}
    for field, image in zip(pairs.fields, images, strict=True):
        compared = Compared(image, field.truth, field.source, field.red_cells, field.background)
        for name, value in measure_all(compared, lpips=lpips).items():
            values.setdefault(name, []).append(value)
    values |= {name: [value] for name, value in measure_set(images).items()}
    given = sum(field.given[..., 0].size for field in pairs.fields)
    speed = 0.0 if model is None else given / 1e6 / seconds
    return result.model_copy(update={"values": values, "mpx_per_second": speed})


def _patch_pairs(pairs: ScannerPairs, folder: Path) -> object:
    """The same for everyone: suggested once, then read again."""
    path, sides = folder / _PAIRS, (list(pairs.references), list(pairs.sources))
    if not path.exists():
        save_pairs(path, suggest_pairs(*sides))
    return load_pairs(path, *sides)


def _show(folder: Path, method: str, seed: int, fields: Sequence[Field], images: Sequence[RGB]) -> None:
    for number in range(len(fields)):
        with replacing(picture_path(folder, method, seed, number)) as temporary:
            Image.fromarray(np.ascontiguousarray(images[number])).save(temporary, format="PNG")


def _kind(method: str) -> str:
    """Methods that take about as long."""
    return method if method in METHODS and METHODS[method].fitted_on != "tissue" else "quick"


def _path(folder: Path, method: str, seed: int, suffix: str) -> Path:
    make_folder(folder / f"seed{seed}")
    return folder / f"seed{seed}" / f"{method}.{suffix}"
