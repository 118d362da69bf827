"""The first table as files: Markdown, JSON and a picture panel."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from napari_stainxfer.benchmarks.circumstances import command, surroundings
from napari_stainxfer.benchmarks.kept import noted
from napari_stainxfer.benchmarks.markdown import as_markdown
from napari_stainxfer.benchmarks.table1 import (
    RAW,
    TRUTH,
    Failure,
    Result,
    Table1Run,
    picture_path,
)
from napari_stainxfer.evaluation import METRICS
from napari_stainxfer.files import replacing

_NAME = "table1"
_SHOWN_FIELDS = 3
_INCHES = 1.8
_COSTS = {"fit_seconds": "fit, s", "mpx_per_second": "Mpx/s", "model_mb": "model, MB"}


def write_table1(
    folder: Path, results: Sequence[Result], run: Table1Run, failed: Sequence[Failure] = ()
) -> dict[str, Any]:
    """Write ``table1.md``, ``table1.json`` and ``table1.png``.

    Returns
    -------
    dict
        The paths, and by method the mean of the perceptual distance and of delta E.
    """
    table, facts = summarise(results), _facts(results, run, failed)
    paths = {ending: folder / f"{_NAME}.{ending}" for ending in ("md", "json", "png")}
    content = {
        "facts": facts,
        "table": {
            method: {name: [_json(value) for value in values] for name, values in row.items()}
            for method, row in table.items()
        },
        "failed": [failure._asdict() for failure in failed],
        "results": [json.loads(result.model_dump_json()) for result in results],
    }
    with replacing(paths["json"]) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")
    with replacing(paths["md"]) as temporary:
        temporary.write_text(_markdown(table, facts, failed), encoding="utf-8")
    _panel(paths["png"], folder, results)
    return {
        **{ending: str(path) for ending, path in paths.items()},
        **{
            f"{method}, {name}": round(fmean(row[name]), 3)
            for method, row in table.items()
            for name in ("perceptual_distance", "delta_e")
        },
    }


def _json(value: float) -> float | str:
    """JSON has no infinity, which is the PSNR of equal images."""
    return value if math.isfinite(value) else str(value)


def summarise(results: Sequence[Result]) -> dict[str, dict[str, list[float]]]:
    """By method and measure, the values of all fields and seeds; costs have one a seed."""
    table: dict[str, dict[str, list[float]]] = {}
    for result in results:
        row = table.setdefault(result.method, {})
        for name, values in result.values.items():
            row.setdefault(name, []).extend(values)
        if result.method != RAW:
            row.setdefault("fit_seconds", []).append(result.fit_seconds)
            row.setdefault("mpx_per_second", []).append(result.mpx_per_second)
            row.setdefault("model_mb", []).append(result.model_bytes / 1e6)
    return table


def _facts(results: Sequence[Result], run: Table1Run, failed: Sequence[Failure]) -> dict[str, Any]:
    seeds = sorted({result.seed for result in results})
    asked = [*(result.method for result in results), *(failure.method for failure in failed)]
    methods = [name for name in dict.fromkeys(asked) if name != RAW]
    around = surroundings()
    if codes := noted(
        result.code for result in results
    ):  # those of the results, which may be older than today
        around["versions"] |= {"napari-stainxfer": codes}
    if dates := noted(result.date for result in results):
        around["date"] = dates
    options = {"mpp": run.mpp, "preset": run.preset, "epochs": run.epochs, "lpips": bool(run.lpips)}
    return {
        "command": command("table1", run.data, methods, seeds, options),
        "data": Path(run.data).name,
        "fields": len(results[0].values["perceptual_distance"]),
        "preset": run.preset if run.epochs is None else f"{run.preset}, {run.epochs} epochs",
        "epochs": {
            method: sorted({result.settings["epochs"] for result in results if result.method == method})
            for method in dict.fromkeys(one.method for one in results if "epochs" in one.settings)
        },
        "seeds": seeds,
        **{
            name: sorted({getattr(result, name) for result in results})
            for name in ("threads", "device", "processor")
        },
        **around,
    }


def _markdown(
    table: Mapping[str, Mapping[str, Sequence[float]]], facts: Mapping[str, Any], failed: Sequence[Failure]
) -> str:
    measures = [name for name in METRICS if any(name in row for row in table.values())]
    heads = {name: _head(name) for name in measures} | _COSTS
    heads = {name: head for name, head in heads.items() if any(name in row for row in table.values())}
    rows = {
        method: [_cell(row.get(name, ()), spread=name not in _COSTS) for name in heads]
        for method, row in table.items()
    }
    sentences = [f"{one.method}, seed {one.seed}: {one.why}" for one in failed]
    return as_markdown("", list(heads.values()), rows, facts, not_possible=sentences)


def _head(name: str) -> str:
    metric = METRICS[name]
    arrow = "↓" if metric.better == "lower" else "↑"
    return f"{metric.title}{f', {metric.unit}' if metric.unit else ''} {arrow}"


def _cell(values: Sequence[float], *, spread: bool) -> str:
    """Mean, and the standard deviation over fields and seeds."""
    if not values:
        return "–"
    if not all(map(math.isfinite, values)):
        return str(fmean(values))
    digits = 1 if abs(fmean(values)) >= 10 else 3
    mean = f"{fmean(values):.{digits}f}"
    return f"{mean} ± {pstdev(values):.{digits}f}" if spread and len(values) > 1 else mean


def _panel(path: Path, folder: Path, results: Sequence[Result]) -> None:
    """Draw the first fields through every method, as the first seed gave them."""
    seed = results[0].seed
    methods = [*dict.fromkeys(result.method for result in results), TRUTH]
    fields = min(_SHOWN_FIELDS, len(results[0].values["perceptual_distance"]))
    figure = Figure(figsize=(_INCHES * len(methods), _INCHES * fields + 0.3), layout="constrained")
    grid = figure.subplots(fields, len(methods), squeeze=False)
    for number, line in enumerate(grid):
        for axes, method in zip(line, methods, strict=True):
            axes.set_axis_off()
            with Image.open(picture_path(folder, method, seed, number)) as image:
                middle = [side // 2 for side in image.size]
                half = min(128, *middle)
                box = (middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half)
                axes.imshow(image.crop(box))
            if number == 0:
                axes.set_title(method, fontsize=8)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)
